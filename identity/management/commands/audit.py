"""Prints the audit trail, oldest first, and verifies that nobody changed it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from identity import audit
from identity.management.console import OperatorCommand, organization


class Command(OperatorCommand):
    """`audit` prints rows, `audit verify` ends with status 1 and says where the chain is broken (security.md P13)."""

    help = "Prints the audit trail as lines, or verifies its seals."
    is_one_transaction = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", nargs="?", choices=["list", "verify"], default="list")
        parser.add_argument("--json", action="store_true", help="One JSON object a line.")
        parser.add_argument("--after", type=int, default=0, metavar="ID", help="Only rows after this id.")
        parser.add_argument("--organization", help="Only rows of one organisation.")

    def act(self, **options: Any) -> str:
        if options["action"] == "verify":
            return verified()
        place = organization(options["organization"]) if options["organization"] else None
        rows = audit.rows(after=options["after"], organization=place).iterator(chunk_size=1000)
        for line in audit.as_json_lines(rows) if options["json"] else map(readable, rows):
            self.stdout.write(line, ending="")
        return ""


def verified() -> str:
    """Answer that nothing was changed. Raises CommandError with everything that was."""
    if wrong := audit.verify():
        raise CommandError(_("The audit trail was changed:") + "\n" + "\n".join(wrong))
    return _("The audit trail is as it was sealed.")


def readable(row: Any) -> str:
    """Answer a row as one line for people."""
    who = f"{row.actor} as {row.acting_as}" if row.acting_as else row.actor or "-"
    rule = f" ({row.rule})" if row.rule else ""
    times = f" x{row.count}" if row.count > 1 else ""
    return f"{row.pk} {row.at:%Y-%m-%dT%H:%M:%SZ} {row.event}{rule}{times} {who} > {row.subject or '-'} [{row.organization_name} {row.door} {row.address}]\n"
