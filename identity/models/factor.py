"""Second factors: an authenticator app, and codes for the day it is lost."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_otp.models import Device
from django_otp.oath import TOTP

from identity import clock, crypto

STEP_SECONDS = 30
TOLERANCE_STEPS = 1


class TotpDevice(Device):  # type: ignore[misc]  # django-otp ships no types
    """An authenticator app (RFC 6238) whose secret is sealed; the stock device keeps it in the clear.

    It does not throttle by itself: the lockout over all doors counts every try before a code is looked at.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="totp_devices")
    secret_sealed = models.TextField(editable=False)
    last_step = models.BigIntegerField(default=-1, editable=False)
    created_at = models.DateTimeField(_("enrolled"), default=clock.now)

    class Meta:
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")

    def place(self) -> str:
        return f"identity_totpdevice.secret:{self.user_id}"

    def verify_token(self, token: str) -> bool:
        """Verify a code and spend it: a code serves once (clarifications 72). Callers lock the row first (security.md M7)."""
        if not (token.isascii() and token.isdigit() and len(token) == 6):
            return False
        totp = TOTP(bytes.fromhex(crypto.open_sealed(self.secret_sealed, place=self.place())), STEP_SECONDS)
        totp.time = clock.now().timestamp()
        is_right: bool = totp.verify(int(token), tolerance=TOLERANCE_STEPS, min_t=self.last_step + 1)
        if is_right:
            self.last_step = totp.t()
            self.save(update_fields=["last_step"])
        return is_right


class BackupCode(models.Model):
    """A code to be used once when the authenticator app is lost; stored as a digest."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="backup_codes")
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=clock.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("backup code")
        verbose_name_plural = _("backup codes")
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_backup_code_per_digest")]

    def __str__(self) -> str:
        return f"backup code of {self.user_id}"
