"""The Celery application of web processes, workers and beat."""

from __future__ import annotations

import os

from celery import Celery
from celery.signals import setup_logging, worker_init
from django.db import OperationalError, connection
from kombu.transport import TRANSPORT_ALIASES

from config.settings import chosen

os.environ.setdefault("DJANGO_SETTINGS_MODULE", chosen())

# Known to kombu before the settings are read, so that `embedded://` is a broker URL like any other.
TRANSPORT_ALIASES["embedded"] = "config.broker.transport:Transport"

app = Celery("switchboard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**options: object) -> None:
    """Leaves the log as the settings made it: Celery configures its own only when nobody answers here."""


@worker_init.connect
def ask_the_time(**options: object) -> None:
    """Measures the clock before the first task, for all processes of the worker.

    A task reads the clock before it makes its first query: by a clock that is fast it would give up what is still useful.
    """
    try:
        connection.ensure_connection()
    except OperationalError:
        return  # measured when the database is back
    connection.close()
