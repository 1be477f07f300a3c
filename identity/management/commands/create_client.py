"""Makes an OAuth client and tells its secret once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from identity import clients
from identity.management.console import OperatorCommand, as_json, organization
from identity.principal import Role


class Command(OperatorCommand):
    """Prints the client's entry as in `demo.json`, or the id and the secret on two lines."""

    help = "Makes a client of an organisation, or an internal service of none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        place = parser.add_mutually_exclusive_group(required=True)
        place.add_argument("--organization", help="The organisation's short name.")
        place.add_argument("--internal", action="store_true", help="An internal service, bound to no organisation.")
        parser.add_argument(
            "--role", action="append", default=[], choices=list(Role), help="Without one it may do nothing."
        )
        parser.add_argument("--description", default="")
        parser.add_argument("--redirect-uri", action="append", default=[])
        parser.add_argument("--signs-in", action="store_true", help="Its organisation's people sign in through it.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def act(self, **options: Any) -> str:
        if options["signs_in"] and options["internal"]:
            raise CommandError(_("An internal service signs nobody in."))
        roles = [str(role) for role in dict.fromkeys(options["role"])]
        made = clients.create(
            by=self.by, organization=organization(options["organization"]) if options["organization"] else None,
            description=options["description"], roles=roles, redirect_uris=options["redirect_uri"], is_internal=options["internal"],
            serves_sign_in=options["signs_in"],
        )  # fmt: skip
        if not options["json"]:
            return f"{made.row.pk}\n{made.secret}"
        entry: dict[str, Any] = {"client_id": made.row.pk, "client_secret": made.secret, "roles": roles}
        entry |= {"internal": True} if options["internal"] else {"organization": options["organization"]}
        if options["redirect_uri"]:
            entry["redirect_uris"] = options["redirect_uri"]
        return as_json(entry)
