"""What the admin's first page counts and what its quick search finds, each within the asker's organisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from identity import policy
from identity.models import AuditEvent, LoginAs, Membership, Organization, OutboxMessage, Session, User
from identity.models.user import key_of
from identity.policy import Permission
from identity.principal import Principal

Row = TypeVar("Row", bound=Model)

RESULTS_PER_KIND = 6
WORDS_PER_SEARCH = 4


@dataclass(frozen=True, slots=True)
class Number:
    """One figure of the first page."""

    label: Promise
    value: int
    icon: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that quick search found."""

    url: str
    title: str
    detail: str
    icon: str


def within(rows: QuerySet[Row], principal: Principal, field: str = "organization_id") -> QuerySet[Row]:
    """Answer the rows of the asker's organisation, or all of them for an operator."""
    if policy.may(principal, Permission.ALL_ORGANIZATIONS):
        return rows
    return rows.filter(**{field: principal.organization_id})


def numbers_for(principal: Principal, *, at: datetime, link: Callable[..., str]) -> list[Number]:
    """Answer the figures that the asker may see, each of one query over the asker's organisation."""
    people = within(Membership.objects.filter(user__is_active=True), principal)
    of_people = Session.objects.filter(ended_at=None, expires_at__gt=at, user__isnull=False, is_personal_token=False)
    sessions = within(of_people, principal)
    running = within(LoginAs.objects.filter(ended_at=None, deadline_at__gt=at), principal)
    numbers = [
        Number(_("People"), people.values("user").distinct().count(), "people", link(User)),
        Number(_("Open sessions"), sessions.count(), "live", link(Session)),
    ]
    acting = running.count()
    numbers.append(Number(_("Working as others"), acting, "swap", link(LoginAs), "warn" if acting else ""))
    if policy.may(principal, Permission.MESSAGES_MANAGE):
        open_states = (OutboxMessage.State.PENDING, OutboxMessage.State.SENDING, OutboxMessage.State.UNKNOWN)
        waiting = within(OutboxMessage.objects.filter(state__in=open_states), principal).count()
        numbers.append(Number(_("Waiting messages"), waiting, "message", link(OutboxMessage)))
    if policy.may(principal, Permission.AUDIT_READ):
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        refused = AuditEvent.objects.filter(event__in=("login.failed", "login.blocked"), at__gte=midnight)
        times = within(refused, principal).aggregate(times=Sum("count"))["times"] or 0
        numbers.append(Number(_("Refused sign-ins today"), times, "shield", link(AuditEvent), "bad" if times else ""))
    return numbers


def found(query: str, principal: Principal, *, link: Callable[..., str]) -> list[Result]:
    """Answer what fits every word of the query, within the asker's organisation: one query per kind of thing."""
    people, agents, organizations = Q(), Q(), Q()
    for word in query.split()[:WORDS_PER_SEARCH]:
        key = key_of(word)
        name = Q(username_key__contains=key) | Q(email_key__startswith=key)
        people &= name | Q(first_name__icontains=word) | Q(last_name__icontains=word)
        agents &= Q(extension__startswith=word)
        organizations &= Q(name__icontains=word) | Q(title__icontains=word) | Q(domain__icontains=word)

    persons = within(User.objects.filter(people), principal, "memberships__organization_id").order_by("username_key")
    results = [Result(link(User, p.pk), p.get_full_name(), p.email, "person") for p in persons[:RESULTS_PER_KIND]]
    extensions = within(Agent.objects.filter(agents).select_related("user"), principal).order_by("extension")
    results += [
        Result(link(Agent, a.pk), a.user.get_full_name(), a.extension, "headset") for a in extensions[:RESULTS_PER_KIND]
    ]
    if policy.may(principal, Permission.ALL_ORGANIZATIONS):
        houses = Organization.objects.filter(organizations).order_by("name")[:RESULTS_PER_KIND]
        results += [Result(link(Organization, o.pk), str(o), o.domain, "building") for o in houses]
    return [result for result in results if result.url]
