"""Keeps codes from being a way to earn money or to annoy people: limits, budgets, and ranges of numbers that look like fraud.

Everything is counted in the transaction of the send, in one order, so that many at once never pass a limit nor wait for each
other in a circle; what is refused is not counted.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from identity import audit, clock, limits, policy
from identity.errors import NotFound, TooManyAttempts
from identity.limits import Rate
from identity.models import Organization, OtpVerification, PrefixPause
from identity.principal import Principal, Via
from identity.recipients import Recipient

# How long a caller is told to wait for a person to look at a paused prefix.
UNTIL_RESUMED = timedelta(hours=1)
DAY = timedelta(days=1)
# Money is counted in ten-thousandths, as prices have four decimals.
UNIT = Decimal("0.0001")


def admit_address(address: str, *, at: datetime) -> None:
    """Count every request for a code by its client address (clarifications 57). Raises TooManyAttempts."""
    if address:
        rate = Rate.of(settings.THROTTLE_OTP_PER_ADDRESS)
        _take(limits.key_for("otp-address", address), rate, at=at)


def admit_send(
    *, recipient: Recipient, organization: Organization, asked_by: str, price: Decimal | None, at: datetime
) -> None:
    """Count one message with a code, all channels of a recipient together. Raises TooManyAttempts.

    The recipient comes first: whoever asks for the same one at the same time waits here for his turn.
    """
    whom = (organization.pk, recipient.key)
    life = timedelta(seconds=settings.OTP_LIFETIME_SECONDS)
    _take(limits.key_for("otp-sends", *whom), Rate(settings.OTP_MAX_SENDS, life), at=at)
    _take(limits.key_for("otp-recipient", *whom), Rate.of(settings.OTP_PER_RECIPIENT), at=at)
    _refuse_guessed_at(organization, recipient, at=at)
    if recipient.prefix:
        _admit_prefix(organization, recipient, at=at)
    _take(limits.key_for("otp-client", organization.pk, asked_by), Rate.of(settings.OTP_PER_CLIENT), at=at)
    _take(limits.key_for("otp-organization", organization.pk), Rate.of(settings.OTP_PER_ORGANISATION), at=at)
    _spend(organization, price, at=at)


def note_new(*, verification: OtpVerification, at: datetime) -> None:
    """Count a new code for a range of numbers, and pause the range when none of its codes is ever entered."""
    organization = verification.organization
    rate = Rate.of(settings.OTP_PREFIX_UNENTERED)
    if not verification.prefix or limits.charge(_unentered(verification), rate, at=at).is_within:
        return
    of_range = OtpVerification.objects.filter(organization=organization, prefix=verification.prefix)
    recent = of_range.filter(created_at__gt=_unread_since(verification, at=at - rate.window), approved_at=None)
    numbers = recent.values("recipient_key").distinct().count()
    if numbers < rate.limit:
        return  # few people who ask often are no range that somebody rents
    is_reported = organization.otp_guard_only_reports
    # A range that was only reported is paused for good once the guard does more than report; nobody has to resume it first.
    PrefixPause.objects.update_or_create(
        organization=organization, prefix=verification.prefix, resumed_at=None,
        defaults={"is_only_reported": is_reported, "numbers": numbers, "paused_at": at, "country": verification.country},
    )  # fmt: skip
    limits.clear(_unentered(verification))
    audit.record(
        "otp.prefix_paused", via=Via(door="otp"), actor_name="switchboard", subject=verification.prefix, organization=organization,
        rule="reported" if is_reported else "paused", numbers=numbers,
    )  # fmt: skip


def note_entered(*, verification: OtpVerification) -> None:
    """Somebody reads the messages of this range."""
    if verification.prefix:
        limits.clear(_unentered(verification))


def note_wrong(*, verification: OtpVerification, at: datetime) -> None:
    """Count a wrong code against its recipient, over all its codes."""
    limits.charge(_failures(verification.organization_id, verification.recipient_key), Rate.of(settings.OTP_FAILURES_PER_RECIPIENT), at=at)  # fmt: skip


def price_of(organization: Organization, *, country: str, channel: str, segments: int) -> Decimal | None:
    """Answer what a message costs by the organisation's own table, where it says so; a text message costs its price per segment."""
    said = organization.message_prices.get(country, {}).get(channel)
    return Decimal(str(said)).quantize(UNIT) * segments if said is not None else None


