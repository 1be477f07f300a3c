"""What time it is: the process clock, corrected by what the database says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_offset = timedelta(0)


def now() -> datetime:
    """Answer the present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset  # noqa: TID251  # here is where it is known


def measure(connection: Any) -> timedelta:
    """Measure how far this process is from the database's clock, and correct by it from now on.

    A worker whose clock is minutes off would lengthen lives or revive codes. SQLite lives on this host: its offset is 0.
    Offsets below a second are the round trip and count as none.
    """
    global _offset
    if connection.vendor == "sqlite":
        _offset = timedelta(0)
        return _offset
    with connection.cursor() as cursor:
        before = datetime.now(UTC)  # noqa: TID251  # the process clock, uncorrected
        cursor.execute("SELECT clock_timestamp()")
        there = cursor.fetchone()[0]
    skew = there - before
    _offset = skew if abs(skew) > timedelta(seconds=1) else timedelta(0)
    return _offset
