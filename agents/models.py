"""The tables of agents: who answers on which extension, and their calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.models import Organization, Session, User


class Agent(models.Model):
    """A person's place in an organisation's telephony: extension, presence, seat (dialects.md 2.1, 4.1)."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="agents", verbose_name=_("person"))
    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="agents", verbose_name=_("organisation")
    )
    extension = models.CharField(_("extension"), max_length=20)
    has_profile = models.BooleanField(_("shows presence"), default=False)
    is_available = models.BooleanField(_("available"), default=True)
    profile_name = models.CharField(_("presence"), max_length=100, blank=True)
    profile_until = models.DateTimeField(_("until"), null=True, blank=True)
    profile_message = models.CharField(_("message"), max_length=300, blank=True)
    key_words = models.JSONField(_("key words"), default=list, blank=True)
    place = models.CharField(_("place"), max_length=100, blank=True)
    devices = models.JSONField(_("devices"), default=list, blank=True)
    # Whoever signed in at a place sits there as long as that session lives, and nobody has to clear the chair after him.
    seat_session = models.ForeignKey(
        Session,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("signed in at"),
    )
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("agent")
        verbose_name_plural = _("agents")
        ordering = ["extension"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "extension"], name="one_agent_per_extension"),
            models.UniqueConstraint(fields=["user", "organization"], name="one_agent_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.extension} {self.user}"

    @property
    def seat(self) -> str:
        """Where the agent sits now: the place of a live sign-in, or else what was said by hand; empty for nowhere."""
        return str(self._seated().get("place") or self.place)

    @property
    def seat_devices(self) -> list[dict[str, str]]:
        """The devices of the seat, each with `dn` and `switch`."""
        return list(self._seated().get("devices") or self.devices)

    def _seated(self) -> dict[str, Any]:
        session = self.seat_session
        return session.details if session is not None and session.is_open(at=clock.now()) else {}

    def is_until_over(self, *, at: datetime) -> bool:
        return self.profile_until is not None and self.profile_until <= at


class Call(models.Model):
    """A call on an extension: ongoing while `ended_at` is empty (clarifications 59)."""

    class Direction(models.TextChoices):
        IN = "in", _("incoming")
        OUT = "out", _("outgoing")
        UNKNOWN = "unknown", _("unknown")

    class LineStatus(models.TextChoices):
        UP = "up", _("talking")
        DOWN = "down", _("ended")
        RINGING = "ringing", _("ringing")

    agent = models.ForeignKey(Agent, models.CASCADE, related_name="calls", verbose_name=_("agent"))
    call_id = models.CharField(_("call id"), max_length=100)
    number = models.CharField(_("other end"), max_length=50, blank=True)
    direction = models.CharField(_("direction"), max_length=10, choices=Direction.choices)
    line_status = models.CharField(_("line"), max_length=10, choices=LineStatus.choices)
    was_answered = models.BooleanField(_("answered"), default=False)
    started_at = models.DateTimeField(_("started"), default=clock.now)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("call")
        verbose_name_plural = _("calls")
        ordering = ["-started_at"]
        constraints = [models.UniqueConstraint(fields=["agent", "call_id"], name="one_call_per_id")]
        indexes = [models.Index(fields=["agent", "-started_at"])]

    def __str__(self) -> str:
        return f"{self.direction} {self.call_id}"

    def is_missed(self) -> bool:
        """Say whether somebody called and nobody answered."""
        return self.direction != self.Direction.OUT and not self.was_answered

    def seconds(self) -> int:
        """Answer how long a call that is over was, in whole seconds; one that nobody answered was none."""
        if self.ended_at is None or not self.was_answered:
            return 0
        return max(0, int((self.ended_at - self.started_at).total_seconds()))
