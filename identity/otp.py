"""Sends codes to telephones and mailboxes and checks what comes back: pending, approved, consumed (dialects.md 3.2 OTP)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from identity import clock, crypto, idempotency, otp_guard, otp_texts, outbox, policy, recipients
from identity.errors import CredentialRevoked, Invalid, NotFound, TooManyAttempts, WrongCredentials
from identity.models import Application, Organization, OtpVerification, OutboxMessage
from identity.otp_sending import PURPOSE, Sending, bound, can_be_opened, is_pending, record
from identity.principal import Kind, Principal, Via
from identity.recipients import Recipient

Channel = OutboxMessage.Channel

LONGEST_KEY = 255
# How long another check is waited for that is being looked at right now, and may turn out right.
PATIENCE, POLL = timedelta(seconds=3), timedelta(milliseconds=20)
# A pair is one caller's for so long; longer than any call to a vendor takes.
HELD = timedelta(seconds=90)
FORGOTTEN = timedelta(days=90)


def stranger(application: Application, *, via: Via) -> Principal:
    """Answer the principal of whoever comes through an application that lets strangers ask for codes, and for nothing else."""
    organization = application.organization
    return Principal(
        kind=Kind.APPLICATION, id=application.pk, name=f"application {application.pk}", via=via, organization_id=organization.pk,
        organization_name=organization.name, permissions=frozenset({policy.Permission.CODES.value}),
    )  # fmt: skip


def request(
    *,
    by: Principal,
    organization: Organization,
    to: str,
    channel: str | None = None,
    locale: str | None = None,
    name: str = "",
    key: str = "",
) -> str:
    """Send a code and answer the id of its verification; while that is pending, the same code goes out again under the same id.

    `to` is an E.164 number or an e-mail address, `channel` SMS unless said or unless `to` is an address, `locale` the country's
    unless said, `name` stands in the message; `key` makes a repeated request one. Raises NotAllowed, Invalid naming `to`,
    `channel`, `locale`, `name` or `key`, and TooManyAttempts at any limit (clarifications 36).
    """
    policy.require(by, policy.Permission.CODES)
    at = clock.now()
    otp_guard.admit_address(by.via.address, at=at)
    chosen = _channel(channel, to=to)
    recipient = recipients.parse(to)
    recipients.check(recipient, channel=chosen, countries=organization.otp_countries)
    language = otp_texts.language_of(locale=locale, country=recipient.country)
    shown = otp_texts.check_name(name)
    said = {"to": recipient.key, "channel": chosen, "locale": language, "name": shown}

    def deed() -> str:
        return _request(by, organization, recipient, channel=chosen, locale=language, name=shown, at=at)

    if not key:
        with transaction.atomic():
            return deed()
    if len(key) > LONGEST_KEY:
        raise Invalid("key", fields={"key": [_("At most 255 characters.")]})
    return idempotency.once(scope=f"otp|{organization.pk}|{by.kind}|{by.id}", key=key, said=said, at=at, deed=deed)


def check(*, by: Principal, organization: Organization, to: str, code: str, verification_id: str) -> None:
    """Approve a verification whose code came back; may be repeated until it is consumed.

    Every try is counted, in a statement of its own that commits before the code is looked at, so call it outside a transaction;
    what was right is taken back. Raises NotAllowed, Invalid naming `code` when the code or `to` is wrong, NotFound when the id
    is unknown, another organisation's, expired, consumed or exhausted.
    """
    policy.require(by, policy.Permission.CODES)
    at = clock.now()
    verification = _admit_check(organization, verification_id, at=at)
    try:
        is_right = recipients.parse(to).key == verification.recipient_key
    except Invalid:
        is_right = False
    if not _evaluate(verification, code, is_right=is_right, via=by.via, by=by, at=at):
        raise Invalid("code", fields={"code": [_("This is not the code that was sent there.")]})


def hold(*, organization: Organization, verification_id: str, code: str, via: Via) -> OtpVerification:
    """Prove a pair of id and code and keep it for this caller until `consume` or `release` (clarifications 38).

    A pending right pair is approved by this. Raises WrongCredentials for a wrong, unknown, expired, exhausted or consumed one,
    CredentialRevoked when another caller holds it right now.
    """
    at = clock.now()
    try:
        verification = _admit_check(organization, verification_id, at=at)
    except NotFound as e:
        raise WrongCredentials("no such pair") from e
    if not _evaluate(verification, code, is_right=True, via=via, by=None, at=at):
        raise WrongCredentials("no such pair")
    free = OtpVerification.objects.filter(
        Q(held_until=None) | Q(held_until__lt=at), pk=verification.pk, consumed_at=None
    )
    if free.update(held_until=at + HELD) != 1:
        raise CredentialRevoked("it is being used by another request")
    return verification


def release(verification: OtpVerification) -> None:
    """Give a held pair back: what it was to open did not happen."""
    OtpVerification.objects.filter(pk=verification.pk, consumed_at=None).update(held_until=None)


def consume(verification: OtpVerification, *, via: Via) -> None:
    """Use a held pair up. Joins the caller's transaction. Raises WrongCredentials when it was used up meanwhile."""
    unused = OtpVerification.objects.filter(pk=verification.pk, consumed_at=None)
    if unused.update(consumed_at=clock.now(), held_until=None, code_sealed="") != 1:
        raise WrongCredentials("used already")
    record("otp.consumed", verification, via=via)


