"""What workers and beat do by themselves: keywords and ids in, one domain call each, no rules."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from celery import shared_task

from identity import (
    audit,
    authorization_codes,
    clients,
    clock,
    idempotency,
    limits,
    login_as,
    otp,
    otp_plans,
    outbox,
    sessions,
)
from identity.models import OutboxMessage

# Ended sessions stay for a while, so that an owner can see what was open.
KEPT = timedelta(days=30)


@shared_task(name="identity.tasks.deliver")
def deliver(*, message_id: str) -> None:
    if outbox.deliver(message_id=message_id) == OutboxMessage.State.DEAD:
        otp_plans.undelivered(message_id)


@shared_task(name="identity.tasks.drain_outbox")
def drain_outbox() -> None:
    outbox.drain()


@shared_task(name="identity.tasks.sweep_login_as")
def sweep_login_as() -> None:
    login_as.sweep()


@shared_task(name="identity.tasks.follow_plans")
def follow_plans() -> None:
    otp_plans.follow()


@shared_task(name="identity.tasks.seal_audit")
def seal_audit() -> None:
    audit.seal()


@shared_task(name="identity.tasks.purge")
def purge() -> None:
    at = clock.now()
    before = at - KEPT
    over = (
        partial(sessions.purge, before=before),
        partial(authorization_codes.purge, before=before),
        partial(idempotency.purge, at=at),
        clients.purge_uses,
        otp.purge,
    )
    for purge_a_batch in (limits.purge, outbox.purge, *over):
        # A batch at a time: nobody waits long behind its lock.
        while purge_a_batch():
            continue
