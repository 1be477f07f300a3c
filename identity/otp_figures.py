"""Counts codes and messages: who entered them, what they cost, and how the gateways do; read only, a handful of queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import (
    Count,
    DecimalField,
    DurationField,
    ExpressionWrapper,
    F,
    Max,
    Min,
    Q,
    QuerySet,
    Sum,
    TextField,
    Window,
)
from django.db.models.functions import Cast, Coalesce, RowNumber, Substr

from identity.models import OtpVerification, OutboxMessage, PrefixPause
from identity.outbox import WITHDRAWN

State, Channel = OutboxMessage.State, OutboxMessage.Channel

TEMPLATE = "otp"
NOTHING = Decimal(0)
# What health looks at, and how far back the last success is looked for.
RECENT, REMEMBERED = timedelta(days=1), timedelta(days=7)
MEDIAN, NEARLY_ALL = 50, 95
# A code is of use for minutes: what waits or takes longer than this is late.
LATE = timedelta(minutes=1)
# So many failures, and so many of a hundred, are no longer single numbers that do not exist.
FAILURES, FAILURES_PERCENT = 3, 10


@dataclass(frozen=True, slots=True)
class Use:
    """What codes did in one country by one channel: asked for by it and entered; messages that went by it, and their price."""

    country: str
    channel: str
    requested: int = 0
    approved: int = 0
    messages: int = 0
    spent: Decimal = NOTHING

    @property
    def conversion(self) -> int | None:
        """Of a hundred codes that were asked for, so many were entered; None when none was asked for."""
        return round(100 * self.approved / self.requested) if self.requested else None


@dataclass(frozen=True, slots=True)
class Day:
    """Messages with codes of one day (UTC), and what they cost."""

    day: date
    messages: int = 0
    spent: Decimal = NOTHING


class Verdict(StrEnum):
    """How a channel does, the worst first."""

    STUCK = "stuck"
    FAILING = "failing"
    DOUBTFUL = "doubtful"
    SLOW = "slow"
    GOOD = "good"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Health:
    """A channel of the last 24 hours, and what waits in it now; times from acceptance to the gateway's yes."""

    channel: str
    waiting: int = 0
    oldest_at: datetime | None = None
    unknown: int = 0
    sent: int = 0
    failed: int = 0
    given_up: int = 0
    retries: int = 0
    last_sent_at: datetime | None = None
    median: timedelta | None = None
    nearly_all: timedelta | None = None

    def verdict(self, *, at: datetime) -> Verdict:
        """Answer the worst that can be said."""
        lost = self.failed + self.given_up
        if self.oldest_at is not None and at - self.oldest_at > LATE:
            return Verdict.STUCK
        if lost >= FAILURES and 100 * lost >= FAILURES_PERCENT * (lost + self.sent):
            return Verdict.FAILING
        if self.unknown:
            return Verdict.DOUBTFUL
        if self.nearly_all is not None and self.nearly_all > LATE:
            return Verdict.SLOW
        return Verdict.GOOD if self.sent else Verdict.QUIET


def uses(*, organization_id: UUID | None, since: datetime) -> list[Use]:
    """Answer what codes did since a moment, by country and channel; of one organisation, or of all for None. Two queries."""
    found: dict[tuple[str, str], Use] = {}
    place = ("country", "channel")
    asked = _of(OtpVerification.objects.filter(created_at__gte=since), organization_id).order_by().values_list(*place)
    for country, channel, requested, approved in asked.annotate(requested=Count("pk"), approved=Count("approved_at")):
        found[country, channel] = Use(country, channel, requested, approved)
    left = _of(OutboxMessage.objects.filter(template=TEMPLATE, created_at__gte=since), organization_id)
    for country, channel, messages, spent in left.order_by().values_list(*place).annotate(messages=Count("pk"), spent=_spent()):  # fmt: skip
        found[country, channel] = replace(found.get((country, channel)) or Use(country, channel), messages=messages, spent=spent)  # fmt: skip
    # Mail has no country and comes last.
    return [found[key] for key in sorted(found, key=lambda key: (key[0] == "", *key))]


