"""The verbs of the embedded broker: put a message, lease the oldest free one, keep, end or give back a lease."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Count, F, Q

from config.broker.models import QueuedMessage
from identity import clock

LEASE = timedelta(seconds=30)  # how long a killed worker's messages wait; a living one renews
MAX_TRIES = 5  # a message that kills its worker every time must not do so for ever
DEAD_ARE_KEPT = timedelta(days=30)


def put(*, queue: str, tag: str, body: str, not_before: datetime | None = None) -> None:
    """Stores a message; inside a transaction it appears with the commit and vanishes with the rollback."""
    now = clock.now()

    QueuedMessage.objects.create(queue=queue, tag=tag, body=body, leased_until=not_before or now, created_at=now)


def take(*, queues: Sequence[str]) -> QueuedMessage | None:
    """Leases the oldest free message of the first of `queues` that has one; None when nothing waits.

    Earlier queues go first, always: a one-time code does not wait behind a thousand notices.
    """
    now = clock.now()
    free = QueuedMessage.objects.filter(queue__in=queues, dead_at=None, leased_until__lte=now)

    # Workers ask ten times a second: the usual "nothing" must be a read that takes no write lock.
    if not free.exists():
        return None
    for queue in queues:
        with transaction.atomic():
            row = (
                free.filter(queue=queue)
                .select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
                .order_by("pk")
                .first()
            )
            if row is None:
                continue
            row.tries += 1
            row.leased_until = now + LEASE
            row.dead_at = now if row.tries > MAX_TRIES else None
            row.save(update_fields=["tries", "leased_until", "dead_at"])
        if row.dead_at is None:
            return row
    return None


def keep(*, tags: Iterable[str]) -> None:
    """Renews the leases of messages that are still being worked on."""
    QueuedMessage.objects.filter(tag__in=list(tags), dead_at=None).update(leased_until=clock.now() + LEASE)


def end(*, tag: str) -> None:
    """The message is done."""
    QueuedMessage.objects.filter(tag=tag).delete()


def give_back(*, tag: str, is_blameless: bool) -> None:
    """Frees the message at once; a worker that only shuts down gives back the try as well."""
    QueuedMessage.objects.filter(tag=tag, dead_at=None).update(
        leased_until=clock.now(), tries=F("tries") - (1 if is_blameless else 0)
    )


def bury(*, tag: str) -> None:
    """Sets the message aside for a person to look at: nobody here can run it."""
    QueuedMessage.objects.filter(tag=tag).update(dead_at=clock.now())


def waiting(*, queue: str) -> int:
    """How many messages of a queue are neither done nor given up."""
    return QueuedMessage.objects.filter(queue=queue, dead_at=None).count()


def census() -> dict[tuple[str, str], int]:
    """How many messages there are by queue and state (`waiting`, `dead`)."""
    rows = QueuedMessage.objects.values("queue").annotate(
        waiting=Count("pk", filter=Q(dead_at=None)), dead=Count("pk", filter=Q(dead_at__isnull=False))
    )
    return {(row["queue"], state): row[state] for row in rows for state in ("waiting", "dead")}


def empty(*, queue: str) -> int:
    """Deletes everything of a queue that nobody works on; returns how many that were."""
    return QueuedMessage.objects.filter(queue=queue, dead_at=None, leased_until__lte=clock.now()).delete()[0]


def forget_the_dead() -> None:
    """Deletes what was given up long ago."""
    QueuedMessage.objects.filter(dead_at__lt=clock.now() - DEAD_ARE_KEPT).delete()
