"""The sandbox and the page of integrations in real Chromium: choosing who signs in, testing a connection, reading the last day."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it brings no types
from django.urls import reverse
from playwright.sync_api import Browser, Page, ViewportSize, expect

from config import demo
from identity import applications, clock, organizations
from identity.models import Application
from identity.principal import at_the_console
from integrations.models import ExternalIdentity
from integrations.sandbox import server
from integrations.sandbox.server import STAND_INS, Sandbox
from integrations.vendors import health
from tests.browser.test_look import NARROW, WIDE, sign_in
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)


class Laptop:
    """A portal and its sandbox, as somebody who tries the product has them."""

    def __init__(self, portal: Portal, sandbox: Sandbox) -> None:
        self.portal, self.sandbox = portal, sandbox


@pytest.fixture
def laptop(cast: Cast, start_portal: Callable[..., Portal]) -> Iterator[Laptop]:
    """Both, with acme's people signing in through the sandbox."""
    organizations.change(by=at_the_console(), organization=cast.organization("acme"), sign_in_domains=["acme.example"])
    row = Application.objects.get(type="STANDALONE_OPENID")
    config = {**applications.config_of(row), "signIn": demo.SIGN_IN}
    applications.change(by=at_the_console(), application=row, type_=row.type, config=config)
    with server.listening_socket(0) as listening:
        url = server.url_of(listening)
        portal = start_portal(**{f"{vendor.upper()}_BASE_URL": f"{url}/{vendor}" for vendor in STAND_INS})
        sandbox = Sandbox(listening, STAND_INS, portal=portal.url)
        thread = threading.Thread(target=sandbox.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Laptop(portal, sandbox)
        sandbox.shutdown()
        thread.join()


def test_a_newcomer_signs_in_and_out_through_the_sandbox(page: Page, laptop: Laptop, cast: Cast) -> None:
    page.goto(f"{laptop.portal.url}/login/")
    page.get_by_text("Sign in through your company").click()
    page.get_by_label("E-mail address at work").fill("bob@acme.example")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Continue with").click()

    expect(page.get_by_role("heading", name="Sign in to an OpenID provider")).to_be_visible()
    page.get_by_role("button", name="Nobody: cancel").click()
    expect(page.get_by_role("heading", name="You are not signed in")).to_be_visible()
    page.goto(f"{laptop.portal.url}/login/with/{cast.said['applications']['openid']}/")
    page.get_by_role("button", name="Bob Berg").click()

    expect(page).to_have_url(f"{laptop.portal.url}/desk/")
    assert ExternalIdentity.objects.get().user == cast.user("bob")
    page.get_by_role("button", name="Log out").first.click()
    expect(page).to_have_url(f"{laptop.portal.url}/login/")


def test_an_admin_tests_a_connection_and_reads_the_day(page: Page, laptop: Laptop, cast: Cast) -> None:
    sign_in(page, laptop.portal, cast)
    page.goto(
        laptop.portal.url + reverse("admin:identity_application_change", args=[cast.said["applications"]["genesys"]])
    )

    page.get_by_role("button", name="Test connection").click()
    expect(page.locator(".messagelist")).to_contain_text("the client is known")
    page.locator("#sb-side").get_by_role("link", name="Integrations").click()

    expect(page.get_by_role("row", name="Genesys Cloud")).to_contain_text("It answers.")
    expect(page.get_by_role("img", name="Genesys Cloud. 2 in 24 hours, 0 of them failed.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_the_pages_fit_and_can_be_read(
    chromium: Browser, laptop: Laptop, cast: Cast, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    acme = cast.organization("acme").pk
    for number in range(40):
        at = clock.now() - timedelta(hours=number % 23)
        health.record(
            organization_id=acme,
            vendor="genesys",
            at=at,
            took=timedelta(seconds=1),
            error="" if number % 5 else "timeout",
        )
    for _ in range(5):
        health.record(organization_id=acme, vendor="nice", at=clock.now(), took=timedelta(seconds=5), error="timeout")
    # The checker is a script of its own: the policy, proven by every other test, would keep it out.
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    sign_in(page, laptop.portal, cast)
    away = f"{laptop.portal.url}/login/with/{cast.said['applications']['openid']}/"

    for where in (f"{laptop.portal.url}/admin/vendors/", f"{laptop.sandbox.url}/", away):
        page.goto(where)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], where
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], where
    context.close()
