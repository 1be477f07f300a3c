"""The wiring as an installed app: it brings the operator commands, the embedded broker and the system checks."""

from typing import Any

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from config.celery import app as celery
from identity import clock


def measure_clock(*, connection: Any, **_: Any) -> None:
    """Ask the database what time it is whenever a connection is opened: a process whose clock is off goes by it."""
    clock.measure(connection)


class WiringConfig(AppConfig):
    name = "config"
    verbose_name = _("Wiring")

    def ready(self) -> None:
        connection_created.connect(measure_clock, dispatch_uid="measure_clock")
        celery.set_default()  # what publishes by task name, in any thread, finds this application
