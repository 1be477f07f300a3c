"""What beat does about tickets by itself."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task

from identity import clock
from tickets import redemptions

# Tickets that are over stay for a while, so that their page can say what became of them.
KEPT = timedelta(days=30)


@shared_task(name="tickets.tasks.purge")
def purge() -> None:
    before = clock.now() - KEPT
    # A batch at a time: nobody waits long behind its lock.
    while redemptions.purge(before=before):
        continue
