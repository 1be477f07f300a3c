"""Makes a personal token of a person for one domain and prints it once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from identity import personal_tokens
from identity.management.console import OperatorCommand, home, person


class Command(OperatorCommand):
    """Prints the token alone, so that a script can take it."""

    help = "Makes a personal token for one domain and prints it; it cannot be shown again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--domain", required=True, help="The domain that the token is good for.")
        parser.add_argument("--label", default="command line", help="What its owner's list of tokens calls it.")
        parser.add_argument(
            "--days", type=int, default=personal_tokens.LIFETIME.days, help="How long it lives, 365 at most."
        )

    def act(self, **options: Any) -> str:
        user = person(options["username"])
        home(user)
        issued = personal_tokens.create(
            by=self.by, user=user, domain=options["domain"], label=options["label"], lifetime=timedelta(days=options["days"])
        )  # fmt: skip
        return issued.text
