"""The page of figures: who enters the codes, what they cost against the budgets, and how the gateways do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from identity import clock, organizations, otp_figures, policy
from identity.admin import charts
from identity.admin.rows import asker, sees_all
from identity.errors import NotFound
from identity.models import Organization, OutboxMessage
from identity.otp_figures import Health, Use, Verdict
from identity.policy import Permission

SPANS = {
    "day": (timedelta(days=1), gettext_lazy("24 hours")), "week": (timedelta(days=7), gettext_lazy("7 days")),
    "month": (timedelta(days=30), gettext_lazy("30 days")),
}  # fmt: skip
USUAL = "week"
TONES = {
    Verdict.STUCK: "bad", Verdict.FAILING: "bad", Verdict.DOUBTFUL: "warn", Verdict.SLOW: "warn", Verdict.GOOD: "ok", Verdict.QUIET: "plain",
}  # fmt: skip
NAMES = {
    Verdict.STUCK: gettext_lazy("stuck"), Verdict.FAILING: gettext_lazy("failing"), Verdict.DOUBTFUL: gettext_lazy("in doubt"),
    Verdict.SLOW: gettext_lazy("slow"), Verdict.GOOD: gettext_lazy("good"), Verdict.QUIET: gettext_lazy("quiet"),
}  # fmt: skip
CHANNELS = dict(OutboxMessage.Channel.choices)


@dataclass(frozen=True, slots=True)
class Line:
    """A channel of the table of gateways, in words."""

    channel: str
    verdict: Promise
    tone: str
    words: str
    health: Health
    median: str
    nearly_all: str


def page(request: HttpRequest) -> HttpResponse:
    """Answer the figures of the asker's organisation; an operator sees all of them together, or one. Raises PermissionDenied."""
    if not policy.may(asker(request), Permission.MESSAGES_MANAGE):
        raise PermissionDenied
    at = clock.now()
    span = request.GET.get("range", USUAL)
    if span not in SPANS:
        raise Http404
    choices = list(Organization.objects.order_by("name")) if sees_all(request) else []
    organization = _chosen(request)
    own = organization.pk if organization else None
    used = otp_figures.uses(organization_id=own, since=at - SPANS[span][0])
    context = {
        **admin.site.each_context(request), "title": _("Figures"), "organization": organization, "choices": choices,
        "spans": [(name, words, name == span) for name, (_length, words) in SPANS.items()], "span": span, "span_words": SPANS[span][1],
        "cards": _cards(_sums(used)), "uses": [(one, CHANNELS.get(one.channel, one.channel)) for one in used], "sums": _sums(used), "charts": _charts(organization, own, at=at),
        "lines": [_line(one, at=at) for one in otp_figures.health(organization_id=own, at=at)], "prices": _prices(organization),
        "pauses": otp_figures.pauses(organization_id=own),
    }  # fmt: skip
    return TemplateResponse(request, "admin/code_figures.html", context)


def _chosen(request: HttpRequest) -> Organization | None:
    """Answer whose figures are asked for: the asker's own organisation, or an operator's choice, which may be none."""
    if not sees_all(request):
        return organizations.find(pk=asker(request).organization_id)
    asked = request.GET.get("organization", "")
    try:
        return organizations.find(pk=asked) if asked else None
    except NotFound as e:
        raise Http404 from e


def _sums(used: list[Use]) -> dict[str, Any]:
    """Add the lines up."""
    requested, approved = sum(one.requested for one in used), sum(one.approved for one in used)
    total = Use("", "", requested, approved, sum(one.messages for one in used), sum((one.spent for one in used), Decimal(0)))  # fmt: skip
    return {"requested": requested, "approved": approved, "conversion": total.conversion, "messages": total.messages, "spent": total.spent}  # fmt: skip


def _cards(sums: dict[str, Any]) -> list[tuple[Promise | str, str, str]]:
    """Answer the large figures: their words, their icons and what they say."""
    entered = "–" if sums["conversion"] is None else f"{sums['conversion']}\N{NO-BREAK SPACE}%"
    return [
        (_("Codes asked for"), "shield", charts.number(sums["requested"])), (_("Entered"), "person", entered),
        (_("Messages"), "message", charts.number(sums["messages"])), (_("Spent"), "chart", charts.number(sums["spent"], 2)),
    ]  # fmt: skip


def _charts(organization: Organization | None, own: Any, *, at: datetime) -> list[charts.Chart]:
    days = otp_figures.days(organization_id=own, at=at)
    messages, money = [(one.day, Decimal(one.messages)) for one in days], [(one.day, one.spent) for one in days]
    budgets = (organization.message_budget_per_day, organization.money_budget_per_day) if organization else (None, None)
    return [
        charts.of_days("messages", gettext_lazy("Messages with codes a day"), messages, limit=budgets[0]),
        charts.of_days("spend", gettext_lazy("What they cost a day"), money, limit=budgets[1], places=2),
    ]


def _prices(organization: Organization | None) -> list[tuple[str, str, str]]:
    """Answer the price table, a line per country and channel."""
    table = organization.message_prices if organization else {}
    return [(country, str(CHANNELS.get(channel, channel)), price) for country, of in sorted(table.items()) for channel, price in of.items()]  # fmt: skip


def _line(health: Health, *, at: datetime) -> Line:
    verdict = health.verdict(at=at)
    return Line(
        channel=str(CHANNELS[health.channel]), verdict=NAMES[verdict], tone=TONES[verdict], words=_words(verdict, health, at=at), health=health,
        median=_length(health.median), nearly_all=_length(health.nearly_all),
    )  # fmt: skip


def _words(verdict: Verdict, health: Health, *, at: datetime) -> str:
    """Answer the verdict as a sentence that says what to look at."""
    if verdict is Verdict.STUCK and health.oldest_at is not None:
        waited = _length(at - health.oldest_at)
        return (
            _("The oldest message has been waiting for %s: does the worker run, and does the gateway answer?") % waited
        )
    if verdict is Verdict.FAILING:
        lost = health.failed + health.given_up
        return _("%(lost)d of %(all)d messages did not arrive; the list says why.") % {
            "lost": lost,
            "all": lost + health.sent,
        }
    if verdict is Verdict.DOUBTFUL:
        said = ngettext(
            "Nobody knows yet whether %d message left; the gateway is being asked.",
            "Nobody knows yet whether %d messages left; the gateway is being asked.",
            health.unknown,
        )
        return said % health.unknown
    if verdict is Verdict.SLOW:
        return _("Messages go out, but one in twenty took longer than %s.") % _length(health.nearly_all)
    if verdict is Verdict.GOOD:
        return _("Messages go out.")
    return _("Nothing was sent in 24 hours.")


def _length(length: timedelta | None) -> str:
    """Answer how long something took, in the largest unit that tells."""
    if length is None:
        return "–"
    seconds = length.total_seconds()
    if seconds < 10:
        return _("%s s") % formats.number_format(seconds, 1)
    if seconds < 120:
        return _("%d s") % seconds
    return _("%d min") % (seconds // 60) if seconds < 7200 else _("%d h") % (seconds // 3600)
