"""Changes a person's state, roles, grants and second factor; every change counts at the next request."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from agents import actions as agents
from config.management.commands.create_user import ROLES
from identity import organizations, second_factor, users
from identity.management.console import OperatorCommand, home, organization, person
from identity.models import Organization, User
from identity.policy import GRANTS
from identity.principal import Role

WITH_EXTENSION = {Role.AGENT, Role.SUPERVISOR}


class Command(OperatorCommand):
    """Does all that is asked or nothing; prints the factor's secret when it enrols one, else nothing."""

    help = "Changes a person; effective at the next request behind every door."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)
        for no, yes, name in (("disabled", "enabled", "enabled"), ("locked", "unlocked", "locked")):
            pair = parser.add_mutually_exclusive_group()
            pair.add_argument(f"--{no}", dest=name, action="store_const", const=no)
            pair.add_argument(f"--{yes}", dest=name, action="store_const", const=yes)
        pair = parser.add_mutually_exclusive_group()
        pair.add_argument("--protected", dest="protected", action="store_true", default=None)
        pair.add_argument("--unprotected", dest="protected", action="store_false")
        parser.add_argument("--expires", help="When the account ends (RFC 3339), or `never`.")
        parser.add_argument(
            "--role", action="append", choices=ROLES, help="Replaces the roles; may be given several times."
        )
        parser.add_argument("--permission", action="append", default=[], choices=GRANTS)
        parser.add_argument("--remove-permission", action="append", default=[], choices=GRANTS)
        parser.add_argument("--add-organization", help="Makes the person a member; roles and permissions count there.")
        parser.add_argument(
            "--enroll-totp", action="store_true", help="Enrols an authenticator app and prints its secret."
        )

    def act(self, **options: Any) -> str:
        user = person(options["username"])
        self.set_state(user, options)
        self.set_powers(user, options)
        if not options["enroll_totp"]:
            return ""
        enrolment = second_factor.enrol(by=self.by, user=user)
        return f"{enrolment.secret}\n{enrolment.address}"

    def set_state(self, user: User, options: dict[str, Any]) -> None:
        verbs = {"disabled": users.disable, "enabled": users.enable, "locked": users.lock, "unlocked": users.unlock}
        for asked in filter(None, (options["enabled"], options["locked"])):
            verbs[asked](by=self.by, user=user)
        if options["protected"] is not None:
            users.protect(by=self.by, user=user, is_protected=options["protected"])
        if options["expires"] is not None:
            users.set_expiry(by=self.by, user=user, expires_at=moment(options["expires"]))

    def set_powers(self, user: User, options: dict[str, Any]) -> None:
        asked = options["role"], options["permission"], options["remove_permission"], options["add_organization"]
        if not any(asked):
            return
        place = organization(options["add_organization"]) if options["add_organization"] else home(user)
        if options["role"] or options["add_organization"]:
            self.set_roles(user, place, [Role(role) for role in dict.fromkeys(options["role"] or ())])
        if options["permission"] or options["remove_permission"]:
            organizations.grant(
                by=self.by, user=user, organization=place, add=options["permission"], remove=options["remove_permission"]
            )  # fmt: skip

    def set_roles(self, user: User, place: Organization, roles: list[Role]) -> None:
        """Who becomes an Agent or a Supervisor gets an agent record, as a new one would."""
        organizations.join(by=self.by, user=user, organization=place, roles=roles)
        if set(roles) & WITH_EXTENSION and agents.of_user(user_id=user.pk, organization_id=place.pk) is None:
            agents.create(by=self.by, user=user, organization=place)


def moment(said: str) -> datetime | None:
    """Read an RFC 3339 time, which names its offset, or `never`. Raises CommandError."""
    if said == "never":
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CommandError(_("--expires wants a time like 2027-01-31T12:00:00Z, or never."))
    return at
