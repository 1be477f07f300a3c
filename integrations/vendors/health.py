"""Remembers how calls to vendors went, and stops asking one that fails again and again: a circuit breaker per organisation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from identity.errors import UpstreamUnavailable
from integrations.models import CircuitBreaker, VendorHealth

# So many failures in a row open the circuit for so long; then one call at a time tries whether it may close.
FAILURES = 5
OPEN_FOR = timedelta(seconds=30)
# The chart of an administrator shows a day; the rest is for whoever looks into an old complaint.
KEPT = timedelta(days=35)

_COUNT = """
INSERT INTO integrations_vendorhealth AS h
    (organization_id, vendor, hour, calls, failures, milliseconds, last_success_at, last_failure_at, last_error)
VALUES (%s, %s, %s, 1, %s, %s, %s, %s, %s)
ON CONFLICT (organization_id, vendor, hour) DO UPDATE SET
    calls = h.calls + 1,
    failures = h.failures + excluded.failures,
    milliseconds = h.milliseconds + excluded.milliseconds,
    last_success_at = COALESCE(excluded.last_success_at, h.last_success_at),
    last_failure_at = COALESCE(excluded.last_failure_at, h.last_failure_at),
    last_error = CASE WHEN excluded.failures = 0 THEN h.last_error ELSE excluded.last_error END
RETURNING calls
"""

# One statement: two failures at the same moment count as two, and whichever is the last in the row opens.
_FAIL = """
INSERT INTO integrations_circuitbreaker AS b (organization_id, vendor, failures, open_until) VALUES (%s, %s, 1, NULL)
ON CONFLICT (organization_id, vendor) DO UPDATE SET
    failures = b.failures + 1,
    open_until = CASE WHEN b.failures + 1 >= %s THEN %s ELSE b.open_until END
"""


def admit(*, organization_id: Any, vendor: str, at: datetime) -> None:
    """Go on only if the vendor may be asked for this organisation. Raises UpstreamUnavailable.

    When the time of an open circuit is over, one call goes through to try; the others wait for what becomes of it.
    """
    breaker = CircuitBreaker.objects.filter(organization_id=organization_id, vendor=vendor, open_until__isnull=False)
    open_until = breaker.values_list("open_until", flat=True).first()
    if open_until is None:
        return
    # Claimed by the write: who moves the end of the time on is the one who tries, for as long as a call may take.
    trying_until = at + max(OPEN_FOR, timedelta(seconds=settings.UPSTREAM_TIMEOUT_SECONDS))
    if open_until > at or breaker.filter(open_until=open_until).update(open_until=trying_until) != 1:
        raise UpstreamUnavailable(f"{vendor}: not asked, it failed {FAILURES} times in a row")


def record(*, organization_id: Any, vendor: str, at: datetime, took: timedelta, error: str = "") -> None:
    """Count a call that was answered, or that failed by `error`; a vendor's refusal is an answer like any other."""
    if error:
        _execute(_FAIL, [organization_id, vendor, FAILURES, at + OPEN_FOR])
    else:
        failing = CircuitBreaker.objects.filter(organization_id=organization_id, vendor=vendor, failures__gt=0)
        failing.update(failures=0, open_until=None)
    hour = at.replace(minute=0, second=0, microsecond=0)
    success_at, failure_at = (None, at) if error else (at, None)
    counted = [hour, bool(error), int(took / timedelta(milliseconds=1)), success_at, failure_at, error[:40]]
    if _execute(_COUNT, [organization_id, vendor, *counted]) == 1:
        # Once an hour, by the first call of it.
        past = VendorHealth.objects.filter(organization_id=organization_id, vendor=vendor, hour__lt=at - KEPT)
        past.delete()


def open_circuits(*, organization_id: Any, at: datetime) -> dict[str, datetime]:
    """Answer the vendors that are not asked for an organisation right now, each with the end of that."""
    found = CircuitBreaker.objects.filter(organization_id=organization_id, open_until__gt=at)
    return {vendor: until for vendor, until in found.values_list("vendor", "open_until") if until is not None}


def _execute(statement: str, values: list[Any]) -> int | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(map(_param, values)))
        row = cursor.fetchone() if cursor.description else None
    return None if row is None else int(row[0])


def _param(value: Any) -> Any:
    """Answer a value as this database's own driver takes it."""
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    if isinstance(value, bool):
        return int(value)
    return value
