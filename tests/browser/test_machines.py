"""The pages of machines in real Chromium: no wider than a phone, readable in light and dark, and usable by everybody."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it brings no types
from django.urls import reverse
from playwright.sync_api import Browser, Page, ViewportSize, expect

from identity import keys
from identity.models import Application, Client, ClientUse
from tests.browser.test_look import NARROW, WIDE, sign_in
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", WIDE), ("dark", WIDE), ("light", NARROW)], ids=["light", "dark", "narrow"]
)
def test_the_pages_of_machines_fit_and_can_be_read(
    chromium: Browser, live_portal: Portal, cast: Cast, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    client = Client.objects.get(description="demo acme_agent")
    key = keys.create(
        by=cast.principal("alice"), organization=cast.organization("acme"), type_="SSH_RSA", comment="sftp"
    )
    ClientUse.objects.create(client=client, endpoint="/api/conferences/{id}", status=429, address="192.0.2.1")
    pages = (
        reverse("admin:identity_client_change", args=[client.pk]),
        reverse("admin:identity_client_add"),
        f"{reverse('admin:identity_clientuse_changelist')}?client={client.pk}",
        reverse("admin:identity_key_add"),
        reverse("admin:identity_key_changelist"),
        reverse("admin:identity_key_change", args=[key.pk]),
        reverse("admin:identity_application_add"),
        f"{reverse('admin:identity_application_add')}?type=TALKDESK_OPENID",
        reverse("admin:identity_application_change", args=[Application.objects.get(type="GENESYS").pk]),
    )
    # The checker is a script of its own: the policy, proven by every other test, would keep it out.
    context = chromium.new_context(viewport=size, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    sign_in(page, live_portal, cast)

    for where in pages:
        page.goto(live_portal.url + where)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], where
        found = Axe().run(page).response["violations"]
        assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == [], where
    context.close()


def test_a_secret_is_turned_over_with_a_grace_that_is_chosen(page: Page, live_portal: Portal, cast: Cast) -> None:
    client = Client.objects.get(description="demo acme_agent")
    sign_in(page, live_portal, cast)
    page.goto(live_portal.url + reverse("admin:identity_client_change", args=[client.pk]))
    page.on("dialog", lambda dialog: dialog.accept())

    page.get_by_label("The present secret").select_option(label="serves for one more hour")
    page.get_by_role("button", name="New secret").click()

    expect(page.locator(".sb-secrets")).to_contain_text("sws")
    assert client.secrets.count() == 2
