"""The one way in for every door that people use: lockout, password or a provider's word, second factor, session, audit (house.md 2)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from identity import audit, clock, crypto, lockout, organizations, policy, second_factor, sessions, users
from identity.errors import TooManyAttempts, WrongCredentials
from identity.models import Membership, Organization, User
from identity.principal import Kind, Principal, Via
from identity.sessions import Opened


@dataclass(frozen=True, slots=True)
class Proven:
    """A person who has just proven who they are, in which organisation (None for an operator), and with a second factor or not."""

    user: User
    organization: Organization | None
    membership: Membership | None
    second_factor_at: datetime | None


class SecondFactorMissing(WrongCredentials):
    """The password was right and the second factor is still to come. Only the browser's form may say so (clarifications 52)."""


def prove(
    *,
    name: str,
    clear: str | None = None,
    password_sha256: str | None = None,
    otp: str = "",
    via: Via,
    organization_id: Any = None,
    asks_second_factor: bool = True,
    exempt_door: str = "",
    admits_operators: bool = True,
    admits: Callable[[Organization, Membership], bool] = lambda organization, membership: True,
) -> Proven:
    """Prove a person by name or e-mail with a clear password or its digest, and a code where one is needed.

    The try is counted in its own committed statement before it is evaluated, and uncounted when it succeeds. `exempt_door` is
    the word under which an organisation may exempt a door that cannot ask for a code; operators get no session of a dialect
    (clarifications 44), whose doors say so with `admits_operators`; `admits` is asked of everybody else, so that whom a door is
    closed to learns nothing about the password there. Raises WrongCredentials (nobody, wrong, disabled, locked, expired,
    foreign address, no membership, not admitted: all alike), SecondFactorMissing, TooManyAttempts.
    """
    at = clock.now()
    user = users.find(name=name)
    try:
        lockout.before(name=name, user=user, address=via.address, at=at)
    except TooManyAttempts:
        audit.refused("login.blocked", via=via, subject=user, name=_printable(name))
        raise
    proven = _evaluate(user, clear, password_sha256, via, organization_id, at=at)
    if proven is None or user is None or not _is_admitted(proven, admits_operators, admits):
        audit.refused(
            "login.failed",
            via=via,
            subject=user,
            name=_printable(name),
            organization=user.default_organization if user else None,
        )
        raise WrongCredentials("wrong credentials")
    second_factor_at = None
    if user.has_second_factor and not _is_exempt(proven[0], exempt_door):
        if not (asks_second_factor and otp and second_factor.check(user=user, code=otp)):
            audit.refused("login.failed", via=via, subject=user, organization=proven[0], rule="second_factor")
            if asks_second_factor and not otp:
                raise SecondFactorMissing()
            raise WrongCredentials("wrong credentials")
        second_factor_at = at
    lockout.success(name=name, user=user, address=via.address)
    return Proven(user, proven[0], proven[1], second_factor_at)


def admit(
    *, user: User, organization: Organization, passed_second_factor: bool, otp: str | None = None, via: Via
) -> Proven:
    """Let in somebody whom a provider of this organisation has proven, under the rules of every door but the password's.

    `passed_second_factor` says that the organisation takes the provider's word for it; without it, whoever has a factor
    shows a code (`otp`), counted like a sign-in. Raises WrongCredentials (shut, foreign address, no membership, a wrong
    code), SecondFactorMissing, TooManyAttempts.
    """
    at = clock.now()
    held = organizations.membership(user=user, organization_id=organization.pk)
    is_open = user.may_sign_in(at=at) and not (user.is_superuser or user.is_service or organization.is_suspended)
    if held is None or not is_open or not _is_from_allowed_address(user, via.address):
        raise WrongCredentials("shut")
    if passed_second_factor or not user.has_second_factor:
        return Proven(user, organization, held, at if passed_second_factor else None)
    if otp is None:
        raise SecondFactorMissing()
    try:
        lockout.before(name=user.username, user=user, address=via.address, at=at)
    except TooManyAttempts:
        audit.refused("login.blocked", via=via, subject=user, organization=organization)
        raise
    if not second_factor.check(user=user, code=otp):
        audit.refused("login.failed", via=via, subject=user, organization=organization, rule="second_factor")
        raise WrongCredentials("wrong code")
    lockout.success(name=user.username, user=user, address=via.address)
    return Proven(user, organization, held, at)


def open_session(
    proven: Proven, *, via: Via, lifetime: timedelta, idle: timedelta | None = None, details: dict[str, Any] | None = None,
    secret_prefix: str = "", came_by: Via | None = None, **said: Any,
) -> Opened:  # fmt: skip
    """Open a session for somebody who was just proven, and remember the sign-in.

    The session is of the door of `via`; where somebody came to it by another one, the record tells of that (`came_by`) and
    of what else was `said`. Raises WrongCredentials when the password was changed, or the account shut, since it was proven.
    """
    at = clock.now()
    with transaction.atomic():
        opened = sessions.open_(
            via=via, lifetime=lifetime, idle=idle, user=proven.user, organization=proven.organization,
            passed_second_factor_at=proven.second_factor_at, details=details, secret_prefix=secret_prefix,
        )  # fmt: skip
        # Whoever got a new password, or was shut out, while the old one was being looked at gets no session of the old one.
        unchanged = User.objects.filter(
            pk=proven.user.pk, password_changed_at=proven.user.password_changed_at, is_active=True, locked_at=None
        )
        if unchanged.update(last_login_at=at, last_seen_at=at, last_login_address=via.address) != 1:
            raise WrongCredentials("the account changed meanwhile")
        proven.user.last_login_at, proven.user.last_seen_at, proven.user.last_login_address = at, at, via.address
        audit.record(
            "login.succeeded", via=came_by or via, actor_name=proven.user.username, subject=proven.user,
            organization=proven.organization, session=str(opened.session.pk), **said,
        )  # fmt: skip
    return opened


