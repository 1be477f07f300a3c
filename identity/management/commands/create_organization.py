"""Makes an organisation; its settings are changed in the admin."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.core.validators import validate_slug
from django.utils.translation import gettext as _

from identity import organizations
from identity.management.console import OperatorCommand, as_json
from identity.personal_tokens import DOMAIN


class Command(OperatorCommand):
    """Prints the organisation's entry as in `demo.json`."""

    help = "Makes an organisation and prints its id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--name", required=True, help="A short word, as in commands and addresses.")
        parser.add_argument("--domain", required=True, help="The domain of its people, such as acme.example.")
        parser.add_argument("--title", default="", help="The name that people read.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def act(self, **options: Any) -> str:
        name, domain = options["name"], options["domain"].lower()
        try:
            validate_slug(name)
        except ValidationError as refusal:
            raise CommandError(f"--name: {' '.join(refusal.messages)}") from None
        if len(name) > 63 or not DOMAIN.match(domain):
            raise CommandError(_("A name has at most 63 characters, and a domain looks like acme.example."))
        made = organizations.create(by=self.by, name=name, domain=domain, title=options["title"])
        return as_json({"id": str(made.pk), "domain": made.domain}) if options["json"] else str(made.pk)
