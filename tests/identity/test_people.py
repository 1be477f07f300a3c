"""People, organisations, memberships: who may make, change and end them (clarifications 44, 49 to 51)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity import clients, clock, organizations, second_factor, sessions, sign_in, users
from identity.errors import CredentialInvalid, CredentialRevoked, Invalid, NotAllowed, NotFound, WrongCredentials
from identity.models import (
    ApiKey,
    AuditEvent,
    BackupCode,
    Client,
    ClientSecret,
    Membership,
    Organization,
    PasswordReset,
    User,
)
from identity.principal import Kind, Role, Via
from tests.identity.test_sign_in import code_of

VIA = Via(door="test", address="127.0.0.1")
PASSWORD = "en ny lösenfras 2026"


def make(by, **more):
    return users.create(by=by, **{"username": "nils", "email": "nils@acme.example", "organization": None} | more)


# --- people ----------------------------------------------------------------------------------------------------------
def test_an_admin_makes_a_person_with_a_random_password_that_works(cast):
    made = make(cast.principal("alice"), organization=cast.organization("acme"), roles=[Role.AGENT])

    assert made.password not in repr(made)
    assert sign_in.prove(name="nils", clear=made.password, via=VIA).membership.roles == [Role.AGENT]
    assert made.user.created_by == cast.user("alice")


def test_a_given_password_follows_the_rules(cast, console):
    with pytest.raises(Invalid) as refusal:
        make(console, password="nils@acme.example")
    assert set(refusal.value.fields) == {"password"}

    make(console, password=PASSWORD, organization=cast.organization("acme"), roles=[Role.AGENT])

    assert sign_in.prove(name="nils", clear=PASSWORD, via=VIA).user.username == "nils"


BAD_NAMES = [
    ({"username": "nils@acme"}, {"username"}),
    ({"username": " "}, {"username"}),
    ({"username": "nils\0"}, {"username"}),
    ({"username": "two words"}, {"username"}),
    ({"username": "x" * 151}, {"username"}),
    ({"username": "ＢＯＢ"}, {"username"}),
    ({"email": "no address"}, {"email"}),
    ({"email": "BOB@acme.example"}, {"email"}),
    ({"username": "bob", "email": "ivan@acme.example"}, {"username", "email"}),
]


@pytest.mark.parametrize(("names", "fields"), BAD_NAMES)
def test_names_and_addresses_are_well_formed_and_unique_in_any_spelling(cast, console, names, fields):
    with pytest.raises(Invalid) as refusal:
        make(console, **names)

    assert set(refusal.value.fields) == fields


@pytest.mark.parametrize("who", ["bob", "carol"])
def test_only_admins_make_people(cast, who):
    with pytest.raises(NotAllowed):
        make(cast.principal(who), organization=cast.organization("acme"))


def test_an_admin_makes_nobody_in_another_organisation(cast):
    with pytest.raises(NotFound):
        make(cast.principal("alice"), organization=cast.organization("globex"), roles=[Role.AGENT])
    assert users.find(name="nils") is None


def test_people_change_themselves_and_admins_change_theirs(cast):
    bob = cast.user("bob")
    users.change(by=cast.principal("bob"), user=bob, email="Robert@acme.example", language="sv")
    users.change(by=cast.principal("alice"), user=bob, first_name="Robert")

    fresh = cast.user("bob")
    assert (fresh.email, fresh.email_key, fresh.first_name, fresh.language) == (
        "Robert@acme.example",
        "robert@acme.example",
        "Robert",
        "sv",
    )
    with pytest.raises(Invalid):
        users.change(by=cast.principal("bob"), user=bob, email="ivan@acme.example")
    with pytest.raises(NotAllowed):
        users.change(by=cast.principal("ivan"), user=bob, first_name="x")
    with pytest.raises(NotFound):
        users.change(by=cast.principal("frank"), user=bob, first_name="x")


VERBS = {
    "disable": users.disable,
    "enable": users.enable,
    "lock": users.lock,
    "unlock": users.unlock,
    "expire": lambda **k: users.set_expiry(**k, expires_at=None),
    "protect": lambda **k: users.protect(**k, is_protected=True),
    "import": lambda **k: users.import_hash(**k, encoded="pbkdf2_sha256$1$x$y"),
}


@pytest.mark.parametrize("verb", list(VERBS.values()), ids=list(VERBS))
def test_only_admins_of_the_same_organisation_change_a_persons_state(cast, verb):
    with pytest.raises(NotAllowed):
        verb(by=cast.principal("carol"), user=cast.user("bob"))
    with pytest.raises(NotFound):
        verb(by=cast.principal("frank"), user=cast.user("bob"))
    verb(by=cast.principal("alice"), user=cast.user("bob"))


ACCOUNT = VERBS | {
    "change the address": lambda by, user: users.change(by=by, user=user, email="mine@globex.example"),
    "reset the factor": second_factor.remove,
}


@pytest.mark.parametrize("verb", list(ACCOUNT.values()), ids=list(ACCOUNT))
def test_an_account_is_looked_after_where_it_is_at_home_and_not_where_it_is_a_guest(cast, console, verb):
    organizations.join(
        by=console, user=cast.user("alice"), organization=cast.organization("globex"), roles=[Role.AGENT]
    )

    with pytest.raises(NotAllowed):
        verb(by=cast.principal("frank"), user=cast.user("alice"))


def test_an_operators_account_is_no_business_of_an_organisation_that_he_belongs_to(cast, console):
    root = User.objects.create_superuser(username="root", email="root@example.com", password=None)
    organizations.join(by=console, user=root, organization=cast.organization("acme"), roles=[Role.AGENT])

    with pytest.raises(NotAllowed):
        users.change(by=cast.principal("alice"), user=root, email="mine@acme.example")


@pytest.mark.parametrize("change", [
    lambda by, user: users.set_password(by=by, user=user, clear=PASSWORD),
    lambda by, user: users.change(by=by, user=user, email="new@acme.example"),
], ids=["the password", "the mailbox"])  # fmt: skip
def test_a_link_that_sets_a_password_dies_with_what_it_was_asked_for(cast, console, change):
    at = clock.now()
    link = PasswordReset.objects.create(
        user=cast.user("bob"), digest="x", created_at=at, expires_at=at + timedelta(hours=1)
    )

    change(console, cast.user("bob"))

    link.refresh_from_db()
    assert link.superseded_at is not None


def test_who_leaves_the_own_organisation_is_at_home_in_the_next(cast, console):
    bob, globex = cast.user("bob"), cast.organization("globex")
    organizations.join(by=console, user=bob, organization=globex, roles=[Role.AGENT])

    organizations.leave(by=console, user=bob, organization=cast.organization("acme"))

    assert cast.user("bob").default_organization == globex


def test_the_last_admin_cannot_disable_himself_but_the_second_last_can(cast, console):
    with pytest.raises(NotAllowed):
        users.disable(by=cast.principal("alice"), user=cast.user("alice"))

    cast.newcomer("anna", roles=(Role.ADMIN,))

    users.disable(by=cast.principal("alice"), user=cast.user("alice"))
    assert not cast.user("alice").is_active


def test_a_hash_of_no_known_kind_is_not_imported(cast, console):
    with pytest.raises(Invalid):
        users.import_hash(by=console, user=cast.user("bob"), encoded="plaintext")


@pytest.mark.parametrize("user_id", ["", "x", "-1", "1" * 19, "١", "987654321"])
def test_impossible_and_unknown_numbers_are_nobody(cast, user_id):
    with pytest.raises(NotFound):
        users.get(user_id=user_id)


def test_people_of_another_organisation_are_nobody(cast):
    with pytest.raises(NotFound):
        users.get(user_id=cast.user("erin").pk, organization_id=cast.organization("acme").pk)


# --- memberships -----------------------------------------------------------------------------------------------------
def test_a_person_may_belong_to_several_organisations_with_roles_of_its_own_in_each(cast, console):
    organizations.join(
        by=console, user=cast.user("bob"), organization=cast.organization("globex"), roles=[Role.SUPERVISOR]
    )

    here, there = (Membership.objects.get(user=cast.user("bob"), organization__name=n) for n in ("acme", "globex"))
    assert (here.roles, there.roles) == ([Role.AGENT], [Role.SUPERVISOR])
    assert cast.user("bob").default_organization == cast.organization("acme")


def test_the_last_admin_cannot_give_up_the_role(cast):
    with pytest.raises(NotAllowed):
        organizations.join(
            by=cast.principal("alice"),
            user=cast.user("alice"),
            organization=cast.organization("acme"),
            roles=[Role.AGENT],
        )
    with pytest.raises(NotAllowed):
        organizations.leave(by=cast.principal("alice"), user=cast.user("alice"), organization=cast.organization("acme"))


def test_a_demoted_admin_is_out_at_the_next_request(cast):
    anna = cast.newcomer("anna", roles=(Role.ADMIN,))
    opened = cast.session("anna")

    organizations.join(
        by=cast.principal("alice"), user=anna, organization=cast.organization("acme"), roles=[Role.AGENT]
    )

    with pytest.raises(CredentialRevoked):
        sessions.by_secret(opened.secret, doors=("test",), via=VIA)


def test_grants_are_a_closed_set_and_replaced_one_by_one(cast, console):
    bob, acme = cast.user("bob"), cast.organization("acme")
    organizations.grant(
        by=console, user=bob, organization=acme, add=["integrations:integration:view", "integrations:integration:add"]
    )
    organizations.grant(by=console, user=bob, organization=acme, remove=["integrations:integration:add"])

    assert cast.membership("bob").grants == ["integrations:integration:view"]
    with pytest.raises(Invalid):
        organizations.grant(by=console, user=bob, organization=acme, add=["root"])
    with pytest.raises(NotFound):
        organizations.grant(by=console, user=bob, organization=cast.organization("globex"), add=[])


def test_who_leaves_an_organisation_is_out_of_it_and_of_nothing_else(cast, console):
    bob, acme = cast.user("bob"), cast.organization("acme")
    organizations.leave(by=console, user=bob, organization=acme)

    assert organizations.membership(user=bob, organization_id=acme.pk) is None
    assert User.objects.get(pk=bob.pk).default_organization is None
    with pytest.raises(NotFound):
        organizations.leave(by=console, user=bob, organization=acme)


# --- organisations ---------------------------------------------------------------------------------------------------
def test_settings_of_an_organisation_are_changed_by_its_admins_only(cast):
    acme = cast.organization("acme")
    organizations.change(by=cast.principal("alice"), organization=acme, ticket_length=9, login_as_roles=["Supervisor"])

    assert (cast.organization("acme").ticket_length, cast.organization("acme").login_as_roles) == (9, ["Supervisor"])
    for who, refusal in (("carol", NotAllowed), ("frank", NotFound)):
        with pytest.raises(refusal):
            organizations.change(by=cast.principal(who), organization=acme, ticket_length=6)


WRONG_SETTINGS = [
    {"nonsense": 1},
    {"login_as_roles": ["Agent"]},
    {"login_as_roles": "Admin"},
    {"cors_origins": ["*"]},
    {"cors_origins": ["https://desk.example.com/path"]},
    {"cors_origins": ["null"]},
    {"link_bases": ["http://portal.example.com"]},
    {"link_bases": ["https://a@evil.example"]},
    {"link_bases": ["https://portal.example.com?x=1"]},
    {"link_bases": [7]},
    {"otp_countries": ["Sweden"]},
    {"ping_mechanisms": ["magic"]},
    {"ticket_length": 5},
    {"ticket_length": True},
    {"usage_retention_days": 0},
    {"sign_in_hosts": ["not a host"]},
    {"sign_in_domains": ["x" * 300]},
    {"ticket_length": 5, "otp_countries": ["x"]},
]


@pytest.mark.parametrize("change", WRONG_SETTINGS)
def test_an_unknown_setting_or_value_is_refused(cast, console, change):
    with pytest.raises(Invalid) as refusal:
        organizations.change(by=console, organization=cast.organization("acme"), **change)

    assert set(refusal.value.fields) == set(change)


def test_settings_that_can_be_meant_are_kept(cast, console, settings):
    meant = {
        "cors_origins": ["https://desk.example.com", "https://*.example.com", "http://localhost:3000"],
        "link_bases": ["https://portal.example.com/x", settings.PUBLIC_URL],
        "otp_countries": ["SE"],
        "sign_in_hosts": ["login.example.com"],
    }
    organizations.change(by=console, organization=cast.organization("acme"), **meant)

    acme = cast.organization("acme")
    assert {name: getattr(acme, name) for name in meant} == meant


def test_names_and_domains_of_organisations_are_unique(cast, console):
    organizations.create(by=console, name="initech", domain="initech.example")
    with pytest.raises(Invalid):
        organizations.create(by=console, name="initech", domain="other.example")


def test_organisations_are_found_by_name_and_by_id(cast):
    acme = cast.organization("acme")
    assert organizations.find(name="acme") == organizations.find(pk=str(acme.pk)) == acme
    for nothing in ({"name": "initech"}, {"pk": "no uuid"}, {"pk": "00000000-0000-4000-8000-000000000000"}):
        with pytest.raises(NotFound):
            organizations.find(**nothing)


def test_a_suspended_organisation_is_closed_and_opens_again(cast, console):
    opened = cast.session("bob")
    organizations.suspend(by=console, organization=cast.organization("acme"))
    with pytest.raises(CredentialRevoked):
        sessions.by_secret(opened.secret, doors=("test",), via=VIA)
    assert "https://desk.acme.example" not in organizations.cors_origins()

    organizations.resume(by=console, organization=cast.organization("acme"))

    assert sessions.by_secret(opened.secret, doors=("test",), via=VIA).name == "bob"
    assert "https://desk.acme.example" in organizations.cors_origins()


# --- clients and API keys --------------------------------------------------------------------------------------------
def client_of(cast, name="acme_service"):
    return Client.objects.get(pk=cast.said["clients"][name]["client_id"])


def authenticate(cast, secret, name="acme_service"):
    return clients.authenticate(client_id=cast.said["clients"][name]["client_id"], secret=secret, via=VIA)


def test_a_client_proves_itself_with_one_query_and_no_slow_hash(cast, django_assert_num_queries):
    secret = cast.said["clients"]["acme_service"]["client_secret"]
    client = authenticate(cast, secret)

    with django_assert_num_queries(1):
        assert authenticate(cast, secret) == client


def test_a_wrong_foreign_or_deleted_clients_secret_is_refused(cast, console):
    secret = cast.said["clients"]["acme_service"]["client_secret"]
    for client, wrong in (("acme_service", "wrong"), ("acme_admin", secret)):
        with pytest.raises(WrongCredentials):
            authenticate(cast, wrong, client)
    clients.delete(by=console, client=client_of(cast))
    with pytest.raises(WrongCredentials):
        authenticate(cast, secret)
    with pytest.raises(NotFound):
        clients.delete(by=console, client=client_of(cast))


def test_a_client_of_a_suspended_organisation_is_refused(cast, console):
    organizations.suspend(by=console, organization=cast.organization("acme"))

    with pytest.raises(WrongCredentials):
        authenticate(cast, cast.said["clients"]["acme_service"]["client_secret"])


def test_a_rotation_ends_the_old_secret_at_once_or_after_a_grace(cast, console):
    first = cast.said["clients"]["acme_service"]["client_secret"]
    second = clients.rotate(by=console, client=client_of(cast), grace=timedelta(minutes=5)).secret
    assert authenticate(cast, first) == authenticate(cast, second)
    assert ClientSecret.objects.filter(client=client_of(cast)).count() == 2

    third = clients.rotate(by=console, client=client_of(cast)).secret

    for dead in (first, second):
        with pytest.raises(WrongCredentials):
            authenticate(cast, dead)
    assert authenticate(cast, third) == client_of(cast)
    with pytest.raises(Invalid):
        clients.rotate(by=console, client=client_of(cast), grace=timedelta(days=8))


def test_clients_are_made_by_admins_of_their_organisation_and_internal_ones_by_operators(cast):
    acme = cast.organization("acme")
    made = clients.create(by=cast.principal("alice"), organization=acme, roles=["Agent", "Agent"], description="desk")
    assert (made.row.roles, made.row.created_by) == (["Agent"], cast.user("alice"))
    assert made.secret not in repr(made)
    assert clients.find(client_id=made.row.pk, organization_id=acme.pk) == made.row

    refusals = [
        (lambda: clients.create(by=cast.principal("bob"), organization=acme), NotAllowed),
        (lambda: clients.create(by=cast.principal("frank"), organization=acme), NotFound),
        (lambda: clients.create(by=cast.principal("alice"), organization=acme, is_internal=True), NotAllowed),
        (lambda: clients.create(by=cast.principal("alice"), organization=acme, roles=["Root"]), Invalid),
        (lambda: clients.find(client_id=made.row.pk, organization_id=cast.organization("globex").pk), NotFound),
    ]
    for refused, leaf in refusals:
        with pytest.raises(leaf):
            refused()


def test_a_client_keeps_what_is_not_said(cast, console):
    clients.change(by=console, client=client_of(cast), description="new")
    clients.change(by=console, client=client_of(cast), roles=["Agent"])

    assert (client_of(cast).description, client_of(cast).roles) == ("new", ["Agent"])


def test_an_api_key_acts_as_an_admin_under_its_own_name(cast):
    principal = clients.by_api_key(cast.said["api_keys"]["acme"], via=VIA)

    assert (principal.kind, principal.name, principal.organization_name, principal.is_admin) == (
        Kind.API_KEY,
        "demo",
        "acme",
        True,
    )


def test_an_unknown_revoked_or_suspended_api_key_is_refused(cast, console):
    with pytest.raises(CredentialInvalid):
        clients.by_api_key("swk_nothing", via=VIA)
    key = ApiKey.objects.get(organization__name="acme")
    with pytest.raises(NotFound):
        clients.revoke_api_key(by=cast.principal("frank"), key=key)

    clients.revoke_api_key(by=cast.principal("alice"), key=key)

    with pytest.raises(CredentialRevoked):
        clients.by_api_key(cast.said["api_keys"]["acme"], via=VIA)
    organizations.suspend(by=console, organization=cast.organization("globex"))
    with pytest.raises(CredentialRevoked):
        clients.by_api_key(cast.said["api_keys"]["globex"], via=VIA)


def test_api_keys_are_made_by_admins_of_their_organisation(cast):
    assert (
        clients.create_api_key(by=cast.principal("alice"), organization=cast.organization("acme"), name="crm").row.name
        == "crm"
    )
    for who, leaf in (("carol", NotAllowed), ("frank", NotFound)):
        with pytest.raises(leaf):
            clients.create_api_key(by=cast.principal(who), organization=cast.organization("acme"), name="crm")


# --- second factors --------------------------------------------------------------------------------------------------
def test_an_app_counts_once_a_code_of_it_was_shown(cast):
    bob = cast.principal("bob")
    enrolment = second_factor.begin(by=bob, user=cast.user("bob"))
    assert enrolment.secret in enrolment.address
    assert enrolment.secret not in repr(enrolment)
    assert not cast.user("bob").has_second_factor
    with pytest.raises(Invalid):
        second_factor.confirm(by=bob, user=cast.user("bob"), code="nonsense")

    codes = second_factor.confirm(by=bob, user=cast.user("bob"), code=code_of(enrolment.secret))

    assert cast.user("bob").has_second_factor
    assert len(codes) == second_factor.backup_codes_left(cast.user("bob")) == 10
    with pytest.raises(NotAllowed):
        second_factor.confirm(by=bob, user=cast.user("bob"), code=code_of(enrolment.secret))


def test_a_backup_code_serves_once_in_any_spelling(cast, console):
    second_factor.enrol(by=console, user=cast.user("bob"))
    code = second_factor.new_backup_codes(by=cast.principal("bob"), user=cast.user("bob"))[0]

    assert [second_factor.check(user=cast.user("bob"), code=c) for c in (code.lower().replace("-", ""), code)] == [
        True,
        False,
    ]
    assert not BackupCode.objects.filter(digest__contains=code).exists()


def test_nobody_enrols_another(cast):
    for verb in (second_factor.begin, second_factor.new_backup_codes):
        with pytest.raises(NotFound):
            verb(by=cast.principal("alice"), user=cast.user("bob"))


def test_an_admin_resets_anothers_factor_and_ends_the_sessions(cast, console):
    second_factor.enrol(by=console, user=cast.user("bob"))
    opened = cast.session("bob")
    for who, leaf in (("carol", NotAllowed), ("frank", NotFound)):
        with pytest.raises(leaf):
            second_factor.remove(by=cast.principal(who), user=cast.user("bob"))

    second_factor.remove(by=cast.principal("alice"), user=cast.user("bob"))

    assert not cast.user("bob").has_second_factor
    assert AuditEvent.objects.filter(event="factor.reset", actor="alice", subject="bob").exists()
    with pytest.raises(CredentialRevoked):
        sessions.by_secret(opened.secret, doors=("test",), via=VIA)


def test_people_remove_their_own_factor(cast, console):
    second_factor.enrol(by=console, user=cast.user("bob"))

    second_factor.remove(by=cast.principal("bob"), user=cast.user("bob"))

    assert AuditEvent.objects.filter(event="factor.removed", actor="bob").exists()


@pytest.mark.django_db(transaction=True)
def test_one_code_at_once_from_many_places_is_spent_once(cast, console, at_once):
    secret = second_factor.enrol(by=console, user=cast.user("bob")).secret
    bob, code = cast.user("bob"), code_of(secret)

    assert at_once(24, lambda _n: second_factor.check(user=bob, code=code)).count(True) == 1


def test_suspending_changes_nothing_in_the_rows_of_others(cast, console):
    organizations.suspend(by=console, organization=cast.organization("acme"))

    assert not Organization.objects.get(name="globex").is_suspended


MACHINES_MAY_NOT = {
    "make people": lambda cast, by: make(by, organization=cast.organization("acme")),
    "disable people": lambda cast, by: users.disable(by=by, user=cast.user("bob")),
    "give roles": lambda cast, by: organizations.join(
        by=by, user=cast.user("bob"), organization=cast.organization("acme"), roles=[Role.ADMIN]
    ),
    "change settings": lambda cast, by: organizations.change(
        by=by, organization=cast.organization("acme"), ticket_length=9
    ),
    "make clients": lambda cast, by: clients.create(by=by, organization=cast.organization("acme")),
    "make keys": lambda cast, by: clients.create_api_key(by=by, organization=cast.organization("acme"), name="x"),
    "reset factors": lambda cast, by: second_factor.remove(by=by, user=cast.user("bob")),
}


@pytest.mark.parametrize("deed", list(MACHINES_MAY_NOT.values()), ids=list(MACHINES_MAY_NOT))
def test_a_client_without_the_right_is_judged_like_a_person_and_may_not(cast, deed):
    secret = cast.said["clients"]["acme_service"]["client_secret"]
    opened = clients.open_session(client=authenticate(cast, secret), via=VIA)
    service = sessions.by_secret(opened.secret, doors=("test",), via=VIA)

    with pytest.raises(NotAllowed):
        deed(cast, service)
