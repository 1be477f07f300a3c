"""Issues, finds, changes and ends tickets, for those who hand them out (dialects.md 3.2; clarifications 31 and 67)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet

from identity import audit, clock, crypto, policy
from identity.errors import (
    Invalid,
    NotAllowed,
    NotFound,
    Spent,
)
from identity.models import Organization, Session
from identity.policy import Permission
from identity.principal import Kind, Principal
from tickets.models import Redemption, Ticket

PURPOSE = "ticket"
SHORTEST, LONGEST = 6, 32
# As JSON: what a merge may not grow beyond.
MOST_PROPERTIES = 65_536
# A collision of short ids, or a change between reading and writing, is tried again so often.
TRIES = 8
# What a whole set of tickets can have in common.
PARTIES = ("customer", "conference", "interaction")
# What the wire still knows.
KNOWN = Q(deleted_at=None) & ~Q(is_single_use=True, redeemed_at__isnull=False)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the domain needs of a ticket's properties: read out of them by whoever knows the words."""

    conference: str = ""
    customer: str = ""
    interaction: str = ""
    scheduled_at: datetime | None = None


# From a ticket's type and properties; raises Invalid.
Reading = Callable[[str, dict[str, Any]], Meaning]


@dataclass(frozen=True, slots=True)
class Issued:
    """A new ticket, and the id that lets its holder in."""

    ticket: Ticket
    id: str

    def __repr__(self) -> str:
        return f"Issued({self.ticket.pk})"


def issue(
    *,
    by: Principal,
    organization: Organization,
    type_: str,
    properties: dict[str, Any],
    read: Reading,
    is_single_use: bool,
    length: int | None = None,
    ttl: int | None = None,
    is_disabled: bool = False,
) -> Issued:
    """Make a ticket: an id of `length` characters that lives `ttl` seconds from now, or from its scheduled time.

    Raises NotAllowed, NotFound (a foreign organisation), Invalid naming `properties`, or what `read` refuses.
    """
    at = clock.now()
    require_issuer(by)
    if by.organization_id is not None and by.organization_id != organization.pk:
        raise NotFound("no such organisation")
    ticket = Ticket(
        organization=organization, creator=by.id[:64], creator_name=_name_of(by)[:200], type=type_, is_single_use=is_single_use,
        ttl_seconds=settings.TICKET_TTL_SECONDS if ttl is None else ttl, created_at=at, disabled_at=at if is_disabled else None,
    )  # fmt: skip
    _fill(ticket, properties, read)
    for _try in range(TRIES):
        id_ = crypto.make_readable(length or organization.ticket_length)
        ticket.digest = crypto.digest(id_, purpose=PURPOSE)
        ticket.id_sealed = crypto.seal(id_, place=ticket.place())
        try:
            with transaction.atomic():
                ticket.save(force_insert=True)
                _record("created", ticket, by=by, type=type_)
        except IntegrityError:
            continue  # two tickets of six characters met: one in twenty thousand million
        return Issued(ticket, id_)
    raise Invalid("length", fields={"length": ["No id of this length is free."]})


def require_issuer(by: Principal) -> None:
    """Go on only if the caller may make tickets. Raises NotAllowed."""
    _require(by, Permission.TICKETS_ISSUE)


def find(*, by: Principal, ticket_id: str) -> Ticket:
    """Answer a ticket of the caller's organisation, or the one that a customer came in by. Raises NotAllowed, NotFound."""
    found = _known(ticket_id)
    if Permission.TICKETS_READ in by.permissions:
        if not by.is_internal:
            found = found.filter(organization_id=by.organization_id)
    else:
        policy.require(by, Permission.TICKET_OWN)
        found = found.filter(redemptions__session_id=by.session_id)
    return _one(found)