def principal_of(proven: Proven, *, via: Via) -> Principal:
    """Answer who somebody is that proves himself anew at every request, without a session; and remember the use.

    For members of an organisation only: doors that do this admit no operators.
    """
    at, user = clock.now(), proven.user
    organization, membership = proven.organization, proven.membership
    if organization is None or membership is None:
        raise WrongCredentials("wrong credentials")
    if user.needs_touch(at=at):
        User.objects.filter(pk=user.pk).update(last_seen_at=at)
    roles = frozenset(membership.roles)
    return Principal(
        kind=Kind.PERSON, id=str(user.pk), name=user.username, via=via, user_id=user.pk, organization_id=organization.pk,
        organization_name=organization.name, roles=roles, permissions=policy.permissions_of(roles),
        grants=frozenset(membership.grants), passed_second_factor=proven.second_factor_at is not None,
        has_second_factor=user.has_second_factor,
    )  # fmt: skip


def check_own_password(*, user: User, clear: str | None = None, password_sha256: str | None = None, via: Via) -> None:
    """Ask somebody who is signed in for the password again; counted like a sign-in (clarifications 7).

    Raises WrongCredentials, TooManyAttempts.
    """
    at = clock.now()
    lockout.before(name=user.username, user=user, address=via.address, at=at)
    is_right, _anew = crypto.check_password(user.password, clear=clear, password_sha256=password_sha256)
    if not is_right:
        audit.refused(
            "login.failed", via=via, subject=user, organization=user.default_organization, rule="password_again"
        )
        raise WrongCredentials("wrong password")
    lockout.success(name=user.username, user=user, address=via.address)


def change_own_password(*, by: Principal, user: User, old: str, new: str, via: Via) -> None:
    """Set a new clear password with the old one, and end the person's other sessions.

    A wrong old one is counted like a sign-in. Raises NotAllowedWhileActing, WrongCredentials, TooManyAttempts, Invalid.
    """
    policy.forbid_while_acting(by)
    check_own_password(user=user, clear=old, via=via)
    users.set_password(by=by, user=user, clear=new, but=by.session_id)


def remove_own_second_factor(*, by: Principal, user: User, clear: str, otp: str, via: Via) -> None:
    """Take one's own second factor away, with the password and a code of it, counted like a sign-in.

    Raises NotAllowedWhileActing, WrongCredentials, TooManyAttempts.
    """
    policy.forbid_while_acting(by)
    prove(name=user.username, clear=clear, otp=otp, via=via)
    second_factor.remove(by=by, user=user)


def _evaluate(
    user: User | None, clear: str | None, password_sha256: str | None, via: Via, organization_id: Any, *, at: datetime
) -> tuple[Organization | None, Membership | None] | None:
    """Do the same work for everybody, then answer the organisation and membership to sign in to, or None for no."""
    if user is None:
        crypto.equalise()
        return None
    is_right, wants_upgrade = crypto.check_password(user.password, clear=clear, password_sha256=password_sha256)
    if not is_right or not user.may_sign_in(at=at) or not _is_from_allowed_address(user, via.address):
        return None
    if wants_upgrade and clear is not None:
        User.objects.filter(pk=user.pk, password=user.password).update(
            password=crypto.hash_password(crypto.password_digest(clear))
        )
    wanted = organization_id or user.default_organization_id
    if wanted is None:
        return (None, None) if user.is_superuser else None
    if not organizations.is_possible_id(wanted):
        return None
    held = Membership.objects.select_related("organization").filter(user=user, organization_id=wanted).first()
    if held is None or held.organization.is_suspended:
        return None
    return held.organization, held


def _is_admitted(
    proven: tuple[Organization | None, Membership | None],
    admits_operators: bool,
    admits: Callable[[Organization, Membership], bool],
) -> bool:
    organization, membership = proven
    if organization is None or membership is None:
        return admits_operators
    return admits(organization, membership)


def _is_exempt(organization: Organization | None, door: str) -> bool:
    return bool(door and organization and door in organization.second_factor_exemptions)


def _is_from_allowed_address(user: User, address: str) -> bool:
    """A filled `auth_ip` is enforced at every password door (clarifications 53); its entries are addresses or networks."""
    if not user.auth_ip:
        return True
    try:
        here = ipaddress.ip_address(address)
        return any(
            here in ipaddress.ip_network(entry["ip"] if isinstance(entry, dict) else entry, strict=False)
            for entry in user.auth_ip
        )
    except ValueError:
        return False


def _printable(name: str) -> str:
    """Answer a submitted name fit for the audit trail; what looks like a secret typed into the wrong field is not kept."""
    return name[:100] if users.is_storable(name) and len(name) <= 100 else "?"
