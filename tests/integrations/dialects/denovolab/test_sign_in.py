"""Authenticate User: POST /v1/auth (dialects.md 5.1; clarifications 7, 8, 10, 49, 52, 53)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from identity import clock, organizations, second_factor, users
from identity.models import AuditEvent, Membership, Session, User
from identity.principal import Role
from tests.browsers import code_of
from tests.integrations.dialects.denovolab.partner import WRONG_LOGIN, claims_of, invalid

pytestmark = pytest.mark.wire("denovolab", "5.1 POST /v1/auth")

MISSING = ["Missing data for required field."]
NOON = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)


@time_machine.travel(NOON, tick=False)
def test_a_person_signs_in_and_gets_the_whole_auth_token(partner, cast):
    answer = partner.sign_in("alice")

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    payload = answer.json()["payload"]
    expires = int(NOON.timestamp()) + 3600
    assert answer.json() == {
        "success": True,
        "payload": {
            "cdr_api_token_expiration": str(expires),
            "user": {
                "login_ip": "127.0.0.1",
                "first_name": "Alice",
                "fullname": "Alice Almgren",
                "create_time": cast.user("alice").created_at.isoformat(),
                "passwd": "********",
                "report_count": "1 Hour",
                "is_online": 1,
                "last_name": "Almgren",
                "role_name": "Admin",
                "client_id": None,
                "cdr_api_token": payload["cdr_api_token"],
                "user_id": cast.user("alice").pk,
                "all_termination": True,
                "show_carrier_trunk_drop_only": True,
                "default_mod": "0",
                "user_type": "admin",
                "client_limits": [],
                "role_id": 1,
                "last_login_time": "2026-11-21T12:00:00.250000+00:00",
                "reseller_id": 0,
                "cdr_expire": "2026-11-21T13:00:00+00:00",
                "outbound_report": True,
                "email": "alice@acme.example",
                "carrier_name": None,
                "default_mod2": "0",
                "active": True,
                "landing_page": "/desk/",
                "create_user_id": None,
                "card_id": 0,
                "name": "alice",
                "client": None,
                "report_group": True,
                "last_seen": "2026-11-21T12:00:00.250000+00:00",
                "report_fields": "111",
                "is_preload": True,
                "default_billing_decimal": 0,
                "avatar_id": 0,
                "auth_ip": [],
                "agent": None,
            },
            "token": payload["token"],
            "cdr_api_token": payload["cdr_api_token"],
        },
    }
    claims = claims_of(payload["token"])
    assert (claims["aud"], claims["sub"]) == ("dnl", str(cast.user("alice").pk))
    assert (claims["iat"], claims["exp"]) == (int(NOON.timestamp()), expires)
    assert "act" not in claims


@pytest.mark.parametrize("name", ["bob", "BOB ", "bob@acme.example", " Bob@Acme.Example"])
def test_name_and_address_are_compared_without_case_and_outer_spaces(partner, cast, name):
    answer = partner.post("/v1/auth", {"email_or_name": name, "password": cast.password("bob")})

    assert answer.json()["payload"]["user"]["name"] == "bob"


@pytest.mark.parametrize(
    ("name", "part"),
    [("alice", ("admin", 1, "Admin")), ("carol", ("viewer", 2, "Supervisor")), ("bob", ("agent", 0, "Agent"))],
)
def test_a_role_is_told_in_the_vendors_numbers(partner, name, part):
    user = partner.sign_in(name).json()["payload"]["user"]

    assert (user["user_type"], user["role_id"], user["role_name"]) == part


def test_somebody_without_any_role_is_a_viewer(partner, cast):
    Membership.objects.filter(user=cast.user("bob")).update(is_agent=False)

    user = partner.sign_in("bob").json()["payload"]["user"]

    assert (user["user_type"], user["role_id"], user["role_name"]) == ("viewer", 2, "Viewer")


def test_what_is_stored_of_a_person_is_told(partner, cast):
    User.objects.filter(username="bob").update(
        landing_page="/routing/rate_table",
        avatar_id=1366,
        auth_ip=["127.0.0.0/8", {"ip": "::1"}],
        created_by=cast.user("alice"),
    )

    user = partner.sign_in("bob").json()["payload"]["user"]

    assert user["landing_page"] == "/routing/rate_table"
    assert user["avatar_id"] == 1366
    assert user["auth_ip"] == [{"ip": "127.0.0.0/8"}, {"ip": "::1"}]
    assert user["create_user_id"] == cast.user("alice").pk


@pytest.mark.parametrize(("asked", "minutes"), [(1, 1), (1440, 720), ("15", 15), (720, 720)])
def test_a_token_lives_as_long_as_asked_but_never_past_its_session(partner, asked, minutes):
    claims = claims_of(partner.token("bob", expire_after_minutes=asked))

    assert abs(claims["exp"] - claims["iat"] - minutes * 60) <= 1


def test_the_session_lives_twelve_hours_however_short_the_token(partner):
    partner.token("bob", expire_after_minutes=1)

    session = Session.objects.get(door="denovolab")
    assert session.expires_at - session.created_at == timedelta(hours=12)


def test_the_sign_in_is_on_record_and_on_the_person(partner, cast):
    before = clock.now()

    partner.sign_in("bob")

    row = AuditEvent.objects.get(event="login.succeeded")
    assert (row.actor, row.subject, row.door, row.address) == ("bob", "bob", "denovolab", "127.0.0.1")
    assert cast.user("bob").last_login_at >= before
    assert cast.user("bob").last_login_address == "127.0.0.1"


@pytest.mark.parametrize(
    "media", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_the_body_is_json_whatever_its_media_type_says(partner, cast, media):
    body = b'{"email_or_name": "bob", "password": "%s"}' % cast.password("bob").encode()

    assert partner.post("/v1/auth", body, media=media).status_code == 200


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b"", [{"email_or_name": MISSING}, {"password": MISSING}]),
        (b"{}", [{"email_or_name": MISSING}, {"password": MISSING}]),
        (b'{"email_or_name": "alice"}', [{"password": MISSING}]),
        (b'{"email_or_name": null, "password": ""}', [{"email_or_name": ["Field may not be null."]}]),
        (b'{"email_or_name": "a", "password": 12}', [{"password": ["Not a valid string."]}]),
        (b'{"email_or_name": ["a"], "password": {}}', [{"email_or_name": ["Not a valid string."]}, {"password": ["Not a valid string."]}]),
        (b'{"email_or_name": "a", "password": "b", "otp": 123456}', [{"otp": ["Not a valid string."]}]),
        (b'{"email_or_name": "a", "password": "b", "expire_after_minutes": "x"}', [{"expire_after_minutes": ["Not a valid integer."]}]),
        (b'{"email_or_name": "a", "password": "b", "expire_after_minutes": true}', [{"expire_after_minutes": ["Not a valid integer."]}]),
        (b'{"email_or_name": "a", "password": "b", "expire_after_minutes": 1.5}', [{"expire_after_minutes": ["Not a valid integer."]}]),
        (b'{"email_or_name": "a", "password": "b", "expire_after_minutes": null}', [{"expire_after_minutes": ["Field may not be null."]}]),
        (b"[]", [{"_schema": ["Invalid input type."]}]),
        (b"null", [{"_schema": ["Invalid input type."]}]),
        (b'"alice"', [{"_schema": ["Invalid input type."]}]),
        (b"{agent", [{"_schema": ["Invalid JSON body."]}]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body_is_said_per_field(partner, body, errors):
    invalid(partner.post("/v1/auth", body), *errors)


@pytest.mark.parametrize("minutes", [0, -1, 1441, 2**63 - 1])
def test_the_asked_minutes_have_bounds(partner, minutes):
    said = "Must be greater than or equal to 1 and less than or equal to 1440."

    answer = partner.post("/v1/auth", {"email_or_name": "a", "password": "b", "expire_after_minutes": minutes})

    invalid(answer, {"expire_after_minutes": [said]})


def test_an_empty_body_that_calls_itself_a_form_lacks_its_fields(partner):
    answer = partner.post("/v1/auth", b"", media="application/x-www-form-urlencoded")

    invalid(answer, {"email_or_name": MISSING}, {"password": MISSING})


@pytest.mark.parametrize(
    ("name", "password"), [("alice", "wrong"), ("alice", ""), ("nobody", "wrong"), ("", ""), ("nobody@x.example", "x"), ("al\x01ice", "x")]
)  # fmt: skip
def test_wrong_and_unknown_are_one_answer(partner, name, password):
    answer = partner.post("/v1/auth", {"email_or_name": name, "password": password})

    assert (answer.status_code, answer.content) == (401, WRONG_LOGIN)
    assert answer.headers["WWW-Authenticate"] == 'X-Auth-Token realm="switchboard"'


def test_the_digest_of_a_password_is_no_password(partner, cast):
    answer = partner.post("/v1/auth", {"email_or_name": "bob", "password": cast.digest("bob")})

    assert (answer.status_code, answer.content) == (401, WRONG_LOGIN)


@pytest.mark.parametrize("state", ["disabled", "locked", "expired", "elsewhere", "suspended"])
def test_somebody_who_may_not_sign_in_gets_the_answer_of_a_wrong_password(partner, cast, console, state):
    bob = cast.user("bob")
    if state == "disabled":
        users.disable(by=console, user=bob)
    elif state == "locked":
        users.lock(by=console, user=bob)
    elif state == "expired":
        users.set_expiry(by=console, user=bob, expires_at=clock.now() - timedelta(seconds=1))
    elif state == "elsewhere":
        User.objects.filter(pk=bob.pk).update(auth_ip=[{"ip": "192.0.2.1"}])
    else:
        organizations.suspend(by=console, organization=cast.organization("acme"))

    answer = partner.sign_in("bob")

    assert (answer.status_code, answer.content) == (401, WRONG_LOGIN)


def test_an_operator_has_no_session_here(partner, db):
    User.objects.create_superuser("root", "root@example.com", "an operator's Passphrase")

    answer = partner.post("/v1/auth", {"email_or_name": "root", "password": "an operator's Passphrase"})

    assert (answer.status_code, answer.content) == (401, WRONG_LOGIN)
    assert not Session.objects.filter(door="denovolab").exists()


def test_a_second_factor_is_asked_for_in_a_field_more(partner, cast, console):
    secret = second_factor.enrol(by=console, user=cast.user("bob")).secret

    for wrong in ({}, {"otp": ""}, {"otp": "000000"}):
        answer = partner.sign_in("bob", **wrong)
        assert (answer.status_code, answer.content) == (401, WRONG_LOGIN)
    assert partner.sign_in("bob", otp=code_of(secret)).status_code == 200
    assert Session.objects.get(door="denovolab").second_factor_at is not None


def test_after_ten_failures_even_the_right_password_is_429_until_the_block_ends(partner, settings):
    for number in range(settings.LOCKOUT_FAILURES):
        answer = partner.post("/v1/auth", {"email_or_name": "bob", "password": f"wrong {number}"})
        assert answer.status_code == 401

    answer = partner.sign_in("bob")

    assert answer.status_code == 429
    assert answer.content == (
        b'{"success":false,"error_type":"operation_error",'
        b'"error":{"message":"Too many attempts","code":101,"reason":"too_many_attempts"}}'
    )
    wait = int(answer.headers["Retry-After"])
    assert settings.LOCKOUT_SECONDS - 60 < wait <= settings.LOCKOUT_SECONDS
    with time_machine.travel(time.time() + wait + 1):
        assert partner.sign_in("bob").status_code == 200


def test_a_success_forgets_the_failures(partner, settings):
    for _round in range(2):
        for number in range(settings.LOCKOUT_FAILURES - 1):
            assert partner.post("/v1/auth", {"email_or_name": "bob", "password": f"wrong {number}"}).status_code == 401
        assert partner.sign_in("bob").status_code == 200


def test_a_dead_token_sent_along_does_not_matter(partner, cast):
    body = {"email_or_name": "bob", "password": cast.password("bob")}

    assert partner.post("/v1/auth", body, token="dead").status_code == 200


def test_credentials_in_headers_are_not_followed(partner, cast):
    answer = partner.client.get("/v1/auth", headers={"email_or_name": "bob", "password": cast.password("bob")})

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_a_newcomer_made_by_an_admin_signs_in_at_once(partner, cast):
    cast.newcomer("judy", roles=(Role.AGENT,))

    assert partner.sign_in("judy").status_code == 200
