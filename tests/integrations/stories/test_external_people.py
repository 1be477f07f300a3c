"""Whom a provider's word means here, and what of it counts: links, new people, roles, second factors, shut doors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from agents import actions as agents
from identity import clock, organizations, second_factor, users
from identity.errors import Invalid
from identity.models import Application, AuditEvent, Membership, Session, User
from identity.policy import GRANTS
from identity.principal import Role, at_the_console
from integrations.models import ExternalIdentity
from integrations.vendors import configs
from tests.browsers import code_of
from tests.cast import Cast
from tests.integrations.stories.provider import Elsewhere, Visitor, said

Connect = Callable[..., Application]
UNLINKED = "No account here is connected with the one at your provider."
UNVERIFIED = "Your provider has not verified your e-mail address."
NO_ADDRESS = "Your provider did not tell us an e-mail address that could be yours here."
TAKEN = "The account here with your e-mail address belongs to another account at your provider."
SHUT = "Your account here is shut."
DESK = "/desk/"
BOB = {"sub": "1", "email": "bob@acme.example", "email_verified": True}
NORA = {"sub": "2", "email": "nora@acme.example", "email_verified": True, "preferred_username": "nora"}


def came_to(answer: Any) -> str:
    """Where somebody was led, or the sentence that refused them."""
    return str(answer.url) if answer.status_code == 302 else said(answer)


def roles_of(name: str) -> list[str]:
    return [role.value for role in Membership.objects.get(user__username=name).roles]


# --- who it is ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("decided", "claims", "outcome"),
    [
        ({"linkBy": "email"}, BOB, DESK),
        ({"linkBy": "email"}, {**BOB, "email": " BOB@Acme.Example "}, DESK),
        ({"linkBy": "none"}, BOB, UNLINKED),
        ({}, BOB, UNLINKED),
        ({"linkBy": "email"}, {**BOB, "email_verified": False}, UNVERIFIED),
        ({"linkBy": "email"}, {**BOB, "email_verified": "true"}, UNVERIFIED),
        ({"linkBy": "email"}, {**BOB, "email_verified": 1}, UNVERIFIED),
        ({"linkBy": "email"}, {**BOB, "email_verified": None}, UNVERIFIED),
        ({"linkBy": "email"}, {**BOB, "email": None}, NO_ADDRESS),
        ({"linkBy": "email"}, {**BOB, "email": ["bob@acme.example"]}, NO_ADDRESS),
        ({"linkBy": "email"}, {**BOB, "email": "bob"}, UNLINKED),
        ({"linkBy": "email"}, {**BOB, "email": "b\0b@acme.example"}, NO_ADDRESS),
        ({"linkBy": "email"}, NORA, UNLINKED),
        ({"linkBy": "email"}, {**BOB, "email": "frank@globex.example"}, UNLINKED),
        ({"linkBy": "email", "creates_people": True}, {**BOB, "email": "frank@globex.example"}, UNLINKED),
        ({"creates_people": True}, BOB, UNLINKED),
        ({"creates_people": True}, NORA, DESK),
        ({"creates_people": True}, {**NORA, "email_verified": False}, UNVERIFIED),
        ({"creates_people": True}, {**NORA, "email": "no address"}, NO_ADDRESS),
        ({"creates_people": True}, {**NORA, "email": f"{'x' * 250}@acme.example"}, NO_ADDRESS),
        ({"linkBy": "email"}, {**BOB, "email": "dave@acme.example"}, SHUT),
    ],
    ids=[
        "verified", "spelled otherwise", "by none", "undecided", "unverified", "verified in words", "verified by number", "not said",
        "no address", "a list", "a user name", "a NUL", "nobody", "of another organisation", "of another, with just-in-time",
        "here, but not to be linked", "new", "new and unverified", "new without a real address", "new with too long an address", "disabled",
    ],
)  # fmt: skip
def test_who_comes_in_by_what_the_provider_says(
    visitor: Visitor,
    elsewhere: Elsewhere,
    connect: Connect,
    decided: dict[str, Any],
    claims: dict[str, Any],
    outcome: str,
) -> None:
    people = User.objects.count()
    application = connect(**decided)
    elsewhere.claims = claims

    assert came_to(visitor.through(elsewhere, application)) == outcome

    came_in = outcome == DESK
    assert Session.objects.filter(door="portal").count() == came_in
    assert User.objects.count() == people + (came_in and claims is NORA)
    assert ExternalIdentity.objects.count() == (outcome in (DESK, SHUT))
    assert AuditEvent.objects.filter(event="login.failed").count() == (not came_in)


@pytest.mark.parametrize(
    ("mailbox", "said_there"),
    [
        ("anna@strasse.example", "anna@straße.example"), ("anna@straße.example", "anna@strasse.example"), ("kim@acme.example", "\u212aim@acme.example"),
        ("sam@acme.example", "ſam@acme.example"), ("anna@acme.example", "ａnna@acme.example"), ("anna@acme.example", "anna@ａcme.example"),
    ],
    ids=["another domain", "the other way round", "the kelvin sign", "a long s", "wide letters", "a wide domain"],
)  # fmt: skip
@pytest.mark.parametrize("creates_people", [False, True], ids=["", "with just-in-time"])
def test_an_address_that_is_only_written_alike_is_somebody_elses(
    visitor: Visitor,
    elsewhere: Elsewhere,
    connect: Connect,
    cast: Cast,
    mailbox: str,
    said_there: str,
    creates_people: bool,
) -> None:
    """Two names are one where somebody could mistake them; two mailboxes are two, and each may be at another provider."""
    application = connect(linkBy="email", creates_people=creates_people)
    users.create(
        by=at_the_console(),
        username="victim",
        email=mailbox,
        organization=cast.organization("acme"),
        roles=[Role.ADMIN],
    )
    elsewhere.claims = {**BOB, "email": said_there}
    assert came_to(visitor.through(elsewhere, application)) == UNLINKED
    assert not ExternalIdentity.objects.exists()


def test_an_operator_is_not_reached_by_any_providers_word(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    User.objects.create_superuser(
        "olga", "olga@acme.example", "correct horse battery", default_organization=cast.organization("acme")
    )
    elsewhere.claims = {**BOB, "email": "olga@acme.example"}
    assert came_to(visitor.through(elsewhere, connect(linkBy="email", creates_people=True))) == UNLINKED


def test_who_inherits_a_mailbox_does_not_inherit_the_account(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect
) -> None:
    application = connect(linkBy="email", creates_people=True)
    elsewhere.claims = BOB
    visitor.through(elsewhere, application)
    elsewhere.claims = {**BOB, "sub": "somebody new with bob's address"}
    assert came_to(Visitor().through(elsewhere, application)) == TAKEN


def test_a_link_counts_at_its_own_application_only(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    elsewhere.claims = BOB
    visitor.through(elsewhere, connect(linkBy="email"))
    assert came_to(Visitor().through(elsewhere, connect(linkBy="none"))) == UNLINKED


def test_somebody_new_gets_an_account_with_a_desk_and_no_password_that_anybody_knows(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    application = connect(creates_people=True)
    elsewhere.claims = {**NORA, "given_name": "Nora", "family_name": "Nord"}

    assert came_to(visitor.through(elsewhere, application)) == DESK

    nora = cast.user("nora")
    assert (nora.email, nora.get_full_name(), nora.default_organization) == (
        "nora@acme.example",
        "Nora Nord",
        cast.organization("acme"),
    )
    assert (roles_of("nora"), Membership.objects.get(user=nora).grants) == (["Agent"], [])
    assert visitor.get("/desk/").status_code == 200
    assert agents.of_user(user_id=nora.pk, organization_id=nora.default_organization_id) is not None
    assert list(AuditEvent.objects.filter(door="with").order_by("pk").values_list("event", flat=True)) == [
        "user.created", "membership.created", "user.linked", "user.changed", "login.succeeded",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "outcome"),
    [
        ({"preferred_username": "ﷺ" * 100}, DESK), ({"preferred_username": "nora＠globex.example"}, DESK), ({"preferred_username": "ß" * 150}, DESK),
        ({"email": f"nora@{'ﷺ' * 60}.example"}, NO_ADDRESS), ({"email": f"nora@{'ﷺ' * 10}.example"}, DESK),
    ],
    ids=["a name that grows", "an address in wide letters", "a name that grows in lower case", "an address that grows", "an address that fits"],
)  # fmt: skip
def test_what_grows_when_it_is_compared_is_kept_only_if_it_fits(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, claims: dict[str, str], outcome: str
) -> None:
    elsewhere.claims = {**NORA, **claims}
    assert came_to(visitor.through(elsewhere, connect(creates_people=True))) == outcome
    for made in User.objects.filter(email__startswith="nora"):
        assert "@" not in made.username_key
        assert len(made.username_key) <= 200


@pytest.mark.parametrize("said_name", ["bob", "BOB", "bob@elsewhere.example", "b ob\u200b", ""])
def test_a_name_that_is_taken_gets_a_tail(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, said_name: str
) -> None:
    elsewhere.claims = {**NORA, "email": "bob@other.example", "preferred_username": said_name}
    assert came_to(visitor.through(elsewhere, connect(creates_people=True))) == DESK
    made = User.objects.get(email="bob@other.example")
    assert made.username_key.startswith("bob-")


def test_somebody_new_in_many_tabs_at_once_is_one_person(elsewhere: Elsewhere, connect: Connect, at_once: Any) -> None:
    application = connect(creates_people=True)
    elsewhere.claims = NORA
    nonces: dict[str, str] = {}
    sign = elsewhere.sign

    tabs = [Visitor() for _ in range(6)]
    states = []
    for tab in tabs:
        asked = tab.away(application)
        nonces[asked["code_challenge"]] = asked["nonce"]
        states.append(asked)
    # Each code is traded for a token of its own sign-in: the verifier tells which.
    from_tab = {asked["state"]: asked["nonce"] for asked in states}
    elsewhere.sign = sign
    original = elsewhere.say

    def say(path: str, headers: dict[str, str], body: str) -> Any:
        if path != "/token":
            return original(path, headers, body)
        code = body.partition("code=")[2].partition("&")[0]
        return 200, {"access_token": "x", "id_token": sign({**elsewhere.whole(), "nonce": from_tab[code]})}

    elsewhere.say = say  # type: ignore[method-assign]  # it answers each tab

    def arrive(number: int) -> int:
        asked = states[number]
        return int(tabs[number].back(application, code=asked["state"], state=asked["state"]).status_code)

    assert at_once(6, arrive) == [302] * 6
    assert User.objects.filter(email="nora@acme.example").count() == 1
    assert ExternalIdentity.objects.count() == 1
    assert Session.objects.filter(door="portal", user__username="nora").count() == 6


# --- doors that are shut -----------------------------------------------------------------------------------------------------
SHUT_BY: dict[str, Callable[[Cast, User], Any]] = {
    "disabled": lambda cast, bob: users.disable(by=at_the_console(), user=bob),
    "locked": lambda cast, bob: users.lock(by=at_the_console(), user=bob),
    "expired": lambda cast, bob: users.set_expiry(by=at_the_console(), user=bob, expires_at=clock.now() - timedelta(seconds=1)),
    "left": lambda cast, bob: organizations.leave(by=at_the_console(), user=bob, organization=cast.organization("acme")),
    "from elsewhere": lambda cast, bob: User.objects.filter(pk=bob.pk).update(auth_ip=["192.0.2.0/24"]),
}  # fmt: skip


@pytest.mark.parametrize("shut", SHUT_BY.values(), ids=SHUT_BY)
def test_whom_this_house_shut_out_no_provider_brings_back(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast, shut: Callable[[Cast, User], Any]
) -> None:
    application = connect(linkBy="email", creates_people=True)
    elsewhere.claims = BOB
    assert came_to(visitor.through(elsewhere, application)) == DESK
    shut(cast, cast.user("bob"))

    assert came_to(Visitor().through(elsewhere, application)) == SHUT

    row = AuditEvent.objects.get(event="login.failed")
    assert (row.door, row.subject, row.rule) == ("with", "bob", "shut")


# --- roles -------------------------------------------------------------------------------------------------------------------
MAP = {"leads": "Supervisor", "bosses": "Admin", "gods": "ClientService"}


@pytest.mark.parametrize(
    ("groups", "roles"),
    [
        (["leads"], ["Agent", "Supervisor"]),
        (["leads", "bosses"], ["Agent", "Supervisor", "Admin"]),
        ("bosses", ["Agent", "Admin"]),
        ([], ["Agent"]),
        (None, ["Agent"]),
        (["Admin", "Bosses", "bosses ", 1, None, ["bosses"], "gods"], ["Agent"]),
        ({"bosses": True}, ["Agent"]),
    ],
    ids=repr,
)
def test_roles_follow_the_administrators_map_and_nothing_else(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, groups: Any, roles: list[str]
) -> None:
    elsewhere.claims = {**BOB, "realm_access": {"groups": groups}}
    application = connect(
        linkBy="email", roleClaim="realm_access.groups", roles={k: MAP[k] for k in ("leads", "bosses")}
    )
    assert came_to(visitor.through(elsewhere, application)) == DESK
    assert roles_of("bob") == roles


def test_a_map_cannot_be_written_that_gives_more_than_admin() -> None:
    with pytest.raises(Invalid) as refused:
        configs.check("STANDALONE_OPENID", {"signIn": {"roleClaim": "groups", "roles": MAP}})
    assert refused.value.fields == {"config.signIn.roles.gods": ["Not accepted."]}


@pytest.mark.parametrize("type_", ["GENESYS", "STANDALONE_OPENID", "TALKDESK_OPENID", "NICE_CXONE_OPENID"])
def test_what_is_not_complete_cannot_be_offered(type_: str) -> None:
    with pytest.raises(Invalid) as refused:
        configs.check(type_, {"signIn": {"enabled": True}, "serviceParameters": {}})
    assert "config.serviceParameters.clientId" in refused.value.fields


def test_who_connected_an_application_before_and_offers_nothing_needs_nothing_more() -> None:
    for config in ({}, {"signIn": {}}, {"signIn": {"enabled": False}}):
        configs.check("STANDALONE_OPENID", config)


def test_without_a_claim_roles_stay_as_they_are(visitor: Visitor, elsewhere: Elsewhere, connect: Connect) -> None:
    elsewhere.claims = {**BOB, "email": "carol@acme.example", "groups": ["bosses"]}
    visitor.through(elsewhere, connect(linkBy="email"))
    assert roles_of("carol") == ["Supervisor"]


def test_who_is_no_admin_there_any_more_is_none_here_and_ends_here(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    second = cast.newcomer("anna", roles=(Role.ADMIN,))
    elsewhere.claims = {**BOB, "email": second.email, "groups": []}
    before = cast.session("anna").session

    visitor.through(elsewhere, connect(linkBy="email", roleClaim="groups", roles={}))

    assert roles_of("anna") == ["Agent"]
    assert Session.objects.get(pk=before.pk).end_reason == "demoted"


def test_the_last_admin_stays_one_whatever_the_provider_says(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect
) -> None:
    elsewhere.claims = {**BOB, "email": "alice@acme.example", "groups": []}
    visitor.through(elsewhere, connect(linkBy="email", roleClaim="groups", roles={}))
    assert roles_of("alice") == ["Agent", "Admin"]
    assert set(Membership.objects.get(user__username="alice").grants) == set(GRANTS), (
        "no OpenID provider gives or takes grants"
    )


def test_roles_stay_where_the_administrator_keeps_them(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect
) -> None:
    elsewhere.claims = {**BOB, "groups": ["bosses"]}
    visitor.through(elsewhere, connect(linkBy="email", roleClaim="groups", roles={"bosses": "Admin"}, keepsRoles=True))
    assert roles_of("bob") == ["Agent"]


# --- second factors ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("decided", "claims", "is_enough"),
    [
        ({"acceptsSecondFactor": True}, {"amr": ["pwd", "mfa"]}, True),
        ({"acceptsSecondFactor": True}, {"amr": ["pwd", "otp"]}, False),
        ({"acceptsSecondFactor": True}, {"acr": "gold"}, False),
        ({"acceptsSecondFactor": True, "secondFactorAcr": "gold"}, {"acr": "gold"}, True),
        ({"acceptsSecondFactor": True, "secondFactorAcr": "gold"}, {"acr": "silver"}, False),
        ({"secondFactorAcr": "gold"}, {"acr": "gold", "amr": ["mfa"]}, False),
        ({}, {"amr": ["mfa"]}, False),
    ],
    ids=["mfa", "one method", "acr unheard of", "acr", "another acr", "acr not decided", "mfa not decided"],
)
def test_the_providers_second_factor_counts_where_an_administrator_says_so(
    visitor: Visitor,
    elsewhere: Elsewhere,
    connect: Connect,
    cast: Cast,
    decided: dict[str, Any],
    claims: dict[str, Any],
    is_enough: bool,
) -> None:
    second_factor.enrol(by=at_the_console(), user=cast.user("bob"))
    application = connect(linkBy="email", **decided)
    elsewhere.claims = BOB | claims

    answer = visitor.through(elsewhere, application)

    assert came_to(answer) == (DESK if is_enough else f"/login/with/{application.pk}/code/")
    assert visitor.is_signed_in is is_enough
    assert [s.second_factor_at is not None for s in Session.objects.filter(door="portal")] == [True] * is_enough


def test_a_second_factor_that_nobody_signed_does_not_count(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    second_factor.enrol(by=at_the_console(), user=cast.user("bob"))
    elsewhere.claims = {"sub": "1"}
    elsewhere.metadata["userinfo_endpoint"] = f"{elsewhere.url}/userinfo"
    elsewhere.answers["/userinfo"] = 200, BOB | {"amr": ["mfa"]}
    application = connect(linkBy="email", acceptsSecondFactor=True)
    assert came_to(visitor.through(elsewhere, application)) == f"/login/with/{application.pk}/code/"


ANOTHER = {"email": "somebody@evil.example", "email_verified": True}


@pytest.mark.parametrize(
    ("signed", "about", "outcome"),
    [
        ({"email": "bob@acme.example"}, ANOTHER, UNVERIFIED),
        ({"email": "bob@acme.example"}, {"email_verified": True}, UNVERIFIED),
        ({"email_verified": True}, {"email": "bob@acme.example"}, UNVERIFIED),
        ({"email": "bob@acme.example", "email_verified": False}, {"email": "bob@acme.example", "email_verified": True}, UNVERIFIED),
        ({"email_verified": True}, {"email": "bob@acme.example", "email_verified": False}, UNVERIFIED),
        ({"email": "bob@acme.example", "email_verified": True}, {"email": "bob@acme.example", "email_verified": False}, DESK),
        ({"email": "bob@acme.example"}, {"email": "bob@acme.example", "email_verified": True}, DESK),
        ({"email_verified": False}, {"email": "bob@acme.example", "email_verified": True}, DESK),
    ],
    ids=["another's", "nobody's", "nobody's in the token", "the token says no", "userinfo says no", "the token says yes", "the same", "of no address"],
)  # fmt: skip
def test_an_address_is_verified_by_whoever_names_it(
    visitor: Visitor,
    elsewhere: Elsewhere,
    connect: Connect,
    signed: dict[str, Any],
    about: dict[str, Any],
    outcome: str,
) -> None:
    """The yes of one of a provider's documents is not of the address in the other."""
    elsewhere.claims = {"sub": "1", "email": None, "email_verified": None, **signed}
    elsewhere.metadata["userinfo_endpoint"] = f"{elsewhere.url}/userinfo"
    elsewhere.answers["/userinfo"] = 200, {"sub": "1", **about}
    assert (
        came_to(visitor.through(elsewhere, connect(linkBy="email", roleClaim="realm_access.roles", roles={})))
        == outcome
    )


