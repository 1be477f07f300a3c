"""What a token is good for: check-token, check-password, GET /v1/user (dialects.md 5.1; clarifications 20, 24, 54)."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings as django_settings

from identity import clock, crypto, organizations, sessions, tokens, users
from identity.models import AuditEvent, Membership, Session, User
from tests.integrations.dialects.denovolab.partner import NO_TOKEN, WRONG_LOGIN, claims_of, invalid, refused

CHECK_TOKEN = pytest.mark.wire("denovolab", "5.1 POST /v1/auth/check-token")
CHECK_PASSWORD = pytest.mark.wire("denovolab", "5.1 POST /v1/auth/check-password")
USER = pytest.mark.wire("denovolab", "5.1 GET /v1/user")
REFUSALS = pytest.mark.wire("denovolab", "5.1 errors 110 to 114")


# --- GET /v1/user ----------------------------------------------------------------------------------------------------
@USER
def test_a_token_says_whom_it_stands_for_in_the_words_of_its_sign_in(partner):
    payload = partner.sign_in("bob").json()["payload"]

    answer = partner.get("/v1/user", payload["token"])

    assert answer.status_code == 200
    assert answer.json() == {"success": True, "payload": payload["user"]}


@USER
@pytest.mark.parametrize("acting", [False, True])
def test_a_request_costs_two_queries_acting_or_not(partner, django_assert_num_queries, acting):
    token = partner.acting_token("alice", "bob") if acting else partner.token("bob")
    partner.get("/v1/user", token)

    with django_assert_num_queries(2):
        assert partner.get("/v1/user", token).status_code == 200


@USER
def test_an_admins_token_is_told_from_others_within_the_same_two_queries(partner, django_assert_num_queries):
    token = partner.token("alice")
    partner.get("/v1/user", token)

    with django_assert_num_queries(2):
        assert partner.post("/v1/auth/as_agent", b"{", token).status_code == 400


@USER
def test_the_last_use_is_remembered_when_what_is_remembered_is_a_minute_old(partner, cast, django_assert_num_queries):
    token = partner.token("bob")
    partner.get("/v1/user", token)
    at = clock.now() + timedelta(seconds=61)

    with time_machine.travel(at, tick=False), django_assert_num_queries(4):
        partner.get("/v1/user", token)

    assert Session.objects.get(door="denovolab").last_seen_at == cast.user("bob").last_seen_at == at


@USER
def test_somebody_is_online_for_five_minutes_after_a_use(partner, cast):
    token = partner.acting_token("alice", "bob")
    User.objects.filter(username="bob").update(last_seen_at=clock.now() - timedelta(minutes=4))
    assert partner.get("/v1/user", token).json()["payload"]["is_online"] == 1

    User.objects.filter(username="bob").update(last_seen_at=clock.now() - timedelta(minutes=6))
    assert partner.get("/v1/user", token).json()["payload"]["is_online"] == 0


# --- tokens that are not good ----------------------------------------------------------------------------------------
@REFUSALS
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/user"), ("POST", "/v1/auth/check-token"), ("POST", "/v1/auth/check-password")]
)
def test_no_token_at_all_is_110(partner, method, path):
    answer = partner.client.generic(method, path)

    assert (answer.status_code, answer.content) == (401, NO_TOKEN)


@REFUSALS
def test_a_forged_or_foreign_token_is_111(partner, cast):
    good = partner.token("bob")
    claims, session = claims_of(good), Session.objects.get(door="denovolab")
    head, body, signature = good.split(".")
    foreign = tokens.issue(
        session=session, audience="auvious", subject=claims["sub"], expires_at=clock.now() + timedelta(hours=1), at=clock.now()
    )  # fmt: skip
    bad = [
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
        jwt.encode(claims, None, algorithm="none"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        foreign.text,
        cast.said["ping_tokens"]["bob"],
        partner.sign_in("bob").json()["payload"]["cdr_api_token"],
    ]

    for token in bad:
        refused(partner.get("/v1/user", token), 111)


@REFUSALS
def test_a_token_past_its_time_is_112(partner):
    token = partner.token("bob", expire_after_minutes=1)

    with time_machine.travel(clock.now() + timedelta(seconds=66)):
        refused(partner.get("/v1/user", token), 112)


def _close(cast, console):
    sessions.close(Session.objects.get(door="denovolab").pk, reason="ended")


def _disable(cast, console):
    users.disable(by=console, user=cast.user("bob"))


def _lock(cast, console):
    users.lock(by=console, user=cast.user("bob"))


def _expire(cast, console):
    users.set_expiry(by=console, user=cast.user("bob"), expires_at=clock.now())


def _new_password(cast, console):
    users.set_password(by=console, user=cast.user("bob"), clear="a brand-new passphrase")


def _leave(cast, console):
    Membership.objects.filter(user=cast.user("bob")).delete()


def _suspend(cast, console):
    organizations.suspend(by=console, organization=cast.organization("acme"))


@REFUSALS
@pytest.mark.parametrize("end", [_close, _disable, _lock, _expire, _new_password, _leave, _suspend])
def test_a_token_whose_session_or_person_is_gone_is_113_at_the_next_request(partner, cast, console, end):
    token = partner.token("bob")

    end(cast, console)

    refused(partner.get("/v1/user", token), 113)


@REFUSALS
def test_what_was_ended_stays_ended_when_the_person_comes_back(partner, cast, console):
    token = partner.token("bob")
    users.disable(by=console, user=cast.user("bob"))
    users.enable(by=console, user=cast.user("bob"))

    refused(partner.get("/v1/user", token), 113)
    assert partner.sign_in("bob").status_code == 200


@REFUSALS
def test_a_dropped_signing_key_ends_what_it_signed(partner, console):
    token = partner.token("bob")

    tokens.drop(by=console, kid=jwt.get_unverified_header(token)["kid"])

    refused(partner.get("/v1/user", token), 113)


@REFUSALS
def test_a_rotated_signing_key_ends_nothing(partner, console):
    token = partner.token("bob")

    tokens.rotate(by=console)

    assert partner.get("/v1/user", token).status_code == 200
    assert jwt.get_unverified_header(partner.token("bob"))["kid"] != jwt.get_unverified_header(token)["kid"]


# --- check-token -----------------------------------------------------------------------------------------------------
@CHECK_TOKEN
def test_a_token_is_exchanged_for_a_fresh_one_and_stays_good(partner):
    old = partner.sign_in("bob", expire_after_minutes=30).json()["payload"]

    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        answer = partner.post("/v1/auth/check-token", token=old["token"])
        fresh = answer.json()["payload"]
        before, after = claims_of(old["token"]), claims_of(fresh["token"])
        assert (answer.status_code, after["sid"]) == (200, before["sid"])
        assert after["jti"] != before["jti"]
        assert after["exp"] - after["iat"] == 30 * 60
        assert fresh["cdr_api_token"] != old["cdr_api_token"]
        assert fresh["user"]["cdr_api_token"] == fresh["cdr_api_token"]
        for token in (old["token"], fresh["token"]):
            assert partner.get("/v1/user", token).json()["payload"]["name"] == "bob"


@CHECK_TOKEN
def test_no_chain_of_tokens_outlives_the_twelve_hours_of_a_sign_in(partner):
    signed_in = clock.now()
    token = partner.token("bob", expire_after_minutes=660)

    with time_machine.travel(signed_in + timedelta(hours=10, minutes=50)):
        token = partner.post("/v1/auth/check-token", token=token).json()["payload"]["token"]
    assert claims_of(token)["exp"] <= (signed_in + timedelta(hours=12, seconds=1)).timestamp()
    with time_machine.travel(signed_in + timedelta(hours=12, seconds=10)):
        refused(partner.post("/v1/auth/check-token", token=token), 112)


@CHECK_TOKEN
def test_an_impersonation_is_neither_lengthened_nor_laundered(partner):
    old = partner.acting_token("alice", "bob")

    with time_machine.travel(clock.now() + timedelta(minutes=10)):
        fresh = partner.post("/v1/auth/check-token", token=old).json()["payload"]["token"]
        refused(partner.as_agent(fresh, "ivan"), 114)

    before, after = claims_of(old), claims_of(fresh)
    assert (after["act"], after["exp"], after["sub"]) == (before["act"], before["exp"], before["sub"])
    assert after["jti"] != before["jti"]


@CHECK_TOKEN
def test_a_token_for_call_records_is_made_again_from_the_token_and_kept_nowhere(partner):
    payload = partner.sign_in("bob").json()["payload"]
    jti = claims_of(payload["token"])["jti"]

    told = payload["cdr_api_token"]

    assert told == crypto.digest(jti, purpose="denovolab-cdr")
    assert told == partner.get("/v1/user", payload["token"]).json()["payload"]["cdr_api_token"]
    kept = str(list(Session.objects.values())) + str(list(AuditEvent.objects.values()))
    assert told not in kept
    assert payload["token"] not in kept


# --- check-password --------------------------------------------------------------------------------------------------
@CHECK_PASSWORD
def test_the_own_password_is_recognised(partner, cast):
    answer = partner.post("/v1/auth/check-password", {"password": cast.password("bob")}, partner.token("bob"))

    assert (answer.status_code, answer.content) == (200, b'{"success":true}')


@CHECK_PASSWORD
def test_any_other_is_a_wrong_login(partner, cast):
    token = partner.token("bob")

    for other in ("", "wrong", cast.password("ivan"), cast.digest("bob")):
        answer = partner.post("/v1/auth/check-password", {"password": other}, token)
        assert (answer.status_code, answer.content) == (401, WRONG_LOGIN)
    assert partner.get("/v1/user", token).status_code == 200


@CHECK_PASSWORD
def test_its_failures_count_with_those_of_the_sign_in(partner, cast):
    token = partner.token("bob")
    for number in range(django_settings.LOCKOUT_FAILURES):
        partner.post("/v1/auth/check-password", {"password": f"wrong {number}"}, token)

    answers = [
        partner.post("/v1/auth/check-password", {"password": cast.password("bob")}, token),
        partner.sign_in("bob"),
    ]

    assert [answer.status_code for answer in answers] == [429, 429]
    assert partner.get("/v1/user", token).status_code == 200


@CHECK_PASSWORD
def test_a_body_without_it_is_a_validation_error(partner):
    token = partner.token("bob")

    invalid(partner.post("/v1/auth/check-password", {}, token), {"password": ["Missing data for required field."]})
    invalid(partner.post("/v1/auth/check-password", {"password": 1}, token), {"password": ["Not a valid string."]})


@CHECK_PASSWORD
def test_an_impersonation_tests_no_passwords(partner, cast):
    token = partner.acting_token("alice", "bob")

    for body in ({"password": cast.password("bob")}, {"password": cast.password("alice")}, {}, b"{"):
        refused(partner.post("/v1/auth/check-password", body, token), 114)
