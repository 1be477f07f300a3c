"""The pages of codes and messages in real Chromium: no wider than a phone, readable in light and dark, and usable by everybody."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it brings no types
from django.urls import reverse
from playwright.sync_api import Browser, Page, ViewportSize, expect

from identity import clock, crypto, organizations, otp, otp_plans, outbox
from identity.errors import Invalid
from identity.models import Organization, OtpVerification, OutboxMessage, PrefixPause
from identity.principal import at_the_console
from tests.browser.test_look import NARROW, WIDE, sign_in
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)

State = OutboxMessage.State


def busy_acme(cast: Cast) -> OtpVerification:
    """Let acme send codes for a month, by two channels to three countries, and answer one that fell back to a call."""
    acme = cast.organization("acme")
    organizations.change(
        by=at_the_console(), organization=acme, message_budget_per_day=40, money_budget_per_day=Decimal("2.50"),
        message_prices={"SE": {"SMS": "0.05", "VOICE": "0.10"}, "GR": {"SMS": "0.07"}}, message_fallbacks=["VOICE 60"],
        message_templates={"otp": {"sv": {"SMS": "{name}: din kod är {code}. Dela den inte."}}},
    )  # fmt: skip
    months_of(acme)
    PrefixPause.objects.bulk_create(
        [
            PrefixPause(organization=acme, prefix="+46769", country="SE", numbers=212, paused_at=clock.now() - timedelta(hours=2)),
            PrefixPause(organization=acme, prefix="+30691", country="GR", numbers=230, is_only_reported=True),
        ]
    )  # fmt: skip
    return fell_back(cast)


def months_of(organization: Organization) -> None:
    now, codes, messages = clock.now(), [], []
    for number in range(600):
        at = now - timedelta(days=number * number % 29, minutes=7 * number % 1300)
        country, channel = ("SE", "GR", "DE")[number % 5 % 3], ("SMS", "SMS", "SMS", "VOICE")[number % 4]
        code = OtpVerification(
            organization=organization, recipient=f"+4670{number:07d}", recipient_key=f"+4670{number:07d}", country=country, prefix="+46700",
            channel=channel, code_digest="", created_at=at, expires_at=at + timedelta(minutes=10), sends=1,
            approved_at=at + timedelta(seconds=30) if number % 7 else None,
        )  # fmt: skip
        codes.append(code)
        state = State.FAILED if number % 31 == 0 else State.DELIVERED
        messages.append(
            OutboxMessage(
                organization=organization, subject_key=str(code.pk), channel=channel, to=code.recipient, country=country, template="otp",
                locale="sv", price=Decimal("0.05"), state=state, attempts=1 + (number % 11 == 0), created_at=at, next_at=at, useful_until=at,
                sent_at=at + timedelta(seconds=1 + number % 4), reported_at=at + timedelta(seconds=6), provider_id=f"SM{number:032x}",
                provider_status="delivered" if state == State.DELIVERED else "undelivered 30005",
            )
        )  # fmt: skip
    OtpVerification.objects.bulk_create(codes)
    OutboxMessage.objects.bulk_create(messages)


def fell_back(cast: Cast) -> OtpVerification:
    """A code that was not entered, was entered wrongly, was called out, and then entered."""
    bob, acme = cast.principal("bob"), cast.organization("acme")
    pk = otp.request(by=bob, organization=acme, to="+46701740601", name="Åsas Bank")
    code = crypto.open_sealed(
        OtpVerification.objects.get(pk=pk).code_sealed, place=f"identity_otpverification.code:{pk}:{acme.pk}"
    )
    outbox.drain()
    with pytest.raises(Invalid):
        otp.check(
            by=bob,
            organization=acme,
            to="+46701740601",
            code="000000" if code != "000000" else "111111",
            verification_id=pk,
        )
    OtpVerification.objects.filter(pk=pk).update(fallback_at=clock.now())
    otp_plans.follow()
    outbox.drain()
    otp.check(by=bob, organization=acme, to="+46701740601", code=code, verification_id=pk)
    return OtpVerification.objects.get(pk=pk)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [NARROW, WIDE], ids=["narrow", "wide"])
def test_the_pages_of_codes_fit_and_can_be_read(
    chromium: Browser, live_portal: Portal, cast: Cast, scheme: Literal["light", "dark"], size: ViewportSize
) -> None:
    code = busy_acme(cast)
    acme = cast.organization("acme")
    message = OutboxMessage.objects.filter(subject_key=str(code.pk)).earliest("created_at")
    texts = reverse("admin:identity_organization_texts", args=[acme.pk])
    pages = (
        reverse("admin:identity_otpverification_changelist"),
        reverse("admin:identity_otpverification_change", args=[code.pk]),
        reverse("admin:codes"),
        reverse("admin:identity_prefixpause_changelist"),
        f"{texts}?locale=sv",
        f"{texts}?locale=he",
        reverse("admin:identity_outboxmessage_changelist"),
        reverse("admin:identity_outboxmessage_change", args=[message.pk]),
        reverse("admin:identity_organization_change", args=[acme.pk]),
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


def test_an_admin_reads_the_days_as_a_table_and_writes_a_text_of_his_own(
    page: Page, live_portal: Portal, cast: Cast
) -> None:
    busy_acme(cast)
    sign_in(page, live_portal, cast)
    page.goto(f"{live_portal.url}/admin/")

    page.locator("#sb-side").get_by_role("link", name="Figures").click()
    expect(page.get_by_role("img", name="Messages with codes a day.")).to_be_visible()
    page.locator("figure").first.get_by_text("As a table").click()
    expect(page.locator("figure").first.get_by_role("rowheader").last).to_have_text(clock.now().date().isoformat())

    page.get_by_role("link", name="Prices and budgets in the settings").click()
    page.get_by_role("link", name="Edit and preview").click()
    page.get_by_label("Language").select_option("de")
    page.get_by_role("button", name="Show").click()
    page.get_by_label("Your text Text message").fill("{name}: Ihr Code ist {code}.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".sb-text__bubble").first).to_have_text("Acme: Ihr Code ist 123456.")
    page.get_by_role("button", name="Save").click()

    expect(page.locator(".messagelist")).to_contain_text("The texts are saved")
    assert cast.organization("acme").message_templates["otp"]["de"] == {"SMS": "{name}: Ihr Code ist {code}."}


def test_a_paused_range_is_resumed_from_its_row(page: Page, live_portal: Portal, cast: Cast) -> None:
    busy_acme(cast)
    sign_in(page, live_portal, cast)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(live_portal.url + reverse("admin:identity_prefixpause_changelist"))

    page.get_by_role("button", name="Resume +46769").click()

    expect(page.locator(".messagelist")).to_contain_text("Codes go to +46769… again.")
    assert PrefixPause.objects.get(prefix="+46769").resumed_by == "alice"
