"""Makes a code, puts it into words and into the outbox, and remembers when its organisation's plan goes on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db.models import F

from identity import audit, crypto, otp_guard, otp_texts, outbox
from identity.models import Organization, OtpVerification, OutboxMessage
from identity.principal import Principal, Via
from identity.recipients import Recipient

Channel = OutboxMessage.Channel

PURPOSE = "otp"
FALLBACK_AFTER = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)


class Sending:
    """One code on its way to one recipient by one channel: what it says, what it costs, and the row that remembers it."""

    def __init__(self, organization: Organization, recipient: Recipient, channel: Channel, locale: str, name: str, *, asked_by: str) -> None:  # fmt: skip
        self.organization, self.recipient, self.channel, self.locale = organization, recipient, channel, locale
        self.name, self.asked_by = name, asked_by

    def words(self, code: str, *, left: timedelta) -> dict[str, str]:
        """Answer what the templates show; `left` is how long the code still lives."""
        return otp_texts.context(
            channel=self.channel, locale=self.locale, code=code, name=self.name, minutes=max(1, left // MINUTE), organization=self.organization,
        )  # fmt: skip

    def admit(self, *, at: datetime) -> None:
        """Count the message at every limit. Raises TooManyAttempts."""
        otp_guard.admit_send(
            recipient=self.recipient, organization=self.organization, asked_by=self.asked_by, price=self.price(), at=at
        )

    def price(self) -> Any:
        """Answer what this message costs; any code is as long as any other."""
        life = timedelta(seconds=settings.OTP_LIFETIME_SECONDS)
        segments = otp_texts.segments(self.words("000000", left=life)["text"]) if self.channel == Channel.SMS else 1
        return otp_guard.price_of(
            self.organization, country=self.recipient.country, channel=self.channel, segments=segments
        )

    def make(self, *, at: datetime) -> OtpVerification:
        """Make a new verification with a new code."""
        verification = OtpVerification(
            id=uuid4(), organization=self.organization, recipient=self.recipient.address, recipient_key=self.recipient.key,
            country=self.recipient.country, prefix=self.recipient.prefix, channel=self.channel, locale=self.locale, name=self.name,
            asked_by=self.asked_by[:200], created_at=at, expires_at=at + timedelta(seconds=settings.OTP_LIFETIME_SECONDS),
        )  # fmt: skip
        code = crypto.make_code()
        verification.code_digest = crypto.digest(bound(verification, code), purpose=PURPOSE)
        verification.code_sealed = crypto.seal(code, place=verification.place())
        verification.save(force_insert=True)
        otp_guard.note_new(verification=verification, at=at)
        return verification

    def send(self, verification: OtpVerification, *, at: datetime, to: str = "") -> OutboxMessage:
        """Put the code into the outbox, urgent, and plan what happens when nobody enters it."""
        code = crypto.open_sealed(verification.code_sealed, place=verification.place())
        left = verification.expires_at - at
        first, after = _next_step(self.organization, verification, sent=self.channel)
        verification.sends += 1
        changed = {
            "sends": F("sends") + 1, "last_sent_at": at, "fallback_step": first, "fallback_at": None if after is None else at + after,
        }  # fmt: skip
        OtpVerification.objects.filter(pk=verification.pk).update(**changed)
        return outbox.put(
            channel=self.channel, to=to or self.recipient.address, template="otp", context=self.words(code, left=left), locale=self.locale,
            organization=self.organization, about=str(verification.pk), useful_for=left, is_urgent=True,
            country=self.recipient.country, price=self.price(),
        )  # fmt: skip


def is_pending(verification: OtpVerification, *, at: datetime) -> bool:
    """Say whether a second request sends this code again: nobody entered it, and somebody still may."""
    is_open = verification.approved_at is None and verification.consumed_at is None and verification.expires_at > at
    return is_open and verification.attempts < settings.OTP_MAX_CHECKS and bool(verification.code_sealed)


def can_be_opened(verification: OtpVerification) -> bool:
    """Say whether its code can still be said: without the key under which it was sealed, somebody who asks gets a new one."""
    try:
        return bool(crypto.open_sealed(verification.code_sealed, place=verification.place()))
    except crypto.SealBroken:
        return False


def bound(verification: OtpVerification, code: str) -> str:
    """Bind a code to its verification and its recipient: it is good for nothing else."""
    return f"{verification.pk}|{verification.recipient_key}|{code}"


def plan_of(organization: Organization) -> list[tuple[Channel, timedelta]]:
    """Read an organisation's plan: lines like "VOICE 60", a channel and the seconds after the step before."""
    lines = (line.split() for line in organization.message_fallbacks)
    return [(Channel(words[0]), timedelta(seconds=int(words[1])) if words[1:] else FALLBACK_AFTER) for words in lines]


def _next_step(
    organization: Organization, verification: OtpVerification, *, sent: Channel
) -> tuple[int, timedelta | None]:
    """Answer the step of the plan that comes after a send, and after how long; mail is where a plan ends, not where it begins."""
    plan = plan_of(organization) if verification.prefix else []
    step = verification.fallback_step
    while step < len(plan) and plan[step][0] == sent:
        step += 1
    return step, plan[step][1] if step < len(plan) else None


def record(event: str, verification: OtpVerification, *, via: Via, by: Principal | None = None, **details: Any) -> None:
    """Write what happened under the verification's id: never the number, never the code."""
    audit.record(
        event, by=by, via=via, actor_name="" if by else "switchboard", subject=str(verification.pk), organization=verification.organization, **details
    )  # fmt: skip
