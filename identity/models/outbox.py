"""The outbox: every message that has to leave the house, until it has left."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models.organization import Organization


class OutboxMessage(models.Model):
    """One message, stored with the act that caused it; its context is sealed, and wiped once it is sent or given up."""

    class Channel(models.TextChoices):
        EMAIL = "EMAIL", _("e-mail")
        SMS = "SMS", _("text message")
        VOICE = "VOICE", _("phone call")

    class State(models.TextChoices):
        PENDING = "pending", _("waiting")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("not delivered")
        UNKNOWN = "unknown", _("unknown")
        DEAD = "dead", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("organisation")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    subject_key = models.CharField(_("about"), max_length=64, blank=True, db_index=True)
    channel = models.CharField(_("channel"), max_length=5, choices=Channel.choices)
    to = models.CharField(_("to"), max_length=254)
    country = models.CharField(_("country"), max_length=2, blank=True)
    price = models.DecimalField(_("price"), max_digits=10, decimal_places=4, null=True, blank=True)
    locale = models.CharField(_("language"), max_length=10)
    template = models.CharField(_("template"), max_length=40)
    context_sealed = models.TextField(blank=True, editable=False)
    is_urgent = models.BooleanField(_("urgent"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("accepted"), default=clock.now)
    next_at = models.DateTimeField(_("next attempt"), default=clock.now)
    useful_until = models.DateTimeField(_("useful until"))
    lease_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    reported_at = models.DateTimeField(_("reported by the gateway"), null=True, blank=True)
    provider_id = models.CharField(_("gateway's id"), max_length=100, blank=True)
    provider_status = models.CharField(_("gateway's word"), max_length=40, blank=True)
    last_error = models.CharField(_("last error"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(state__in=["pending", "sending", "unknown"]), name="outbox_open"
            ),
            models.Index(fields=["organization", "-created_at"]),
            models.Index(fields=["to", "-created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.channel} {self.id}"

    def place(self) -> str:
        return f"identity_outboxmessage.context:{self.id}"
