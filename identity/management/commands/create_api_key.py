"""Makes an API key of an organisation and prints it once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from identity import clients
from identity.management.console import OperatorCommand, organization


class Command(OperatorCommand):
    """The key acts as an Admin of its organisation on a few operations, under its own name (clarifications 48)."""

    help = "Makes an API key and prints it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, help="The organisation's short name.")
        parser.add_argument("--name", required=True, help="What the audit trail calls it.")

    def act(self, **options: Any) -> str:
        made = clients.create_api_key(
            by=self.by, organization=organization(options["organization"]), name=options["name"]
        )
        return made.secret
