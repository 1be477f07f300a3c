"""Counts the calls to vendors: the last day by hour, the last success, and who is not asked right now; read only, three queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Sum

from integrations.models import CircuitBreaker, VendorHealth

DAY = timedelta(days=1)
HOURS = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """The calls of one hour, and the failures among them."""

    at: datetime
    calls: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Breaker:
    """An organisation that has failures in a row; `open_until` is when its vendor is asked again, None while it still is."""

    organization: str
    failures: int
    open_until: datetime | None

    def is_open(self, *, at: datetime) -> bool:
        return self.open_until is not None and self.open_until > at


@dataclass(frozen=True, slots=True)
class Figures:
    """How one vendor did: the last 24 hours, oldest first, what is remembered beyond them, and the breakers."""

    vendor: str
    hours: list[Hour]
    milliseconds: int = 0
    last_success_at: datetime | None = None
    last_failure_at: datetime | None = None
    last_error: str = ""
    breakers: list[Breaker] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return sum(hour.calls for hour in self.hours)

    @property
    def failures(self) -> int:
        return sum(hour.failures for hour in self.hours)

    @property
    def error_rate(self) -> int | None:
        """Of a hundred calls so many failed; one that failed among many still shows. None where nobody was called."""
        if not self.calls:
            return None
        return max(1 if self.failures else 0, round(100 * self.failures / self.calls))

    @property
    def mean(self) -> timedelta | None:
        """How long a call took on average, failures included."""
        return timedelta(milliseconds=self.milliseconds / self.calls) if self.calls else None


def of(vendors: Iterable[str], *, organization_id: Any, at: datetime) -> list[Figures]:
    """Answer the figures of some vendors, in their order, of one organisation or, with None, of all of them together."""
    own = {} if organization_id is None else {"organization_id": organization_id}
    first = at.replace(minute=0, second=0, microsecond=0) - (HOURS - 1) * timedelta(hours=1)
    recent = VendorHealth.objects.filter(hour__gte=first, **own).order_by()
    by_hour = {
        (row["vendor"], row["hour"]): row
        for row in recent.values("vendor", "hour").annotate(
            called=Sum("calls"), failed=Sum("failures"), took=Sum("milliseconds")
        )
    }
    last = _last(own)
    breakers = defaultdict(list)
    for row in (
        CircuitBreaker.objects.filter(failures__gt=0, **own)
        .select_related("organization")
        .order_by("organization__name")
    ):
        breakers[row.vendor].append(Breaker(str(row.organization), row.failures, row.open_until))
    hours = [first + number * timedelta(hours=1) for number in range(HOURS)]
    nothing = {"called": 0, "failed": 0, "took": 0}
    found = []
    for vendor in vendors:
        rows = [(hour, by_hour.get((vendor, hour), nothing)) for hour in hours]
        success_at, failure_at, error = last.get(vendor, (None, None, ""))
        found.append(
            Figures(
                vendor, [Hour(hour, row["called"], row["failed"]) for hour, row in rows], sum(row["took"] for _hour, row in rows),
                success_at, failure_at, error, breakers[vendor],
            )
        )  # fmt: skip
    return found


def _last(own: dict[str, Any]) -> dict[str, tuple[datetime | None, datetime | None, str]]:
    """Answer each vendor's last success, last failure, and what that was, as far back as hours are kept."""
    found: dict[str, tuple[datetime | None, datetime | None, str]] = {}
    rows = VendorHealth.objects.filter(**own).order_by().values("vendor", "last_error")
    for row in rows.annotate(succeeded=Max("last_success_at"), failed=Max("last_failure_at")):
        success_at, failure_at, error = found.get(row["vendor"], (None, None, ""))
        if row["failed"] is not None and (failure_at is None or row["failed"] > failure_at):
            failure_at, error = row["failed"], row["last_error"]
        if row["succeeded"] is not None and (success_at is None or row["succeeded"] > success_at):
            success_at = row["succeeded"]
        found[row["vendor"]] = (success_at, failure_at, error)
    return found
