"""Enrols, asks for and takes away second factors; it and models/factor.py alone import django-otp."""

from __future__ import annotations

import secrets
from base64 import b32encode
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlencode

from django.db import transaction
from django.utils.translation import gettext as _

from identity import audit, clock, crypto, policy, sessions, users
from identity.errors import Invalid, NotAllowed, NotFound
from identity.models import BackupCode, Session, TotpDevice, User
from identity.principal import Principal

SECRET_BYTES = 20
BACKUP_CODES = 10
# How long a secret waits for its first code.
WAITING = timedelta(hours=1)
PURPOSE = "backup-code"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs: the secret in base32 and the otpauth address for the QR code."""

    secret: str
    address: str

    def __repr__(self) -> str:
        return "Enrolment(…)"


@transaction.atomic
def begin(*, by: Principal, user: User) -> Enrolment:
    """Make a secret that counts once a code of it was shown (`confirm`); one that waits for its code is shown again.

    Raises NotAllowed when a factor is enrolled: a stolen session must not put another in its place (`remove` it first).
    """
    policy.forbid_while_acting(by)
    _own_or_console(by, user)
    _none_yet(user)
    waiting = TotpDevice.objects.filter(user=user, confirmed=False)
    device = waiting.filter(created_at__gt=clock.now() - WAITING).first()
    if device is None:
        waiting.delete()
        device = _make_device(user, confirmed=False)
    return _enrolment(user, device)


@transaction.atomic
def confirm(*, by: Principal, user: User, code: str) -> list[str]:
    """Enrol with a first code of the app; answers ten backup codes, told once. Raises Invalid naming `otp`, NotAllowed.

    The session that it is done in has passed the factor thereby.
    """
    policy.forbid_while_acting(by)
    _own_or_console(by, user)
    _none_yet(user)
    device = TotpDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None or not device.verify_token(code.strip()):
        raise Invalid("otp", fields={"otp": [_("This code is wrong, or was used already.")]})
    TotpDevice.objects.filter(pk=device.pk).update(confirmed=True)
    Session.objects.filter(pk=by.session_id, user=user).update(second_factor_at=clock.now())
    return _enrolled(by, user)


@transaction.atomic
def enrol(*, by: Principal, user: User) -> Enrolment:
    """Enrol a person at once, from the console."""
    TotpDevice.objects.filter(user=user).delete()
    device = _make_device(user, confirmed=True)
    _enrolled(by, user)
    return _enrolment(user, device)


@transaction.atomic
def remove(*, by: Principal, user: User) -> None:
    """Take all factors away: one's own, or another's by an admin. Raises NotAllowed, NotFound."""
    policy.forbid_while_acting(by)
    if by.user_id != user.pk:
        users.require_manager(by=by, user=user)
    TotpDevice.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    User.objects.filter(pk=user.pk).update(has_second_factor=False)
    user.has_second_factor = False
    event = "factor.removed" if by.user_id == user.pk else "factor.reset"
    audit.record(event, by=by, subject=user, organization=user.default_organization)
    if by.user_id != user.pk:
        sessions.close_all(user=user, reason="factor", by=by)


@transaction.atomic
def new_backup_codes(*, by: Principal, user: User) -> list[str]:
    """Replace the backup codes; answers them, told once. Raises NotAllowed for people without a factor."""
    policy.forbid_while_acting(by)
    _own_or_console(by, user)
    if not TotpDevice.objects.filter(user=user, confirmed=True).exists():
        raise NotAllowed("no second factor is enrolled")
    audit.record("factor.backup_codes", by=by, subject=user, organization=user.default_organization)
    return _make_backup_codes(user)


@transaction.atomic
def check(*, user: User, code: str) -> bool:
    """Say whether a code of the app, or a backup code, is right, and spend it: a code serves once under any concurrency."""
    said = code.strip().replace(" ", "")
    device = TotpDevice.objects.select_for_update().filter(user=user, confirmed=True).first()
    if device is not None and device.verify_token(said):
        return True
    spelled = said.replace("-", "").upper()
    return bool(
        BackupCode.objects.filter(
            user=user, digest__in=crypto.digests(f"{user.pk}:{spelled}", purpose=PURPOSE), used_at=None
        ).update(used_at=clock.now())
    )


def backup_codes_left(user: User) -> int:
    """Answer how many backup codes are unused."""
    return BackupCode.objects.filter(user=user, used_at=None).count()


def _make_device(user: User, *, confirmed: bool) -> TotpDevice:
    device = TotpDevice(user=user, name="app", confirmed=confirmed)
    device.secret_sealed = crypto.seal(secrets.token_hex(SECRET_BYTES), place=device.place())
    device.save(force_insert=True)
    return device


def _enrolment(user: User, device: TotpDevice) -> Enrolment:
    raw = bytes.fromhex(crypto.open_sealed(device.secret_sealed, place=device.place()))
    secret = b32encode(raw).decode().rstrip("=")
    label = quote(f"Switchboard:{user.username}")
    query = urlencode({"secret": secret, "issuer": "Switchboard", "algorithm": "SHA1", "digits": 6, "period": 30})
    return Enrolment(secret, f"otpauth://totp/{label}?{query}")


def _enrolled(by: Principal, user: User) -> list[str]:
    User.objects.filter(pk=user.pk).update(has_second_factor=True)
    user.has_second_factor = True
    audit.record("factor.enrolled", by=by, subject=user, organization=user.default_organization)
    return _make_backup_codes(user)


def _make_backup_codes(user: User) -> list[str]:
    BackupCode.objects.filter(user=user).delete()
    codes = [crypto.make_readable(10).upper() for _ in range(BACKUP_CODES)]
    BackupCode.objects.bulk_create(
        BackupCode(user=user, digest=crypto.digest(f"{user.pk}:{code}", purpose=PURPOSE)) for code in codes
    )
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _none_yet(user: User) -> None:
    if TotpDevice.objects.filter(user=user, confirmed=True).exists():
        raise NotAllowed("a second factor is enrolled")


def _own_or_console(by: Principal, user: User) -> None:
    if not by.is_system and by.user_id != user.pk:
        raise NotFound("no such person")
