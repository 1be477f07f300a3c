"""Tells, sets and lifts the block of a submitted name: what too many failures do by themselves, an admin may do by decree."""

from __future__ import annotations

from datetime import datetime

from identity import audit, clock, lockout, policy, users
from identity.errors import NotFound
from identity.models import User
from identity.principal import Principal


def until(*, name: str) -> datetime | None:
    """Answer until when a name is blocked, or None; the same for names that are nobody's, so that nothing is told of who exists."""
    return lockout.blocked_until(name=name, user=users.find(name=name), at=clock.now())


def put(*, by: Principal, name: str) -> datetime:
    """Block a person's name for LOCKOUT_SECONDS and answer until when; live sessions stay (clarifications 7 and 16).

    Raises NotAllowed, NotFound for a name that is unknown or of another organisation.
    """
    user = _member(by, name)
    ends_at = lockout.block(name=name, user=user, at=clock.now())
    audit.record("user.blocked", by=by, subject=user, until=ends_at.isoformat())
    return ends_at


def lift(*, by: Principal, name: str) -> None:
    """Let a person's name try again at once. Raises NotAllowed, NotFound."""
    user = _member(by, name)
    lockout.unblock(name=name, user=user)
    audit.record("user.unblocked", by=by, subject=user)


def _member(by: Principal, name: str) -> User:
    policy.forbid_while_acting(by)
    policy.require(by, policy.Permission.PEOPLE_MANAGE)
    user = users.find(name=name)
    if user is None or not user.memberships.filter(organization_id=by.organization_id).exists():
        raise NotFound("no such person")
    return user
