"""Machines that call us: clients with their secrets, API keys, and the applications that organisations have configured."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models.organization import Organization


class Client(models.Model):
    """An OAuth client of one organisation, or an internal service of none (clarifications 32 and 33)."""

    id = models.CharField(_("client id"), primary_key=True, max_length=64)
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="clients", verbose_name=_("organisation")
    )
    description = models.CharField(_("description"), max_length=500, blank=True)
    roles = models.JSONField(_("roles"), default=list, blank=True)
    is_internal = models.BooleanField(_("internal service"), default=False)
    redirect_uris = models.JSONField(_("redirect addresses"), default=list, blank=True)
    serves_sign_in = models.BooleanField(_("signs agents in"), default=False)
    requests_per_minute = models.PositiveIntegerField(_("requests a minute"), null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("client")
        verbose_name_plural = _("clients")
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.description or self.id


class ClientSecret(models.Model):
    """One live secret of a client; two live side by side during a rotation's grace."""

    client = models.ForeignKey(Client, models.CASCADE, related_name="secrets", verbose_name=_("client"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(_("begins with"), max_length=12, editable=False)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    expires_at = models.DateTimeField(_("ends"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("client secret")
        verbose_name_plural = _("client secrets")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.hint}…"


class ClientUse(models.Model):
    """One call of a client: where, with which answer, from which address, when."""

    client = models.ForeignKey(Client, models.CASCADE, related_name="uses", verbose_name=_("client"))
    endpoint = models.CharField(_("endpoint"), max_length=200)
    status = models.PositiveSmallIntegerField(_("status"))
    address = models.CharField(_("address"), max_length=45, blank=True)
    at = models.DateTimeField(_("time"), default=clock.now)

    class Meta:
        verbose_name = _("use of a client")
        verbose_name_plural = _("uses of clients")
        indexes = [models.Index(fields=["client", "-at"]), models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.status}"


class ApiKey(models.Model):
    """A key that acts as an Admin of its organisation on a few operations (clarifications 48); shown once."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="api_keys", verbose_name=_("organisation")
    )
    name = models.CharField(_("name"), max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    hint = models.CharField(_("begins with"), max_length=12, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name


class Application(models.Model):
    """An external system that an organisation has connected; the type's name is the partner's and kept as it came.

    `config` holds the open part; every text in it that is secret lives in `sealed`, as one sealed JSON object by path.
    """

    id = models.CharField(_("application id"), primary_key=True, max_length=64, default=uuid.uuid4)
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="applications", verbose_name=_("organisation")
    )
    type = models.CharField(_("type"), max_length=40)
    config = models.JSONField(_("configuration"), default=dict, blank=True)
    sealed = models.TextField(blank=True, editable=False)
    version = models.BigIntegerField(_("version"), default=0)
    is_visible = models.BooleanField(_("listed"), default=True)
    allows_anonymous_registration = models.BooleanField(_("strangers may ask for codes"), default=False)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), default=clock.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)

    class Meta:
        verbose_name = _("application")
        verbose_name_plural = _("applications")
        ordering = ["created_at"]
        indexes = [models.Index(fields=["organization", "type", "created_at"])]

    def __str__(self) -> str:
        return f"{self.type} {self.id}"

    def place(self) -> str:
        return f"identity_application.config:{self.pk}:{self.organization_id}"
