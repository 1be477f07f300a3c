"""Makes the demo cast and writes `demo.json`; a second time it adds what is missing and changes nothing else."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from config import demo


class Command(BaseCommand):
    """Says where the passwords are, and never what they are."""

    help = "Makes the demo cast of a laptop: adds what is missing, changes nothing that is there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--stand-in", action="append", default=[], dest="stand_ins", choices=list(demo.APPLICATIONS),
            help="People of acme sign in with this vendor, for which the sandbox stands in (repeatable; new applications only).",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PORTAL_ENV == "production":
            raise CommandError(_("The demo cast is for laptops; PORTAL_ENV is production."))
        path = settings.DATA_DIR / "demo.json"
        try:
            demo.write(path, stand_ins=options["stand_ins"])
        except demo.ForeignCast:
            raise CommandError(
                _("%(file)s tells of people whom this database does not know; move it away to make a new cast.")
                % {"file": path}
            ) from None
        self.stdout.write(_("The demo cast is described in %(file)s") % {"file": path})