def test_a_code_of_ones_own_factor_goes_on_where_the_provider_left_off(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast, settings: Any
) -> None:
    settings.LOCKOUT_FAILURES = 3
    secret = second_factor.enrol(by=at_the_console(), user=cast.user("bob")).secret
    application = connect(linkBy="email")
    elsewhere.claims = BOB
    page = visitor.get(visitor.through(elsewhere, application, "?next=/account/").url)
    path = f"/login/with/{application.pk}/code/"
    assert "One step more" in page.text

    assert visitor.send(path, otp="").status_code == 400
    wrong = visitor.send(path, otp="000000")
    assert wrong.status_code == 401
    assert "This code is wrong, or was used already." in wrong.text
    stranger = Visitor()
    stranger.get(path)
    assert stranger.send(path, otp=code_of(secret)).status_code == 403, "another browser has nothing to go on with"
    right = visitor.send(path, otp=code_of(secret))

    assert (right.status_code, right.url) == (302, "/account/")
    assert Session.objects.get(user=cast.user("bob"), door="portal").second_factor_at is not None
    again = visitor.send(path, otp="000000")
    assert again.status_code == 403, "it was over with the session"


def test_wrong_codes_are_counted_over_every_door(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast, settings: Any
) -> None:
    settings.LOCKOUT_FAILURES = 2
    secret = second_factor.enrol(by=at_the_console(), user=cast.user("bob")).secret
    application = connect(linkBy="email")
    elsewhere.claims = BOB
    path = visitor.through(elsewhere, application).url
    visitor.get(path)

    answers = [visitor.send(path, otp=code).status_code for code in ("000000", "000000", code_of(secret))]

    assert answers == [401, 401, 429]
    assert not visitor.is_signed_in


