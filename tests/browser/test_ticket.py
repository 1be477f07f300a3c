"""The customer's page in real Chromium: on a small phone, light and dark, in the reader's zone, with and without JavaScript."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it brings no types
from playwright.sync_api import Browser, Page, ViewportSize, expect

from identity import clock
from identity.principal import at_the_console
from tests.cast import Cast
from tests.processes import Portal
from tickets import actions as tickets
from tickets import redemptions
from tickets.actions import Issued, Meaning
from tickets.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = ViewportSize(width=320, height=640)
CONSOLE = at_the_console()
LONG = "Maximiliane-Bartholomäa-von-und-zu-Hohenlohe-Langenburg-" * 2


def new(cast: Cast, *, once: bool = True, at: datetime | None = None, **more: Any) -> Issued:
    return tickets.issue(
        by=CONSOLE, organization=cast.organization("acme"), type_="KIND", properties={}, is_single_use=once,
        read=lambda type_, properties: Meaning(conference="room-42", customer=LONG, scheduled_at=at), **more,
    )  # fmt: skip


def in_every_state(cast: Cast) -> dict[str, str]:
    """Answer the id of a ticket for everything that the page can say."""
    later = clock.now() + timedelta(days=3)
    made = {name: new(cast) for name in ("valid", "used", "revoked", "disabled")}
    made |= {"waiting": new(cast, at=later), "expired": new(cast, at=clock.now() - timedelta(days=3))}
    redemptions.redeem(ticket_id=made["used"].id, via=CONSOLE.via)
    tickets.revoke(by=CONSOLE, ticket=made["revoked"].ticket)
    tickets.disable(by=CONSOLE, ticket=made["disabled"].ticket)
    return {name: one.id for name, one in made.items()} | {"unknown": "zzzzzz"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_readable_on_the_smallest_phone(
    chromium: Browser, live_portal: Portal, cast: Cast, scheme: Literal["light", "dark"]
) -> None:
    # The checker is a script of its own: the policy, proven by every other test, would keep it out.
    context = chromium.new_context(viewport=PHONE, color_scheme=scheme, locale="sv-SE", bypass_csp=True)
    page = context.new_page()
    ids = in_every_state(cast)
    for standing, ticket_id in [*ids.items(), ("in", ids["valid"])]:
        page.goto(f"{live_portal.url}/t/{ticket_id}")
        if standing == "in":
            page.locator("main button").click()
        expect(page.locator(f"[data-standing={standing}]")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], standing
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], standing
    context.close()


def test_a_customer_joins_loads_the_page_anew_and_a_second_browser_is_refused(
    chromium: Browser, page: Page, live_portal: Portal, cast: Cast
) -> None:
    address = f"{live_portal.url}/t/{new(cast).id}"
    page.goto(address)
    page.get_by_role("button", name="Join the meeting").click()
    expect(page.get_by_role("heading", name="You are in")).to_be_visible()
    expect(page.locator("[data-conference]")).to_have_text("room-42")

    page.reload()
    expect(page.get_by_role("heading", name="You are in")).to_be_visible()
    other = chromium.new_page(locale="en-GB")
    other.goto(address)
    expect(other.get_by_role("heading", name="This ticket was used")).to_be_visible()
    other.close()
    assert Ticket.objects.get().uses == 1


def test_it_works_without_javascript(chromium: Browser, live_portal: Portal, cast: Cast) -> None:
    context = chromium.new_context(viewport=PHONE, java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"{live_portal.url}/t/{new(cast, at=datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC)).id}")
    expect(page.get_by_text("Wednesday 6 May 2037, 07:08 UTC")).to_be_visible()
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("[data-standing=waiting]")).to_be_visible()

    page.goto(f"{live_portal.url}/t/{new(cast).id}")
    page.get_by_role("button", name="Join the meeting").click()
    expect(page.get_by_role("heading", name="You are in")).to_be_visible()
    context.close()


def test_the_waiting_room_tells_the_time_in_the_readers_zone_and_hands_out_the_appointment(
    chromium: Browser, live_portal: Portal, cast: Cast
) -> None:
    context = chromium.new_context(locale="en-GB", timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(f"{live_portal.url}/t/{new(cast, at=datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC)).id}")
    expect(page.locator("time[data-local]").first).to_contain_text("16:08")
    with page.expect_download() as download:
        page.get_by_role("link", name="Add to calendar").click()
    assert download.value.suggested_filename == "meeting.ics"
    assert b"DTSTART:20370506T070809Z" in download.value.path().read_bytes()
    context.close()


def test_the_waiting_room_opens_by_itself(page: Page, live_portal: Portal, cast: Cast) -> None:
    page.goto(f"{live_portal.url}/t/{new(cast, at=clock.now() + timedelta(seconds=4)).id}")
    expect(page.locator("[data-standing=waiting] [data-countdown]")).to_be_visible()
    expect(page.get_by_role("button", name="Join the meeting")).to_be_visible(timeout=20_000)
