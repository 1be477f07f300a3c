"""Counts failures to prove oneself, per submitted name and per address, over every door (clarifications 7 and 57)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.conf import settings

from identity import clock, limits
from identity.errors import TooManyAttempts
from identity.limits import Charge, Rate
from identity.models import User
from identity.models.user import key_of

# A window may be full of tries that are being evaluated at this moment and turn out well: so long another one waits for them.
PATIENCE, POLL = timedelta(seconds=1), timedelta(milliseconds=50)


def key(name: str, user: User | None) -> str:
    """Answer the counter of a submitted name: one per account, and one per name that is nobody's."""
    return limits.key_for("lockout", f"user:{user.pk}" if user else f"name:{key_of(name)}")


def _address_key(address: str) -> str:
    return limits.key_for("login-address", address)


def before(*, name: str, user: User | None, address: str, at: datetime) -> None:
    """Charge one try before it is evaluated, so that a limit of k means k evaluations (security.md P3).

    Commits by itself; call it outside a transaction. Raises TooManyAttempts when the name, or the address, is blocked.
    """
    per_address = Rate.of(settings.THROTTLE_LOGIN_PER_ADDRESS)
    if address:
        counted = limits.charge(_address_key(address), per_address, at=at)
        if not counted.is_within:
            raise TooManyAttempts(retry_after=counted.until - at)
    counted = _charge(key(name, user), at=at)
    if not counted.is_within:
        if address:
            limits.refund(_address_key(address))
        raise TooManyAttempts(retry_after=counted.until - at)


def success(*, name: str, user: User, address: str) -> None:
    """Forget the failures of an account that proved itself, and take back the charge to its address."""
    limits.clear(key(name, user))
    if address:
        limits.refund(_address_key(address))


def blocked_until(*, name: str, user: User | None, at: datetime) -> datetime | None:
    """Answer until when a name is blocked, or None."""
    count, until = limits.standing(key(name, user), at=at)
    return until if count >= settings.LOCKOUT_FAILURES else None


def block(*, name: str, user: User, at: datetime) -> datetime:
    """Block a name for LOCKOUT_SECONDS; answers until when."""
    until = at + timedelta(seconds=settings.LOCKOUT_SECONDS)
    limits.fill(key(name, user), limit=settings.LOCKOUT_FAILURES, until=until)
    return until


def unblock(*, name: str, user: User) -> None:
    """Let a name try again at once."""
    limits.clear(key(name, user))


def _charge(key: str, *, at: datetime) -> Charge:
    """Charge one try to a name; somebody who is right in many places at once is not blocked by the tries that are under way."""
    rate = Rate(settings.LOCKOUT_FAILURES, timedelta(seconds=settings.LOCKOUT_SECONDS))
    until = time.monotonic() + PATIENCE.total_seconds()
    while not (counted := limits.charge(key, rate, at=at, restarts=True)).is_within:
        last = counted.until - rate.window
        # Looks, and charges again only where there is room: writers would stand in the way of those that are waited for.
        while limits.standing(key, at=at)[0] >= rate.limit:
            at = clock.now()
            if time.monotonic() > until or not last <= at < last + PATIENCE:
                return counted
            time.sleep(POLL.total_seconds())
    return counted
