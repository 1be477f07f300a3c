"""The newcomer's story in real Chromium: sign in, find an agent, work as them, stop; and what keeps it safe on the way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from identity import organizations
from identity.models import AuditEvent, LoginAs, Session
from identity.principal import Principal
from tests.browsers import REASON, code_of
from tests.cast import Cast
from tests.processes import Portal

SignIn = Callable[[str], None]


@pytest.fixture
def cast(transactional_db: None, cast: Cast) -> Cast:
    """The cast where the portal's own processes see it."""
    return cast


@pytest.fixture
def portal(cast: Cast, start_portal: Callable[..., Portal]) -> Portal:
    """The web server, in one process."""
    return start_portal(WEB_PROCESSES="1")


def sign_in(page: Page, portal: Portal, cast: Cast, name: str) -> None:
    """Sign in by the form."""
    page.goto(f"{portal.url}/login/")
    page.get_by_label("User name or e-mail address").fill(name)
    page.get_by_label("Password").fill(cast.password(name))
    page.get_by_role("button", name="Sign in").click()


def work_as(page: Page, portal: Portal, cast: Cast, name: str, *, mode: str) -> None:
    """Find an agent in the admin and press the button."""
    page.goto(f"{portal.url}/admin/agents/agent/?q={cast.agent(name).extension}")
    page.locator("#result_list tbody th a").first.click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("radio", name=mode).check()
    page.get_by_role("button", name="Log in as").click()


def test_an_admin_works_as_an_agent_and_stops(page: Page, portal: Portal, cast: Cast) -> None:
    page.goto(portal.url)
    expect(page).to_have_url(f"{portal.url}/login/")
    sign_in(page, portal, cast, "alice")
    expect(page).to_have_url(f"{portal.url}/desk/")
    expect(page.locator("[data-login-as]")).to_have_count(0)
    page.get_by_role("link", name="Admin", exact=True).click()
    page.get_by_role("link", name="Agents", exact=True).first.click()
    page.locator("#result_list").get_by_role("link", name=re.compile(cast.agent("bob").extension)).first.click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("radio", name="Act").check()
    page.get_by_role("button", name="Log in as Bob Berg").click()

    expect(page).to_have_url(f"{portal.url}/desk/")
    banner = page.get_by_role("region", name="Working as somebody else")
    expect(banner).to_be_visible()
    expect(banner).to_contain_text("alice is working as bob")
    expect(banner).to_contain_text(REASON)
    expect(banner.get_by_role("timer")).to_have_text(re.compile(r"^(30:00|29:\d\d)$"))
    expect(page.get_by_text(cast.agent("bob").extension)).to_be_visible()
    page.get_by_label("What you are doing").fill("Lunch")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your presence is saved.")).to_be_visible()
    assert cast.agent("bob").profile_name == "Lunch"

    page.goto(f"{portal.url}/nowhere/")
    expect(banner).to_be_visible()
    banner.get_by_role("button", name="Stop").click()
    expect(page).to_have_url(f"{portal.url}/admin/")
    expect(page.locator("[data-login-as]")).to_have_count(0)
    page.goto(f"{portal.url}/desk/")
    expect(page.get_by_role("heading", name="Desk of alice")).to_be_visible()
    rows = AuditEvent.objects.filter(event__startswith="login_as.").order_by("pk")
    assert [(row.event, row.actor, row.subject) for row in rows] == [
        ("login_as.started", "alice", "bob"),
        ("login_as.ended", "alice", "bob"),
    ]


def test_the_agent_sees_who_it_was(page: Page, portal: Portal, cast: Cast, chromium: Browser) -> None:
    sign_in(page, portal, cast, "alice")
    work_as(page, portal, cast, "bob", mode="Look only")
    page.get_by_role("button", name="Stop").click()
    page.context.clear_cookies()

    sign_in(page, portal, cast, "bob")

    section = page.get_by_role("region", name="Who worked as you")
    expect(section).to_contain_text("Alice Almgren")
    expect(section).to_contain_text(REASON)


