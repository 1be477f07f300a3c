"""Makes a person, with an agent record and an extension for Agents and Supervisors, and tells the password once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from config import demo
from identity.management.console import OperatorCommand, as_json, organization
from identity.policy import GRANTS
from identity.principal import Role

ROLES = [Role.AGENT.value, Role.SUPERVISOR.value, Role.ADMIN.value]


class Command(OperatorCommand):
    """Prints one object shaped as in `demo.json`, or readable lines (clarifications 39)."""

    help = "Makes a person with a random password, which is told once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--email", required=True)
        parser.add_argument("--organization", required=True, help="The organisation's short name.")
        parser.add_argument("--role", action="append", required=True, choices=ROLES, help="May be given several times.")
        parser.add_argument(
            "--permission", action="append", default=[], choices=GRANTS, help="May be given several times."
        )
        parser.add_argument("--first-name", default="")
        parser.add_argument("--last-name", default="")
        parser.add_argument("--extension", help="The agent's extension; without it a free one is chosen.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def act(self, **options: Any) -> str:
        entry = demo.person(
            self.by,
            options["username"],
            organization(options["organization"]),
            roles=[Role(role) for role in dict.fromkeys(options["role"])],
            email=options["email"],
            grants=options["permission"],
            extension=options["extension"],
            first_name=options["first_name"],
            last_name=options["last_name"],
        )
        if entry is None:
            raise CommandError(_("There is somebody named %(name)s already.") % {"name": repr(options["username"])})
        return (
            as_json(entry) if options["json"] else "\n".join(f"{name}: {text(value)}" for name, value in entry.items())
        )


def text(value: Any) -> str:
    """Answer a value as a person reads it."""
    return ", ".join(value) if isinstance(value, list) else str(value)
