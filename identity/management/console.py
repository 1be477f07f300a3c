"""What the operator's commands share: they speak as the console, name what they do not find, and refuse in one readable line."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.translation import gettext as _

from identity import organizations, users
from identity.errors import DomainError, Invalid, NotFound
from identity.models import Organization, User
from identity.principal import at_the_console


class OperatorCommand(BaseCommand):
    """Runs `act` in one transaction, so that a refused command changes nothing; a refusal ends with status 1.

    What `act` answers is printed once the transaction is through: a secret that is told is one that counts.
    """

    # The checks of the whole house belong to `manage.py check`; an operator waits for an answer.
    requires_system_checks = []
    is_one_transaction = True

    def handle(self, *args: Any, **options: Any) -> str:
        self.by = at_the_console()
        try:
            with transaction.atomic() if self.is_one_transaction else nullcontext():
                return self.act(**options)
        except DomainError as refusal:
            raise CommandError(said(refusal)) from refusal

    def act(self, **options: Any) -> str:
        """Do the command's work and answer what to print. Raises DomainError or CommandError."""
        raise NotImplementedError


def as_json(value: Any) -> str:
    """Answer a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False)


def person(name: str) -> User:
    """Answer the person of a user name or an e-mail address. Raises CommandError naming it."""
    user = users.find(name=name)
    if user is None:
        raise CommandError(_("There is no person named %(name)s.") % {"name": repr(name)})
    return user


def organization(name: str) -> Organization:
    """Answer the organisation of a short name. Raises CommandError naming it."""
    try:
        return organizations.find(name=name)
    except NotFound:
        raise CommandError(_("There is no organisation named %(name)s.") % {"name": repr(name)}) from None


def home(user: User) -> Organization:
    """Answer the organisation that a person works in. Raises CommandError for an operator, who has none."""
    if user.default_organization is None:
        raise CommandError(_("%(name)s belongs to no organisation.") % {"name": user.username})
    return user.default_organization


def said(refusal: DomainError) -> str:
    """Answer a refusal as one readable text: each field with what is wrong about it."""
    if isinstance(refusal, Invalid) and refusal.fields:
        lines = [f"{name}: {' '.join(words)}" if name else " ".join(words) for name, words in refusal.fields.items()]
        return "\n".join(lines)
    return refusal.message or type(refusal).__name__
