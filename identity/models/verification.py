"""Proofs that somebody reads a mailbox or a phone: one-time passwords and password resets."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models.organization import Organization


class OtpVerification(models.Model):
    """One code for one recipient: pending, then approved, then consumed (dialects.md 3.2 OTP)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organisation"))
    recipient = models.CharField(_("recipient"), max_length=254)
    recipient_key = models.CharField(max_length=300, db_index=True, editable=False)
    country = models.CharField(_("country"), max_length=2, blank=True)
    prefix = models.CharField(_("number prefix"), max_length=12, blank=True)
    code_digest = models.CharField(max_length=64, editable=False)
    code_sealed = models.TextField(blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("checks"), default=0)
    sends = models.PositiveSmallIntegerField(_("sends"), default=0)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    expires_at = models.DateTimeField(_("expires"))
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    consumed_at = models.DateTimeField(_("consumed"), null=True, blank=True)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["organization", "-created_at"]), models.Index(fields=["expires_at"])]

    def __str__(self) -> str:
        return str(self.id)

    def place(self) -> str:
        return f"identity_otpverification.code:{self.id}:{self.organization_id}"


class PasswordReset(models.Model):
    """A token that lets its holder set a new password once; one lives per person."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="password_resets")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("requested"), default=clock.now)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True)
    superseded_at = models.DateTimeField(_("superseded"), null=True)

    class Meta:
        verbose_name = _("password reset")
        verbose_name_plural = _("password resets")
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(used_at=None, superseded_at=None), name="one_live_password_reset"
            )
        ]

    def __str__(self) -> str:
        return f"reset of {self.user_id}"

    def is_live(self, *, at: datetime) -> bool:
        return self.used_at is None and self.superseded_at is None and self.expires_at > at
