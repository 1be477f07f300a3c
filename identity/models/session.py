"""Sessions: one kind of row behind every credential, and the login-as that some of them carry."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models.client import Client
from identity.models.organization import Organization


class LoginAs(models.Model):
    """One person working as another: both people, why, how, until when (dialects.md 0.7)."""

    class Mode(models.TextChoices):
        LOOK = "look", _("look only")
        ACT = "act", _("act")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="logins_as_others", verbose_name=_("who")
    )
    subject = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="logins_by_others", verbose_name=_("as whom")
    )
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+", verbose_name=_("organisation"))
    actor_session = models.ForeignKey(
        "Session", models.CASCADE, related_name="logins_as", verbose_name=_("out of session")
    )
    door = models.CharField(_("door"), max_length=40)
    mode = models.CharField(_("mode"), max_length=10, choices=Mode.choices)
    reason = models.CharField(_("reason"), max_length=500)
    address = models.CharField(_("from"), max_length=45, blank=True)
    started_at = models.DateTimeField(_("started"), default=clock.now)
    deadline_at = models.DateTimeField(_("ends at the latest"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(_("ended because"), max_length=40, blank=True)
    notified_at = models.DateTimeField(_("person told"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("login-as")
        verbose_name_plural = _("login-as history")
        ordering = ["-started_at"]
        indexes = [
            models.Index(fields=["subject", "-started_at"]),
            models.Index(fields=["organization", "-started_at"]),
            models.Index(fields=["deadline_at"], condition=models.Q(ended_at=None), name="login_as_running"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} → {self.subject}"

    def is_over(self, *, at: datetime) -> bool:
        return self.ended_at is not None or self.deadline_at <= at


class Session(models.Model):
    """What stands behind a cookie, an LSID, a token: whose it is, by which door, how long it lives.

    `user` is always the real person; while `login_as` is set, the session appears as `login_as.subject`. `digest` is the
    keyed digest of an opaque secret; a signed token names the row by `id` instead. `holder` names a customer, who has
    neither a user nor a client row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    door = models.CharField(_("door"), max_length=40)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="sessions",
        verbose_name=_("person"),
    )
    client = models.ForeignKey(
        Client, models.CASCADE, null=True, blank=True, related_name="sessions", verbose_name=_("client")
    )
    holder = models.CharField(_("customer"), max_length=200, blank=True)
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("organisation")
    )
    effective_organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("working in")
    )
    login_as = models.ForeignKey(
        LoginAs, models.SET_NULL, null=True, blank=True, related_name="sessions", verbose_name=_("login-as")
    )
    cloned_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="clones", verbose_name=_("cloned from")
    )
    is_personal_token = models.BooleanField(_("personal token"), default=False)
    label = models.CharField(_("label"), max_length=100, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)
    address = models.CharField(_("address"), max_length=45, blank=True)
    user_agent = models.CharField(_("browser or program"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("opened"), default=clock.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=clock.now)
    expires_at = models.DateTimeField(_("ends at the latest"))
    idle_seconds = models.PositiveIntegerField(_("seconds it may idle"), null=True, blank=True)
    second_factor_at = models.DateTimeField(_("second factor passed"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(_("ended because"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("session")
        verbose_name_plural = _("sessions")
        ordering = ["-created_at"]
        indexes = [
            models.Index(
                fields=["user", "-created_at"], condition=models.Q(ended_at=None), name="session_open_of_user"
            ),
            models.Index(
                fields=["organization", "-created_at"], condition=models.Q(ended_at=None), name="session_open_of_org"
            ),
            models.Index(fields=["expires_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.door} {self.id}"

    def idles_out_at(self) -> datetime | None:
        """Answer when the session dies if nobody uses it, or None if it may idle."""
        return None if self.idle_seconds is None else self.last_seen_at + timedelta(seconds=self.idle_seconds)

    def is_expired(self, *, at: datetime) -> bool:
        idle_end = self.idles_out_at()
        return self.expires_at <= at or (idle_end is not None and idle_end <= at)

    def is_open(self, *, at: datetime) -> bool:
        return self.ended_at is None and not self.is_expired(at=at)

    def needs_touch(self, *, at: datetime) -> bool:
        """Say whether `last_seen_at` is stale: older than the smaller of 60 s and a tenth of the idle time."""
        stale = min(60.0, (self.idle_seconds or 600) / 10)
        return (at - self.last_seen_at).total_seconds() > stale


class RefreshToken(models.Model):
    """One link of a refresh family; the family is its session."""

    session = models.ForeignKey(Session, models.CASCADE, related_name="refresh_tokens")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("refresh token")
        verbose_name_plural = _("refresh tokens")

    def __str__(self) -> str:
        return f"refresh of {self.session_id}"


class AuthorizationCode(models.Model):
    """A code that serves once within a minute: handed to a browser or printed for an operator, redeemed at the token endpoint."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    client = models.ForeignKey(Client, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, null=True, related_name="+")
    organization = models.ForeignKey(Organization, models.CASCADE, related_name="+")
    redirect_uri = models.CharField(max_length=500, blank=True)
    code_challenge = models.CharField(max_length=128, blank=True)
    scope = models.CharField(max_length=200, blank=True)
    nonce = models.CharField(max_length=200, blank=True)
    authenticated_at = models.DateTimeField(default=clock.now)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    opened = models.ForeignKey(Session, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("authorization code")
        verbose_name_plural = _("authorization codes")

    def __str__(self) -> str:
        return f"code of {self.user_id}"