def test_looking_shows_no_form_and_sends_nothing(page: Page, portal: Portal, cast: Cast) -> None:
    sign_in(page, portal, cast, "alice")
    work_as(page, portal, cast, "bob", mode="Look only")

    expect(page.get_by_role("region", name="Working as somebody else")).to_contain_text("Look only")
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("button", name="Svenska").click()
    expect(page.get_by_text("You are looking only.")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_at_the_deadline_the_page_says_so(page: Page, portal: Portal, cast: Cast) -> None:
    sign_in(page, portal, cast, "alice")
    work_as(page, portal, cast, "bob", mode="Act")
    LoginAs.objects.update(deadline_at=LoginAs.objects.get().started_at)

    page.goto(f"{portal.url}/desk/")

    expect(page.get_by_text("Working as somebody else is over.")).to_be_visible()
    expect(page.get_by_role("heading", name="Desk of alice")).to_be_visible()
    assert {cookie["name"] for cookie in page.context.cookies()} == {"switchboard", "csrftoken"}


def test_logging_out_ends_both(page: Page, portal: Portal, cast: Cast) -> None:
    sign_in(page, portal, cast, "alice")
    work_as(page, portal, cast, "bob", mode="Act")

    page.get_by_role("button", name="Log out").click()

    expect(page).to_have_url(f"{portal.url}/login/")
    assert not Session.objects.filter(user=cast.user("alice"), ended_at=None).exists()
    page.goto(f"{portal.url}/desk/")
    expect(page).to_have_url(f"{portal.url}/login/?next=/desk/")


def test_a_second_factor_is_enrolled_with_the_picture_s_secret_and_asked_for(
    page: Page, portal: Portal, cast: Cast, console: Principal
) -> None:
    organizations.change(by=console, organization=cast.organization("acme"), requires_second_factor=True)
    sign_in(page, portal, cast, "bob")
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    picture = page.get_by_role("img", name=re.compile("QR code"))
    assert picture.evaluate("picture => picture.complete && picture.naturalWidth > 100")
    secret = page.locator("code.sb-secret").inner_text()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator(".sb-codes li").all_inner_texts()
    assert len(codes) == 10
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 backup codes are left.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()

    sign_in(page, portal, cast, "bob")
    expect(page.get_by_text("One step more")).to_be_visible()
    page.get_by_label("Password").fill(cast.password("bob"))
    page.get_by_label("Code").fill(codes[3])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{portal.url}/desk/")


PAGES = ("/login/", "/reset/", "/reset/choose/", "/reset/done/", "/nowhere/", "/login-as/")
OWN_PAGES = ("/desk/", "/account/", "/account/second-factor/", "/nowhere/", "/login-as/", "/admin/")
LISTENER = """
    window.breaches = [];
    document.addEventListener("securitypolicyviolation", breach => window.breaches.push(breach.violatedDirective));
"""


def problems_of(page: Page) -> dict[str, Any]:
    """What a page must not do: breach its policy, scroll sideways, overlap its banner, leave a field without a name."""
    found: dict[str, Any] = page.evaluate(
        """() => ({
            breaches: window.breaches,
            sideways: document.documentElement.scrollWidth > document.documentElement.clientWidth,
            inline: document.querySelectorAll(":not(html)[style], style, script:not([src])").length,
        })"""
    )
    return found


FINE = {"breaches": [], "sideways": False, "inline": 0}


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")])
def test_every_page_fits_its_window_and_keeps_to_its_policy(
    chromium: Browser, portal: Portal, cast: Cast, width: int, scheme: Any
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, locale="en-GB")
    context.add_init_script(LISTENER)
    page = context.new_page()
    found = {}
    for path in PAGES:
        policy = page.goto(f"{portal.url}{path}").headers["content-security-policy"]  # type: ignore[union-attr]
        assert {"script-src 'self'", "style-src 'self'"} <= {part.strip() for part in policy.split(";")}
        found[path] = problems_of(page)
    sign_in(page, portal, cast, "alice")
    for path in OWN_PAGES:
        page.goto(f"{portal.url}{path}")
        found[f"alice {path}"] = problems_of(page)
    work_as(page, portal, cast, "bob", mode="Act")
    for path in ("/desk/", "/account/", "/admin/", "/nowhere/"):
        page.goto(f"{portal.url}{path}")
        found[f"alice as bob {path}"] = problems_of(page)
        top = page.locator("[data-login-as]").bounding_box()
        assert top is not None
        assert top["x"] >= 0
        assert top["x"] + top["width"] <= width
    context.close()
    assert {where: problems for where, problems in found.items() if problems != FINE} == {}
