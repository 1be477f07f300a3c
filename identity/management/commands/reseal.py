"""Seals every stored secret under the newest of ENCRYPTION_KEYS, after which the former keys can be taken away."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from identity import crypto, seals
from identity.management.console import OperatorCommand


class Command(OperatorCommand):
    """Goes row by row while the portal runs; cut off anywhere, the next run goes on (security.md P16)."""

    help = "Seals every stored secret under the newest key; may be cut off and run again."
    is_one_transaction = False

    def act(self, **options: Any) -> str:
        broken: list[str] = []
        for column in seals.columns():
            try:
                moved = seals.move(column)
            except crypto.SealBroken as lost:
                broken.append(str(lost))
            else:
                self.stdout.write(f"{column.title}: {moved}")
        if broken:
            said = _("Its key is not among ENCRYPTION_KEYS; put it back, or the value is lost:")
            raise CommandError("\n".join([said, *broken]))
        return _("Everything is sealed under the newest key.")
