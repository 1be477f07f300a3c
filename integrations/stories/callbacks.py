"""Has customers called back by Genesys: the code that proves a number, the ticket, the call out, and the way back (clarifications 38)."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from identity import clock, otp
from identity.errors import (
    CredentialRevoked,
    DomainError,
    Invalid,
    NotAllowed,
    NotFound,
    Unavailable,
    UpstreamRefused,
    WrongCredentials,
)
from identity.models import Application, OtpVerification
from identity.principal import Kind, Principal, Via, by_itself
from integrations.models import Callback
from integrations.stories import rooms
from integrations.stories.rooms import Room, Words
from integrations.vendors import client, configs, genesys_callbacks
from integrations.vendors.genesys_callbacks import Accepted, Command
from tickets import actions as tickets
from tickets.actions import Meaning

logger = logging.getLogger(__name__)

State = Callback.State

DESTINATION = "callback"
# What was asked for longer ago and has no outcome never gets one: whoever asked is gone.
LOST = timedelta(minutes=5)
KEPT = timedelta(days=90)
FARTHEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Made:
    """A callback that Genesys took, and the room in which it happens."""

    room: Room
    accepted: Accepted


def hold(*, verification_id: str, code: str, via: Via) -> OtpVerification:
    """Prove a customer by a verification and its code, and keep the pair until `let_go`, or until a callback uses it up.

    Raises WrongCredentials for a wrong, unknown, expired or consumed pair, CredentialRevoked when another request holds it, or
    its organisation is suspended.
    """
    try:
        found = OtpVerification.objects.select_related("organization").filter(pk=UUID(verification_id)).first()
    except ValueError as e:
        raise WrongCredentials("no such pair") from e
    if found is None:
        raise WrongCredentials("no such pair")
    if found.organization.is_suspended:
        raise CredentialRevoked("the organisation is suspended")
    return otp.hold(organization=found.organization, verification_id=verification_id, code=code, via=via)


def let_go(verification: OtpVerification) -> None:
    """Give a held pair back, unless a callback used it up."""
    otp.release(verification)


def holder(verification: OtpVerification, *, via: Via) -> Principal:
    """Answer the principal of whoever holds a pair: a customer of the verification's organisation, who may do nothing else."""
    organization = verification.organization
    return Principal(
        kind=Kind.CUSTOMER, id=str(verification.pk), name=f"code {verification.pk}", via=via, organization_id=organization.pk,
        organization_name=organization.name,
    )  # fmt: skip


def require_requester(by: Principal, verification: OtpVerification | None) -> None:
    """Go on only for whoever holds a pair, and for clients that may use the facades. Raises NotAllowed."""
    if verification is None:
        rooms.require_opener(by)


def require_own_number(verification: OtpVerification | None, numbers: Any) -> None:
    """Go on only if the holder of a pair asks for the very number that it proves; anything wider is toll fraud.

    What are no numbers at all is not judged here. Raises NotAllowed.
    """
    are_numbers = isinstance(numbers, list) and bool(numbers) and all(isinstance(one, str) for one in numbers)
    if verification is None or not are_numbers:
        return
    # A pair that was sent by mail proves no number.
    if not verification.prefix or numbers != [verification.recipient]:
        raise NotAllowed("not the number that was verified")


def request(
    *,
    by: Principal,
    application: Application,
    command: Command,
    words: Words,
    verification: OtpVerification | None = None,
    scheduled_at: datetime | None = None,
    base: str = "",
    ttl: int | None = None,
) -> Made:
    """Ask Genesys once for a callback, with a ticket for the customer that lives `ttl` seconds from the scheduled time, or from now.

    `command` is the callback in Genesys' words, `verification` the held pair that opens it, `base` what the links begin with if
    not the portal itself. Unless Genesys takes it, no ticket stays alive, and the pair is not used up; it stays the caller's to
    give back. Call it outside a transaction. Raises NotAllowed, NotFound (the application is over), Invalid naming
    `application`, `scheduled_at`, `base`, `queueName` or the configuration, UpstreamRefused, UpstreamUnavailable.
    """
    at = clock.now()
    require_requester(by, verification)
    require_own_number(verification, command["callbackNumbers"])
    rooms.require_open(application, at=at)
    if application.type != genesys_callbacks.TYPE:
        raise Invalid("application", fields={"application": [_("It is not connected with Genesys.")]})
    if scheduled_at is not None and not at <= scheduled_at <= at + FARTHEST:
        raise Invalid("scheduled_at", fields={"scheduled_at": [_("It is past, or too far away.")]})
    base = rooms.base_of(application.organization, base) if base else settings.PUBLIC_URL
    config, until = configs.checked(application), client.deadline()

    row = Callback.objects.create(
        organization_id=application.organization_id, application=application, queue=genesys_callbacks.queue_of(command),
        scheduled_at=scheduled_at, requested_by=by.actor_name[:200], created_at=at,
    )  # fmt: skip
    try:
        ready = genesys_callbacks.with_queue_ids(application=application, config=config, command=command, until=until)
        issuer = by if verification is None else by_itself("callbacks").coming(by.via)
        room = _furnish(row, application, by=issuer, base=base, scheduled_at=scheduled_at, words=words, ttl=ttl)
        accepted = genesys_callbacks.request(
            application=application, config=config, command=_with_links(ready, room), until=until
        )
        _accept(row, accepted, verification, via=by.via)
    except BaseException as e:
        try:
            _undo(row, why=e, via=by.via)
        except DatabaseError:
            # What went wrong first is what matters; the sweep takes the ticket away.
            logger.exception("a callback was not undone", extra={"callback": str(row.pk)})
        raise
    return Made(room, accepted)


