"""Ends every session at once: all people's and machines', behind every door; they sign in again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.utils.translation import gettext as _

from identity import sessions
from identity.management.console import OperatorCommand, organization


class Command(OperatorCommand):
    """For the day after a theft or a restored backup (security.md P17); nothing that it ends comes back."""

    help = "Ends every session of the portal, or of one organisation, at the next request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--organization", help="Only sessions of this organisation.")
        which.add_argument("--all", action="store_true", help="Every organisation's, and every internal service's.")

    def act(self, **options: Any) -> str:
        place = organization(options["organization"]) if options["organization"] else None
        ended = sessions.close_everything(by=self.by, organization=place)
        return _("%(count)s sessions were ended.") % {"count": ended}
