"""Counters hold under many at once, and sweeping them holds nobody up (security.md P3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction

from identity import clock, limits
from identity.limits import Rate
from identity.models import Counter

RATE = Rate(1000, timedelta(microseconds=1))


def test_windows_that_are_swept_while_they_begin_anew_make_nobody_wait_in_a_circle(
    at_once: Callable[[int, Callable[[int], Any]], list[Any]],
) -> None:
    keys = [limits.key_for("test", number) for number in range(40)]

    def one(n: int) -> None:
        for _turn in range(30):
            if n % 2:
                limits.purge()
                continue
            with transaction.atomic():
                for key in keys:
                    assert limits.charge(key, RATE, at=clock.now()).is_within

    at_once(6, one)

    limits.purge()
    assert not Counter.objects.exists()