def find_to_change(*, by: Principal, ticket_id: str) -> Ticket:
    """Answer a ticket that the caller may change: their own, or any by those who may. Raises NotAllowed, NotFound."""
    policy.require(by, Permission.TICKETS_ISSUE)
    ticket = find(by=by, ticket_id=ticket_id)
    require_keeper(by, ticket)
    return ticket


def require_keeper(by: Principal, ticket: Ticket) -> None:
    """Go on only if the caller may change this ticket. Raises NotAllowed, NotFound (a foreign organisation)."""
    if by.kind is Kind.SYSTEM:
        return
    if by.organization_id is not None and by.organization_id != ticket.organization_id:
        raise NotFound("no such ticket")
    if not policy.may(by, Permission.TICKETS_ANY) and not (
        policy.may(by, Permission.TICKETS_ISSUE) and by.id == ticket.creator
    ):
        raise NotAllowed(Permission.TICKETS_ANY.value)


def change(*, by: Principal, ticket: Ticket, properties: dict[str, Any], read: Reading) -> Ticket:
    """Merge properties into a ticket's own, top level only; null removes one. The version counts the merges.

    A moved scheduled time moves the end. Raises NotAllowed, NotFound, Invalid.
    """
    require_keeper(by, ticket)
    for _try in range(TRIES):
        merged = ticket.properties | properties
        _fill(ticket, {name: value for name, value in merged.items() if properties.get(name, 0) is not None}, read)
        if _write(ticket, by=by):
            return ticket
        # Somebody else's merge came between: theirs is read again, so that neither is lost.
        ticket = _one(Ticket.objects.filter(KNOWN, pk=ticket.pk))
    raise NotFound("the ticket changes all the time")


def revoke(*, by: Principal, ticket: Ticket) -> None:
    """Revoke a ticket for good, and end whatever was redeemed from it; the first time stays. Raises NotAllowed, NotFound."""
    at = clock.now()
    require_keeper(by, ticket)
    with transaction.atomic():
        if Ticket.objects.filter(pk=ticket.pk, revoked_at=None).update(revoked_at=at):
            _record("revoked", ticket, by=by)
        _end_redeemed(by, [ticket], at=at, reason="ticket revoked")


def revoke_all(*, by: Principal, ticket: Ticket, party: str) -> int:
    """Revoke every ticket of the same customer, conference or interaction, used ones too, and end what was redeemed from them.

    Answers how many were revoked. Raises NotAllowed, NotFound.
    """
    at = clock.now()
    require_keeper(by, ticket)
    _require(by, Permission.TICKETS_ANY)
    named = getattr(ticket, party) if party in PARTIES else ""
    if not named:
        raise NotFound("nothing in common")
    with transaction.atomic():
        same = Ticket.objects.filter(organization_id=ticket.organization_id, deleted_at=None, **{party: named})
        # Held in one order: two that revoke overlapping sets would wait for each other.
        rows = list(same.select_for_update().filter(revoked_at=None).order_by("pk"))
        Ticket.objects.filter(pk__in=[row.pk for row in rows]).update(revoked_at=at)
        _end_redeemed(by, rows, at=at, reason="ticket revoked")
        _record("revoked", ticket, by=by, party=party, named=named, tickets=[str(row.pk) for row in rows])
    return len(rows)


def disable(*, by: Principal, ticket: Ticket) -> None:
    """Let nobody in by a ticket until it is enabled; who is in stays in. Raises NotAllowed, NotFound."""
    require_keeper(by, ticket)
    with transaction.atomic():
        if Ticket.objects.filter(pk=ticket.pk, disabled_at=None).update(disabled_at=clock.now()):
            _record("disabled", ticket, by=by)


def enable(*, by: Principal, ticket: Ticket) -> None:
    """Undo `disable`. Raises NotAllowed, NotFound, Spent (revoked: silence would mislead)."""
    require_keeper(by, ticket)
    if ticket.revoked_at is not None:
        raise Spent("revoked")
    with transaction.atomic():
        if Ticket.objects.filter(pk=ticket.pk, disabled_at__isnull=False).update(disabled_at=None):
            _record("enabled", ticket, by=by)


