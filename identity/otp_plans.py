"""Sends a code that nobody entered by the next channel of its organisation's plan, until it is entered."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from identity import clock, crypto, recipients
from identity.errors import DomainError, NotFound
from identity.models import Membership, Organization, OtpVerification, OutboxMessage
from identity.otp_sending import Channel, Sending, is_pending, plan_of, record
from identity.principal import Via, by_itself

VIA = Via(door="otp")


def follow(*, limit: int = 100) -> int:
    """Send codes that nobody entered by the next channel of their organisation's plan; answers how many went out."""
    at = clock.now()
    due = OtpVerification.objects.select_related("organization").filter(
        fallback_at__lte=at, organization__suspended_at=None
    )
    return sum(_fall_back(verification, at=at) for verification in due.order_by("fallback_at")[:limit])


def undelivered(message_id: UUID | str) -> None:
    """The gateway says that a message did not arrive: the plan goes on at once."""
    about = OutboxMessage.objects.filter(pk=message_id).values_list("subject_key", flat=True).first()
    if about:
        at = clock.now()
        OtpVerification.objects.filter(pk=about, fallback_at__gt=at, approved_at=None).update(fallback_at=at)


def _fall_back(verification: OtpVerification, *, at: datetime) -> bool:
    """Take one step of the plan, unless another worker took it, or the code was entered meanwhile."""
    organization = verification.organization
    step = verification.fallback_step
    plan = plan_of(organization)
    mine = OtpVerification.objects.filter(pk=verification.pk, fallback_step=step, fallback_at__lte=at)
    if step >= len(plan) or not is_pending(verification, at=at):
        mine.update(fallback_at=None)
        return False
    channel = plan[step][0]
    try:
        with transaction.atomic():
            sending, to = _sending_by(channel, verification)
            # Counted before the row is claimed, in the order of whoever asks for a code: in two orders, two would wait for
            # each other in a circle.
            sending.admit(at=at)
            if mine.update(fallback_step=step + 1, fallback_at=None) != 1:
                transaction.set_rollback(True)
                return False
            verification.fallback_step = step + 1
            sending.send(verification, at=at, to=to)
            record("otp.fell_back", verification, by=by_itself("otp"), via=VIA, channel=channel)
            return True
    except (DomainError, crypto.SealBroken) as e:
        # A limit is reached, a channel does not serve this number, the key is gone: the plan ends here, and says so.
        if mine.update(fallback_at=None):
            record("otp.fallback_refused", verification, via=VIA, channel=channel, why=type(e).__name__)
        return False


def _sending_by(channel: Channel, verification: OtpVerification) -> tuple[Sending, str]:
    """Answer what goes out by a channel, and to where. Raises Invalid, NotFound when the channel does not serve this number."""
    organization = verification.organization
    recipient, to = recipients.parse(verification.recipient), verification.recipient
    if channel == Channel.EMAIL:
        to = _mailbox_of(organization, verification.recipient)
    else:
        recipients.check(recipient, channel=channel, countries=organization.otp_countries)
    name, asked_by = verification.name, verification.asked_by
    return Sending(organization, recipient, channel, verification.locale, name, asked_by=asked_by), to


def _mailbox_of(organization: Organization, number: str) -> str:
    """Answer the address of the one person of the organisation who has this number. Raises NotFound when there is none, or two."""
    people = Membership.objects.filter(organization=organization, user__is_active=True).filter(
        Q(user__mobile=number) | Q(user__phone=number)
    )
    addresses = list(people.values_list("user__email", flat=True)[:2])
    if len(addresses) != 1:
        raise NotFound("nobody's address is known by this number")
    return str(addresses[0])
