"""The wiring as an installed app: it brings the operator commands, the embedded broker and the system checks."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WiringConfig(AppConfig):
    name = "config"
    verbose_name = _("Wiring")
