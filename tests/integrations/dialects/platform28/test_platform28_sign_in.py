"""Rows 1, 2, 2b and 2c: signing in with the hash of a password, and who is blocked from it."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest
from django_otp.oath import totp

from identity import clock, crypto, organizations, second_factor, users
from identity.models import AuditEvent, Session
from identity.principal import Role

ROW_1 = pytest.mark.wire("platform28", "1.2 row 1 POST /authenticate/{username}")
ROW_2 = pytest.mark.wire("platform28", "1.2 rows 2, 2b and 2c /authenticate/block/{username}")

FORM = "application/x-www-form-urlencoded"
WRONG = crypto.password_digest("wrong")
KEYS = {
    "id", "lsid", "userId", "username", "orgId", "effectiveUserId", "effectiveOrgId", "assumedIdentity", "clonedFrom",
    "createdAt", "lastAccessedAt", "expiresAt",
}  # fmt: skip


def moment(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return datetime.fromisoformat(text)


@ROW_1
def test_a_form_and_json_make_a_session_with_its_lsid(p28, cast, settings):
    for content_type, body in (
        (FORM, urlencode({"passwordHash": cast.digest("bob")}).encode()),
        ("application/json", {"passwordHash": cast.digest("bob"), "orgId": None, "otp": ""}),
    ):
        answer = p28.ask("POST", "/authenticate/bob", content_type=content_type, body=body)

        said = answer.json()
        bob, acme = str(cast.user("bob").pk), str(cast.organization("acme").pk)
        assert (answer.status_code, set(said)) == (200, KEYS)
        assert (said["userId"], said["effectiveUserId"], said["orgId"], said["effectiveOrgId"]) == (
            bob,
            bob,
            acme,
            acme,
        )
        assert (said["username"], said["assumedIdentity"], said["clonedFrom"]) == ("bob", False, None)
        life = moment(said["expiresAt"]) - moment(said["createdAt"])
        assert life == timedelta(seconds=settings.LSID_LIFETIME_SECONDS)
        assert said["lastAccessedAt"] == said["createdAt"]
        assert answer.headers["Cache-Control"] == "no-store"
        row = Session.objects.get(pk=said["id"])
        assert (row.door, row.idle_seconds) == ("platform28", settings.LSID_IDLE_SECONDS)
        assert row.digest == crypto.digest(said["lsid"], purpose="session")


@ROW_1
def test_the_e_mail_address_and_any_spelling_of_the_name_will_do(p28, cast):
    for name in ("bob@acme.example", "BOB", "%20bob%20"):
        assert p28.ask("POST", f"/authenticate/{name}", body={"passwordHash": cast.digest("bob")}).status_code == 200


@ROW_1
@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "x",
        {"passwordHash": 5},
        {"passwordHash": "a" * 63},
        {"passwordHash": "A" * 64},
        {"passwordHash": "g" * 64},
        {"passwordHash": "a" * 64 + "\n"},
        {"passwordHash": None},
        {"passwordHash": "a" * 64, "orgId": 5},
        {"passwordHash": "a" * 64, "otp": 123456},
    ],
)
def test_a_malformed_hash_is_400_and_counts_nothing(p28, says, settings, body):
    settings.LOCKOUT_FAILURES = 1
    for _ in range(2):
        says(p28.ask("POST", "/authenticate/bob", body=body), 400, "Invalid request in POST body")


@ROW_1
def test_unknown_wrong_disabled_locked_expired_and_operators_are_refused_alike(p28, cast, says, console):
    users.lock(by=console, user=cast.user("ivan"))
    users.set_expiry(by=console, user=cast.user("carol"), expires_at=clock.now())
    cast.said["users"]["root"] = {"password": "an operator's Passphrase"}
    type(cast.user("bob")).objects.create_superuser("root", "root@example.com", cast.password("root"))

    refused = [
        p28.ask("POST", f"/authenticate/{name}", body={"passwordHash": digest})
        for name, digest in (
            ("nobody", WRONG),
            ("no%00body", WRONG),
            ("bob", WRONG),
            *((name, cast.digest(name)) for name in ("dave", "ivan", "carol", "root")),
        )
    ]

    for answer in refused:
        says(answer, 401, "Invalid credentials")
    assert len({answer.content for answer in refused}) == 1


@ROW_1
def test_another_organisation_of_the_person_may_be_named_and_a_wrong_one_is_a_wrong_password(p28, cast, says, console):
    globex = cast.organization("globex")
    for org in (str(globex.pk), "5", "", "\u00e5"):
        expected = 200 if org == "" else 401
        body = {"passwordHash": cast.digest("bob"), "orgId": org}
        assert p28.ask("POST", "/authenticate/bob", body=body).status_code == expected
    organizations.join(by=console, user=cast.user("bob"), organization=globex, roles=[Role.AGENT])

    assert p28.login("bob", orgId=str(globex.pk))["orgId"] == str(globex.pk)


@ROW_1
def test_whoever_has_a_second_factor_needs_its_code(p28, cast, says, console):
    secret = second_factor.enrol(by=console, user=cast.user("bob")).secret
    code = f"{totp(base64.b32decode(secret + '=' * (-len(secret) % 8))):06d}"
    hashed = {"passwordHash": cast.digest("bob")}

    says(p28.ask("POST", "/authenticate/bob", body=hashed), 401, "Invalid credentials")
    says(p28.ask("POST", "/authenticate/bob", body={**hashed, "otp": "000000x"}), 401, "Invalid credentials")
    assert p28.ask("POST", "/authenticate/bob", body={**hashed, "otp": code}).status_code == 200


@ROW_1
def test_after_the_last_failure_the_right_password_is_429_and_a_live_session_stays(p28, cast, says, settings):
    settings.LOCKOUT_FAILURES = 2
    session = p28.login("bob")
    for _ in range(2):
        says(p28.ask("POST", "/authenticate/bob", body={"passwordHash": WRONG}), 401, "Invalid credentials")

    says(p28.ask("POST", "/authenticate/bob", body={"passwordHash": cast.digest("bob")}), 429, "Too many attempts")
    assert p28.is_alive(session)
    status = p28.ask("GET", "/authenticate/block/BOB@acme.example").json()
    assert (status["username"], status["blocked"]) == ("BOB@acme.example", True)
    assert moment(status["blockedUntil"]) > clock.now()


# --- 2, 2b, 2c -------------------------------------------------------------------------------------------------------
FREE = {"username": "test", "blocked": False, "blockedUntil": None}


@ROW_2
def test_the_pages_own_curl_is_answered_and_its_body_ignored(p28):
    for body in (None, b"{", b"passwordHash=1"):
        answer = p28.ask("GET", "/authenticate/block/test", content_type=FORM, body=body)
        assert (answer.status_code, answer.json()) == (200, FREE)


@ROW_2
def test_a_name_that_is_nobodys_is_blocked_like_any_other(p28, settings):
    settings.LOCKOUT_FAILURES = 1
    p28.ask("POST", "/authenticate/nobody", body={"passwordHash": WRONG})

    assert p28.ask("GET", "/authenticate/block/nobody").json()["blocked"] is True


@ROW_2
@pytest.mark.parametrize("with_key", [False, True], ids=["LSID", "API key"])
def test_an_admin_blocks_and_unblocks_a_name(p28, cast, says, settings, with_key):
    proof = (
        {"headers": {"X-Api-Key": cast.said["api_keys"]["acme"]}} if with_key else {"lsid": p28.login("alice")["lsid"]}
    )
    session = p28.login("bob")

    blocked = p28.ask("POST", "/authenticate/block/bob", **proof).json()

    assert (blocked["username"], blocked["blocked"]) == ("bob", True)
    left = moment(blocked["blockedUntil"]) - clock.now()
    assert timedelta(0) < left <= timedelta(seconds=settings.LOCKOUT_SECONDS)
    says(p28.ask("POST", "/authenticate/bob", body={"passwordHash": cast.digest("bob")}), 429, "Too many attempts")
    assert p28.is_alive(session)
    assert p28.ask("DELETE", "/authenticate/block/bob", **proof).json() == {**FREE, "username": "bob"}
    assert p28.login("bob")
    actor = "demo" if with_key else "alice"
    rows = AuditEvent.objects.filter(event__in=("user.blocked", "user.unblocked")).order_by("id")
    assert [(r.event, r.actor, r.subject) for r in rows] == [
        ("user.blocked", actor, "bob"),
        ("user.unblocked", actor, "bob"),
    ]


@ROW_2
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_nobody_else_blocks_and_nobody_elsewhere_is_blocked(p28, says, method):
    says(p28.ask(method, "/authenticate/block/ivan"), 401, "Authentication required")
    for name in ("bob", "carol"):
        says(p28.ask(method, "/authenticate/block/ivan", lsid=p28.login(name)["lsid"]), 403, "Not allowed")
    alice = p28.login("alice")
    for name in ("nobody", "erin", "no%00body"):
        says(
            p28.ask(method, f"/authenticate/block/{name}", lsid=alice["lsid"]), 404, "Couldn't find the specified user"
        )
    p28.become(alice, "bob")
    acting = p28.ask(method, "/authenticate/block/ivan", lsid=alice["lsid"])
    says(acting, 403, "Not allowed while acting as another user")
    assert p28.ask("GET", "/authenticate/block/ivan").json()["blocked"] is False
