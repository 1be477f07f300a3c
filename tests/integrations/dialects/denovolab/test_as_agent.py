"""Authenticate as Agent: POST /v1/auth/as_agent and as_client (dialects.md 0.7 and 5.1; clarifications 18 to 20, 23, 24, 47)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from identity import clock, login_as, organizations, second_factor, sessions, users
from identity.models import AuditEvent, LoginAs, Session
from identity.principal import Role
from tests.browsers import code_of
from tests.integrations.dialects.denovolab.partner import NO_TOKEN, NOT_FOUND, claims_of, invalid, refused

pytestmark = pytest.mark.wire("denovolab", "5.1 POST /v1/auth/as_agent")

MISSING = ["Missing data for required field."]
NOON = datetime(2026, 11, 23, 12, 0, 0, 750_000, tzinfo=UTC)


def test_an_admin_gets_a_token_of_the_agent_that_names_both(partner, cast):
    with time_machine.travel(NOON, tick=False):
        answer = partner.as_agent(partner.token("alice"), "bob")

    payload = answer.json()["payload"]
    assert answer.status_code == 200
    assert list(payload) == ["cdr_api_token_expiration", "user", "token", "cdr_api_token"]
    claims = claims_of(payload["token"])
    assert (claims["aud"], claims["sub"]) == ("dnl", str(cast.user("bob").pk))
    assert claims["act"] == {"sub": str(cast.user("alice").pk)}
    assert (claims["iat"], claims["exp"]) == (int(NOON.timestamp()), int(NOON.timestamp()) + 1800)
    assert payload["cdr_api_token_expiration"] == str(claims["exp"])
    user = payload["user"]
    assert user["cdr_api_token"] == payload["cdr_api_token"]
    assert user["cdr_expire"] == "2026-11-23T12:30:00+00:00"
    assert (user["user_id"], user["name"], user["user_type"]) == (cast.user("bob").pk, "bob", "agent")


def test_the_number_is_the_agents_and_not_the_persons(partner, cast):
    wrong = cast.user("bob").pk + 1000

    answer = partner.post("/v1/auth/as_agent", {"agent_id": wrong}, partner.token("alice"))

    assert (answer.status_code, answer.content) == (404, NOT_FOUND)


def test_nothing_of_the_agent_is_touched(partner, cast):
    partner.token("bob")
    before = partner.get("/v1/user", partner.token("bob")).json()["payload"]
    stored = cast.user("bob")

    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        token = partner.acting_token("alice", "bob")
        shown = partner.get("/v1/user", token).json()["payload"]

    now = cast.user("bob")
    for name in ("last_login_at", "last_seen_at", "last_login_address", "password", "is_active"):
        assert getattr(now, name) == getattr(stored, name)
    for name in ("last_login_time", "login_ip", "last_seen"):
        assert shown[name] == before[name]


def test_an_agent_who_never_signed_in_is_shown_so(partner):
    user = partner.as_agent(partner.token("alice"), "ivan").json()["payload"]["user"]

    assert (user["is_online"], user["login_ip"]) == (0, "")
    assert user["last_login_time"] == user["last_seen"] == "1970-01-01T00:00:00+00:00"


def test_the_admins_own_token_stays_as_it_was(partner):
    own = partner.token("alice")

    partner.as_agent(own, "bob")

    assert partner.get("/v1/user", own).json()["payload"]["name"] == "alice"


def test_both_people_are_on_record(partner, cast):
    partner.as_agent(partner.token("alice"), "bob", reason="Bob's headset is silent")

    row = AuditEvent.objects.get(event="login_as.started")
    assert (row.door, row.actor, row.subject, row.organization_name) == ("as_agent", "alice", "bob", "acme")
    assert (row.address, row.details["mode"], row.details["reason"]) == ("127.0.0.1", "act", "Bob's headset is silent")


def test_a_reason_may_be_left_out(partner):
    partner.as_agent(partner.token("alice"), "bob")

    assert LoginAs.objects.get().reason == "through as_agent"


@pytest.mark.parametrize(
    "media", ["", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "text/xml"]
)
def test_the_seeds_own_curl_works_with_a_token_whatever_media_type_it_names(partner, cast, media):
    body = b'{ "agent_id": "%d"}' % cast.agent("bob").pk

    answer = partner.post("/v1/auth/as_agent", body, partner.token("alice"), media=media)

    assert answer.json()["payload"]["user"]["name"] == "bob"


def test_the_seeds_own_curl_as_printed_has_no_token(partner):
    answer = partner.post("/v1/auth/as_agent", b'{ "agent_id": "34"}', media="application/x-www-form-urlencoded")

    assert (answer.status_code, answer.content) == (401, NO_TOKEN)


@pytest.mark.parametrize("token", ["dead", "a.b.c", "a,b", "\u00e9", "Bearer x", "x" * 5000, ".."])
def test_what_is_no_token_of_ours_is_111(partner, token):
    refused(partner.as_agent(token, "bob"), 111)


def test_an_empty_header_is_no_header(partner):
    assert partner.as_agent("", "bob").content == NO_TOKEN


@pytest.mark.parametrize("who", ["bob", "carol"])
def test_a_token_of_somebody_who_is_no_admin_is_114_and_on_record(partner, who):
    refused(partner.as_agent(partner.token(who), "ivan"), 114)

    row = AuditEvent.objects.get(event="login_as.refused")
    assert (row.actor, row.rule, row.door, row.organization_name) == (who, "not_allowed", "as_agent", "acme")


def test_an_impersonation_token_makes_no_further_one(partner):
    refused(partner.as_agent(partner.acting_token("alice", "carol"), "bob"), 114)

    row = AuditEvent.objects.get(event="login_as.refused")
    assert (row.actor, row.acting_as, row.rule) == ("alice", "carol", "nested")


def test_where_the_organisation_allows_it_a_supervisors_token_counts(partner, cast, console):
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=["Admin", "Supervisor"])
    token = partner.token("carol")

    assert partner.as_agent(token, "bob").json()["payload"]["user"]["name"] == "bob"
    cast.newcomer("sven", roles=(Role.SUPERVISOR,))
    assert partner.as_agent(token, "sven").content == NOT_FOUND


def test_where_the_organisation_switched_it_off_no_token_counts(partner, cast, console):
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=[])

    refused(partner.as_agent(partner.token("alice"), "bob"), 114)


def test_an_admin_with_a_second_factor_needs_a_session_that_passed_it(partner, cast, console):
    token = partner.token("alice")
    secret = second_factor.enrol(by=console, user=cast.user("alice")).secret

    refused(partner.as_agent(token, "bob"), 114)
    assert partner.as_agent(partner.token("alice", otp=code_of(secret)), "bob").status_code == 200


@pytest.mark.parametrize("target", ["erin", "dave"])
def test_unknown_foreign_and_disabled_agents_are_one_answer(partner, target):
    token = partner.token("alice")
    unknown = partner.post("/v1/auth/as_agent", {"agent_id": 987654}, token)

    answer = partner.as_agent(token, target)

    assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content) == (404, NOT_FOUND)


@pytest.mark.parametrize("state", ["locked", "protected", "expired", "equal", "admin"])
def test_an_agent_whom_the_policy_keeps_away_is_not_found(partner, cast, console, state):
    if state == "locked":
        users.lock(by=console, user=cast.user("bob"))
    elif state == "protected":
        users.protect(by=console, user=cast.user("bob"), is_protected=True)
    elif state == "expired":
        users.set_expiry(by=console, user=cast.user("bob"), expires_at=clock.now())
    elif state == "equal":
        organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=["Supervisor"])
        cast.newcomer("bobby", roles=(Role.SUPERVISOR,))
    else:
        cast.membership("bob").__class__.objects.filter(user=cast.user("bob")).update(is_admin=True)
    actor, target = ("carol", "bobby") if state == "equal" else ("alice", "bob")

    answer = partner.as_agent(partner.token(actor), target)

    assert (answer.status_code, answer.content) == (404, NOT_FOUND)


@pytest.mark.parametrize("agent_id", [-1, 0, 2**62, 2**63 - 1, -(2**63), "0", "0000000000000000001"])
def test_an_impossible_number_is_not_found(partner, agent_id):
    token = partner.token("alice")
    if agent_id == "0000000000000000001":
        agent_id = "0000000000009999999"

    answer = partner.post("/v1/auth/as_agent", {"agent_id": agent_id}, token)

    assert (answer.status_code, answer.content) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b"", [{"agent_id": MISSING}]),
        (b"{}", [{"agent_id": MISSING}]),
        (b'{"agent": 1}', [{"agent_id": MISSING}]),
        (b'{"agent_id": null}', [{"agent_id": ["Field may not be null."]}]),
        (b'{"agent_id": "abc"}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": ""}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": " 1"}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": "-1"}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": "\xd9\xa3"}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": "9223372036854775808"}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": true}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": 1.0}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": [1]}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": {}}', [{"agent_id": ["Not a valid integer."]}]),
        (b'{"agent_id": 1, "reason": 5}', [{"reason": ["Not a valid string."]}]),
        (b"[]", [{"_schema": ["Invalid input type."]}]),
        (b"34", [{"_schema": ["Invalid input type."]}]),
        (b"agent_id=34", [{"_schema": ["Invalid JSON body."]}]),
    ],
)  # fmt: skip
def test_a_bad_body_is_a_validation_error(partner, body, errors):
    invalid(partner.post("/v1/auth/as_agent", body, partner.token("alice")), *errors)


@pytest.mark.parametrize("who", ["bob", None])
def test_the_wrong_token_is_refused_before_a_bad_body(partner, who):
    token = partner.token(who) if who else None

    assert partner.post("/v1/auth/as_agent", b"{agent", token).status_code == 401


@pytest.mark.wire("denovolab", "5.1 POST /v1/auth/as_client")
def test_there_is_no_carrier_client_to_be(partner):
    admin = partner.token("alice")

    found = [partner.post("/v1/auth/as_client", {"client_id": one}, admin) for one in (34, "34")]
    assert [(answer.status_code, answer.content) for answer in found] == [(404, NOT_FOUND)] * 2
    invalid(partner.post("/v1/auth/as_client", {"agent_id": 34}, admin), {"client_id": MISSING})
    assert partner.post("/v1/auth/as_client", {"client_id": 34}).content == NO_TOKEN
    refused(partner.post("/v1/auth/as_client", {"client_id": 34}, partner.token("bob")), 114)


# --- how it ends -----------------------------------------------------------------------------------------------------
def test_it_ends_at_the_deadline_and_the_admins_own_goes_on(partner, cast, settings):
    own = partner.token("alice")
    token = partner.as_agent(own, "bob").json()["payload"]["token"]

    with time_machine.travel(clock.now() + timedelta(seconds=settings.LOGIN_AS_SECONDS + 6)):
        refused(partner.get("/v1/user", token), 112)
        assert partner.get("/v1/user", own).status_code == 200


def test_it_never_outlives_the_admins_own_token(partner):
    own = partner.token("alice", expire_after_minutes=5)

    made = partner.as_agent(own, "bob").json()["payload"]["token"]

    assert claims_of(made)["exp"] <= claims_of(own)["exp"]


def _end_session(cast, console):
    sessions.close(Session.objects.get(door="denovolab").pk, reason="stopped")


def _disable_actor(cast, console):
    users.disable(by=console, user=cast.user("alice"))


def _demote_actor(cast, console):
    cast.newcomer("gina", roles=(Role.ADMIN,))
    cast.membership("alice").__class__.objects.filter(user=cast.user("alice")).update(is_admin=False, is_agent=True)


def _protect_subject(cast, console):
    users.protect(by=console, user=cast.user("bob"), is_protected=True)


def _disable_subject(cast, console):
    users.disable(by=console, user=cast.user("bob"))


def _promote_subject(cast, console):
    cast.membership("bob").__class__.objects.filter(user=cast.user("bob")).update(is_admin=True)


def _switch_off(cast, console):
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=[])


def _suspend(cast, console):
    organizations.suspend(by=console, organization=cast.organization("acme"))


def _end_login_as(cast, console):
    login_as.end(login_as=LoginAs.objects.get(), reason="stopped")


@pytest.mark.parametrize(
    "change",
    [_end_session, _disable_actor, _demote_actor, _protect_subject, _disable_subject, _promote_subject, _switch_off, _suspend, _end_login_as],
)  # fmt: skip
def test_it_ends_for_good_at_the_next_request_when_either_side_changes(partner, cast, console, change):
    token = partner.acting_token("alice", "bob")
    assert partner.get("/v1/user", token).status_code == 200

    change(cast, console)

    refused(partner.get("/v1/user", token), 113)
    refused(partner.get("/v1/user", token), 113)
