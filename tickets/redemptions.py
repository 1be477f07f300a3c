"""Lets customers in by tickets: looking at one, redeeming it, staying in (dialects.md 3.0 and 3.7)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from identity import audit, clock, crypto, limits, refresh, sessions
from identity.errors import (
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
    NotFound,
    Spent,
    TooManyAttempts,
    Unauthenticated,
)
from identity.limits import Rate
from identity.models import Session
from identity.principal import Principal, Via
from tickets.actions import KNOWN, PURPOSE
from tickets.models import Redemption, State, Ticket

SECRET_PREFIX = "swc"  # noqa: S105  # a name, no secret


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The session that a redemption opened, its secret for a browser, and its first refresh token for a program."""

    ticket: Ticket
    session: Session
    secret: str
    refresh_token: str

    def __repr__(self) -> str:
        return f"Redeemed({self.ticket.pk})"


def look(*, ticket_id: str, via: Via) -> Ticket:
    """Answer a ticket to whoever holds its id, used and ended ones too, and change nothing.

    A wrong id counts as a failed redemption: a page that tells them apart serves to guess them. Raises NotFound,
    TooManyAttempts.
    """
    with _counted(via, at=clock.now()):
        ticket = _first(_by_id(ticket_id).filter(deleted_at=None))
        if ticket is None:
            raise NotFound("no such ticket")
        return ticket


def redeem(*, ticket_id: str, via: Via) -> Redeemed:
    """Let a customer in by a ticket (dialects.md 3.0).

    A failure is counted for its address before it is evaluated, and the count is committed before the refusal. Raises
    TooManyAttempts, CredentialRevoked, Spent("disabled"), CredentialExpired, and CredentialInvalid for all that is unknown,
    deleted or used.
    """
    at = clock.now()
    with _counted(via, at=at):
        row = _first(_by_id(ticket_id))
        if row is None:
            raise CredentialInvalid("no such ticket")
        if row.state(at=at) is State.VALID:
            with transaction.atomic():
                if _claim(row, at=at):
                    return _let_in(row, via=via, at=at)
            row.refresh_from_db()
        state = row.state(at=at)
        audit.refused(
            "ticket.refused", via=via, subject=None, name=row.name, organization=row.organization, rule=state.value
        )
        raise _refusal(state)


def holder(*, ticket: Ticket, secret: str, door: str, via: Via) -> Principal | None:
    """Answer the customer whom a secret keeps in by this very ticket, or None."""
    if not secret:
        return None
    try:
        principal = sessions.by_secret(secret, doors=(door,), via=via)
    except Unauthenticated:
        return None
    came_by_it = Redemption.objects.filter(ticket=ticket, session_id=principal.session_id).exists()
    return principal if came_by_it else None


def purge(*, before: datetime, batch: int = 100) -> int:
    """Delete tickets that were over before a moment, a batch at a time; answers how many rows went."""
    old = Ticket.objects.filter(expires_at__lt=before).order_by("expires_at").values_list("pk", flat=True)[:batch]
    deleted: int = Ticket.objects.filter(pk__in=list(old)).delete()[0]
    return deleted


def _by_id(ticket_id: str) -> QuerySet[Ticket]:
    digests = crypto.digests(ticket_id, purpose=PURPOSE)
    return Ticket.objects.order_by().filter(digest__in=digests, organization__suspended_at=None)


def _first(found: QuerySet[Ticket]) -> Ticket | None:
    return next(iter(found.select_related("organization")[:1]), None)


@contextmanager
def _counted(via: Via, *, at: datetime) -> Iterator[None]:
    """Charge a failure beforehand, so that a limit of k means k tries at once (security.md P3), and take it back if it was none."""
    key = limits.key_for("redeem", via.address)
    charged = limits.charge(key, Rate.of(settings.THROTTLE_REDEEM_PER_ADDRESS), at=at)
    if not charged.is_within:
        raise TooManyAttempts(retry_after=charged.until - at)
    yield
    limits.refund(key)


def _claim(ticket: Ticket, *, at: datetime) -> bool:
    """Claims first: two redemptions at once would both pass a look at the row."""
    valid = Ticket.objects.filter(KNOWN, pk=ticket.pk, revoked_at=None, disabled_at=None, expires_at__gt=at)
    return valid.update(uses=F("uses") + 1, last_used_at=at, redeemed_at=Coalesce("redeemed_at", at)) == 1


def _let_in(ticket: Ticket, *, via: Via, at: datetime) -> Redeemed:
    opened = sessions.open_(
        via=via, lifetime=timedelta(seconds=settings.REFRESH_TOKEN_SECONDS), holder=ticket.customer or str(uuid4()),
        organization=ticket.organization, details={"conference": ticket.conference}, secret_prefix=SECRET_PREFIX,
    )  # fmt: skip
    Redemption.objects.create(ticket=ticket, session=opened.session, at=at)
    refresh_token = refresh.begin(session=opened.session, at=at)
    audit.record(
        "ticket.redeemed", via=via, actor_name=opened.session.holder, subject=ticket.name, organization=ticket.organization,
        session=str(opened.session.pk),
    )  # fmt: skip
    return Redeemed(ticket, opened.session, opened.secret, refresh_token)


def _refusal(state: State) -> Exception:
    leaves = {
        State.REVOKED: CredentialRevoked(state.value),
        State.DISABLED: Spent(state.value),
        State.EXPIRED: CredentialExpired(state.value),
    }
    return leaves.get(state, CredentialInvalid("no such ticket"))
