"""Who may do what, in one table, and the one rule for working as somebody else (clarifications 18 to 23, 44 to 48)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from identity.errors import LoginAsActorRefused, LoginAsSubjectRefused, NotAllowed, NotAllowedWhileActing
from identity.models import Membership, Organization, User
from identity.principal import Kind, Principal, Role


class Permission(StrEnum):
    """One thing that a role may do."""

    DESK = "desk"
    EXTENSIONS_READ = "extensions.read"
    TICKETS_ISSUE = "tickets.issue"
    TICKETS_READ = "tickets.read"
    TICKETS_ANY = "tickets.any"
    PRESENCE_ANY = "presence.any"
    PEOPLE_READ = "people.read"
    LIVE_READ = "live.read"
    WALL = "wall"
    PEOPLE_MANAGE = "people.manage"
    SESSIONS_MANAGE = "sessions.manage"
    CLIENTS_MANAGE = "clients.manage"
    APPLICATIONS_MANAGE = "applications.manage"
    KEYS_MANAGE = "keys.manage"
    KEYS_PRIVATE = "keys.private"
    API_KEYS_MANAGE = "api_keys.manage"
    MESSAGES_MANAGE = "messages.manage"
    AUDIT_READ = "audit.read"
    ORGANIZATION_MANAGE = "organization.manage"
    CALLS_REPORT = "calls.report"
    CODES = "codes"
    FACADES = "facades"
    PARTNER_TOKENS = "partner_tokens"
    TICKET_OWN = "ticket.own"
    ALL_ORGANIZATIONS = "all_organizations"


P = Permission

_AGENT = frozenset({P.DESK, P.EXTENSIONS_READ, P.TICKETS_ISSUE, P.TICKETS_READ, P.CODES, P.PARTNER_TOKENS})
_SUPERVISOR = _AGENT | {P.TICKETS_ANY, P.PRESENCE_ANY, P.PEOPLE_READ, P.LIVE_READ, P.WALL}
_ADMIN = _SUPERVISOR | {
    P.PEOPLE_MANAGE,
    P.SESSIONS_MANAGE,
    P.CLIENTS_MANAGE,
    P.APPLICATIONS_MANAGE,
    P.KEYS_MANAGE,
    P.API_KEYS_MANAGE,
    P.MESSAGES_MANAGE,
    P.AUDIT_READ,
    P.ORGANIZATION_MANAGE,
    P.CALLS_REPORT,
}

# What a person may by role.
OF_ROLE: dict[Role, frozenset[Permission]] = {
    Role.AGENT: _AGENT,
    Role.SUPERVISOR: _SUPERVISOR,
    Role.ADMIN: _ADMIN,
    Role.SERVICE: frozenset(
        {
            P.TICKETS_ISSUE,
            P.TICKETS_READ,
            P.TICKETS_ANY,
            P.CODES,
            P.FACADES,
            P.PARTNER_TOKENS,
            P.KEYS_MANAGE,
            P.KEYS_PRIVATE,
        }
    ),
}

OPERATOR = _ADMIN - {P.DESK, P.TICKETS_ISSUE, P.CODES, P.PARTNER_TOKENS} | {P.ALL_ORGANIZATIONS}

# Grants to one person, never implied by a role (clarifications 44).
GRANTS = tuple(f"integrations:integration:{verb}" for verb in ("view", "add", "edit", "delete"))


def permissions_of(roles: Iterable[Role], *, kind: Kind = Kind.PERSON) -> frozenset[str]:
    """Answer what roles permit. An Admin client may use the facades, an Admin person may not."""
    held: frozenset[str] = frozenset().union(*(OF_ROLE[role] for role in roles))
    if kind is Kind.CLIENT and Role.ADMIN in roles:
        held = held | {P.FACADES}
    return held


def may(principal: Principal | None, permission: Permission) -> bool:
    """Say whether a principal may do something."""
    return principal is not None and permission in principal.permissions


def require(principal: Principal, permission: Permission) -> None:
    """Go on only if a principal may do something. Raises NotAllowed."""
    if permission not in principal.permissions:
        raise NotAllowed(permission.value)


def require_operator(principal: Principal) -> None:
    """Go on only for an operator, or for whoever sits at the console. Raises NotAllowed, NotAllowedWhileActing."""
    forbid_while_acting(principal)
    if principal.kind is not Kind.SYSTEM:
        require(principal, Permission.ALL_ORGANIZATIONS)


def require_grant(principal: Principal, grant: str) -> None:
    """Go on only if a person holds a grant. Raises NotAllowed."""
    if grant not in principal.grants:
        raise NotAllowed(grant)


def forbid_while_acting(principal: Principal) -> None:
    """Go on only if nobody works as somebody else here (dialects.md 0.7). Raises NotAllowedWhileActing."""
    if principal.acting is not None:
        raise NotAllowedWhileActing("Not allowed while acting as another user")


class Rule(StrEnum):
    """The rules of login-as, in the order in which they are asked (clarifications 47)."""

    NESTED = "nested"
    SECOND_FACTOR = "second_factor"
    NOT_ALLOWED = "not_allowed"
    SELF = "self"
    SERVICE = "service"
    INACTIVE = "inactive"
    LOCKED = "locked"
    PROTECTED = "protected"
    STRONGER = "stronger"


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of a person when login-as is asked: state, roles and everything they may."""

    user_id: int
    roles: frozenset[Role]
    permissions: frozenset[str]
    grants: frozenset[str]
    is_active: bool
    is_locked: bool
    is_protected: bool
    is_service: bool
    has_second_factor: bool


