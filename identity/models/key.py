"""Keys: those that organisations keep here, and those that sign our tokens."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models.organization import Organization


class Key(models.Model):
    """A key pair that an organisation keeps here; the private part is sealed and each reading of it audited."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="keys", verbose_name=_("organisation"))
    created_by = models.CharField(_("created by"), max_length=64, blank=True)
    type = models.CharField(_("type"), max_length=20)
    size = models.PositiveIntegerField(_("bits"))
    private_sealed = models.TextField(editable=False)
    public_key = models.TextField(_("public key"))
    comment = models.CharField(_("comment"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("key")
        verbose_name_plural = _("keys")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.comment or str(self.id)

    def place(self) -> str:
        return f"identity_key.private:{self.id}:{self.organization_id}"


class SigningKey(models.Model):
    """A key that signs tokens: published as NEXT, signs as CURRENT, verifies as RETIRED, then is gone."""

    class State(models.TextChoices):
        NEXT = "next", _("next")
        CURRENT = "current", _("current")
        RETIRED = "retired", _("retired")

    kid = models.CharField(_("key id"), primary_key=True, max_length=64)
    state = models.CharField(_("state"), max_length=10, choices=State.choices)
    private_sealed = models.TextField(editable=False)
    public_jwk = models.JSONField(_("public key"))
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    current_at = models.DateTimeField(_("signs since"), null=True, blank=True)
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)
    verifies_until = models.DateTimeField(_("verifies until"), null=True, blank=True)

    class Meta:
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="current"), name="one_current_signing_key"),
            models.UniqueConstraint(fields=["state"], condition=Q(state="next"), name="one_next_signing_key"),
        ]

    def __str__(self) -> str:
        return self.kid

    def place(self) -> str:
        return f"identity_signingkey.private:{self.kid}"
