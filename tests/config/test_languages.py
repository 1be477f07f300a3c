"""Two languages: the browser asks, the person chooses, and mails are written in the person's own."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from identity import outbox, password_resets
from identity.models import OutboxMessage
from identity.principal import Via
from tests.browsers import REASON, Browser
from tests.cast import Cast

AtDesk = Callable[[str], Browser]
SWEDISH = {"Accept-Language": "sv-SE,sv;q=0.9,en;q=0.5"}


def lettered(template: str) -> outbox.Letter:
    """Answer the last message of a kind as its reader gets it."""
    return outbox.render(OutboxMessage.objects.filter(template=template).latest("created_at"))


@pytest.mark.parametrize(
    ("headers", "language", "words"),
    [
        ({}, "en", "Sign in to Switchboard"),
        (SWEDISH, "sv", "Logga in på Switchboard"),
        ({"Accept-Language": "en,sv;q=0.5"}, "en", "Sign in to Switchboard"),
        ({"Accept-Language": "xx"}, "en", "Sign in to Switchboard"),
    ],
)
def test_a_stranger_is_addressed_as_the_browser_asks(
    browser: Browser, db: None, headers: dict[str, str], language: str, words: str
) -> None:
    page = browser.get("/login/", headers=headers)
    assert page.headers["Content-Language"] == language
    assert f'<html lang="{language}"' in page.text
    assert words in page.text
    assert "Accept-Language" in page.headers["Vary"]


def test_the_choice_on_the_page_stands_above_the_browser_s(browser: Browser, db: None) -> None:
    browser.get("/login/", headers=SWEDISH)
    browser.send("/language/", language="en", next="/login/")
    assert "Sign in to Switchboard" in browser.get("/login/", headers=SWEDISH).text


def test_the_person_s_choice_is_kept_with_the_account_for_every_browser(at_desk: AtDesk, cast: Cast) -> None:
    at_desk("bob").send("/language/", language="sv", next="/desk/")
    assert cast.user("bob").language == "sv"

    another = Browser()
    assert "Sign in to Switchboard" in another.get("/login/", headers={"Accept-Language": "en"}).text
    another.sign_in(cast, "bob")
    page = another.get("/desk/", headers={"Accept-Language": "en"})
    assert page.headers["Content-Language"] == "sv"
    for words in ("Din anknytning", "Din hänvisning", "Skrivbord för bob", "Logga ut"):
        assert words in page.text


def test_the_admin_and_the_wall_are_swedish_too(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    person = f"/admin/identity/user/{cast.user('bob').pk}/change/"
    shown = {
        "/admin/": "Vilka som arbetar här, med vilken anknytning och vilka rättigheter.",
        "/admin/agents/agent/": "tillgänglighet",
        person: "Logga in som",
        "/wall/": "Tillgänglig",
        "/account/": "Minst 12 tecken. Tre eller fyra ord är lätta att komma ihåg.",
        "/nowhere/": "Här finns ingenting",
    }
    for path, words in shown.items():
        assert words in alice.get(path, headers=SWEDISH).text, path


def test_what_a_page_answers_to_a_form_is_swedish(browser: Browser, db: None) -> None:
    browser.get("/login/", headers=SWEDISH)
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "sv"
    answer = browser.send("/login/", username="nobody", password="wrong")
    assert (answer.status_code, "Namn, lösenord eller kod stämmer inte." in answer.text) == (401, True)


def test_the_wire_is_never_translated(client: Any, db: None) -> None:
    for path, words in {"/api/extensions": b"Unauthorized", "/session/1": b"Authentication required"}.items():
        answer = client.get(path, headers=SWEDISH)
        assert (answer.status_code, words in answer.content) == (401, True)


@pytest.mark.parametrize(
    ("own", "asked", "subject"),
    [
        ("sv", "en", "Välj ett nytt lösenord för Acme"),
        ("", "sv", "Välj ett nytt lösenord för Acme"),
        ("en", "sv", "Set a new password for Acme"),
        ("", "", "Set a new password for Acme"),
    ],
)
def test_a_reset_mail_is_in_the_person_s_language_or_else_the_browser_s(
    cast: Cast, own: str, asked: str, subject: str
) -> None:
    bob = cast.user("bob")
    bob.language = own
    bob.save()
    password_resets.request(via=Via(door="portal"), user=bob, locale=asked)
    assert lettered("password_reset").subject == subject


def test_who_asks_for_a_link_on_a_swedish_page_gets_a_swedish_mail(browser: Browser, cast: Cast) -> None:
    browser.cookies[settings.LANGUAGE_COOKIE_NAME] = "sv"
    browser.get("/reset/")
    browser.send("/reset/", email="bob@acme.example")
    letter = lettered("password_reset")
    for words in ("Hej Bob", "någon har bett om ett nytt lösenord för kontot bob", "Länken gäller en gång, inom"):
        assert words in letter.body
        assert letter.html is not None
        assert words in letter.html


def test_a_swede_is_told_in_swedish_who_worked_as_him(at_desk: AtDesk, cast: Cast) -> None:
    bob = cast.user("bob")
    bob.language = "sv"
    bob.save()
    alice = at_desk("alice")
    alice.work_as(cast, "bob", mode="look")
    alice.get("/desk/")
    alice.send("/login-as/stop/")
    letter = lettered("login_as")
    assert "arbetade som du" in str(letter.subject)
    assert "tittade på ditt skrivbord som du" in letter.body
    assert REASON in letter.body


def test_every_kept_text_has_its_translation_and_all_of_them_are_compiled() -> None:
    # With Python alone: whoever runs the suite need not have the gettext programs.
    for language, _ in settings.LANGUAGES[1:]:
        home = settings.LOCALE_PATHS[0] / language / "LC_MESSAGES"
        kept = translations((home / "django.po").read_text())
        with (home / "django.mo").open("rb") as file:
            compiled = vars(gettext.GNUTranslations(file))["_catalog"]
        assert "" not in kept
        assert kept == {words for text, words in compiled.items() if text}


def translations(catalogue: str) -> set[str]:
    """Answer every translation in a catalogue, the header left out."""
    entries = re.findall(r"^msgstr(?:\[\d\])? ((?:\".*\"\n)+)", catalogue, re.MULTILINE)
    return {"".join(ast.literal_eval(line) for line in entry.splitlines()) for entry in entries[1:]}