def purge(*, batch: int = 200) -> int:
    """Wipe the codes of what has expired and forget old verifications, a batch at a time; answers how many were touched."""
    at = clock.now()
    over = OtpVerification.objects.filter(expires_at__lte=at)
    worn = list(over.exclude(code_sealed="").values_list("pk", flat=True)[:batch])
    OtpVerification.objects.filter(pk__in=worn).update(code_sealed="", fallback_at=None)
    old = list(over.filter(expires_at__lt=at - FORGOTTEN).values_list("pk", flat=True)[:batch])
    return len(worn) + OtpVerification.objects.filter(pk__in=old).delete()[0]


def _channel(channel: str | None, *, to: str) -> Channel:
    if channel is None:
        return Channel.EMAIL if "@" in to else Channel.SMS
    if channel not in Channel.values:
        raise Invalid("channel", fields={"channel": [_("Known are SMS, VOICE and EMAIL.")]})
    return Channel(channel)


def _request(
    by: Principal,
    organization: Organization,
    recipient: Recipient,
    *,
    channel: Channel,
    locale: str,
    name: str,
    at: datetime,
) -> str:
    """Count, find or make the verification, and put its message into the outbox; all of it or nothing."""
    context = Sending(organization, recipient, channel, locale, name, asked_by=by.id)
    # The count of this recipient is taken first and held to the end: of two requests at once the second one sees the first.
    context.admit(at=at)
    known = OtpVerification.objects.filter(organization=organization, recipient_key=recipient.key)
    # Locked: a code that is entered right now is not sent once more behind the back of whoever takes its messages back.
    latest = known.select_for_update().order_by("-created_at").first()
    pause = timedelta(seconds=settings.OTP_RESEND_SECONDS)
    if pause and latest is not None and latest.last_sent_at is not None and latest.last_sent_at + pause > at:
        raise TooManyAttempts(_("A code was just sent there."), retry_after=latest.last_sent_at + pause - at)
    is_sent_again = latest is not None and is_pending(latest, at=at) and can_be_opened(latest)
    verification = latest if latest is not None and is_sent_again else context.make(at=at)
    verification.organization = organization
    context.send(verification, at=at)
    record("otp.requested", verification, by=by, via=by.via, channel=channel, sends=verification.sends)
    return str(verification.pk)


def _admit_check(organization: Organization, verification_id: str, *, at: datetime) -> OtpVerification:
    """Count one check before anything is compared (security.md M4, M5, P3). Raises NotFound."""
    try:
        pk = UUID(verification_id)
    except ValueError as e:
        raise NotFound("no such verification") from e
    open_ = OtpVerification.objects.filter(pk=pk, organization=organization, consumed_at=None, expires_at__gt=at)
    until = time.monotonic() + PATIENCE.total_seconds()
    while not open_.filter(attempts__lt=settings.OTP_MAX_CHECKS).update(attempts=F("attempts") + 1):
        # Full, but for checks that are being looked at right now and are given back when they turn out right.
        is_under_way = open_.filter(failures__lt=settings.OTP_MAX_CHECKS).exists()
        if not is_under_way or time.monotonic() > until:
            raise NotFound("no such verification")
        time.sleep(POLL.total_seconds())
    return OtpVerification.objects.select_related("organization").get(pk=pk)


def _evaluate(
    verification: OtpVerification, code: str, *, is_right: bool, via: Via, by: Principal | None, at: datetime
) -> bool:
    """Compare, and write down what came of it: a right code approves and is given its count back, a wrong one stays counted."""
    is_code = crypto.matches(bound(verification, code), verification.code_digest, purpose=PURPOSE)
    if is_code and is_right:
        _approve(verification, via=via, by=by, at=at)
        return True
    otp_guard.note_wrong(verification=verification, at=at)
    row = OtpVerification.objects.filter(pk=verification.pk)
    row.update(failures=F("failures") + 1)
    with transaction.atomic():
        is_exhausted = row.filter(failures__gte=settings.OTP_MAX_CHECKS).exclude(code_sealed="").update(code_sealed="", fallback_at=None)  # fmt: skip
        record("otp.exhausted" if is_exhausted else "otp.failed", verification, via=via, by=by)
    if is_exhausted:
        outbox.withdraw(about=str(verification.pk))
    return False


def _approve(verification: OtpVerification, *, via: Via, by: Principal | None, at: datetime) -> None:
    row = OtpVerification.objects.filter(pk=verification.pk)
    with transaction.atomic():
        is_first = row.filter(approved_at=None).update(approved_at=at, code_sealed="", fallback_at=None) == 1
        row.update(attempts=F("attempts") - 1)
        if is_first:
            record("otp.approved", verification, via=via, by=by)
    if is_first:
        # After the commit, and each by itself: a send that is under way holds these rows in another order.
        otp_guard.note_entered(verification=verification)
        outbox.withdraw(about=str(verification.pk))
