"""The look in real Chromium: what scripts add, what works without them, and that everybody can use it."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it brings no types
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)

NARROW = ViewportSize(width=360, height=740)
WIDE = ViewportSize(width=1280, height=800)
PAGES = ("/desk/", "/account/", "/admin/", "/admin/identity/user/", "/admin/agents/agent/", "/admin/search/?q=bob")


def sign_in(page: Page, portal: Portal, cast: Cast, name: str = "alice") -> None:
    page.goto(f"{portal.url}/login/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(cast.password(name))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{portal.url}/desk/")


def test_ctrl_k_finds_a_person_by_keyboard_alone(page: Page, live_portal: Portal, cast: Cast) -> None:
    sign_in(page, live_portal, cast)
    page.goto(f"{live_portal.url}/admin/")

    page.keyboard.press("Control+k")
    page.keyboard.type("bob")
    expect(page.locator("[data-results] a").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{live_portal.url}/admin/identity/user/{cast.user('bob').pk}/change/")


def test_the_choice_between_light_and_dark_holds_on_every_page(page: Page, live_portal: Portal, cast: Cast) -> None:
    page.emulate_media(color_scheme="light")
    sign_in(page, live_portal, cast)
    page.get_by_role("button", name="Switch between light and dark").click()

    page.goto(f"{live_portal.url}/admin/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 16, 22)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_no_page_is_wider_than_the_screen_or_unreadable(
    chromium: Browser, live_portal: Portal, cast: Cast, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    # The checker is a script of its own: the policy, proven by every other test, would keep it out.
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    sign_in(page, live_portal, cast)
    for where in PAGES:
        page.goto(live_portal.url + where)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], where
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], where
    context.close()


def test_the_menu_and_the_search_open_without_javascript(chromium: Browser, live_portal: Portal, cast: Cast) -> None:
    context = chromium.new_context(viewport=NARROW, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, live_portal, cast)
    page.goto(f"{live_portal.url}/admin/")
    expect(page.locator(".theme-toggle")).to_be_hidden()

    page.get_by_role("button", name="Menu").click()
    page.locator("#sb-side").get_by_role("link", name="Search").click()
    page.locator("#content-main").get_by_role("textbox").fill("bob")
    page.locator("#content-main").get_by_role("button", name="Search").click()

    expect(page.locator("#content-main")).to_contain_text("bob@acme.example")
    context.close()
