"""Counts under a key in a window, atomically over every process; what lockout, throttles and budgets stand on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from identity import clock, crypto
from identity.models import Counter


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in such a window."""

    limit: int
    window: timedelta

    @classmethod
    def of(cls, setting: tuple[int, int]) -> Rate:
        """Answer the rate of a setting: its limit, and its window in seconds."""
        return cls(setting[0], timedelta(seconds=setting[1]))


@dataclass(frozen=True, slots=True)
class Charge:
    """What became of a charge: whether it was within the limit, the count now, when the window ends."""

    is_within: bool
    count: int
    until: datetime


# One statement, so that a limit of k means k over any number of processes (security.md P3, M4): a full window is left as it
# is and returns no row; an expired one begins anew.
_CHARGE = """
INSERT INTO identity_counter (key, count, expires_at) VALUES (%s, %s, %s)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN identity_counter.expires_at <= %s THEN excluded.count ELSE identity_counter.count + excluded.count END,
    expires_at = CASE WHEN %s OR identity_counter.expires_at <= %s THEN excluded.expires_at ELSE identity_counter.expires_at END
WHERE identity_counter.expires_at <= %s OR identity_counter.count + excluded.count <= %s
RETURNING count, expires_at
"""


def key_for(scope: str, *parts: object) -> str:
    """Answer a counter's key: its scope in the clear, whom it concerns as a keyed digest."""
    return f"{scope}:{crypto.digest('|'.join(map(str, parts)), purpose='counter')[:40]}"


def charge(key: str, rate: Rate, *, at: datetime, restarts: bool = False, amount: int = 1) -> Charge:
    """Count one, or an amount, unless that is more than the window has room for.

    With `restarts`, every count pushes the end of the window away (a lockout runs from its last failure). Committed with
    the transaction of the caller: callers that punish call it outside one.
    """
    now, end = _param(at), _param(at + rate.window)
    row = None
    if amount <= rate.limit:
        with connection.cursor() as cursor:
            cursor.execute(_CHARGE, [key, amount, end, now, restarts, now, now, rate.limit])
            row = cursor.fetchone()
    if row is not None:
        return Charge(True, row[0], _moment(row[1]))
    standing = Counter.objects.filter(key=key).values_list("count", "expires_at").first()
    count, until = standing or (rate.limit, at + rate.window)
    return Charge(False, count, until)


def standing(key: str, *, at: datetime) -> tuple[int, datetime | None]:
    """Answer the count in the running window and when it ends; 0 and None when there is none."""
    row = Counter.objects.filter(key=key, expires_at__gt=at).values_list("count", "expires_at").first()
    return row or (0, None)


def refund(key: str) -> None:
    """Take one charge back: what was charged beforehand turned out well."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE identity_counter SET count = count - 1 WHERE key = %s AND count > 0", [key])


def fill(key: str, *, limit: int, until: datetime) -> None:
    """Fill a window by decree, as when somebody is blocked."""
    Counter.objects.update_or_create(key=key, defaults={"count": limit, "expires_at": until})


def clear(key: str) -> None:
    """Forget a window."""
    Counter.objects.filter(key=key).delete()


@transaction.atomic
def purge(*, batch: int = 1000) -> int:
    """Delete expired windows, a batch at a time; answers how many."""
    over = Counter.objects.filter(expires_at__lt=clock.now())
    # Whatever somebody counts in right now begins anew and stays; waited for, it could be waited for in a circle.
    keys = list(over.select_for_update(skip_locked=True).values_list("key", flat=True)[:batch])
    return over.filter(key__in=keys).delete()[0]


def _param(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)


def _moment(value: Any) -> datetime:
    converted: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return converted if converted.tzinfo else converted.replace(tzinfo=UTC)
