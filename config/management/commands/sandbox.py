"""Serves the vendors' stand-ins by themselves, for a portal that runs elsewhere on this computer; `serve` runs them by itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from config import stand_ins
from integrations.sandbox import server


class Command(BaseCommand):
    """Says which settings lead a portal to the stand-ins, and serves them until Ctrl-C."""

    help = "Serves stand-ins of Genesys, Talkdesk, NICE and an OpenID provider on 127.0.0.1; never in production."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT + stand_ins.PORTS_AWAY)

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PORTAL_ENV == "production":
            raise CommandError(_("The sandbox is for laptops; PORTAL_ENV is production."))
        with server.listening_socket(options["port"]) as listening:
            for vendor in server.STAND_INS:
                self.stdout.write(f"{stand_ins.setting_of(vendor)}={server.url_of(listening)}/{vendor}")
            self.stdout.flush()
            server.serve(listening, server.STAND_INS, portal=settings.PUBLIC_URL.removesuffix("/"))