def sweep(*, limit: int = 100) -> int:
    """Undo callbacks whose process died on the way: nobody knows their outcome, and their tickets must not outlive it.

    Answers how many there were.
    """
    lost = Callback.objects.filter(state=State.REQUESTED, created_at__lt=clock.now() - LOST).order_by("created_at")
    return sum(_undo(row, why=Unavailable("interrupted"), via=Via(door="callbacks")) for row in lost[:limit])


def purge(*, batch: int = 500) -> int:
    """Forget callbacks that are long over, a batch at a time; answers how many."""
    before = clock.now() - KEPT
    old = (
        Callback.objects.filter(created_at__lt=before).exclude(scheduled_at__gte=before).exclude(state=State.REQUESTED)
    )
    keys = list(old.order_by("created_at").values_list("pk", flat=True)[:batch])
    return Callback.objects.filter(pk__in=keys).delete()[0]


@transaction.atomic
def _furnish(
    row: Callback,
    application: Application,
    *,
    by: Principal,
    base: str,
    scheduled_at: datetime | None,
    words: Words,
    ttl: int | None,
) -> Room:
    """Make the room and note its ticket in one transaction: whatever happens next, somebody knows which ticket to take away."""
    meaning = Meaning(conference=str(uuid4()), scheduled_at=scheduled_at)
    room = rooms.furnish(
        by=by, application=application, base=base, meaning=meaning, words=words, destination=DESTINATION, ttl=ttl
    )
    if Callback.objects.filter(pk=row.pk, state=State.REQUESTED).update(ticket=room.ticket) != 1:
        raise Unavailable("it took too long")
    return room


def _with_links(command: Command, room: Room) -> Command:
    """Add what the agent needs to the data that travel with the call; ours win, or a stranger would send agents anywhere."""
    links = {
        "conferenceId": room.conference, "ticketId": room.ticket_id, "agentUrl": room.agent_link, "ticketUrl": room.ticket_link,
    }  # fmt: skip
    return {**command, "data": {**command.get("data", {}), **links}}


@transaction.atomic
def _accept(row: Callback, accepted: Accepted, verification: OtpVerification | None, *, via: Via) -> None:
    """Settle a callback and use the pair up, both or neither; claimed by the write, or the sweep could have taken the ticket."""
    open_ = Callback.objects.filter(pk=row.pk, state=State.REQUESTED)
    conversation = accepted.conversation["id"][:100]
    if open_.update(state=State.ACCEPTED, conversation=conversation, settled_at=clock.now()) != 1:
        raise Unavailable("it took too long")
    if verification is not None:
        otp.consume(verification, via=via)


@transaction.atomic
def _undo(row: Callback, *, why: BaseException, via: Via) -> bool:
    """Settle a callback that came to nothing and take its ticket away; answers whether it was still open."""
    state = State.REFUSED if isinstance(why, UpstreamRefused | Invalid) else State.UNAVAILABLE
    error = why.message if isinstance(why, DomainError) else type(why).__name__
    open_ = Callback.objects.filter(pk=row.pk, state=State.REQUESTED)
    if open_.update(state=state, error=error[:200], settled_at=clock.now()) != 1:
        return False
    ticket = Callback.objects.select_related("ticket__organization").get(pk=row.pk).ticket
    if ticket is not None and ticket.deleted_at is None:
        # Somebody may have taken it away meanwhile, which is what is wanted.
        with suppress(NotFound):
            tickets.delete(by=by_itself("callbacks").coming(via), ticket=ticket)
    return True
