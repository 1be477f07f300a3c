"""A new password by mail: the same answer for everybody, no token in any address, once."""

from __future__ import annotations

import json

import pytest
from django.conf import settings

from identity import clock, crypto
from identity.models import OutboxMessage, PasswordReset, Session
from identity.pages import cookies
from tests.browsers import Browser
from tests.cast import Cast

NEW = "three wild horses 9"


def token_for(browser: Browser, cast: Cast, name: str = "bob") -> str:
    """Ask for a link and read it in the mail that waits."""
    browser.get("/reset/")
    browser.send("/reset/", email=f"{name}@acme.example")
    message = OutboxMessage.objects.latest("created_at")
    link: str = json.loads(crypto.open_sealed(message.context_sealed, place=message.place()))["link"]
    assert link.startswith(f"{settings.PUBLIC_URL}/reset/?token=")
    return link.partition("?token=")[2]


def test_every_address_gets_the_same_answer(browser: Browser, cast: Cast) -> None:
    answers = []
    for email in ("bob@acme.example", "nobody@acme.example", "dave@acme.example"):
        browser.get("/reset/")
        answers.append(browser.send("/reset/", email=email))
    assert {answer.status_code for answer in answers} == {200}
    assert all("If an account has this address" in answer.text for answer in answers)
    assert PasswordReset.objects.count() == 1


@pytest.mark.parametrize("email", ["", "bob", "bo\x00b@acme.example", "b" * 300 + "@acme.example"])
def test_what_is_no_address_is_named(browser: Browser, db: None, email: str) -> None:
    browser.get("/reset/")
    assert browser.send("/reset/", email=email).status_code == 400


def test_the_link_leaves_its_token_behind_at_once(browser: Browser, cast: Cast) -> None:
    token = token_for(browser, cast)

    answer = browser.get("/reset/", {"token": token})

    assert (answer.status_code, answer.url) == (302, "/reset/choose/")
    assert token not in answer.text
    kept = browser.cookies[cookies.RESET]
    assert (kept["httponly"], kept["secure"], kept["samesite"], kept["path"]) == (True, True, "Lax", "/reset/")
    page = browser.get(answer.url)
    assert (page.status_code, token in page.text) == (200, False)


def test_a_password_is_set_once_and_every_session_ends(browser: Browser, cast: Cast) -> None:
    signed_in = Browser().sign_in(cast, "bob")
    token = token_for(browser, cast)
    browser.get("/reset/", {"token": token})
    browser.get("/reset/choose/")

    refused = browser.send("/reset/choose/", password="short")
    answer = browser.send("/reset/choose/", password=NEW)

    assert (refused.status_code, "too short" in refused.text) == (400, True)
    assert (answer.status_code, answer.url) == (302, "/reset/done/")
    assert "Your password is changed" in browser.get("/reset/done/").text
    assert not browser.has(cookies.RESET)
    assert signed_in.get("/desk/").url == "/login/?next=/desk/"
    assert cast.user("bob").check_password(NEW)
    assert not Session.objects.filter(user=cast.user("bob"), ended_at=None).exists(), "personal tokens too"
    again = Browser()
    again.get("/reset/", {"token": token})
    assert again.get("/reset/choose/").status_code == 410


@pytest.mark.parametrize("token", ["x", "å", "a\x00b", "t" * 5000, "%0d%0aSet-Cookie:x=y", "a;b"])
def test_a_link_that_leads_nowhere_says_so(browser: Browser, db: None, token: str) -> None:
    assert browser.get("/reset/", {"token": token}).status_code == 302
    page = browser.get("/reset/choose/")
    assert (page.status_code, "This link no longer works" in page.text) == (410, True)


def test_a_link_that_was_used_meanwhile_says_so(browser: Browser, cast: Cast) -> None:
    browser.get("/reset/", {"token": token_for(browser, cast)})
    browser.get("/reset/choose/")
    PasswordReset.objects.update(used_at=clock.now())

    assert browser.send("/reset/choose/", password=NEW).status_code == 410
    assert not cast.user("bob").check_password(NEW)
