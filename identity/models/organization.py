"""Organisations, and who belongs to them as what."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from identity import clock
from identity.principal import Role


def default_login_as_roles() -> list[str]:
    return [Role.ADMIN.value]


def default_ping_mechanisms() -> list[str]:
    return ["basic", "cookie", "jwt"]


def default_link_bases() -> list[str]:
    return []


class Organization(models.Model):
    """A contact centre: the wall between its rows and everybody else's, and its settings (clarifications 63)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(
        _("name"), max_length=63, unique=True, help_text=_("A short word, as in commands and addresses.")
    )
    title = models.CharField(_("title"), max_length=200, blank=True)
    domain = models.CharField(_("domain"), max_length=253, unique=True)
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    suspended_at = models.DateTimeField(_("suspended"), null=True, blank=True)

    login_as_roles = models.JSONField(_("who may log in as others"), default=default_login_as_roles, blank=True)
    requires_second_factor = models.BooleanField(_("everybody needs a second factor"), default=False)
    second_factor_exemptions = models.JSONField(
        _("doors exempt from the second factor"),
        default=list,
        blank=True,
        help_text=_("Basic doors that accept the password alone from people who have a second factor."),
    )
    link_bases = models.JSONField(_("allowed link bases"), default=default_link_bases, blank=True)
    cors_origins = models.JSONField(_("allowed browser origins"), default=list, blank=True)
    otp_countries = models.JSONField(_("countries that get codes"), default=list, blank=True)
    ping_mechanisms = models.JSONField(
        _("mechanisms of the extensions API"), default=default_ping_mechanisms, blank=True
    )
    ticket_length = models.PositiveSmallIntegerField(_("default ticket length"), default=6)
    tickets_are_single_use = models.BooleanField(_("tickets serve once by default"), default=False)
    usage_retention_days = models.PositiveSmallIntegerField(_("days that usage is kept"), default=90)
    otp_guard_only_reports = models.BooleanField(
        _("the guard only reports"),
        default=False,
        help_text=_("Prefixes that look like fraud are reported and get codes all the same."),
    )
    message_budget_per_day = models.PositiveIntegerField(_("messages a day"), null=True, blank=True)
    money_budget_per_day = models.DecimalField(_("money a day"), max_digits=10, decimal_places=2, null=True, blank=True)
    message_prices = models.JSONField(_("prices per country and channel"), default=dict, blank=True)
    message_fallbacks = models.JSONField(_("fallback plan of messages"), default=list, blank=True)
    message_templates = models.JSONField(_("own message texts"), default=dict, blank=True)
    sign_in_hosts = models.JSONField(_("host names of the sign-in page"), default=list, blank=True)
    sign_in_domains = models.JSONField(_("e-mail domains of its people"), default=list, blank=True)
    creates_people_just_in_time = models.BooleanField(_("create people at their first external sign-in"), default=False)

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class Membership(models.Model):
    """One person in one organisation: roles, and grants that no role implies (clarifications 44 and 49)."""

    organization = models.ForeignKey(
        Organization, models.CASCADE, related_name="memberships", verbose_name=_("organisation")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships", verbose_name=_("person")
    )
    is_agent = models.BooleanField(_("agent"), default=False)
    is_supervisor = models.BooleanField(_("supervisor"), default=False)
    is_admin = models.BooleanField(_("admin"), default=False)
    grants = models.JSONField(_("grants"), default=list, blank=True)
    created_at = models.DateTimeField(_("since"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            models.UniqueConstraint(fields=["user", "organization"], name="one_membership_per_organization"),
        ]
        indexes = [
            models.Index(fields=["organization", "user"]),
            models.Index(fields=["organization"], condition=Q(is_admin=True), name="membership_admins"),
        ]

    def __str__(self) -> str:
        return f"{self.user} @ {self.organization}"

    @property
    def roles(self) -> list[Role]:
        """The roles held, weakest first."""
        held = ((self.is_agent, Role.AGENT), (self.is_supervisor, Role.SUPERVISOR), (self.is_admin, Role.ADMIN))
        return [role for holds, role in held if holds]

    def hold(self, roles: list[Role]) -> None:
        """Replace the roles held, without saving."""
        self.is_agent, self.is_supervisor, self.is_admin = (
            r in roles for r in (Role.AGENT, Role.SUPERVISOR, Role.ADMIN)
        )
