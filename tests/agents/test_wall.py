"""The supervisor's wall: presence, line and place of every extension, at one glance and in a flat number of queries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it brings no types
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, ViewportSize, expect

from agents import actions, calls, wall
from agents.models import Agent, Call
from agents.wall import State
from identity import clock
from identity.errors import NotAllowed
from identity.models import User
from tests.browsers import Browser
from tests.cast import Cast
from tests.processes import Portal

AtDesk = Callable[[str], Browser]


def ring(cast: Cast, name: str, call_id: str = "c1", **said: str) -> None:
    """Let the telephone system say that somebody calls."""
    report = {"number": "+46701740605", "direction": "in", "line_status": "ringing"} | said
    calls.report(by=cast.principal("alice"), agent=cast.agent(name), call_id=call_id, **report)


def tile_of(cast: Cast, name: str) -> wall.Tile:
    shown = wall.look(by=cast.principal("carol"))
    return next(tile for tile in shown.tiles if tile.agent.user.username == name)


def more_agents(cast: Cast, number: int) -> None:
    """Fill the organisation with people who have an extension, a call and a place."""
    acme = cast.organization("acme")
    people = [User(username=f"agent{n}", email=f"agent{n}@acme.example", first_name="Agent", last_name=str(n)) for n in range(number)]  # fmt: skip
    for person in people:
        person.save()
    made = [Agent(user=person, organization=acme, extension=f"7{n:03}", place=f"Row {n}") for n, person in enumerate(people)]  # fmt: skip
    Agent.objects.bulk_create(made)
    Call.objects.bulk_create(
        Call(agent=agent, call_id="c", number="112", direction="out", line_status="up") for agent in made
    )


def test_a_line_goes_from_free_over_ringing_and_talking_back_to_free(cast: Cast) -> None:
    states = [tile_of(cast, "bob").state]
    for line_status in ("ringing", "up", "down"):
        ring(cast, "bob", line_status=line_status)
        states.append(tile_of(cast, "bob").state)
    assert states == [State.FREE, State.RINGING, State.TALKING, State.FREE]


def test_who_talks_while_another_call_rings_is_talking(cast: Cast) -> None:
    ring(cast, "bob", "first")
    ring(cast, "bob", "second", line_status="up", number="112")
    tile = tile_of(cast, "bob")
    assert tile.call is not None
    assert (tile.state, tile.call.number, tile.other_calls) == (State.TALKING, "112", 1)


def test_a_call_says_how_long_it_has_lasted(cast: Cast) -> None:
    ring(cast, "bob", line_status="up")
    Call.objects.update(started_at=clock.now() - timedelta(minutes=3, seconds=5))
    lasted = tile_of(cast, "bob").for_
    assert lasted is not None
    assert timedelta(minutes=3, seconds=5) <= lasted < timedelta(minutes=4)
    Call.objects.update(started_at=clock.now() + timedelta(minutes=3))
    assert tile_of(cast, "bob").for_ == timedelta(0)


def test_presence_counts_when_the_line_is_free(cast: Cast) -> None:
    carol = cast.principal("carol")
    actions.set_presence(by=carol, agent=cast.agent("bob"), is_available=False, name="Lunch")
    assert tile_of(cast, "bob").state is State.AWAY
    ring(cast, "bob")
    assert tile_of(cast, "bob").state is State.RINGING


def test_a_presence_whose_end_is_past_is_overdue(cast: Cast) -> None:
    carol, now = cast.principal("carol"), clock.now()
    for until, is_overdue in ((now - timedelta(minutes=1), True), (now + timedelta(hours=1), False), (None, False)):
        actions.set_presence(by=carol, agent=cast.agent("bob"), is_available=False, until=until)
        assert tile_of(cast, "bob").is_overdue is is_overdue


def test_the_place_of_a_sign_in_goes_with_it(cast: Cast) -> None:
    principal = cast.principal("bob")
    actions.sit(by=principal, session=principal.session, place="Window 12")
    assert tile_of(cast, "bob").place == "Window 12"
    principal.session.ended_at = clock.now()
    principal.session.save(update_fields=["ended_at"])
    assert tile_of(cast, "bob").place == ""


def test_the_numbers_say_how_many_there_are_of_each_state(cast: Cast) -> None:
    ring(cast, "bob")
    shown = wall.look(by=cast.principal("carol"))
    everybody = len(shown.tiles)
    assert list(shown.counts) == list(State)
    assert shown.counts == {State.FREE: everybody - 1, State.RINGING: 1, State.TALKING: 0, State.AWAY: 0}


def test_another_organisation_and_disabled_people_are_not_on_it(cast: Cast) -> None:
    acme = cast.organization("acme").pk
    User.objects.filter(username="bob").update(is_active=False)
    shown = wall.look(by=cast.principal("carol")).tiles
    assert {tile.agent.organization_id for tile in shown} == {acme}
    assert "bob" not in {tile.agent.user.username for tile in shown}


def test_agents_have_no_wall(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        wall.look(by=cast.principal("bob"))


# --- the page -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["carol", "alice"])
@pytest.mark.parametrize("path", ["/wall/", "/wall/now/"])
def test_supervisors_and_admins_see_every_extension(at_desk: AtDesk, cast: Cast, name: str, path: str) -> None:
    until = clock.now() - timedelta(minutes=1)
    cast.newcomer("greta")
    ring(cast, "bob", line_status="up", direction="out")
    ring(cast, "bob", "second")
    for busy in ("bob", "greta"):
        Agent.objects.filter(user__username=busy).update(
            is_available=False, profile_name="Lunch", profile_message="<b>soup</b>", profile_until=until, place="Desk 9"
        )

    page = at_desk(name).get(path)

    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    for words in ("On a call", "Not available", "+46701740605", "+1", "Lunch", "&lt;b&gt;soup", "since", "Desk 9", cast.agent("greta").extension):  # fmt: skip
        assert words in page.text
    assert "<b>soup" not in page.text


def test_agents_get_neither_the_page_nor_a_link_to_it(at_desk: AtDesk, cast: Cast) -> None:
    bob, carol = at_desk("bob"), at_desk("carol")
    assert [bob.get(path).status_code for path in ("/wall/", "/wall/now/")] == [403, 403]
    assert 'href="/wall/"' not in bob.get("/desk/").text
    assert 'href="/wall/"' in carol.get("/desk/").text


@pytest.mark.parametrize("path", ["/wall/", "/wall/now/"])
def test_strangers_sign_in_first_and_nothing_is_posted(browser: Browser, at_desk: AtDesk, db: None, path: str) -> None:
    assert browser.get(path).url == f"/login/?next={path}"
    assert at_desk("carol").send(path).status_code == 405


def test_whoever_must_enrol_a_second_factor_does_it_first(at_desk: AtDesk, cast: Cast) -> None:
    carol = at_desk("carol")
    acme = cast.organization("acme")
    acme.requires_second_factor = True
    acme.save()
    assert carol.get("/wall/").url == "/account/second-factor/"


def test_without_scripts_the_browser_loads_the_page_again(at_desk: AtDesk, cast: Cast) -> None:
    page = at_desk("carol").get("/wall/").text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    assert 'data-wall="/wall/now/"' in page


def test_a_wall_without_extensions_says_what_will_appear(at_desk: AtDesk, cast: Cast) -> None:
    Agent.objects.all().delete()
    assert "Nobody has an extension yet" in at_desk("carol").get("/wall/").text


@pytest.mark.parametrize("number", [5, 50])
def test_fifty_extensions_cost_what_five_cost(
    at_desk: AtDesk, cast: Cast, django_assert_num_queries: Any, number: int
) -> None:
    more_agents(cast, number)
    carol = at_desk("carol")
    # Who asks: 2; the agents with their seats, their ongoing calls: 1 each.
    with django_assert_num_queries(4):
        assert carol.get("/wall/now/").text.count("data-extension") > number


# --- in a browser -------------------------------------------------------------------------------------------------------


def sign_in(page: Page, portal: Portal, cast: Cast) -> None:
    page.goto(f"{portal.url}/login/?next=/wall/")
    page.get_by_label("User name").fill("carol")
    page.get_by_label("Password").fill(cast.password("carol"))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{portal.url}/wall/")


@pytest.mark.django_db(transaction=True)
def test_the_wall_follows_by_itself_and_says_when_it_cannot(page: Page, live_portal: Portal, cast: Cast) -> None:
    sign_in(page, live_portal, cast)
    bob = page.locator(f'[data-extension="{cast.agent("bob").extension}"]')
    expect(bob).to_have_attribute("data-state", "free")

    ring(cast, "bob")
    expect(bob).to_have_attribute("data-state", "ringing", timeout=10_000)

    page.context.set_offline(True)
    lost = page.get_by_text("The connection is lost.")
    expect(lost).to_be_visible(timeout=10_000)
    ring(cast, "bob", line_status="up")
    page.context.set_offline(False)
    expect(bob).to_have_attribute("data-state", "talking", timeout=10_000)
    expect(lost).to_be_hidden()

    page.context.clear_cookies()
    expect(page).to_have_url(f"{live_portal.url}/login/?next=/wall/", timeout=10_000)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_wall_fits_every_screen(
    chromium: Chromium, live_portal: Portal, cast: Cast, scheme: Literal["light", "dark"]
) -> None:
    more_agents(cast, 20)
    Agent.objects.filter(extension="7003").update(is_available=False, profile_name="W" * 100, profile_message="m" * 300)
    Call.objects.filter(agent__extension="7003").delete()
    ring(cast, "bob")
    # The checker is a script of its own: the policy, proven by the other tests, would keep it out.
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    page = context.new_page()
    sign_in(page, live_portal, cast)
    page.wait_for_load_state()  # with its styles
    sizes = {}
    for width, height in ((360, 740), (1280, 800), (1920, 1080), (3840, 2160)):
        page.set_viewport_size(ViewportSize(width=width, height=height))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        name = "parseFloat(getComputedStyle(document.querySelector('.sb-wall__who strong')).fontSize)"
        sizes[width] = page.evaluate(name)
    assert sizes[360] >= 18
    assert sizes[3840] >= 44
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
    context.close()
