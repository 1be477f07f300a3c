"""Reads an export into an empty portal: all of it, or nothing."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from config import transfer
from config.management.passphrase import read_passphrase
from config.strongbox import WrongPassphrase
from identity.management.console import OperatorCommand


class Command(OperatorCommand):
    """Says how many rows were made; a file that cannot be read changes nothing, and the line is named."""

    help = "Imports what `export` wrote into a portal without organisations and people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="The export, or - for standard input.")
        parser.add_argument(
            "--passphrase-file", metavar="FILE", help="The passphrase that its secrets are sealed under."
        )

    def act(self, **options: Any) -> str:
        passphrase = read_passphrase(options["passphrase_file"]) if options["passphrase_file"] else ""
        try:
            if options["file"] == "-":
                made = transfer.read(by=self.by, lines=sys.stdin, passphrase=passphrase)
            else:
                with Path(options["file"]).open(encoding="utf-8") as lines:
                    made = transfer.read(by=self.by, lines=lines, passphrase=passphrase)
        except transfer.NotEmpty:
            raise CommandError(_("This portal has organisations or people; an import needs an empty one.")) from None
        except transfer.Unreadable as refusal:
            raise CommandError(str(refusal)) from refusal
        except WrongPassphrase:
            raise CommandError(_("The passphrase does not open this file, or the file was changed.")) from None
        except (OSError, UnicodeDecodeError) as refusal:
            raise CommandError(_("%(file)s cannot be read.") % {"file": options["file"]}) from refusal
        return _("%(count)s rows were made.") % {"count": made}
