"""What time it is: the process clock, corrected by what the database says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_offset = timedelta(0)
_QUESTIONS = {
    "postgresql": "SELECT clock_timestamp()",
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')",
}


def now() -> datetime:
    """Answer the present moment, aware, in UTC."""
    return datetime.now(UTC) + _offset  # noqa: TID251  # here is where it is known


def measure(connection: Any) -> timedelta:
    """Measure how far this process is from the database's clock, and correct by it from now on.

    A worker whose clock is minutes off would lengthen lives, revive codes, or give up what is still useful. SQLite goes by
    this host's clock: its offset is 0, unless this process was given a time of its own. Offsets below a second are the
    round trip and count as none.
    """
    global _offset
    with connection.cursor() as cursor:
        before = datetime.now(UTC)  # noqa: TID251  # the process clock, uncorrected
        cursor.execute(_QUESTIONS[connection.vendor])
        there = cursor.fetchone()[0]
    skew = (datetime.fromisoformat(there) if isinstance(there, str) else there) - before
    _offset = skew if abs(skew) > timedelta(seconds=1) else timedelta(0)
    return _offset