def resume(*, by: Principal, pause: PrefixPause) -> None:
    """Let codes go to a paused range of numbers again. Raises NotAllowed, NotFound (a foreign one)."""
    if not by.is_system:
        policy.forbid_while_acting(by)
        policy.require(by, policy.Permission.MESSAGES_MANAGE)
        if by.organization_id is not None and by.organization_id != pause.organization_id:
            raise NotFound("no such pause")
    with transaction.atomic():
        open_ = PrefixPause.objects.filter(pk=pause.pk, resumed_at=None)
        if open_.exists():
            # The count first, then the pause, as when a code goes there: in two orders, two would wait in a circle.
            limits.clear(limits.key_for("otp-unentered", pause.organization_id, pause.prefix))
        if open_.update(resumed_at=clock.now(), resumed_by=by.actor_name[:200]):
            audit.record("otp.prefix_resumed", by=by, subject=pause.prefix, organization=pause.organization)


def _unread_since(verification: OtpVerification, *, at: datetime) -> datetime:
    """Answer since when nobody proved a range: since a moment, or since somebody entered a code there or resumed it later."""
    of_range = {"organization": verification.organization, "prefix": verification.prefix}
    entered = OtpVerification.objects.filter(**of_range, created_at__gt=at).aggregate(at=Max("approved_at"))["at"]
    resumed = PrefixPause.objects.filter(**of_range).aggregate(at=Max("resumed_at"))["at"]
    return max(moment for moment in (at, entered, resumed) if moment is not None)


def _admit_prefix(organization: Organization, recipient: Recipient, *, at: datetime) -> None:
    """Guesses about fraud: an organisation may have them reported only."""
    paused = PrefixPause.objects.filter(organization=organization, prefix=recipient.prefix, resumed_at=None)
    counted = limits.charge(
        limits.key_for("otp-prefix", organization.pk, recipient.prefix), Rate.of(settings.OTP_PER_PREFIX), at=at
    )
    if organization.otp_guard_only_reports:
        if not counted.is_within:
            audit.refused(
                "otp.reported", via=Via(door="otp"), subject=None, name=recipient.prefix, organization=organization, rule="prefix",
            )  # fmt: skip
        return
    if paused.filter(is_only_reported=False).exists():
        raise TooManyAttempts(_("This range of numbers is paused."), retry_after=UNTIL_RESUMED)
    if not counted.is_within:
        raise TooManyAttempts(retry_after=counted.until - at)


def _refuse_guessed_at(organization: Organization, recipient: Recipient, *, at: datetime) -> None:
    """No new code for whom so many wrong ones were entered that somebody is guessing."""
    count, until = limits.standing(_failures(organization.pk, recipient.key), at=at)
    if until is not None and count >= settings.OTP_FAILURES_PER_RECIPIENT[0]:
        raise TooManyAttempts(retry_after=until - at)


def _spend(organization: Organization, price: Decimal | None, *, at: datetime) -> None:
    """Count a message, and its price, against what the organisation allows itself per day (UTC)."""
    midnight = datetime.combine(at.date(), time.min, tzinfo=at.tzinfo) + DAY
    if organization.message_budget_per_day is not None:
        key = limits.key_for("otp-budget", organization.pk, at.date())
        _take(key, Rate(organization.message_budget_per_day, midnight - at), at=at)
    if organization.money_budget_per_day is not None and price:
        key = limits.key_for("otp-money", organization.pk, at.date())
        _take(key, Rate(_units(organization.money_budget_per_day), midnight - at), at=at, amount=_units(price))


def _units(money: Decimal) -> int:
    return int(money / UNIT)


def _take(key: str, rate: Rate, *, at: datetime, amount: int = 1) -> None:
    counted = limits.charge(key, rate, at=at, amount=amount)
    if not counted.is_within:
        raise TooManyAttempts(retry_after=counted.until - at)


def _unentered(verification: OtpVerification) -> str:
    return limits.key_for("otp-unentered", verification.organization_id, verification.prefix)


def _failures(organization_id: Any, recipient_key: str) -> str:
    return limits.key_for("otp-failures", organization_id, recipient_key)
