"""The desk: extension, presence and seat, for agents and for people who have none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.browsers import Browser
from tests.cast import Cast

AtDesk = Callable[[str], Browser]


def test_an_agent_sees_the_extension_and_the_devices(at_desk: AtDesk, cast: Cast) -> None:
    agent = cast.agent("bob")
    agent.devices = [{"dn": "SIP/4711", "switch": "north"}]
    agent.key_words = ["invoices", "Swedish"]
    agent.save()
    page = at_desk("bob").get("/desk/").text
    for words in (agent.extension, "SIP/4711", "north", "invoices, Swedish", "Desk of bob", "acme"):
        assert words in page


def test_an_admin_has_a_desk_without_an_extension(at_desk: AtDesk) -> None:
    alice = at_desk("alice")
    page = alice.get("/desk/")
    assert (page.status_code, "You have no extension" in page.text) == (200, True)
    assert alice.send("/desk/presence/", name="Lunch").status_code == 404
    assert alice.send("/desk/place/", place="12").status_code == 404


def test_presence_is_saved_and_shown(at_desk: AtDesk, cast: Cast) -> None:
    bob = at_desk("bob")

    answer = bob.send(
        "/desk/presence/",
        is_available="on",
        name="Meeting",
        until="2026-12-01T13:30",
        message="Back soon",
        key_words=" invoices, , Swedish ",
    )

    assert (answer.status_code, answer.url) == (302, "/desk/")
    agent = cast.agent("bob")
    assert (agent.has_profile, agent.is_available, agent.profile_name) == (True, True, "Meeting")
    assert agent.profile_until == datetime(2026, 12, 1, 13, 30, tzinfo=UTC)
    assert (agent.profile_message, agent.key_words) == ("Back soon", ["invoices", "Swedish"])
    page = bob.get("/desk/").text
    for words in (
        "Your presence is saved.",
        'value="2026-12-01T13:30"',
        'value="invoices, Swedish"',
        "2026-12-01 13:30 UTC",
    ):
        assert words in page


@pytest.mark.parametrize(
    "fields",
    [
        {"until": "soon"},
        {"until": "99999-01-01T00:00"},
        {"message": "m" * 301},
        {"name": "a\x00b"},
        {"key_words": "k" * 1001},
    ],
)
def test_presence_that_will_not_do_is_named_and_not_saved(at_desk: AtDesk, cast: Cast, fields: dict[str, str]) -> None:
    page = at_desk("bob").send("/desk/presence/", **{"name": "Lunch"} | fields)
    assert (page.status_code, 'class="errorlist"' in page.text) == (400, True)
    assert cast.agent("bob").profile_name == ""


def test_a_place_is_saved(at_desk: AtDesk, cast: Cast) -> None:
    bob = at_desk("bob")
    assert bob.send("/desk/place/", place="Window 12").url == "/desk/"
    assert cast.agent("bob").place == "Window 12"
    assert "Your place is saved." in bob.get("/desk/").text
    assert bob.send("/desk/place/", place="p" * 101).status_code == 400
    assert cast.agent("bob").place == "Window 12"


@pytest.mark.parametrize("path", ["/desk/presence/", "/desk/place/"])
def test_nothing_is_saved_without_the_form_s_own_token(at_desk: AtDesk, cast: Cast, path: str) -> None:
    answer = at_desk("bob").post(path, {"name": "Lunch", "place": "12"}, headers={"Referer": "https://testserver/"})
    assert answer.status_code == 403
    assert (cast.agent("bob").profile_name, cast.agent("bob").place) == ("", "")


def test_strangers_sign_in_first(browser: Browser, db: None) -> None:
    browser.get("/login/")
    assert browser.send("/desk/presence/", name="Lunch").url == "/login/?next=/"


def test_the_desk_costs_the_same_whatever_it_shows(at_desk: AtDesk, cast: Cast, django_assert_num_queries: Any) -> None:
    bob = at_desk("bob")
    for _ in range(3):
        cast.session("bob", door="portal")
    # Who asks: 2; the agent, the sessions, who worked as the person: 1 each.
    with django_assert_num_queries(5):
        bob.get("/desk/")
