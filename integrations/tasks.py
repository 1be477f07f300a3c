"""What beat does about calls to systems outside by itself."""

from __future__ import annotations

from celery import shared_task

from integrations.stories import callbacks


@shared_task(name="integrations.tasks.sweep_callbacks")
def sweep_callbacks() -> None:
    callbacks.sweep()


@shared_task(name="integrations.tasks.purge")
def purge() -> None:
    # A batch at a time: nobody waits long behind its lock.
    while callbacks.purge():
        continue
