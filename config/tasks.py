"""The task of the wiring: keeping the broker's table small."""

from celery import shared_task

from config.broker import leases


@shared_task
def forget_dead_messages() -> None:
    """Deletes messages that were given up long ago."""
    leases.forget_the_dead()
