"""Writes one or all organisations as lines of JSON, without their secrets or with them sealed under a passphrase."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from config import transfer
from config.management.passphrase import read_passphrase
from config.strongbox import Strongbox
from identity.management.console import OperatorCommand, organization


class Command(OperatorCommand):
    """Prints the lines, or writes them into a file for its owner only."""

    help = "Exports organisations: settings, people, agents, clients, applications; secrets only with a passphrase."
    is_one_transaction = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--organization", help="Only this organisation; without it all, operators and internal services."
        )
        parser.add_argument("--passphrase-file", metavar="FILE", help="Seal secrets under the passphrase in this file.")
        parser.add_argument("--output", metavar="FILE", help="Write into this new file instead of printing.")

    def act(self, **options: Any) -> str:
        place = organization(options["organization"]) if options["organization"] else None
        box = None
        if options["passphrase_file"]:
            box = Strongbox(read_passphrase(options["passphrase_file"]), label=place.name if place else "*")
        lines = transfer.write(organization=place, box=box)
        if not options["output"]:
            for line in lines:
                self.stdout.write(line, ending="")
            return ""
        try:
            # Never over an older export, and never for other eyes, with secrets or without.
            with open(options["output"], "x", encoding="utf-8", opener=_private) as file:
                file.writelines(lines)
        except OSError as refusal:
            said = _("%(file)s cannot be written: %(reason)s")
            raise CommandError(said % {"file": options["output"], "reason": refusal.strerror}) from refusal
        return _("Written to %(file)s") % {"file": options["output"]}


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
