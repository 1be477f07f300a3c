"""Changes the settings of an organisation that an operator needs on the command line; the rest are in the admin."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from identity import organizations
from identity.management.console import OperatorCommand, organization

OFF = "off"


class Command(OperatorCommand):
    """Counts at the next request: a running login-as ends when its right is taken away (clarifications 19)."""

    help = "Says who of an organisation may log in as others, and closes or opens its doors."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, help="The organisation's short name.")
        parser.add_argument("--login-as", metavar="off|Admin|Admin,Supervisor", help="Roles that may log in as others.")
        pair = parser.add_mutually_exclusive_group()
        pair.add_argument("--suspended", dest="suspended", action="store_true", default=None)
        pair.add_argument("--resumed", dest="suspended", action="store_false")

    def act(self, **options: Any) -> str:
        place = organization(options["organization"])
        if options["login_as"] is not None:
            roles = [] if options["login_as"] == OFF else [role.strip() for role in options["login_as"].split(",")]
            organizations.change(by=self.by, organization=place, login_as_roles=roles)
        if options["suspended"] is not None:
            verb = organizations.suspend if options["suspended"] else organizations.resume
            verb(by=self.by, organization=place)
        return ""
