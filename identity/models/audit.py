"""The audit trail: who did what to whom by which door, sealed into a chain."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models.organization import Organization


class AuditSeal(models.Model):
    """One link of the chain: a keyed digest over the rows it covers and over the seal before it."""

    previous = models.OneToOneField("self", models.PROTECT, null=True, related_name="next")
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    sealed_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")

    def __str__(self) -> str:
        return f"seal {self.pk}"


class AuditEvent(models.Model):
    """One thing that happened. Names are kept as text beside the keys, so that a row outlives whom it names."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("time"), default=clock.now)
    event = models.CharField(_("event"), max_length=60)
    door = models.CharField(_("door"), max_length=40, blank=True)
    actor = models.CharField(_("who"), max_length=200, blank=True)
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("person"),
    )
    acting_as = models.CharField(_("working as"), max_length=200, blank=True)
    subject = models.CharField(_("on whom or what"), max_length=200, blank=True)
    subject_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        db_constraint=False,
        related_name="+",
        verbose_name=_("on person"),
    )
    organization = models.ForeignKey(
        Organization, models.SET_NULL, null=True, db_constraint=False, related_name="+", verbose_name=_("organisation")
    )
    organization_name = models.CharField(_("organisation"), max_length=63, blank=True)
    rule = models.CharField(_("rule"), max_length=40, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    request_id = models.CharField(_("request"), max_length=64, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    count = models.PositiveIntegerField(_("times"), default=1)
    seal = models.ForeignKey(AuditSeal, models.PROTECT, null=True, related_name="events", verbose_name=_("seal"))

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["organization", "-id"]),
            models.Index(fields=["event", "-id"]),
            models.Index(fields=["subject_user", "-id"]),
            models.Index(fields=["subject", "-id"]),
            models.Index(fields=["id"], condition=models.Q(seal=None), name="audit_unsealed"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.actor} {self.subject}"
