"""The circuit breaker and the records of health: narrow, counted by the database, and the same for all processes (security.md P10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from identity import clock
from identity.errors import UpstreamUnavailable
from identity.models import Organization
from integrations.models import CircuitBreaker, VendorHealth
from integrations.vendors import client, health
from tests.cast import Cast
from tests.integrations.vendors.stand_in import StandIn, said

pytestmark = [pytest.mark.django_db, pytest.mark.wire("auvious", "3.6 Outbound calls")]
NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
OPEN = "talkdesk: not asked, it failed 5 times in a row"


@pytest.fixture
def there(stand_in: StandIn, settings: Any) -> StandIn:
    settings.TALKDESK_BASE_URL = stand_in.url
    settings.NICE_BASE_URL = stand_in.url
    settings.UPSTREAM_TIMEOUT_SECONDS = 30  # on a busy machine
    return stand_in


@pytest.fixture
def acme(cast: Cast) -> Organization:
    return cast.organization("acme")


def asked(organization: Organization, vendor: str = "talkdesk") -> str:
    """Ask once, and answer the status, or how it failed."""
    try:
        place = client.place(vendor, "https://nobody.example")
        return str(client.ask(place=place, organization_id=organization.pk, method="GET", path="/x").status)
    except UpstreamUnavailable as e:
        return str(e)


def whole(value: Any) -> Any:
    """Answer a time to the second."""
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def fail(organization: Organization, there: StandIn, times: int = health.FAILURES) -> None:
    there.answers(500)
    assert {asked(organization) for _ in range(times)} == {"talkdesk: status 500"}


def test_five_failures_in_a_row_end_the_asking(acme: Organization, there: StandIn) -> None:
    fail(acme, there)
    there.answers(200, {})

    assert [asked(acme) for _ in range(3)] == [OPEN] * 3
    assert len(there.asked) == 5


def test_others_are_asked_and_asking_on(cast: Cast, acme: Organization, there: StandIn) -> None:
    fail(acme, there)
    there.answers(200, {})

    assert (asked(cast.organization("globex")), asked(acme, "nice"), asked(acme)) == ("200", "200", OPEN)


def test_an_answer_between_failures_begins_the_count_anew(acme: Organization, there: StandIn) -> None:
    for status in (200, 400, 401, 403, 404, 409, 429):
        fail(acme, there, times=4)
        there.answers(status, {})
        assert asked(acme) == str(status)


def test_refusals_never_open_it(acme: Organization, there: StandIn) -> None:
    for status in (400, 401, 403, 404, 409, 429):
        there.answers(status, {})
        assert {asked(acme) for _ in range(6)} == {str(status)}


def test_after_half_a_minute_one_call_tries(acme: Organization, there: StandIn) -> None:
    with time_machine.travel(NOON, tick=False) as now:
        fail(acme, there)
        now.shift(timedelta(seconds=29))
        assert asked(acme) == OPEN
        now.shift(timedelta(seconds=2))
        assert asked(acme) == "talkdesk: status 500"
        assert asked(acme) == OPEN
        now.shift(timedelta(seconds=29))
        assert asked(acme) == OPEN

        now.shift(timedelta(seconds=2))
        there.answers(200, {})
        assert [asked(acme) for _ in range(6)] == ["200"] * 6
        assert health.open_circuits(organization_id=acme.pk, at=clock.now()) == {}


def test_a_single_failure_after_that_opens_nothing(acme: Organization, there: StandIn) -> None:
    with time_machine.travel(NOON, tick=False) as now:
        fail(acme, there)
        now.shift(timedelta(seconds=31))
        there.answers(200, {})
        asked(acme)
        fail(acme, there, times=4)
        there.answers(200, {})
        assert asked(acme) == "200"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_tries(at_once: Callable[..., list[Any]], acme: Organization, there: StandIn) -> None:
    CircuitBreaker.objects.create(
        organization=acme, vendor="talkdesk", failures=9, open_until=clock.now() - timedelta(seconds=1)
    )
    there.answers(500)

    found = at_once(16, lambda _number: asked(acme))

    assert sorted(found) == [OPEN] * 15 + ["talkdesk: status 500"]
    assert len(there.asked) == 1


@pytest.mark.django_db(transaction=True)
def test_failures_at_once_are_all_counted(
    at_once: Callable[..., list[Any]], acme: Organization, there: StandIn
) -> None:
    there.answers(500)
    at_once(health.FAILURES, lambda _number: asked(acme))

    assert CircuitBreaker.objects.get().failures == health.FAILURES
    assert list(VendorHealth.objects.values_list("calls", "failures")) == [(5, 5)]
    assert asked(acme) == OPEN


def test_an_hour_is_one_row(acme: Organization, there: StandIn) -> None:
    with time_machine.travel(NOON, tick=False) as now:
        there.answers(200, {})
        asked(acme)
        asked(acme)
        there.answers(503)
        now.shift(60)
        asked(acme)
        there.answers(400, {})
        now.shift(60)
        asked(acme)
        now.shift(3600)
        asked(acme)

    hours = VendorHealth.objects.order_by("hour").values_list(
        "organization__name", "vendor", "hour", "calls", "failures", "last_success_at", "last_failure_at", "last_error"
    )
    hour, minute = NOON.replace(second=0), timedelta(minutes=1)
    # What the calls took comes on top of the time that stands still.
    assert [tuple(map(whole, row)) for row in hours] == [
        ("acme", "talkdesk", hour, 4, 1, NOON + 2 * minute, NOON + minute, "status 503"),
        ("acme", "talkdesk", hour + 60 * minute, 1, 0, NOON + 62 * minute, None, ""),
    ]


def test_how_long_calls_took_is_added_up(acme: Organization, there: StandIn) -> None:
    def slowly(request: Any) -> Any:
        there.over.wait(0.05)
        return said(200, {})

    there.behaviour.answer = slowly
    asked(acme)
    asked(acme)

    assert 100 <= VendorHealth.objects.get().milliseconds < 20_000


def test_what_was_not_asked_is_not_counted(acme: Organization, there: StandIn) -> None:
    fail(acme, there)
    asked(acme)
    assert VendorHealth.objects.get().calls == 5


def test_old_hours_are_forgotten_by_the_first_call_of_an_hour(cast: Cast, acme: Organization, there: StandIn) -> None:
    now = clock.now()
    for organization in (acme, cast.organization("globex")):
        VendorHealth.objects.create(organization=organization, vendor="talkdesk", hour=now - timedelta(days=36))
        VendorHealth.objects.create(organization=organization, vendor="talkdesk", hour=now - timedelta(days=34))

    asked(acme)

    assert VendorHealth.objects.filter(organization=acme).count() == 2
    assert VendorHealth.objects.exclude(organization=acme).count() == 2


def test_a_call_costs_three_statements(acme: Organization, there: StandIn, django_assert_num_queries: Any) -> None:
    asked(acme)
    with django_assert_num_queries(3):  # may it, how did it go, and the count of the hour
        asked(acme)


def test_what_is_open_can_be_shown(cast: Cast, acme: Organization, there: StandIn) -> None:
    with time_machine.travel(NOON, tick=False):
        fail(acme, there)
        now = clock.now()
        (shown,) = health.open_circuits(organization_id=acme.pk, at=now).items()
        assert (shown[0], whole(shown[1])) == ("talkdesk", NOON + health.OPEN_FOR)
        assert health.open_circuits(organization_id=cast.organization("globex").pk, at=now) == {}
        assert health.open_circuits(organization_id=acme.pk, at=now + 2 * health.OPEN_FOR) == {}


@pytest.mark.django_db(transaction=True)
def test_an_answer_survives_that_it_could_not_be_counted(
    acme: Organization, there: StandIn, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(health, "_COUNT", "INSERT INTO no_such_table VALUES (%s, %s, %s, %s, %s, %s, %s, %s)")
    there.answers(200, {"refresh_token": "turned-over"})
    place = client.place("talkdesk", "https://nobody.example")

    answer = client.ask(place=place, organization_id=acme.pk, method="GET", path="/x")

    assert answer.json == {"refresh_token": "turned-over"}
    assert [record.message for record in caplog.records] == ["a call was not counted"]
    assert "turned-over" not in caplog.text
