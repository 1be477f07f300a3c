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
from identity.models.outbox import OutboxMessage


class OtpVerification(models.Model):
    """One code for one recipient: pending, then approved, then consumed (dialects.md 3.2 OTP)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organisation"))
    recipient = models.CharField(_("recipient"), max_length=254)
    recipient_key = models.CharField(max_length=300, db_index=True, editable=False)
    country = models.CharField(_("country"), max_length=2, blank=True)
    prefix = models.CharField(_("number prefix"), max_length=12, blank=True)
    channel = models.CharField(
        _("channel"), max_length=5, choices=OutboxMessage.Channel.choices, default=OutboxMessage.Channel.SMS
    )
    locale = models.CharField(_("language"), max_length=10, default="en")
    name = models.CharField(_("name in the message"), max_length=30, blank=True)
    asked_by = models.CharField(_("asked by"), max_length=200, blank=True)
    code_digest = models.CharField(max_length=64, editable=False)
    code_sealed = models.TextField(blank=True, editable=False)
    # Checks that were let in, and those of them that turned out wrong; what is between them is being looked at right now.
    attempts = models.PositiveSmallIntegerField(_("checks"), default=0)
    failures = models.PositiveSmallIntegerField(_("wrong codes"), default=0)
    sends = models.PositiveSmallIntegerField(_("sends"), default=0)
    created_at = models.DateTimeField(_("created"), default=clock.now)
    expires_at = models.DateTimeField(_("expires"))
    last_sent_at = models.DateTimeField(_("last sent"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
    consumed_at = models.DateTimeField(_("consumed"), null=True, blank=True)
    # The step of the organisation's fallback plan that comes next, and when; null: none.
    fallback_step = models.PositiveSmallIntegerField(default=0, editable=False)
    fallback_at = models.DateTimeField(_("falls back"), null=True, blank=True)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"]),
            models.Index(fields=["organization", "prefix", "-created_at"]),
            models.Index(fields=["expires_at"]),
            models.Index(fields=["fallback_at"], condition=~Q(fallback_at=None), name="otp_falls_back"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def place(self) -> str:
        return f"identity_otpverification.code:{self.id}:{self.organization_id}"


class PrefixPause(models.Model):
    """A range of numbers whose codes nobody ever enters, as when somebody earns on the messages; no codes go there until resumed."""

    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organisation"))
    prefix = models.CharField(_("number prefix"), max_length=12)
    country = models.CharField(_("country"), max_length=2, blank=True)
    numbers = models.PositiveIntegerField(_("numbers that never entered a code"))
    is_only_reported = models.BooleanField(_("only reported"), default=False)
    paused_at = models.DateTimeField(_("paused"), default=clock.now)
    resumed_at = models.DateTimeField(_("resumed"), null=True, blank=True)
    resumed_by = models.CharField(_("resumed by"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("paused prefix")
        verbose_name_plural = _("paused prefixes")
        ordering = ["-paused_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "prefix"], condition=Q(resumed_at=None), name="one_pause_per_prefix"
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"


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
