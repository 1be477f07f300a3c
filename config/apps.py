"""The wiring as an installed app: it brings the operator commands, the embedded broker and the system checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from config.celery import app as celery


class WiringConfig(AppConfig):
    name = "config"
    verbose_name = _("Wiring")

    def ready(self) -> None:
        celery.set_default()  # what publishes by task name, in any thread, finds this application