def days(*, organization_id: UUID | None, at: datetime, span: int = 30) -> list[Day]:
    """Answer the last days up to today (UTC), oldest first, none left out. One query."""
    first = at.date() - timedelta(days=span - 1)
    since = at.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=span - 1)
    left = _of(OutboxMessage.objects.filter(template=TEMPLATE, created_at__gte=since), organization_id)
    # The day as both databases write it, in UTC: SQLite would call Python for every row to find it otherwise.
    day_of = Substr(Cast("created_at", TextField()), 1, 10)
    rows = left.order_by().annotate(day=day_of).values_list("day").annotate(messages=Count("pk"), spent=_spent())
    found = {day: (messages, spent) for day, messages, spent in rows}
    every = (first + timedelta(days=number) for number in range(span))
    return [Day(day, *found.get(day.isoformat(), ())) for day in every]


def health(*, organization_id: UUID | None, at: datetime) -> list[Health]:
    """Answer how each channel does, from the outbox alone. Two queries."""
    recent, open_ = Q(created_at__gte=at - RECENT), Q(state__in=(State.PENDING, State.SENDING))
    rows = _of(OutboxMessage.objects.filter(Q(created_at__gte=at - REMEMBERED) | open_ | Q(state=State.UNKNOWN)), organization_id)  # fmt: skip
    counted = rows.order_by().values("channel").annotate(
        waiting=Count("pk", filter=open_), oldest_at=Min("created_at", filter=open_),
        unknown=Count("pk", filter=Q(state=State.UNKNOWN)),
        sent=Count("pk", filter=recent & Q(state__in=(State.SENT, State.DELIVERED))),
        failed=Count("pk", filter=recent & Q(state=State.FAILED)),
        given_up=Count("pk", filter=recent & Q(state=State.DEAD) & ~Q(last_error=WITHDRAWN)),
        retries=Coalesce(Sum(F("attempts") - 1, filter=recent & Q(attempts__gt=1)), 0),
        last_sent_at=Max("sent_at"),
    )  # fmt: skip
    waits = _waits(organization_id, since=at - RECENT)
    known = {
        row["channel"]: Health(**row, median=waits[row["channel"]][0], nearly_all=waits[row["channel"]][1])
        for row in counted
    }
    return [known.get(channel) or Health(channel) for channel in Channel.values]


def pauses(*, organization_id: UUID | None) -> int:
    """Answer how many ranges of numbers wait for somebody to look at them, paused or only reported. One query."""
    return _of(PrefixPause.objects.filter(resumed_at=None), organization_id).count()


def _waits(organization_id: UUID | None, *, since: datetime) -> dict[str, tuple[timedelta | None, timedelta | None]]:
    """Answer by channel how long half of the messages, and nearly all of them, were on their way; in one query.

    The database sorts: each message gets its rank, and those at the two ranks are kept (the nearest-rank percentile).
    """
    sent = _of(OutboxMessage.objects.filter(created_at__gte=since, sent_at__isnull=False), organization_id).order_by()
    wait = ExpressionWrapper(F("sent_at") - F("created_at"), output_field=DurationField())
    ranked = sent.annotate(
        wait=wait, rank=Window(RowNumber(), partition_by="channel", order_by=[wait, "pk"]), all=Window(Count("pk"), partition_by="channel"),
    )  # fmt: skip
    at_rank = {
        percent: Q(rank__gte=F("all") * percent / 100.0, rank__lt=F("all") * percent / 100.0 + 1)
        for percent in (MEDIAN, NEARLY_ALL)
    }
    kept = ranked.filter(at_rank[MEDIAN] | at_rank[NEARLY_ALL]).values_list("channel", "wait")
    found: dict[str, list[timedelta]] = defaultdict(list)
    for channel, waited in kept:
        found[channel].append(waited)
    nothing: tuple[timedelta | None, timedelta | None] = (None, None)
    return defaultdict(lambda: nothing, {channel: (min(both), max(both)) for channel, both in found.items()})


def _of(rows: QuerySet[Any], organization_id: UUID | None) -> QuerySet[Any]:
    return rows if organization_id is None else rows.filter(organization_id=organization_id)


def _spent() -> Coalesce:
    return Coalesce(Sum("price"), NOTHING, output_field=DecimalField(max_digits=16, decimal_places=4))
