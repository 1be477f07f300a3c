"""Setting a new password without the old one: reset_email and reset/{token} (dialects.md 5.1; clarifications 17, 50, 56)."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from identity import clock, outbox, users
from identity.models import AuditEvent, OutboxMessage, PasswordReset
from tests.integrations.dialects.denovolab.partner import NOT_FOUND, invalid, refused

EMAIL = pytest.mark.wire("denovolab", "5.1 POST /v1/auth/reset_email")
LOOK = pytest.mark.wire("denovolab", "5.1 GET /v1/auth/reset/{token}")
CONFIRM = pytest.mark.wire("denovolab", "5.1 POST /v1/auth/reset/{token}")

SUCCESS = b'{"success":true}'
NEW = "violet harbour 42 lamps"
MISSING = ["Missing data for required field."]


@pytest.fixture
def spool(tmp_path: Path, settings) -> Path:
    settings.MESSAGE_SPOOL = tmp_path
    return tmp_path


def token_for(partner, spool: Path, name: str = "bob") -> str:
    """Ask for a link and answer the token in the mail."""
    assert partner.post("/v1/auth/reset_email", {"email": f"{name}@acme.example"}).content == SUCCESS
    outbox.drain()
    newest = sorted(spool.glob("*.json"))[-1]
    message = json.loads(newest.read_text())
    assert (message["channel"], message["to"], message["template"]) == (
        "EMAIL",
        f"{name}@acme.example",
        "password_reset",
    )
    found = re.search(r"/reset/\?token=([\w-]+)", message["body"])
    assert found
    return found.group(1)


@EMAIL
@pytest.mark.parametrize(
    "email",
    ["bob@acme.example", "BOB@ACME.EXAMPLE ", "nobody@acme.example", "dave@acme.example", "no address", "", "a\x01b"],
)
def test_the_answer_is_the_same_for_everybody(partner, email):
    answer = partner.post("/v1/auth/reset_email", {"email": email})

    assert (answer.status_code, answer.content) == (200, SUCCESS)


@EMAIL
def test_only_somebody_who_may_sign_in_gets_a_mail(partner, spool):
    for name in ("nobody", "dave", "bob"):
        partner.post("/v1/auth/reset_email", {"email": f"{name}@acme.example"})

    assert list(OutboxMessage.objects.values_list("user__username", flat=True)) == ["bob"]
    assert AuditEvent.objects.get(event="password.reset_requested").door == "denovolab"


@EMAIL
@pytest.mark.parametrize(
    ("body", "errors"),
    [(b"{}", {"email": MISSING}), (b'{"email": 1}', {"email": ["Not a valid string."]}), (b'{"email": null}', {"email": ["Field may not be null."]}),
     (b"[]", {"_schema": ["Invalid input type."]}), (b"email", {"_schema": ["Invalid JSON body."]})],
)  # fmt: skip
def test_a_bad_body_is_a_validation_error(partner, body, errors):
    invalid(partner.post("/v1/auth/reset_email", body), errors)


@LOOK
def test_looking_at_a_token_changes_nothing(partner, spool):
    token = token_for(partner, spool)

    for _time in range(3):
        answer = partner.get(f"/v1/auth/reset/{token}")
        assert (answer.status_code, answer.content) == (200, SUCCESS)
    assert PasswordReset.objects.get().used_at is None


@LOOK
@pytest.mark.parametrize("token", ["unknown", "swr_" + "x" * 43, "%00", "%ff", "ü", "a" * 5000, ";"])
def test_what_is_no_token_is_not_found(partner, token):
    for answer in (partner.get(f"/v1/auth/reset/{token}"), partner.post(f"/v1/auth/reset/{token}", {"password": NEW})):
        assert (answer.status_code, answer.content) == (404, NOT_FOUND)


@CONFIRM
def test_a_token_sets_a_password_once_and_ends_every_session(partner, cast, spool):
    old = partner.token("bob")
    token = token_for(partner, spool)

    answer = partner.post(f"/v1/auth/reset/{token}", {"password": NEW, "token": token})

    assert (answer.status_code, answer.content) == (200, SUCCESS)
    refused(partner.get("/v1/user", old), 113)
    assert partner.sign_in("bob").status_code == 401
    cast.said["users"]["bob"]["password"] = NEW
    assert partner.sign_in("bob").status_code == 200
    for again in (partner.get(f"/v1/auth/reset/{token}"), partner.post(f"/v1/auth/reset/{token}", {"password": NEW})):
        assert (again.status_code, again.content) == (404, NOT_FOUND)
    assert AuditEvent.objects.get(event="password.reset").door == "denovolab"


@CONFIRM
@pytest.mark.parametrize("password", ["kort-orm-42", "password1234", "bob@acme.example", "", "a\x01 long passphrase"])
def test_a_refused_password_keeps_the_token_good(partner, spool, password):
    token = token_for(partner, spool)

    answer = partner.post(f"/v1/auth/reset/{token}", {"password": password})

    assert answer.status_code == 400
    assert list(answer.json()["errors"][0]) == ["password"]
    assert partner.post(f"/v1/auth/reset/{token}", {"password": NEW}).content == SUCCESS


@CONFIRM
def test_what_is_wrong_with_a_password_is_said_in_english(partner, spool):
    token = token_for(partner, spool)

    answer = partner.post(f"/v1/auth/reset/{token}", {"password": "kort-orm-42"}, headers={"Accept-Language": "sv"})

    invalid(answer, {"password": ["This password is too short. It must contain at least 12 characters."]})


@CONFIRM
def test_a_bad_body_is_a_validation_error_and_keeps_the_token_good(partner, spool):
    token = token_for(partner, spool)

    invalid(partner.post(f"/v1/auth/reset/{token}", {}), {"password": MISSING})
    invalid(partner.post(f"/v1/auth/reset/{token}", b"{"), {"_schema": ["Invalid JSON body."]})
    assert partner.get(f"/v1/auth/reset/{token}").content == SUCCESS


@CONFIRM
def test_an_unknown_token_is_refused_before_a_missing_field_and_after_an_unreadable_body(partner):
    assert partner.post("/v1/auth/reset/unknown", {}).content == NOT_FOUND
    invalid(partner.post("/v1/auth/reset/unknown", b"{"), {"_schema": ["Invalid JSON body."]})


@CONFIRM
def test_a_token_dies_of_age_and_with_its_person(partner, cast, console, spool, settings):
    token = token_for(partner, spool)

    with time_machine.travel(clock.now() + timedelta(seconds=settings.PASSWORD_RESET_SECONDS + 1)):
        assert partner.post(f"/v1/auth/reset/{token}", {"password": NEW}).content == NOT_FOUND
    users.disable(by=console, user=cast.user("bob"))
    assert partner.post(f"/v1/auth/reset/{token}", {"password": NEW}).content == NOT_FOUND
