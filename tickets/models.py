"""The tables of tickets: what was issued, and which sessions were redeemed from it."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models import Organization, Session


class State(models.TextChoices):
    """What can be said of a ticket; only a valid one lets anybody in."""

    VALID = "valid", _("valid")
    USED = "used", _("used")
    REVOKED = "revoked", _("revoked")
    DISABLED = "disabled", _("disabled")
    EXPIRED = "expired", _("expired")
    DELETED = "deleted", _("deleted")


class Ticket(models.Model):
    """A short secret that lets a customer in: found by the keyed digest of its id, which itself is sealed for its creator.

    `type` and `properties` are kept as they came; what the domain needs of them are its own columns.
    """

    # No running number: whoever sees two of them would know how many others make.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    id_sealed = models.TextField(editable=False)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="tickets", verbose_name=_("organisation")
    )
    creator = models.CharField(_("created by"), max_length=64, blank=True)
    creator_name = models.CharField(_("created by"), max_length=200, blank=True)
    type = models.CharField(_("type"), max_length=60)
    is_single_use = models.BooleanField(_("serves once"), default=False)
    properties = models.JSONField(_("properties"), default=dict, blank=True)
    conference = models.CharField(_("conference"), max_length=200, blank=True)
    customer = models.CharField(_("customer"), max_length=200, blank=True)
    interaction = models.CharField(_("interaction"), max_length=200, blank=True)
    scheduled_at = models.DateTimeField(_("scheduled"), null=True, blank=True)
    ttl_seconds = models.PositiveIntegerField(_("seconds it lives"))
    created_at = models.DateTimeField(_("created"), default=clock.now)
    expires_at = models.DateTimeField(_("expires"))
    disabled_at = models.DateTimeField(_("disabled"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    redeemed_at = models.DateTimeField(_("first used"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    uses = models.PositiveIntegerField(_("uses"), default=0)
    version = models.BigIntegerField(_("version"), default=0)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    class Meta:
        verbose_name = _("ticket")
        verbose_name_plural = _("tickets")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"]),
            models.Index(fields=["organization", "customer"]),
            models.Index(fields=["organization", "conference"]),
            models.Index(fields=["organization", "interaction"]),
            models.Index(fields=["expires_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {str(self.pk)[:8]}"

    def place(self) -> str:
        """Names the row by its digest."""
        return f"tickets_ticket.id:{self.digest}:{self.organization_id}"

    @property
    def name(self) -> str:
        """What logs and the audit trail call it: the id itself opens doors."""
        return f"ticket {self.pk}"

    def is_expired(self, *, at: datetime) -> bool:
        return self.expires_at <= at

    def is_used(self) -> bool:
        """Say whether it serves once and has served."""
        return self.is_single_use and self.redeemed_at is not None

    def is_gone(self) -> bool:
        """Say whether the wire no longer knows it (dialects.md 3.2, Types)."""
        return self.deleted_at is not None or self.is_used()

    def is_early(self, *, at: datetime) -> bool:
        """Say whether its holder has to wait for the scheduled time."""
        return self.scheduled_at is not None and at < self.scheduled_at

    def state(self, *, at: datetime) -> State:
        """Answer the first state that holds; what is gone comes first, then revoked, disabled, expired (dialects.md 3.0)."""
        holds = (
            (State.DELETED, self.deleted_at is not None),
            (State.USED, self.is_used()),
            (State.REVOKED, self.revoked_at is not None),
            (State.DISABLED, self.disabled_at is not None),
            (State.EXPIRED, self.is_expired(at=at)),
        )
        return next((state for state, is_so in holds if is_so), State.VALID)


class Redemption(models.Model):
    """One use of a ticket, and the session it opened; the session ends with the ticket (clarifications 31)."""

    ticket = models.ForeignKey(Ticket, models.CASCADE, related_name="redemptions", verbose_name=_("ticket"))
    session = models.OneToOneField(Session, models.CASCADE, related_name="redemption", verbose_name=_("session"))
    at = models.DateTimeField(_("time"), default=clock.now)

    class Meta:
        verbose_name = _("redemption")
        verbose_name_plural = _("redemptions")

    def __str__(self) -> str:
        return f"redemption {self.pk}"
