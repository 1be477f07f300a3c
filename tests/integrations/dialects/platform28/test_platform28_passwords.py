"""Rows 10, 11 and 12: resetting and changing a password."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from identity import clock, crypto, organizations, users
from identity.models import AuditEvent, OutboxMessage, PasswordReset, Session, User
from identity.principal import Role

ROW_10 = pytest.mark.wire("platform28", "1.2 row 10 POST /password/reset")
ROW_11 = pytest.mark.wire("platform28", "1.2 row 11 POST /password/resetWithToken")
ROW_12 = pytest.mark.wire("platform28", "1.2 row 12 PUT /password/{userId}")

FORM = "application/x-www-form-urlencoded"
FINE = "successful operation"
INVALID_SESSION = "The current login session is invalid"
NO_USER_AND_PASSWORD = "A user with the given ID and Password was not found"
BAD_TOKEN = "Invalid or expired password reset token"
BAD_POST = "Invalid request in POST body"
NEW = crypto.password_digest("en ny lösenfras 2026")
COMMON = crypto.password_digest("password1234")
PAGE = "https://portal.acme.example/reset"


def links():
    messages = OutboxMessage.objects.order_by("created_at")
    return [
        json.loads(crypto.open_sealed(message.context_sealed, place=message.place()))["link"] for message in messages
    ]


def ask_reset(p28, body, path="/password/reset", **more):
    return p28.ask("POST", path, body=body, **more)


# --- 10 --------------------------------------------------------------------------------------------------------------
@ROW_10
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_a_link_to_the_named_page_goes_out_and_the_answer_is_the_same_for_nobody(p28, says, form):
    for email in ("bob@acme.example", "nobody@acme.example"):
        body = {"email": email, "resetPageUrl": PAGE, "template": "welcome"}
        asked = {"body": urlencode(body).encode(), "content_type": FORM} if form else {"body": body}
        says(ask_reset(p28, asked.pop("body"), **asked), 200, FINE)

    (message,) = OutboxMessage.objects.all()
    assert (message.to, message.template, message.organization.name) == ("bob@acme.example", "welcome", "acme")
    (link,) = links()
    assert link.startswith(f"{PAGE}?token=swr_")


@ROW_10
@pytest.mark.parametrize("path", ["/password/reset", "/password/reset/{id}"])
def test_the_user_id_stands_in_the_body_or_in_the_address(p28, cast, says, settings, path):
    bob = cast.user("bob").pk
    body = {} if "{id}" in path else {"userId": bob}

    says(ask_reset(p28, body, path.format(id=bob)), 200, FINE)

    (link,) = links()
    assert link.startswith(f"{settings.PUBLIC_URL}/reset/?token=swr_")


FITS = {
    "number and address": lambda bob: {"userId": str(bob.pk), "email": "BOB@acme.example"},
    "phone": lambda bob: {"userId": bob.pk, "phone": "+46 (0)70-1740605".replace("(0)", "")},
    "phone with 00": lambda bob: {"email": "bob@acme.example", "phone": "0046701740605"},
    "mobile": lambda bob: {"email": "bob@acme.example", "mobile": "+46 8 123 456", "phone": ""},
    "both": lambda bob: {"email": "bob@acme.example", "mobile": "+468123456", "phone": "+46701740605"},
}
FITS_NOT = {
    "another's address": lambda bob: {"userId": bob.pk, "email": "ivan@acme.example"},
    "a name for an address": lambda bob: {"email": "bob"},
    "wrong phone": lambda bob: {"userId": bob.pk, "phone": "+46701740606"},
    "wrong mobile": lambda bob: {"userId": bob.pk, "phone": "+46701740605", "mobile": "+46701740605"},
    "unknown number": lambda bob: {"userId": 987654321},
    "impossible number": lambda bob: {"userId": "9" * 40},
    "no number": lambda bob: {"userId": "bob"},
    "negative": lambda bob: {"userId": -1},
    "control characters": lambda bob: {"email": "bob@acme.example\u0001"},
    "a page of another organisation": lambda bob: {"email": "erin@globex.example", "resetPageUrl": PAGE},
}


@ROW_10
@pytest.mark.parametrize(
    ("body", "count"), [*((b, 1) for b in FITS.values()), *((b, 0) for b in FITS_NOT.values())], ids=[*FITS, *FITS_NOT]
)
def test_what_does_not_fit_sends_nothing_and_says_the_same(p28, cast, says, body, count):
    User.objects.filter(username="bob").update(phone="+46701740605", mobile="+468123456")

    says(ask_reset(p28, body(cast.user("bob"))), 200, FINE)

    assert OutboxMessage.objects.count() == count


@ROW_10
def test_who_has_no_number_cannot_be_asked_for_one(p28, says):
    says(ask_reset(p28, {"email": "bob@acme.example", "phone": "+46701740605"}), 200, FINE)

    assert not OutboxMessage.objects.exists()


WRONG = {
    "nobody": ({}, "One user id or email address is required"),
    "empty": ({"userId": "", "email": None}, "One user id or email address is required"),
    "a foreign page": (
        {"email": "bob@acme.example", "resetPageUrl": "https://evil.example/x"},
        "Reset page URL is not allowed",
    ),
    "a foreign page for nobody": (
        {"email": "x@y.example", "resetPageUrl": "https://evil.example/x"},
        "Reset page URL is not allowed",
    ),
    "plain http": (
        {"email": "bob@acme.example", "resetPageUrl": "http://portal.acme.example/"},
        "Reset page URL is not allowed",
    ),
    "a template": ({"userId": 987654321, "template": "{{ 7*7 }}"}, "Unknown template"),
    "a list": ([], BAD_POST),
    "a number for an address": ({"email": 5}, BAD_POST),
    "a boolean for an id": ({"userId": True}, "One user id or email address is required"),
}


@ROW_10
@pytest.mark.parametrize(("body", "message"), list(WRONG.values()), ids=list(WRONG))
def test_what_nobody_may_ask_for_is_400(p28, says, body, message):
    says(ask_reset(p28, body), 400, message)

    assert not OutboxMessage.objects.exists()


@ROW_10
def test_the_address_and_the_body_name_the_same_person(p28, cast, says):
    bob = cast.user("bob").pk
    path = f"/password/reset/{bob}"

    says(ask_reset(p28, {"userId": cast.user("ivan").pk}, path), 400, "One user id or email address is required")
    says(ask_reset(p28, {"userId": bob}, path), 200, FINE)
    assert OutboxMessage.objects.count() == 1


@ROW_10
def test_one_message_in_five_minutes(p28, says):
    for _ in range(3):
        says(ask_reset(p28, {"email": "bob@acme.example"}), 200, FINE)

    assert OutboxMessage.objects.count() == 1


# --- 11 --------------------------------------------------------------------------------------------------------------
def token_for(p28, name="bob"):
    ask_reset(p28, {"email": f"{name}@acme.example"})
    return links()[-1].partition("?token=")[2]


@ROW_11
@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_a_token_sets_the_password_once_and_ends_all_sessions(p28, says, form):
    session, body = p28.login("bob"), {"token": token_for(p28), "username": "bob", "newPasswordHash": NEW}
    asked = {"body": urlencode(body).encode(), "content_type": FORM} if form else {"body": body}

    says(p28.ask("POST", "/password/resetWithToken", **asked), 200, FINE)

    says(p28.session("GET", session), 401, "Authentication required")
    assert p28.ask("POST", "/authenticate/bob", body={"passwordHash": NEW}).status_code == 200
    says(p28.ask("POST", "/password/resetWithToken", **asked), 400, BAD_TOKEN)


@ROW_11
def test_unknown_expired_used_and_another_persons_tokens_are_refused_alike(p28, says):
    bob, ivan = token_for(p28), token_for(p28, "ivan")
    PasswordReset.objects.filter(user__username="ivan").update(expires_at=clock.now() - timedelta(seconds=1))

    for token, username in (("unknown", "bob"), ("\u0001", "bob"), (ivan, "ivan"), (bob, "ivan"), (bob, "nobody")):
        body = {"token": token, "username": username, "newPasswordHash": NEW}
        says(p28.ask("POST", "/password/resetWithToken", body=body), 400, BAD_TOKEN)
    body = {"token": bob, "username": "bob", "newPasswordHash": NEW}
    says(p28.ask("POST", "/password/resetWithToken", body=body), 200, FINE)


@ROW_11
def test_a_refused_hash_keeps_the_token_alive(p28, says):
    body = {"token": token_for(p28), "username": "bob"}
    for wrong in (
        {},
        {"newPasswordHash": "short"},
        {"newPasswordHash": COMMON},
        {"newPasswordHash": NEW, "username": 5},
    ):
        says(p28.ask("POST", "/password/resetWithToken", body={**body, **wrong}), 400, BAD_POST)

    says(p28.ask("POST", "/password/resetWithToken", body={**body, "newPasswordHash": NEW}), 200, FINE)


# --- 12 --------------------------------------------------------------------------------------------------------------
def change(p28, session, user, **body):
    return p28.ask("PUT", f"/password/{user.pk}", lsid=session["lsid"], body=body)


def opens(p28, name, digest):
    return bool(p28.ask("POST", f"/authenticate/{name}", body={"passwordHash": digest}).status_code == 200)


@ROW_12
def test_a_person_changes_the_own_password_and_keeps_the_session_that_is_sent(p28, cast, says):
    mine, other, bob, old = p28.login("bob"), p28.login("bob"), cast.user("bob"), cast.digest("bob")
    portal = cast.session("bob", door="portal").session

    says(change(p28, mine, bob, oldPasswordHash=old, newPasswordHash=NEW), 200, "Password updated")

    assert [p28.is_alive(session) for session in (mine, other)] == [True, False]
    assert Session.objects.get(pk=portal.pk).ended_at is not None
    personal = Session.objects.get(is_personal_token=True, user=bob)
    assert personal.ended_at is None
    assert [opens(p28, "bob", digest) for digest in (old, NEW)] == [False, True]
    assert AuditEvent.objects.filter(event="password.changed", actor="bob", subject="bob").count() == 1


@ROW_12
def test_an_admin_forces_a_change_with_the_own_password_which_counts_as_a_reset(p28, cast, says):
    alice, session, bob = p28.login("alice"), p28.login("bob"), cast.user("bob")

    says(change(p28, alice, bob, adminPasswordHash=cast.digest("alice"), newPasswordHash=NEW), 200, "Password updated")

    assert [p28.is_alive(one) for one in (alice, session)] == [True, False]
    assert Session.objects.get(is_personal_token=True, user=bob).ended_at is not None
    assert opens(p28, "bob", NEW)
    assert AuditEvent.objects.filter(event="password.reset", actor="alice", subject="bob").count() == 1
    says(
        change(p28, alice, cast.user("alice"), adminPasswordHash=cast.digest("alice"), newPasswordHash=NEW),
        200,
        "Password updated",
    )
    assert p28.is_alive(alice)


@ROW_12
def test_whom_it_does_not_fit_is_not_found(p28, cast, says):
    alice, bob, carol, erin = p28.login("alice"), p28.login("bob"), p28.login("carol"), cast.user("erin")
    ivan, wrong, new = cast.user("ivan"), crypto.password_digest("wrong"), {"newPasswordHash": NEW}
    unknown = User(pk=987654321)

    for answer in (
        change(p28, bob, cast.user("bob"), oldPasswordHash=wrong, **new),
        change(p28, bob, cast.user("bob"), adminPasswordHash=cast.digest("bob"), **new),
        change(p28, bob, ivan, oldPasswordHash=cast.digest("ivan"), **new),
        change(p28, bob, ivan, adminPasswordHash=cast.digest("bob"), **new),
        change(p28, carol, ivan, adminPasswordHash=cast.digest("carol"), **new),
        change(p28, alice, ivan, oldPasswordHash=cast.digest("ivan"), **new),
        change(p28, alice, ivan, adminPasswordHash=wrong, **new),
        change(p28, alice, ivan, adminPasswordHash=cast.digest("ivan"), **new),
        change(p28, alice, erin, adminPasswordHash=cast.digest("alice"), **new),
        change(p28, alice, unknown, adminPasswordHash=cast.digest("alice"), **new),
        change(p28, bob, unknown),  # what the address names comes before what the body lacks
        p28.ask("PUT", "/password/bob", lsid=alice["lsid"], body={}),
        p28.ask("PUT", f"/password/{'9' * 40}", lsid=alice["lsid"], body={}),
    ):
        says(answer, 404, NO_USER_AND_PASSWORD)

    for name in ("bob", "ivan", "erin"):
        assert opens(p28, name, cast.digest(name))


@ROW_12
def test_an_admin_of_one_organisation_does_not_change_the_password_of_somebody_at_home_in_another(
    p28, cast, says, console
):
    organizations.join(by=console, user=cast.user("erin"), organization=cast.organization("acme"), roles=[Role.AGENT])
    alice = p28.login("alice")

    answer = change(p28, alice, cast.user("erin"), adminPasswordHash=cast.digest("alice"), newPasswordHash=NEW)

    says(answer, 404, NO_USER_AND_PASSWORD)


BODIES = {
    "empty": {},
    "no new": {"oldPasswordHash": NEW},
    "neither": {"newPasswordHash": NEW},
    "both": {"oldPasswordHash": NEW, "adminPasswordHash": NEW, "newPasswordHash": NEW},
    "malformed": {"oldPasswordHash": "x", "newPasswordHash": NEW},
    "null": {"oldPasswordHash": None, "newPasswordHash": NEW},
    "upper case": {"oldPasswordHash": NEW, "newPasswordHash": NEW.upper()},
    "common": {"oldPasswordHash": NEW, "newPasswordHash": COMMON},
}


@ROW_12
@pytest.mark.parametrize("body", list(BODIES.values()), ids=list(BODIES))
def test_a_malformed_change_is_400_and_counts_nothing(p28, cast, says, settings, body):
    settings.LOCKOUT_FAILURES = 1
    session = p28.login("bob")

    for _ in range(2):
        says(change(p28, session, cast.user("bob"), **body), 400, "Invalid request body")

    assert opens(p28, "bob", cast.digest("bob"))


@ROW_12
def test_wrong_passwords_count_like_failed_logins_of_the_one_who_asks(p28, cast, says, settings):
    settings.LOCKOUT_FAILURES = 2
    alice, ivan = p28.login("alice"), cast.user("ivan")
    for _ in range(2):
        answer = change(p28, alice, ivan, adminPasswordHash=NEW, newPasswordHash=NEW)
        says(answer, 404, NO_USER_AND_PASSWORD)

    answer = change(p28, alice, ivan, adminPasswordHash=cast.digest("alice"), newPasswordHash=NEW)

    says(answer, 429, "Too many attempts")
    says(p28.ask("POST", "/authenticate/alice", body={"passwordHash": cast.digest("alice")}), 429, "Too many attempts")
    assert opens(p28, "ivan", cast.digest("ivan"))


@ROW_12
def test_every_401_is_the_rows_own_sentence_and_a_key_is_no_session(p28, cast, says):
    bob = cast.user("bob")
    for path in (
        f"/password/{bob.pk}",
        f"/password/{bob.pk};lsid=swl_dead",
        f"/password/{bob.pk}?apiKey={cast.said['api_keys']['acme']}",
        f"/password/{bob.pk}?apiKey=unknown",
    ):
        says(p28.ask("PUT", path, body={}), 401, INVALID_SESSION)


@ROW_12
def test_nobody_changes_a_password_while_acting(p28, cast, says):
    alice = p28.login("alice")
    p28.become(alice, "bob")

    for user in (cast.user("bob"), cast.user("alice"), User(pk=987654321)):
        for body in ({}, {"oldPasswordHash": cast.digest("bob"), "newPasswordHash": NEW}):
            says(change(p28, alice, user, **body), 403, "Not allowed while acting as another user")
    unreadable = p28.ask("PUT", f"/password/{cast.user('bob').pk}", lsid=alice["lsid"], body=b"{")
    says(unreadable, 400, "Invalid request body")


@ROW_12
def test_an_imported_hash_fits_no_digest(p28, cast, says, console):
    from_elsewhere = "pbkdf2_sha256$1$salt$vqFiSr5oCfHAUYIvMCJHPoHOfHOgjDwvaGLTjiJYhzg="
    session = p28.login("bob")
    users.import_hash(by=console, user=cast.user("bob"), encoded=from_elsewhere)

    answer = change(p28, session, cast.user("bob"), oldPasswordHash=cast.digest("bob"), newPasswordHash=NEW)

    says(answer, 404, NO_USER_AND_PASSWORD)
