"""The operator's commands do what they are asked or say why not, and count at the next request (clarifications 39, 65)."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as of_the_house
from django.core.management.base import CommandError

from agents.models import Agent
from identity import (
    audit,
    authorization_codes,
    clients,
    clock,
    crypto,
    login_as,
    outbox,
    password_resets,
    policy,
    seals,
    second_factor,
    sessions,
    tokens,
    users,
)
from identity.errors import CredentialRevoked, NotFound, Spent, Unauthenticated, WrongCredentials
from identity.management.console import OperatorCommand
from identity.models import ApiKey, Application, AuditEvent, Client, Organization, OutboxMessage, SigningKey, User
from identity.principal import Role, Via
from tests.cast import Cast
from tests.config.commands import manage, manage_json, refusal
from tests.processes import environment_of_tests

VIEW = policy.GRANTS[0]


def new_user(*more: str, name: str = "grace") -> dict[str, Any]:
    made: dict[str, Any] = manage_json(
        "create_user", "--username", name, "--email", f"{name}@acme.example", "--organization", "acme", *more, "--json"
    )
    return made


# --- create_user ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("role", "has_agent"), [("Agent", True), ("Supervisor", True), ("Admin", False)])
def test_create_user_prints_one_object_shaped_as_in_the_demo_file(cast: Cast, role: str, has_agent: bool) -> None:
    made = new_user("--role", role, "--permission", VIEW, "--first-name", "Grace")

    user = User.objects.get(username="grace")
    agent = Agent.objects.filter(user=user).first()
    expected = {
        "user_id": user.pk, "username": "grace", "email": "grace@acme.example", "password": made["password"], "organization": "acme",
        "roles": [role],
    }  # fmt: skip
    if has_agent:
        assert agent is not None
        expected |= {"agent_id": agent.pk, "extension": agent.extension}
    assert made == expected
    assert len(made["password"]) >= 12
    assert user.check_password(made["password"])
    assert (user.first_name, user.memberships.get().grants) == ("Grace", [VIEW])


def test_create_user_without_json_speaks_in_lines(cast: Cast) -> None:
    said = manage(
        "create_user", "--username", "grace", "--email", "g@acme.example", "--organization", "acme", "--role", "Agent",
        "--role", "Supervisor", "--extension", "555",
    )  # fmt: skip

    assert "username: grace\n" in said
    assert "roles: Agent, Supervisor\n" in said
    assert "extension: 555\n" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--username", "BOB", "--email", "x@acme.example"), "There is somebody named 'BOB' already."),
        (("--username", "grace", "--email", "Bob@acme.example"), "email: This is taken."),
        (("--username", "gr@ce", "--email", "x@acme.example"), "username: A user name has 1 to 150 characters, no space and no @."),
        (("--username", "grace", "--email", "nowhere"), "email: Enter a valid email address."),
        (("--username", "grace", "--email", "g@acme.example", "--extension", "08123456"), "extension: This extension is taken."),
    ],
)  # fmt: skip
def test_a_person_who_cannot_be_made_is_not_half_made(cast: Cast, words: tuple[str, ...], said: str) -> None:
    before = User.objects.count(), AuditEvent.objects.count()

    assert refusal("create_user", *words, "--organization", "acme", "--role", "Agent") == said

    assert (User.objects.count(), AuditEvent.objects.count()) == before


def test_create_user_names_what_it_does_not_know(cast: Cast) -> None:
    usual = ("create_user", "--username", "grace", "--email", "g@acme.example")
    assert (
        refusal(*usual, "--organization", "nowhere", "--role", "Agent") == "There is no organisation named 'nowhere'."
    )
    assert "invalid choice: 'Boss'" in refusal(*usual, "--organization", "acme", "--role", "Boss")
    assert "invalid choice: 'all'" in refusal(
        *usual, "--organization", "acme", "--role", "Agent", "--permission", "all"
    )


# --- set_user ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("off", "on"),
    [("--disabled", "--enabled"), ("--locked", "--unlocked"), ("--expires=2020-01-01T00:00:00Z", "--expires=never")],
)
def test_set_user_shuts_somebody_out_at_the_next_request_and_lets_them_in_again(cast: Cast, off: str, on: str) -> None:
    session = cast.session("bob").session

    manage("set_user", "--username", "bob", off)
    with pytest.raises(CredentialRevoked):
        cast.principal_of(session)
    assert not cast.user("bob").may_sign_in(at=clock.now())

    manage("set_user", "--username", "bob", on)
    assert cast.user("bob").may_sign_in(at=clock.now())
    with pytest.raises(CredentialRevoked):  # what ended stays ended
        cast.principal_of(session)


def test_set_user_protects_and_unprotects(cast: Cast) -> None:
    manage("set_user", "--username", "bob", "--protected")
    assert cast.user("bob").is_protected
    manage("set_user", "--username", "BOB@acme.example", "--unprotected")
    assert not cast.user("bob").is_protected


def test_set_user_replaces_roles_and_gives_and_takes_permissions(cast: Cast) -> None:
    manage("set_user", "--username", "bob", "--role=Agent", "--role=Supervisor", f"--permission={VIEW}")
    assert (cast.membership("bob").roles, cast.membership("bob").grants) == ([Role.AGENT, Role.SUPERVISOR], [VIEW])

    manage("set_user", "--username", "bob", "--role=Agent", f"--remove-permission={VIEW}")
    assert (cast.membership("bob").roles, cast.membership("bob").grants) == ([Role.AGENT], [])


def test_an_admin_who_becomes_an_agent_gets_an_extension(cast: Cast) -> None:
    manage("set_user", "--username", "alice", "--role=Agent")

    assert cast.agent("alice").extension


def test_set_user_adds_an_organisation_with_its_own_roles(cast: Cast) -> None:
    manage("set_user", "--username", "bob", "--add-organization", "globex", "--role=Supervisor", f"--permission={VIEW}")

    held = {
        m.organization.name: (m.roles, m.grants) for m in cast.user("bob").memberships.select_related("organization")
    }
    assert held == {"acme": ([Role.AGENT], []), "globex": ([Role.SUPERVISOR], [VIEW])}
    assert Agent.objects.filter(user=cast.user("bob")).count() == 2
    assert cast.user("bob").default_organization == cast.organization("acme")


def test_set_user_enrols_a_second_factor_and_prints_its_secret(cast: Cast) -> None:
    secret, address = manage("set_user", "--username", "bob", "--enroll-totp").split()

    assert len(secret) == 32
    assert f"secret={secret}" in address
    assert address.startswith("otpauth://totp/Switchboard%3Abob?")
    assert cast.user("bob").has_second_factor
    assert second_factor.check(user=cast.user("bob"), code="000000") is False


@pytest.mark.parametrize("said", ["yesterday", "2027-01-01", "2027-01-01T00:00:00"])
def test_an_expiry_names_its_offset(cast: Cast, said: str) -> None:
    assert refusal("set_user", "--username", "bob", f"--expires={said}").startswith("--expires wants a time like")
    assert cast.user("bob").expires_at is None


def test_set_user_does_all_or_nothing(cast: Cast) -> None:
    said = refusal("set_user", "--username", "bob", "--disabled", "--add-organization", "nowhere", "--role=Agent")

    assert said == "There is no organisation named 'nowhere'."
    assert cast.user("bob").is_active


def test_set_user_names_a_person_it_does_not_know(cast: Cast) -> None:
    assert refusal("set_user", "--username", "nobody", "--disabled") == "There is no person named 'nobody'."


def test_an_operator_has_no_roles_to_change(cast: Cast) -> None:
    User.objects.create_superuser("root", "root@id.example", "correct horse battery")

    assert refusal("set_user", "--username", "root", "--role=Agent") == "root belongs to no organisation."


# --- organisations, applications, machines --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("said", "roles"), [("off", []), ("Admin", ["Admin"]), ("Admin,Supervisor", ["Admin", "Supervisor"])]
)
def test_set_organization_says_who_may_log_in_as_others(cast: Cast, said: str, roles: list[str]) -> None:
    manage("set_organization", "--organization", "acme", f"--login-as={said}")

    assert cast.organization("acme").login_as_roles == roles


def test_set_organization_refuses_other_roles(cast: Cast) -> None:
    said = refusal("set_organization", "--organization", "acme", "--login-as=Agent")

    assert said == "login_as_roles: Only Admin and Supervisor can be allowed to log in as others."


def test_a_suspended_organisation_is_shut_at_the_next_request_and_can_be_resumed(cast: Cast) -> None:
    session = cast.session("bob").session

    manage("set_organization", "--organization", "acme", "--suspended")
    with pytest.raises(CredentialRevoked):
        cast.principal_of(session)

    manage("set_organization", "--organization", "acme", "--resumed")
    assert cast.principal_of(session).name == "bob"


def test_set_application_lists_and_opens(cast: Cast) -> None:
    pk = cast.said["applications"]["openid"]

    manage("set_application", "--application", pk, "--hidden", "--anonymous-registration")
    found = Application.objects.get(pk=pk)
    assert (found.is_visible, found.allows_anonymous_registration) == (False, True)

    manage("set_application", "--application", pk, "--visible", "--no-anonymous-registration")
    found = Application.objects.get(pk=pk)
    assert (found.is_visible, found.allows_anonymous_registration) == (True, False)


def test_set_application_names_one_that_it_does_not_know(cast: Cast) -> None:
    assert refusal("set_application", "--application", "nothing", "--hidden") == "There is no application 'nothing'."


def test_create_organization_prints_its_entry(cast: Cast) -> None:
    made = manage_json(
        "create_organization", "--name", "initech", "--domain", "Initech.example", "--title", "Initech", "--json"
    )

    found = Organization.objects.get(name="initech")
    assert made == {"id": str(found.pk), "domain": "initech.example"}
    assert found.title == "Initech"
    assert manage("create_organization", "--name", "hooli", "--domain", "hooli.example").strip() == str(
        Organization.objects.get(name="hooli").pk
    )


@pytest.mark.parametrize(
    ("name", "domain", "said"),
    [
        ("acme", "x.example", "name: The name or the domain is taken."),
        ("two words", "x.example", "--name: Enter a valid"),
        ("initech", "not a domain", "A name has at most 63 characters, and a domain looks like acme.example."),
    ],
)
def test_an_organisation_needs_a_free_name_and_a_domain(cast: Cast, name: str, domain: str, said: str) -> None:
    assert refusal("create_organization", "--name", name, "--domain", domain).startswith(said)


def test_create_api_key_prints_a_key_that_works(cast: Cast) -> None:
    key = manage("create_api_key", "--organization", "acme", "--name", "crm").strip()

    who = clients.by_api_key(key, via=Via(door="test"))
    assert (who.name, who.organization_name) == ("crm", "acme")
    assert not ApiKey.objects.filter(digest__contains=key).exists()


def test_create_client_prints_its_entry(cast: Cast) -> None:
    made = manage_json(
        "create_client", "--organization", "acme", "--role", "Agent", "--redirect-uri", "https://desk.acme.example/cb",
        "--description", "desk", "--signs-in", "--json",
    )  # fmt: skip

    found = Client.objects.get(pk=made["client_id"])
    assert made == {
        "client_id": found.pk, "client_secret": made["client_secret"], "roles": ["Agent"], "organization": "acme",
        "redirect_uris": ["https://desk.acme.example/cb"],
    }  # fmt: skip
    assert (found.description, found.serves_sign_in, found.is_internal) == ("desk", True, False)
    assert clients.authenticate(client_id=found.pk, secret=made["client_secret"], via=Via(door="test")) == found
    with pytest.raises(WrongCredentials):
        clients.authenticate(client_id=found.pk, secret="wrong", via=Via(door="test"))


def test_an_internal_client_belongs_to_nobody(cast: Cast) -> None:
    made = manage_json("create_client", "--internal", "--role", "ClientService", "--json")
    pk, secret = manage("create_client", "--internal").split()

    assert made["internal"] is True
    assert "organization" not in made
    assert Client.objects.get(pk=made["client_id"]).organization is None
    assert (Client.objects.get(pk=pk).roles, secret[:4]) == ([], "sws_")
    assert refusal("create_client", "--internal", "--signs-in") == "An internal service signs nobody in."


def test_create_ping_token_prints_a_token_alone(cast: Cast) -> None:
    said = manage("create_ping_token", "--username", "bob", "--domain", "desk.acme.example", "--days", "10")

    who, claims = sessions.by_token(said.strip(), audience="ping:desk.acme.example", via=Via(door="test"))
    assert (who.name, claims["domain"], claims["exp"] - claims["iat"]) == ("bob", "desk.acme.example", 10 * 86400)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--domain", "no domain"), "domain: A domain looks like desk.example.com."),
        (("--domain", "desk.acme.example", "--days", "366"), "lifetime: A token lives 365 days at most."),
        (("--domain", "desk.acme.example", "--label", " "), "label: Say what the token is for."),
    ],
)
def test_a_token_needs_a_domain_a_label_and_an_end(cast: Cast, words: tuple[str, ...], said: str) -> None:
    assert refusal("create_ping_token", "--username", "bob", *words) == said


# --- sso_code ---------------------------------------------------------------------------------------------------------
def test_an_sso_code_serves_its_person_once_at_the_organisations_sign_in_client(cast: Cast) -> None:
    code = manage("sso_code", "--username", "bob").strip()
    own, foreign = (
        Client.objects.get(pk=cast.said["clients"][name]["client_id"]) for name in ("agent_sso", "globex_sso")
    )

    for client, username in ((foreign, "bob"), (own, "ivan")):
        with pytest.raises(NotFound):
            authorization_codes.redeem(code=code, client=client, username=username)
    assert authorization_codes.redeem(code=code, client=own, username="Bob").user == cast.user("bob")
    with pytest.raises(Spent):
        authorization_codes.redeem(code=code, client=own, username="bob")


def test_an_sso_code_lives_a_minute(cast: Cast) -> None:
    code = manage("sso_code", "--username", "bob").strip()
    client = Client.objects.get(pk=cast.said["clients"]["agent_sso"]["client_id"])

    with time_machine.travel(clock.now() + timedelta(seconds=61)), pytest.raises(NotFound):
        authorization_codes.redeem(code=code, client=client)


def test_an_sso_code_needs_somebody_who_may_sign_in_and_a_client_for_it(cast: Cast) -> None:
    assert refusal("sso_code", "--username", "dave") == "dave may not sign in now."
    Client.objects.filter(serves_sign_in=True).update(deleted_at=clock.now())
    assert refusal("sso_code", "--username", "bob").startswith("acme has no client that signs its people in;")


# --- audit ------------------------------------------------------------------------------------------------------------
def test_the_audit_trail_is_lines_of_json_oldest_first(cast: Cast) -> None:
    after = AuditEvent.objects.latest("id").pk
    manage("set_user", "--username", "bob", "--protected")
    manage("set_user", "--username", "erin", "--protected")

    rows = [json.loads(line) for line in manage("audit", "--json", "--after", str(after)).splitlines()]

    assert [(row["event"], row["subject"], row["organization"]) for row in rows] == [
        ("user.changed", "bob", "acme"), ("user.changed", "erin", "globex"),
    ]  # fmt: skip
    assert all(row["id"] > after and row["actor"].startswith("operator:") for row in rows)
    only = manage("audit", "--json", "--after", str(after), "--organization", "globex").splitlines()
    assert [json.loads(line)["subject"] for line in only] == ["erin"]


def test_the_audit_trail_can_be_read_by_people(cast: Cast) -> None:
    after = AuditEvent.objects.latest("id").pk
    alice = cast.principal("alice")
    login_as.start(by=alice, subject_id=cast.user("bob").pk, via=alice.via, reason="His queue is stuck")
    audit.refused("login.failed", via=Via(door="test"), subject=None, name="nobody", rule="wrong")
    audit.refused("login.failed", via=Via(door="test"), subject=None, name="nobody", rule="wrong")

    lines = manage("audit", "--after", str(after)).splitlines()

    assert "login_as.started alice > bob [acme test 127.0.0.1]" in lines[0]
    assert "login.failed (wrong) x2 - > nobody" in lines[1]


def test_audit_verify_ends_well_until_somebody_changes_a_row(cast: Cast) -> None:
    with time_machine.travel(clock.now() + audit.SETTLING + timedelta(seconds=5)):
        assert audit.seal() > 0
    assert manage("audit", "verify") == "The audit trail is as it was sealed.\n"

    AuditEvent.objects.filter(event="user.created", subject="bob").update(subject="eve")

    said = refusal("audit", "verify")
    assert said.startswith("The audit trail was changed:\n")
    assert "are not as they were sealed" in said


# --- keys -------------------------------------------------------------------------------------------------------------
def test_a_rotated_signing_key_signs_from_now_on_and_the_old_tokens_live(cast: Cast) -> None:
    old = manage("create_ping_token", "--username", "bob", "--domain", "desk.acme.example").strip()
    before = SigningKey.objects.get(state="current").kid, SigningKey.objects.get(state="next").kid

    kid = manage("rotate_signing_key").strip()

    assert kid == before[1]
    assert {key["kid"] for key in tokens.jwks()["keys"]} >= {kid, before[0]}
    assert sessions.by_token(old, audience="ping:desk.acme.example", via=Via(door="test"))[0].name == "bob"


def test_a_dropped_key_signs_and_verifies_nothing_any_more_and_the_published_next_one_follows(cast: Cast) -> None:
    old = manage("create_ping_token", "--username", "bob", "--domain", "desk.acme.example").strip()
    current, following = (SigningKey.objects.get(state=state).kid for state in ("current", "next"))

    assert manage("rotate_signing_key", "--drop", current).strip() == following

    with pytest.raises(Unauthenticated):
        sessions.by_token(old, audience="ping:desk.acme.example", via=Via(door="test"))
    assert current not in {key["kid"] for key in tokens.jwks()["keys"]}
    assert SigningKey.objects.filter(state="next").count() == 1
    assert refusal("rotate_signing_key", "--drop", current) == f"There is no signing key '{current}'."


def test_reseal_moves_every_secret_to_the_newest_key_and_the_old_one_can_go(cast: Cast, settings: Any) -> None:
    second_factor.enrol(by=cast.principal("alice").coming(Via(door="test")), user=cast.user("alice"))
    message = outbox.put(channel="EMAIL", to="b@x.example", template="welcome", context={"link": "x"}, locale="en")
    former = settings.ENCRYPTION_KEYS[0]
    settings.ENCRYPTION_KEYS = ["the new key, more than thirty-two characters", former]
    assert sum(seals.count_under_former_keys(column) for column in seals.columns()) > 0

    said = manage("reseal")

    assert "applications: 4\n" in said
    assert "messages: 1\n" in said
    assert "authenticator apps: 1\n" in said
    assert said.endswith("Everything is sealed under the newest key.\n")
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert sum(seals.count_under_lost_keys(column) for column in seals.columns()) == 0
    message.refresh_from_db()
    assert json.loads(crypto.open_sealed(message.context_sealed, place=message.place())) == {"link": "x"}
    assert manage("reseal").count(": 0\n") == len(seals.columns()), "a second run has nothing to do"


def test_reseal_names_what_no_key_opens_and_moves_the_rest(cast: Cast, settings: Any) -> None:
    lost = outbox.put(channel="EMAIL", to="b@x.example", template="welcome", context={"link": "x"}, locale="en")
    OutboxMessage.objects.filter(pk=lost.pk).update(context_sealed="00000000." + lost.context_sealed.partition(".")[2])
    settings.ENCRYPTION_KEYS = ["the new key, more than thirty-two characters", *settings.ENCRYPTION_KEYS]

    assert refusal("reseal").splitlines()[1:] == [lost.place()]

    assert seals.count_under_former_keys(seals.columns()[0]) == 0


def test_a_value_that_was_wiped_while_it_was_resealed_does_not_come_back(cast: Cast, settings: Any) -> None:
    message = outbox.put(channel="EMAIL", to="b@x.example", template="welcome", context={"link": "x"}, locale="en")
    settings.ENCRYPTION_KEYS = ["the new key, more than thirty-two characters", *settings.ENCRYPTION_KEYS]

    def sent_meanwhile(row: OutboxMessage) -> str:
        OutboxMessage.objects.filter(pk=row.pk).update(context_sealed="")
        return row.place()

    assert crypto.reseal(OutboxMessage.objects.all(), column="context_sealed", place=sent_meanwhile) == 0
    message.refresh_from_db()
    assert message.context_sealed == ""


def test_every_sealed_column_is_known_to_reseal() -> None:
    assert {(column.model.__name__, column.name) for column in seals.columns()} >= {
        ("Application", "sealed"), ("Key", "private_sealed"), ("OtpVerification", "code_sealed"), ("OutboxMessage", "context_sealed"),
        ("SigningKey", "private_sealed"), ("Ticket", "id_sealed"), ("TotpDevice", "secret_sealed"),
    }  # fmt: skip


# --- end_everything -----------------------------------------------------------------------------------------------------
def test_end_everything_ends_every_session_of_one_organisation(cast: Cast) -> None:
    at_acme, at_globex = cast.session("bob").session, cast.session("erin").session
    alice = cast.principal("alice")
    started = login_as.start(by=alice, subject_id=cast.user("ivan").pk, via=alice.via, reason="His queue is stuck")
    code = manage("sso_code", "--username", "bob").strip()
    assert password_resets.request(via=Via(door="test"), user=cast.user("bob"))

    said = manage("end_everything", "--organization", "acme")

    assert said.endswith(" sessions were ended.\n")
    with pytest.raises(CredentialRevoked):
        cast.principal_of(at_acme)
    with pytest.raises(CredentialRevoked):
        sessions.by_token(cast.said["ping_tokens"]["bob"], audience="ping:acme.example", via=Via(door="test"))
    assert cast.principal_of(at_globex).name == "erin"
    started.refresh_from_db()
    assert started.ended_at is not None
    client = Client.objects.get(pk=cast.said["clients"]["agent_sso"]["client_id"])
    with pytest.raises(Spent):
        authorization_codes.redeem(code=code, client=client)
    assert not cast.user("bob").password_resets.filter(used_at=None, superseded_at=None).exists()


def test_end_everything_ends_all_of_them_once(cast: Cast) -> None:
    at_globex = cast.session("erin").session

    assert manage("end_everything", "--all") == "2 sessions were ended.\n"

    with pytest.raises(CredentialRevoked):
        cast.principal_of(at_globex)
    assert manage("end_everything", "--all") == "0 sessions were ended.\n"
    assert AuditEvent.objects.filter(event="session.ended", details__reason="everything").count() == 2


# --- as an operator types it ------------------------------------------------------------------------------------------
def test_a_refusal_is_one_line_on_standard_error_and_status_1(transactional_db: None, cast: Cast) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "set_user", "--username", "nobody", "--disabled"],
        cwd=of_the_house.BASE_DIR, env=environment_of_tests(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (1, "", "CommandError: There is no person named 'nobody'.\n")


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_no_command_prints_a_password_that_it_did_not_make(cast: Cast, user: str) -> None:
    said = manage("audit") + manage("audit", "--json") + manage("export") + manage("reseal")

    assert cast.password(user) not in said
    assert users.find(name=user) is not None


def test_a_command_that_does_nothing_is_no_command(db: None) -> None:
    with pytest.raises(NotImplementedError):
        OperatorCommand().handle()
    with pytest.raises(CommandError, match="--username"):
        manage("set_user")
