"""An organisation's settings on one page: lists as lines, refusals at their fields, and doors that an operator closes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from identity.models import AuditEvent, Organization, User
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of

SETTINGS: dict[str, Any] = {
    "title": "Acme", "login_as_roles": ["Admin"], "link_bases": "https://acme.example\n", "cors_origins": "https://desk.acme.example",
    "otp_countries": "se\nGR", "ping_mechanisms": ["basic", "cookie", "jwt"], "ticket_length": 6, "usage_retention_days": 90,
    "second_factor_exemptions": "", "message_prices": "", "message_fallbacks": "", "sign_in_hosts": "",
    "sign_in_domains": "", "message_budget_per_day": "", "money_budget_per_day": "",
}  # fmt: skip


def page_of(organization: Organization) -> str:
    return reverse("admin:identity_organization_change", args=[organization.pk])


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


def test_settings_are_typed_as_lines_and_kept_as_lists(cast: Cast, admin_of: Admin) -> None:
    acme = cast.organization("acme")
    changes = {
        "login_as_roles": ["Admin", "Supervisor"], "message_prices": "SE SMS 0.05\nse voice 0.2\nGR SMS 0.07", "message_fallbacks": "voice  60\nemail",
        "otp_guard_only_reports": "on", "message_budget_per_day": 100, "requires_second_factor": "on",
    }  # fmt: skip

    answer = admin_of("alice").post(page_of(acme), {**SETTINGS, **changes})

    acme.refresh_from_db()
    assert answer.status_code == 302
    assert answer.url == page_of(acme)
    assert acme.login_as_roles == ["Admin", "Supervisor"]
    assert acme.link_bases == ["https://acme.example"]
    assert acme.otp_countries == ["SE", "GR"]
    assert acme.message_prices == {"SE": {"SMS": "0.05", "VOICE": "0.2"}, "GR": {"SMS": "0.07"}}
    assert acme.message_fallbacks == ["VOICE 60", "EMAIL"]
    assert acme.otp_guard_only_reports
    assert (acme.message_budget_per_day, acme.requires_second_factor) == (100, True)


def test_only_what_changed_is_written_to_the_trail(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    alice.post(page_of(acme), SETTINGS)
    alice.post(page_of(acme), {**SETTINGS, "message_prices": "SE SMS 0.05"})

    before = AuditEvent.objects.filter(event="organization.changed").count()
    alice.post(page_of(acme), {**SETTINGS, "message_prices": "SE SMS 0.05"})
    assert AuditEvent.objects.filter(event="organization.changed").count() == before

    alice.post(page_of(acme), {**SETTINGS, "message_prices": "SE SMS 0.05", "ticket_length": 8})
    assert AuditEvent.objects.filter(event="organization.changed").latest("id").details == {
        "settings": ["ticket_length"]
    }
    assert "SE SMS 0.05" in alice.get(page_of(acme)).text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("message_prices", "SE SMS", "A line looks like “SE SMS 0.05”: country, channel, price."),
        ("message_prices", "SE SMS free", "A line looks like “SE SMS 0.05”: country, channel, price."),
        (
            "message_prices",
            "SE PIGEON 1",
            "Prices stand by country and channel (SMS, VOICE, EMAIL), with a point and at most four decimals.",
        ),
        (
            "message_prices",
            "SE SMS 0.12345",
            "Prices stand by country and channel (SMS, VOICE, EMAIL), with a point and at most four decimals.",
        ),
        (
            "message_fallbacks",
            "PIGEON 60",
            "A step looks like VOICE 60: SMS, VOICE or EMAIL, and 5 to 3600 seconds; at most five steps.",
        ),
        (
            "message_fallbacks",
            "VOICE 4",
            "A step looks like VOICE 60: SMS, VOICE or EMAIL, and 5 to 3600 seconds; at most five steps.",
        ),
        (
            "message_fallbacks",
            "VOICE soon",
            "A step looks like VOICE 60: SMS, VOICE or EMAIL, and 5 to 3600 seconds; at most five steps.",
        ),
        ("money_budget_per_day", "-1", "A budget is not below nought."),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field(
    cast: Cast, admin_of: Admin, field: str, value: str, words: str
) -> None:
    answer = admin_of("alice").post(page_of(cast.organization("acme")), {**SETTINGS, field: value})

    assert errors(answer) == {field: [words]}
    assert value in answer.text.replace("&quot;", '"')


def test_the_page_counts_protected_people(cast: Cast, admin_of: Admin) -> None:
    User.objects.filter(username="bob").update(is_protected=True)

    text = admin_of("alice").get(page_of(cast.organization("acme"))).text

    assert '<a href="/admin/identity/user/?state=protected">1</a>' in text


def test_an_operator_makes_an_organization(cast: Cast, admin_of: Admin) -> None:
    olle, path = admin_of("olle"), "/admin/identity/organization/add/"

    made = olle.post(path, {"name": "initech", "title": "Initech", "domain": "initech.example"})

    assert made.status_code == 302
    assert Organization.objects.get(name="initech").title == "Initech"


def test_a_suspended_organization_is_shut_out_until_it_is_resumed(cast: Cast, admin_of: Admin) -> None:
    olle, alice, acme = admin_of("olle"), admin_of("alice"), cast.organization("acme")

    olle.post(reverse("admin:identity_organization_do", args=[acme.pk, "suspend"]))
    assert alice.get("/admin/identity/user/").status_code == 302
    assert "Suspended" in olle.get("/admin/identity/organization/").text

    olle.post(reverse("admin:identity_organization_do", args=[acme.pk, "resume"]))
    assert admin_of("alice").get("/admin/identity/user/").status_code == 200


def test_an_admin_cannot_suspend_his_organization(cast: Cast, admin_of: Admin) -> None:
    acme = cast.organization("acme")

    answer = admin_of("alice").post(reverse("admin:identity_organization_do", args=[acme.pk, "suspend"]))

    acme.refresh_from_db()
    assert answer.status_code == 403
    assert not acme.is_suspended


def test_the_history_of_an_organization_is_found_under_its_name(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").get(reverse("admin:identity_organization_history", args=[cast.organization("acme").pk]))

    assert answer.url == "/admin/identity/auditevent/?subject=acme"
