"""Takes reports of calls on an extension, and answers the ones that are over (clarifications 59)."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from agents.models import Agent, Call
from identity import clock, policy
from identity.principal import Principal

Direction, LineStatus = Call.Direction, Call.LineStatus

MOST_LISTED = 30


def report(*, by: Principal, agent: Agent, call_id: str, number: str, direction: str, line_status: str) -> None:
    """Write down what a telephone system says about a call: it rings, it is up, it is over.

    A call that is over stays so: a report that comes late revives nothing. Raises NotAllowed, NotAllowedWhileActing.
    """
    at = clock.now()
    policy.forbid_while_acting(by)
    policy.require(by, policy.Permission.CALLS_REPORT)

    said: dict[str, Any] = {"number": number, "direction": direction, "line_status": line_status}
    if line_status == LineStatus.UP:
        said["was_answered"] = True
    if line_status == LineStatus.DOWN:
        said["ended_at"] = at
    if not _of(agent, call_id).filter(ended_at=None).update(**said):
        _begin(agent, call_id, at=at, said=said)


def ended(*, by: Principal, since: date | None = None, until: date | None = None) -> list[Call]:
    """Answer the caller's own last calls that are over, newest first, at most 30; both days are UTC and count in."""
    policy.require(by, policy.Permission.EXTENSIONS_READ)
    found = Call.objects.filter(agent__user_id=by.user_id, agent__organization_id=by.organization_id)
    found = found.exclude(ended_at=None)
    zone = clock.now().tzinfo
    if since is not None:
        found = found.filter(started_at__gte=datetime.combine(since, time.min, tzinfo=zone))
    if until is not None:
        found = found.filter(started_at__lte=datetime.combine(until, time.max, tzinfo=zone))
    return list(found.order_by("-started_at", "-pk")[:MOST_LISTED])


def _of(agent: Agent, call_id: str) -> QuerySet[Call]:
    return Call.objects.filter(agent=agent, call_id=call_id)


def _begin(agent: Agent, call_id: str, *, at: datetime, said: dict[str, Any]) -> None:
    try:
        with transaction.atomic():
            Call.objects.create(agent=agent, call_id=call_id, started_at=at, **said)
    except IntegrityError:
        # It is over, or two reports came at once and the other one began it.
        _of(agent, call_id).filter(ended_at=None).update(**said)
