"""Says whether the installation is well, and if not, what to do."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config import examination
from identity.management.console import OperatorCommand


class Command(OperatorCommand):
    """Prints one line for each finding; ends with status 1 if one of them is more than a note."""

    help = "Examines settings, database, broker, clock, keys, messages, the audit trail and accounts."
    is_one_transaction = False

    def act(self, **options: Any) -> str:
        ills = 0
        for finding in examination.examine():
            self.stdout.write(f"- {_('note') if finding.is_note else _('wrong')}: {finding.said}")
            ills += not finding.is_note
        if ills:
            said = ngettext("%(count)s thing is wrong.", "%(count)s things are wrong.", ills)
            raise CommandError(said % {"count": ills})
        return _("The portal is well.")
