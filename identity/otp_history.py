"""What became of one code: its state, and everything that happened to it in order, without the code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from identity.models import AuditEvent, OtpVerification, OutboxMessage

TEMPLATE = "otp"
# What puts a message on its way, one for each.
SENDINGS = ("otp.requested", "otp.fell_back")
REPORTS = {OutboxMessage.State.DELIVERED: "message.delivered", OutboxMessage.State.FAILED: "message.failed"}


class State(models.TextChoices):
    """What can be said of a verification; the first that holds, from the end of its life."""

    CONSUMED = "consumed", _("consumed")
    APPROVED = "approved", _("approved")
    EXHAUSTED = "exhausted", _("exhausted")
    EXPIRED = "expired", _("expired")
    PENDING = "pending", _("pending")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: a word of the audit trail, or of a message's life, and who or which message it was."""

    at: datetime
    event: str
    actor: str = ""
    address: str = ""
    count: int = 1
    message: OutboxMessage | None = None
    details: dict[str, Any] = field(default_factory=dict)


def state_of(verification: OtpVerification, *, at: datetime) -> State:
    """Answer the state of a verification at a moment."""
    if verification.consumed_at is not None:
        return State.CONSUMED
    if verification.approved_at is not None:
        return State.APPROVED
    if verification.failures >= settings.OTP_MAX_CHECKS:
        return State.EXHAUSTED
    return State.EXPIRED if verification.expires_at <= at else State.PENDING


def in_state(state: str, *, at: datetime) -> Q:
    """Answer the condition under which `state_of` answers a state; every row for a word that is none."""
    unapproved = Q(consumed_at=None, approved_at=None)
    guessed_at = Q(failures__gte=settings.OTP_MAX_CHECKS)
    conditions: dict[str, Q] = {
        State.CONSUMED.value: Q(consumed_at__isnull=False), State.APPROVED.value: Q(consumed_at=None, approved_at__isnull=False),
        State.EXHAUSTED.value: unapproved & guessed_at, State.EXPIRED.value: unapproved & ~guessed_at & Q(expires_at__lte=at),
        State.PENDING.value: unapproved & ~guessed_at & Q(expires_at__gt=at),
    }  # fmt: skip
    return conditions.get(state, Q())


def of_message(message: OutboxMessage) -> OtpVerification | None:
    """Answer the verification whose code a message carried, or None."""
    if message.template != TEMPLATE or not message.subject_key:
        return None
    return OtpVerification.objects.filter(pk=message.subject_key, organization=message.organization).first()


def timeline(verification: OtpVerification, *, at: datetime) -> list[Step]:
    """Answer what happened to a verification and its messages, oldest first, and what comes next; two queries."""
    messages = list(OutboxMessage.objects.filter(subject_key=str(verification.pk)).order_by("created_at"))
    of_message = {str(message.pk): message for message in messages}
    # Its organisation and its beginning come first: the trail is long, and has an index for each.
    events = AuditEvent.objects.filter(
        organization_id=verification.organization_id, subject__in=[str(verification.pk), *of_message], at__gte=verification.created_at,
    )  # fmt: skip
    steps = [*_of_events(events.order_by("id"), of_message), *_of_messages(messages), *_of_clock(verification, at=at)]
    return sorted(steps, key=lambda step: step.at)


def _of_events(events: Iterable[AuditEvent], messages: dict[str, OutboxMessage]) -> list[Step]:
    """A sending is written down right after its message, and is told right before it."""
    accepted = iter(message.created_at for message in messages.values())
    return [
        Step(
            at=next(accepted, event.at) if event.event in SENDINGS else event.at, event=event.event, actor=event.actor,
            address=event.address, count=event.count, message=messages.get(event.subject), details=event.details,
        )
        for event in events
    ]  # fmt: skip


def _of_messages(messages: Iterable[OutboxMessage]) -> list[Step]:
    steps = []
    for message in messages:
        steps.append(Step(at=message.created_at, event="message.accepted", message=message))
        if message.sent_at is not None:
            steps.append(Step(at=message.sent_at, event="message.sent", message=message))
        if message.reported_at is not None and message.state in REPORTS:
            steps.append(Step(at=message.reported_at, event=REPORTS[OutboxMessage.State(message.state)], message=message))  # fmt: skip
    return steps


def _of_clock(verification: OtpVerification, *, at: datetime) -> list[Step]:
    """What happens by itself: the next step of the fallback plan, and the end."""
    steps = []
    if verification.fallback_at is not None:
        steps.append(Step(at=verification.fallback_at, event="otp.falls_back"))
    if state_of(verification, at=at) is State.EXPIRED:
        steps.append(Step(at=verification.expires_at, event="otp.expired"))
    return steps