def test_whoever_must_have_a_second_factor_enrols_unless_the_providers_counts(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    organizations.change(by=at_the_console(), organization=cast.organization("acme"), requires_second_factor=True)
    elsewhere.claims = BOB | {"amr": ["mfa"]}
    visitor.through(elsewhere, connect(linkBy="email"))
    assert visitor.get("/desk/").url == "/account/second-factor/"

    strong = Visitor()
    strong.through(elsewhere, connect(linkBy="email", acceptsSecondFactor=True))
    assert strong.get("/desk/").status_code == 200


# --- Genesys -----------------------------------------------------------------------------------------------------------------
PERSON = {"id": "a1b2", "name": "Bob Berg", "email": "bob@acme.example", "state": "active"}
SUPERVISOR, ADD, EDIT = (
    "ui:supervisorAgentDetails:view",
    "integrations:integration:add",
    "integrations:integration:edit",
)


def genesys(elsewhere: Elsewhere, *permissions: str, **more: Any) -> None:
    elsewhere.answers["/oauth/token"] = 200, {"access_token": "for genesys", "token_type": "bearer"}
    elsewhere.answers["/api/v2/users/me"] = 200, {**PERSON, "authorization": {"permissions": list(permissions)}, **more}


@pytest.mark.parametrize(
    ("permissions", "roles", "grants"),
    [
        ([], ["Agent"], []),
        (["routing:queue:view"], ["Agent"], []),
        ([SUPERVISOR], ["Agent", "Supervisor"], []),
        ([ADD], ["Agent"], [ADD]),
        ([EDIT], ["Agent"], [EDIT]),
        ([ADD, EDIT], ["Agent", "Admin"], [ADD, EDIT]),
        (["integrations:integration:*"], ["Agent", "Admin"], sorted(GRANTS)),
        (["integrations:*:view"], ["Agent"], ["integrations:integration:view"]),
        ([SUPERVISOR.upper(), "integrations:integration", "*"], ["Agent"], []),
    ],
    ids=["none", "others", "supervisor", "add", "edit", "both", "all", "view of all", "nearly"],
)
def test_genesys_permissions_are_roles_and_grants_here(
    visitor: Visitor,
    elsewhere: Elsewhere,
    connect: Connect,
    permissions: list[str],
    roles: list[str],
    grants: list[str],
) -> None:
    genesys(elsewhere, *permissions)
    application = connect(linkBy="email", type_="GENESYS")

    asked = visitor.away(application)
    assert visitor.left.url.startswith(f"{elsewhere.url}/oauth/authorize?")
    assert visitor.back(application, code="a-code", state=asked["state"]).url == DESK

    assert (roles_of("bob"), Membership.objects.get(user__username="bob").grants) == (roles, grants)
    assert ExternalIdentity.objects.get().subject == "a1b2"
    assert elsewhere.heard[-1][1]["Authorization"] == "Bearer for genesys"
    assert [path for path, _headers, _body in elsewhere.heard] == ["/oauth/token", "/api/v2/users/me"]


@pytest.mark.parametrize(
    ("organization", "outcome"),
    [
        ({"id": "00000000-0000-4000-8000-0000000000ac"}, DESK), ({"id": "00000000-0000-4000-8000-0000000000AC"}, DESK),
        ({"id": "0badc0de-0000-4000-8000-000000000000"}, UNLINKED), ({"id": None}, UNLINKED), ({}, UNLINKED), ("acme", UNLINKED),
    ],
    ids=["ours", "ours in capitals", "another", "nobody", "unnamed", "no object"],
)  # fmt: skip
def test_genesys_speaks_for_the_people_of_the_applications_own_organisation_only(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, organization: Any, outcome: str
) -> None:
    """A client may serve several organisations there, and each names the addresses of its people as it likes."""
    genesys(elsewhere, organization=organization)
    assert came_to(visitor.through(elsewhere, connect(linkBy="email", type_="GENESYS"))) == outcome
    assert visitor.is_signed_in == (outcome == DESK)
    assert ExternalIdentity.objects.exists() == (outcome == DESK)


def test_grants_go_when_genesys_takes_them(visitor: Visitor, elsewhere: Elsewhere, connect: Connect) -> None:
    genesys(elsewhere, email="carol@acme.example")
    visitor.through(elsewhere, connect(linkBy="email", type_="GENESYS"))
    assert Membership.objects.get(user__username="carol").grants == []


def test_somebody_new_of_genesys_gets_an_account(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, cast: Cast
) -> None:
    genesys(elsewhere, SUPERVISOR, email="nora@acme.example", name="Nora van der Nord")
    assert came_to(visitor.through(elsewhere, connect(creates_people=True, type_="GENESYS"))) == DESK
    nora = cast.user("nora")
    assert (nora.first_name, nora.last_name, roles_of("nora")) == ("Nora", "van der Nord", ["Agent", "Supervisor"])


@pytest.mark.parametrize(
    ("path", "answer", "sentence"),
    [
        ("/api/v2/users/me", (200, {**PERSON, "state": "inactive"}), SHUT),
        ("/api/v2/users/me", (200, {"name": "nobody"}), "Your provider did not answer in time, or not in a way that we understand."),
        ("/api/v2/users/me", (401, {}), "This way to sign in is not set up rightly."),
        ("/oauth/token", (400, {"error": "invalid_grant"}), "What came back from your provider does not prove who you are."),
        ("/oauth/token", (401, {"error": "invalid_client"}), "This way to sign in is not set up rightly."),
        ("/oauth/token", (503, {}), "Your provider did not answer in time, or not in a way that we understand."),
    ],
    ids=["inactive", "nobody", "not told", "a false code", "a false secret", "down"],
)  # fmt: skip
def test_what_genesys_does_not_confirm_signs_nobody_in(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, path: str, answer: Any, sentence: str
) -> None:
    genesys(elsewhere)
    elsewhere.answers[path] = answer
    assert came_to(visitor.through(elsewhere, connect(linkBy="email", type_="GENESYS"))) == sentence
    assert not visitor.is_signed_in
