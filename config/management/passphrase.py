"""Reads the passphrase of an export from a file, so that it stands in no list of processes and in no shell history."""

from __future__ import annotations

from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from config.strongbox import LEAST_LENGTH


def read_passphrase(where: str) -> str:
    """Answer the first line of a file. Raises CommandError when there is none, or when it is too short to seal anything."""
    try:
        lines = Path(where).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise CommandError(_("%(file)s cannot be read.") % {"file": where}) from None
    passphrase = lines[0].strip() if lines else ""
    if len(passphrase) < LEAST_LENGTH:
        raise CommandError(_("A passphrase has %(count)s characters or more.") % {"count": LEAST_LENGTH})
    return passphrase
