"""Records of what we ask of systems outside, and of who they say somebody is; dialects never look here."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from identity import clock
from identity.models import Application, Organization, Session
from tickets.models import Ticket


class ExternalIdentity(models.Model):
    """One person as a provider knows them: the pair of issuer and subject never changes hands (OpenID Connect Core, 5.7).

    Bound to the application that it came through: another one, of another organisation, vouches for nobody here.
    """

    application = models.ForeignKey(
        Application, models.CASCADE, related_name="external_identities", verbose_name=_("application")
    )
    issuer = models.CharField(_("issuer"), max_length=300)
    subject = models.CharField(_("subject"), max_length=255)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="external_identities", verbose_name=_("person")
    )
    created_at = models.DateTimeField(_("linked"), default=clock.now, editable=False)
    last_used_at = models.DateTimeField(_("last sign-in"), null=True, editable=False)

    class Meta:
        verbose_name = _("external identity")
        verbose_name_plural = _("external identities")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["application", "issuer", "subject"], name="one_person_per_subject"),
            # Whoever gets a mailbox that somebody linked had before does not get the account with it.
            models.UniqueConstraint(fields=["application", "issuer", "user"], name="one_subject_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user} @ {self.issuer}"


class ExternalSignIn(models.Model):
    """One sign-in through an application, from the button to the logout: what was asked, of which browser, what came of it.

    `sealed` is a JSON object: verifier and nonce until the provider has answered, then what its logout needs.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    application = models.ForeignKey(Application, models.CASCADE, related_name="+")
    state_digest = models.CharField(max_length=64, unique=True, editable=False)
    browser_digest = models.CharField(max_length=64, editable=False)
    sealed = models.TextField(blank=True, editable=False)
    next_path = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    identity = models.ForeignKey(ExternalIdentity, models.CASCADE, null=True, related_name="sign_ins")
    session = models.OneToOneField(Session, models.CASCADE, null=True, related_name="external_sign_in")

    class Meta:
        verbose_name = _("external sign-in")
        verbose_name_plural = _("external sign-ins")
        indexes = [
            models.Index(fields=["expires_at"], condition=models.Q(session=None), name="sign_in_without_session")
        ]

    def __str__(self) -> str:
        return f"sign-in {self.id}"

    def place(self) -> str:
        return f"integrations_externalsignin.sealed:{self.id}:{self.application_id}"


class VendorHealth(models.Model):
    """How the calls of one organisation to one vendor went within one hour; written by one statement (vendors.health)."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="vendor_health", verbose_name=_("organisation")
    )
    vendor = models.CharField(_("vendor"), max_length=20)
    hour = models.DateTimeField(_("hour"))
    calls = models.PositiveIntegerField(_("calls"), default=0)
    failures = models.PositiveIntegerField(_("failures"), default=0)
    milliseconds = models.PositiveBigIntegerField(_("milliseconds in all"), default=0)
    last_success_at = models.DateTimeField(_("last success"), null=True)
    last_failure_at = models.DateTimeField(_("last failure"), null=True)
    last_error = models.CharField(_("last error"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("health of a vendor")
        verbose_name_plural = _("health of vendors")
        ordering = ["-hour"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "vendor", "hour"], name="one_row_per_vendor_and_hour"),
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.hour:%Y-%m-%d %H}"


class CircuitBreaker(models.Model):
    """Whether one organisation may call one vendor: how many calls failed in a row, and until when none is let through."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="circuit_breakers", verbose_name=_("organisation")
    )
    vendor = models.CharField(_("vendor"), max_length=20)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    open_until = models.DateTimeField(_("open until"), null=True)

    class Meta:
        verbose_name = _("circuit breaker")
        verbose_name_plural = _("circuit breakers")
        constraints = [
            models.UniqueConstraint(fields=["organization", "vendor"], name="one_breaker_per_vendor"),
        ]

    def __str__(self) -> str:
        return self.vendor


class VendorToken(models.Model):
    """The access token that an application's client holds at its vendor, until shortly before it ends there."""

    application = models.OneToOneField(
        Application, models.CASCADE, primary_key=True, related_name="+", verbose_name=_("application")
    )
    sealed = models.TextField(blank=True, editable=False)
    # Of the credentials that it was given for: with others it is not the same client's.
    credentials_digest = models.CharField(max_length=64, blank=True, editable=False)
    expires_at = models.DateTimeField(_("ends"), null=True)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("token at a vendor")
        verbose_name_plural = _("tokens at vendors")

    def __str__(self) -> str:
        return str(self.application_id)

    def place(self) -> str:
        return f"integrations_vendortoken.sealed:{self.application_id}"


class Callback(models.Model):
    """One callback that Genesys was asked for, what became of it, and the ticket that lets the customer in (clarifications 38).

    Neither the customer's name nor the number is kept: who has to know them finds them where the callback is.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", _("requested")
        # Other languages bend these words by what they are said of; a message and the calls of a client have them, too.
        ACCEPTED = "accepted", pgettext_lazy("a callback", "accepted")
        REFUSED = "refused", pgettext_lazy("a callback", "refused")
        UNAVAILABLE = "unavailable", _("unavailable")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organisation"))
    application = models.ForeignKey(
        Application, models.SET_NULL, null=True, related_name="+", verbose_name=_("application")
    )
    ticket = models.ForeignKey(Ticket, models.SET_NULL, null=True, related_name="+", verbose_name=_("ticket"))
    state = models.CharField(_("state"), max_length=11, choices=State.choices, default=State.REQUESTED)
    error = models.CharField(_("why not"), max_length=200, blank=True)
    queue = models.CharField(_("queue"), max_length=200)
    scheduled_at = models.DateTimeField(_("scheduled"), null=True)
    requested_by = models.CharField(_("requested by"), max_length=200)
    conversation = models.CharField(_("conversation"), max_length=100, blank=True)
    created_at = models.DateTimeField(_("requested at"), default=clock.now)
    settled_at = models.DateTimeField(_("settled"), null=True)

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["organization", "-created_at"]),
            models.Index(fields=["created_at"]),
            models.Index(fields=["created_at"], condition=models.Q(state="requested"), name="callback_is_open"),
        ]

    def __str__(self) -> str:
        return f"callback {str(self.id)[:8]}"
