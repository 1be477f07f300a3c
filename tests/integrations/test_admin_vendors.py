"""The admin's page of integrations, and the button that tests a connection."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from identity import clock
from identity.models import Application
from integrations import admin_vendors
from integrations.models import CircuitBreaker, VendorHealth
from integrations.sandbox.server import Sandbox
from integrations.stories import trials
from integrations.stories.trials import Outcome, Verdict
from integrations.vendors import figures, health
from tests.cast import Cast
from tests.identity.admin.conftest import admin_of
from tests.integrations.sandbox.conftest import sandbox

__all__ = ["admin_of", "sandbox"]  # the fixtures
pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of
PAGE = "/admin/vendors/"
SECOND = timedelta(seconds=1)


def calls(cast: Cast, vendor: str, *errors: str, organization: str = "acme", hours_ago: int = 0) -> None:
    """Let calls happen: an empty text is an answer, everything else a failure."""
    pk = cast.organization(organization).pk
    for error in errors:
        at = clock.now() - timedelta(hours=hours_ago)
        health.record(organization_id=pk, vendor=vendor, at=at, took=2 * SECOND, error=error)


def panel_of(answer: Any, vendor: str) -> admin_vendors.Panel:
    return next(one for one in answer.context["panels"] if one.vendor == vendor)


# --- the page ---------------------------------------------------------------------------------------------------------
def test_each_vendor_shows_its_last_day(cast: Cast, admin_of: Admin) -> None:
    calls(cast, "genesys", "", "status 503", hours_ago=30)
    calls(cast, "genesys", "", "", "", "timeout", hours_ago=3)
    calls(cast, "genesys", "")
    now = clock.now()

    answer = admin_of("alice").get(PAGE)

    found = panel_of(answer, "genesys")
    one = found.figures
    assert (found.tone, str(found.verdict), found.words) == (
        "warn", "troubled", "It answers again, but failed often in the last 24 hours.",
    )  # fmt: skip
    assert (one.calls, one.failures, one.error_rate, one.mean, one.last_error) == (5, 1, 20, 2 * SECOND, "timeout")
    assert one.last_success_at is not None
    assert now - one.last_success_at < timedelta(minutes=1)
    assert (len(found.chart.rows), found.chart.rows[-1][1], found.chart.rows[-4][1]) == (24, "1", "4, 1 failed")
    assert found.chart.summary == "5 in 24 hours, 1 of them failed."
    assert [bar.height for bar in found.chart.bars if bar.tone == "bad" and bar.height != "0.00"] == ["25.00"]
    assert {one.vendor for one in answer.context["panels"]} == {"genesys", "talkdesk", "nice", "openid"}
    assert (panel_of(answer, "nice").tone, panel_of(answer, "nice").figures.error_rate) == ("", None)


def test_a_breaker_shows_how_many_failed_and_until_when_nobody_asks(cast: Cast, admin_of: Admin) -> None:
    calls(cast, "talkdesk", *["connection"] * 4)
    failing = panel_of(admin_of("alice").get(PAGE), "talkdesk")
    calls(cast, "talkdesk", "connection")
    answer = admin_of("alice").get(PAGE)

    resting = panel_of(answer, "talkdesk")
    until = CircuitBreaker.objects.get().open_until
    assert until is not None
    assert (failing.tone, str(failing.verdict)) == ("warn", "failing")
    assert failing.words == "The last call failed, and 4 in a row did; five stop it for half a minute."
    assert (resting.tone, str(resting.verdict)) == ("bad", "not asked")
    assert f"is not asked until {until:%H:%M:%S} UTC" in resting.words
    assert [(name, one.failures, one.open_until) for name, one in answer.context["breakers"]] == [
        ("Talkdesk", 5, until)
    ]


def test_what_lies_longer_back_than_a_day_is_quiet_but_not_forgotten(cast: Cast, admin_of: Admin) -> None:
    calls(cast, "nice", "", hours_ago=50)

    found = panel_of(admin_of("alice").get(PAGE), "nice")

    assert (found.tone, str(found.verdict), found.mean) == ("", "quiet", "–")
    assert found.figures.last_success_at is not None
    assert found.chart.summary == "Nothing in 24 hours."


def test_one_failure_of_very_many_is_not_rounded_away() -> None:
    hour = figures.Hour(clock.now(), calls=10_000, failures=1)

    assert figures.Figures("genesys", [hour]).error_rate == 1


def test_an_organisation_sees_its_own_calls_only_and_an_operator_all_or_one(cast: Cast, admin_of: Admin) -> None:
    calls(cast, "genesys", "", "")
    calls(cast, "genesys", "", *["timeout"] * 5, organization="globex")
    olle, globex = admin_of("olle"), cast.organization("globex").pk

    def seen(answer: Any) -> tuple[int, int]:
        found = panel_of(answer, "genesys").figures
        return found.calls, found.failures

    assert seen(admin_of("alice").get(PAGE)) == (2, 0)
    assert seen(admin_of("frank").get(PAGE)) == (6, 5)
    assert seen(admin_of("frank").get(f"{PAGE}?organization={cast.organization('acme').pk}")) == (6, 5)
    assert seen(olle.get(PAGE)) == (8, 5)
    assert seen(olle.get(f"{PAGE}?organization={globex}")) == (6, 5)
    assert [(name, one.organization, one.failures) for name, one in olle.get(PAGE).context["breakers"]] == [
        ("Genesys Cloud", str(cast.organization("globex")), 5)
    ]
    assert olle.get(f"{PAGE}?organization=nobody").status_code == 404


def test_who_has_nothing_connected_is_told_how_to_begin(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("frank").get(PAGE)

    assert answer.context["panels"] == []
    assert "No vendor is connected yet." in answer.text


@pytest.mark.parametrize("name", ["bob", "carol"])
def test_those_who_manage_no_applications_get_no_page_and_no_entry(cast: Cast, admin_of: Admin, name: str) -> None:
    browser = admin_of(name)

    assert browser.get(PAGE).status_code == 403
    assert PAGE not in browser.get("/admin/").text


def test_the_sidebar_leads_there_and_the_page_to_the_applications(cast: Cast, admin_of: Admin) -> None:
    calls(cast, "genesys", "")
    alice = admin_of("alice")

    assert f'href="{PAGE}"' in alice.get("/admin/").text
    link = panel_of(alice.get(PAGE), "genesys").link
    assert [row.type for row in alice.get(link).context["cl"].result_list] == ["GENESYS"]


def test_the_page_asks_as_much_for_many_calls_as_for_few(
    cast: Cast, admin_of: Admin, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    alice, pk = admin_of("alice"), cast.organization("acme").pk
    alice.get(PAGE)
    for vendor in admin_vendors.NAMES:
        calls(cast, vendor, "", "timeout")
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    VendorHealth.objects.bulk_create(
        VendorHealth(organization_id=pk, vendor=vendor, hour=hour - timedelta(hours=number), calls=5, failures=1)
        for vendor in admin_vendors.NAMES
        for number in range(1, 600)
    )

    with django_assert_num_queries(7):
        alice.get(PAGE)


# --- the button -------------------------------------------------------------------------------------------------------
def press(browser: Any, row: Application) -> Any:
    return browser.post(reverse("admin:identity_application_do", args=[row.pk, "test"]), follow=True)


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("GENESYS", "Genesys Cloud"), ("TALKDESK_OPENID", "Talkdesk"), ("NICE_CXONE_OPENID", "NICE CXone"), ("STANDALONE_OPENID", "The OpenID provider"),
    ],
)  # fmt: skip
def test_a_good_connection_is_said_with_how_long_it_took(
    sandbox: Sandbox, cast: Cast, admin_of: Admin, type_: str, name: str
) -> None:
    answer = press(admin_of("alice"), Application.objects.get(type=type_))

    (said,) = answer.context["messages"]
    assert said.level_tag == "success"
    assert str(said).startswith(f"{name} answered in ")
    assert str(said).endswith(" s; the client is known.")


def test_a_bad_connection_is_said_with_what_to_do(settings: Any, cast: Cast, admin_of: Admin) -> None:
    settings.GENESYS_BASE_URL = "http://127.0.0.1:9"

    answer = press(admin_of("alice"), Application.objects.get(type="GENESYS"))

    (said,) = answer.context["messages"]
    assert said.level_tag == "error"
    assert str(said) == (
        "Nothing listens at the address of Genesys Cloud, or the line broke: ask the operator whether this server may reach it."
    )


def test_who_presses_again_and_again_is_told_when_to_come_back(settings: Any, cast: Cast, admin_of: Admin) -> None:
    settings.GENESYS_BASE_URL = "http://127.0.0.1:9"
    alice, row = admin_of("alice"), Application.objects.get(type="GENESYS")

    with time_machine.travel(clock.now().replace(second=0), tick=False):
        *_before, last = [press(alice, row) for _ in range(trials.AT_MOST.limit + 1)]

    (said,) = last.context["messages"]
    assert said.level_tag == "error"
    assert re.fullmatch(r"That was tested very often just now: try again in [1-6]?[0-9] s\.", str(said))


def test_a_stranger_and_another_organisation_press_in_vain(sandbox: Sandbox, cast: Cast, admin_of: Admin) -> None:
    row = Application.objects.get(type="GENESYS")

    assert press(admin_of("frank"), row).status_code == 404
    assert press(admin_of("carol"), row).status_code == 404
    assert press(admin_of("bob"), row).status_code == 403
    assert VendorHealth.objects.count() == 0


@pytest.mark.parametrize("language", ["en", "sv"])
@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_sentence(outcome: Outcome, language: str) -> None:
    verdict = Verdict("nice", outcome, 2 * SECOND, "some-detail", clock.now())

    with translation.override(language):
        said = admin_vendors.words_of(verdict)

    assert len(said) > 40
    assert "%(" not in said