def delete(*, by: Principal, ticket: Ticket) -> None:
    """Take a ticket away, and end whatever was redeemed from it. Raises NotAllowed, NotFound."""
    at = clock.now()
    require_keeper(by, ticket)
    with transaction.atomic():
        if Ticket.objects.filter(pk=ticket.pk, deleted_at=None).update(deleted_at=at) != 1:
            raise NotFound("no such ticket")
        _end_redeemed(by, [ticket], at=at, reason="ticket deleted")
        _record("deleted", ticket, by=by)


def show(*, by: Principal, ticket: Ticket) -> str:
    """Answer the id of a ticket, for whoever may hand it out again; that it was seen is written down.

    Raises NotAllowed, NotFound.
    """
    require_keeper(by, ticket)
    _record("shown", ticket, by=by)
    return crypto.open_sealed(ticket.id_sealed, place=ticket.place())


def _known(ticket_id: str) -> QuerySet[Ticket]:
    return Ticket.objects.filter(KNOWN, digest__in=crypto.digests(ticket_id, purpose=PURPOSE))


def _one(found: QuerySet[Ticket]) -> Ticket:
    ticket = next(iter(found.order_by().select_related("organization")[:1]), None)
    if ticket is None:
        raise NotFound("no such ticket")
    return ticket


def _name_of(by: Principal) -> str:
    """Answer what people call whoever makes a ticket: of a client, what it is for."""
    return by.session.client.description or by.name if by.kind is Kind.CLIENT else by.actor_name


def _require(by: Principal, permission: Permission) -> None:
    if by.kind is not Kind.SYSTEM:
        policy.require(by, permission)


def _fill(ticket: Ticket, properties: dict[str, Any], read: Reading) -> None:
    """Put properties into a ticket, with what they mean for it. Raises Invalid."""
    if len(json.dumps(properties)) > MOST_PROPERTIES:
        raise Invalid("properties", fields={"properties": ["They are too large."]})
    meaning = read(ticket.type, properties)
    ticket.properties = properties
    ticket.conference, ticket.customer, ticket.interaction = meaning.conference, meaning.customer, meaning.interaction
    ticket.scheduled_at = meaning.scheduled_at
    try:
        ticket.expires_at = (meaning.scheduled_at or ticket.created_at) + timedelta(seconds=ticket.ttl_seconds)
    except OverflowError as e:
        raise Invalid("properties", fields={"properties": ["The end is beyond all calendars."]}) from e


def _write(ticket: Ticket, *, by: Principal) -> bool:
    with transaction.atomic():
        # Only if it is still what was merged into.
        is_written = Ticket.objects.filter(KNOWN, pk=ticket.pk, version=ticket.version).update(
            properties=ticket.properties, conference=ticket.conference, customer=ticket.customer, interaction=ticket.interaction,
            scheduled_at=ticket.scheduled_at, expires_at=ticket.expires_at, version=F("version") + 1,
        )  # fmt: skip
        if is_written:
            ticket.version += 1
            _record("changed", ticket, by=by, version=ticket.version)
    return bool(is_written)


def _end_redeemed(by: Principal, rows: Iterable[Ticket], *, at: datetime, reason: str) -> None:
    """Comes after the tickets are written, which waits for redemptions under way: their sessions are there now."""
    came_by_them = Redemption.objects.filter(ticket__in=[ticket.pk for ticket in rows]).values("session_id")
    ended = Session.objects.filter(pk__in=came_by_them, ended_at=None).update(ended_at=at, end_reason=reason)
    if ended:
        audit.record("session.ended", by=by, reason=reason, sessions=ended)


def _record(deed: str, ticket: Ticket, *, by: Principal, **details: Any) -> None:
    audit.record(f"ticket.{deed}", by=by, subject=ticket.name, organization=ticket.organization, **details)
