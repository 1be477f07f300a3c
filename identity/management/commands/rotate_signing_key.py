"""Turns the keys that sign tokens over, without downtime, or drops one at once on the day it leaks."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from identity import tokens
from identity.errors import NotFound
from identity.management.console import OperatorCommand


class Command(OperatorCommand):
    """Prints the id of the key that signs from now on."""

    help = "Signs with the next key from now on; what the old one signed stays good, unless it is dropped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--drop", metavar="KID", help="Refuse everything that this key signed, at the next request."
        )

    def act(self, **options: Any) -> str:
        if options["drop"] is None:
            return tokens.rotate(by=self.by)
        try:
            return tokens.drop(by=self.by, kid=options["drop"])
        except NotFound:
            raise CommandError(_("There is no signing key %(kid)s.") % {"kid": repr(options["drop"])}) from None