def standing_of(user: User, membership: Membership | None, *, at: datetime) -> Standing:
    """Answer a person's standing in the organisation of a membership; without one, nothing is held."""
    roles = frozenset(membership.roles) if membership else frozenset()
    grants = frozenset(membership.grants) if membership else frozenset()
    return Standing(
        user_id=user.pk,
        roles=roles,
        permissions=permissions_of(roles),
        grants=grants,
        is_active=user.is_active and not user.is_expired(at=at),
        is_locked=user.locked_at is not None,
        is_protected=user.is_protected,
        is_service=user.is_service,
        has_second_factor=user.has_second_factor,
    )


def rule_against_actor(
    actor: Standing, organization: Organization, *, is_acting: bool, passed_second_factor: bool
) -> Rule | None:
    """Answer the first rule that keeps a person from working as anybody, or None."""
    if is_acting:
        return Rule.NESTED
    if actor.has_second_factor and not passed_second_factor:
        return Rule.SECOND_FACTOR
    allowed = {Role(role) for role in organization.login_as_roles}
    if organization.is_suspended or not (actor.is_active and not actor.is_locked) or not (actor.roles & allowed):
        return Rule.NOT_ALLOWED
    return None


def rule_against_subject(actor: Standing, subject: Standing) -> Rule | None:
    """Answer the first rule that keeps this person from working as that one, or None.

    Strictly weaker (clarifications 18): the subject is no Admin, its roles permit a proper subset of what the actor's permit, so
    that equals are refused, and it holds no grant that the actor lacks.
    """
    if subject.user_id == actor.user_id:
        return Rule.SELF
    if subject.is_service:
        return Rule.SERVICE
    if not subject.is_active:
        return Rule.INACTIVE
    if subject.is_locked:
        return Rule.LOCKED
    if subject.is_protected:
        return Rule.PROTECTED
    is_weaker = subject.permissions < actor.permissions and subject.grants <= actor.grants
    if Role.ADMIN in subject.roles or not is_weaker:
        return Rule.STRONGER
    return None


def require_actor(actor: Standing, organization: Organization, *, is_acting: bool, passed_second_factor: bool) -> None:
    """Go on only if this person may work as anybody at all. Raises LoginAsActorRefused."""
    rule = rule_against_actor(actor, organization, is_acting=is_acting, passed_second_factor=passed_second_factor)
    if rule is not None:
        raise LoginAsActorRefused(rule.value)


def require_subject(actor: Standing, subject: Standing) -> None:
    """Go on only if this person may work as that one. Raises LoginAsSubjectRefused."""
    rule = rule_against_subject(actor, subject)
    if rule is not None:
        raise LoginAsSubjectRefused(rule.value)
