"""Prints a code with which one person signs in once, within a minute: it stands in for an identity provider."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from identity import authorization_codes
from identity.errors import NotFound
from identity.management.console import OperatorCommand, home, person


class Command(OperatorCommand):
    """The code is bound to the person and to the client through which the organisation's people sign in (clarifications 28)."""

    help = "Prints a single-use code of 60 seconds for one person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)

    def act(self, **options: Any) -> str:
        user = person(options["username"])
        place = home(user)
        try:
            client = authorization_codes.sign_in_client(place)
        except NotFound:
            said = _("%(organization)s has no client that signs its people in; make one with create_client --signs-in.")
            raise CommandError(said % {"organization": place.name}) from None
        try:
            return authorization_codes.issue(by=self.by, user=user, client=client, organization=place)
        except NotFound:
            raise CommandError(_("%(name)s may not sign in now.") % {"name": user.username}) from None
