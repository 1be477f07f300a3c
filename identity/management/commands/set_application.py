"""Says whether an application is listed, and whether strangers may ask for codes through it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from identity import applications
from identity.errors import NotFound
from identity.management.console import OperatorCommand


class Command(OperatorCommand):
    """Prints nothing; an unknown application is named."""

    help = "Lists or hides an application, and opens or closes it to strangers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--application", required=True, metavar="ID")
        pair = parser.add_mutually_exclusive_group()
        pair.add_argument("--visible", dest="visible", action="store_true", default=None)
        pair.add_argument("--hidden", dest="visible", action="store_false")
        pair = parser.add_mutually_exclusive_group()
        pair.add_argument("--anonymous-registration", dest="anonymous", action="store_true", default=None)
        pair.add_argument("--no-anonymous-registration", dest="anonymous", action="store_false")

    def act(self, **options: Any) -> str:
        try:
            application = applications.find(application_id=options["application"])
        except NotFound:
            raise CommandError(_("There is no application %(id)s.") % {"id": repr(options["application"])}) from None
        applications.set_flags(
            by=self.by, application=application, is_visible=options["visible"], allows_anonymous_registration=options["anonymous"]
        )  # fmt: skip
        return ""
