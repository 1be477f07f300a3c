"""The page of integrations: how each vendor does, whether it is asked at all, and a chart of the last day; and the words of a trial."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clock, organizations, policy
from identity.admin import charts
from identity.admin.rows import asker, sees_all
from identity.errors import NotFound, TooManyAttempts
from identity.models import Application, Organization
from identity.policy import Permission
from integrations.stories import trials
from integrations.stories.trials import Outcome, Verdict
from integrations.vendors import figures
from integrations.vendors.figures import Figures

NAMES = {"genesys": "Genesys Cloud", "talkdesk": "Talkdesk", "nice": "NICE CXone", "openid": "OpenID"}
TYPES = {vendor: type_ for type_, vendor in trials.VENDORS.items()}
# So many of a hundred calls may fail before a vendor is called troubled.
TROUBLED_PERCENT = 10

SENTENCES = {
    Outcome.GOOD: gettext_lazy("%(vendor)s answered in %(took)s; the client is known."),
    Outcome.FOUND: gettext_lazy("%(vendor)s answered in %(took)s. No client id is entered, so nobody can sign in with it yet."),
    Outcome.INCOMPLETE: gettext_lazy("Nothing was asked: the configuration is not complete. Fill in %(detail)s, save, and test again."),
    Outcome.UNKNOWN_CLIENT: gettext_lazy("%(vendor)s answered in %(took)s, but does not take the client: compare client id and secret with what is registered there."),
    Outcome.NOT_PERMITTED: gettext_lazy("%(vendor)s answered in %(took)s and knows the client, but does not let it: allow it %(detail)s there."),
    Outcome.UNDESCRIBED: gettext_lazy("%(vendor)s answered, but its description is missing or not that of this issuer: compare the issuer, letter by letter."),
    Outcome.REFUSED: gettext_lazy("%(vendor)s answered in %(took)s, but refused with “%(detail)s”: look that up in its documentation."),
    Outcome.NO_NAME: gettext_lazy("There is no such host: correct the region, the account or the issuer."),
    Outcome.NOT_PUBLIC: gettext_lazy("The address leads into a private network, where we do not call: correct it, or ask the operator to set %(setting)s."),
    Outcome.SILENT: gettext_lazy("%(vendor)s did not answer within %(limit)s s: try again, and if that stays, look at its status page."),
    Outcome.UNTRUSTED: gettext_lazy("The certificate at the address of %(vendor)s is not of this host, or of nobody that this server trusts: correct the address, or ask the operator about a proxy."),
    Outcome.UNREACHABLE: gettext_lazy("Nothing listens at the address of %(vendor)s, or the line broke: ask the operator whether this server may reach it."),
    Outcome.FAILING: gettext_lazy("%(vendor)s has a fault of its own (%(detail)s): wait, or look at its status page."),
    Outcome.STRANGE: gettext_lazy("What answered does not speak like %(vendor)s (%(detail)s): correct the address, or ask the operator about a proxy in between."),
    Outcome.RESTING: gettext_lazy("Nothing was asked: %(vendor)s failed five times in a row and is left alone until %(until)s UTC. Test again then."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Panel:
    """One vendor on the page, in words."""

    vendor: str
    name: str
    tone: str
    verdict: Promise
    words: str
    figures: Figures
    mean: str
    chart: charts.Chart
    applications: int
    link: str


def page(request: HttpRequest) -> HttpResponse:
    """Answer how the vendors of the asker's organisation do; an operator sees all of them together, or one. Raises PermissionDenied."""
    if not policy.may(asker(request), Permission.APPLICATIONS_MANAGE):
        raise PermissionDenied
    at = clock.now()
    choices = list(Organization.objects.order_by("name")) if sees_all(request) else []
    organization = _chosen(request)
    own = organization.pk if organization else None
    connected = _connected(own)
    panels = [_panel(one, connected.get(one.vendor, 0), at=at) for one in figures.of(NAMES, organization_id=own, at=at)]
    context = {
        **admin.site.each_context(request), "title": _("Integrations"), "organization": organization, "choices": choices,
        "panels": [one for one in panels if one.applications or one.figures.calls or one.figures.last_failure_at or one.figures.last_success_at],
        "breakers": [(one.name, breaker) for one in panels for breaker in one.figures.breakers],
        "stand_ins": [NAMES[name] for name in NAMES if _is_elsewhere(name)], "at": at,
    }  # fmt: skip
    return TemplateResponse(request, "admin/vendors.html", context)


def test(request: HttpRequest, application: Application) -> HttpResponse:
    """Try an application's connection and go back with the verdict."""
    try:
        verdict = trials.run(by=asker(request), application=application)
    except TooManyAttempts as e:
        messages.error(request, _("That was tested very often just now: try again in %d s.") % e.retry_after_seconds)
    else:
        messages.add_message(request, messages.SUCCESS if verdict.is_good else messages.ERROR, words_of(verdict))
    return HttpResponseRedirect(reverse("admin:identity_application_change", args=[application.pk]))


def words_of(verdict: Verdict) -> str:
    """Answer a verdict as a sentence that says what to do."""
    return SENTENCES[verdict.outcome] % {
        "vendor": NAMES[verdict.vendor] if verdict.vendor != "openid" else _("The OpenID provider"),
        "took": _length(verdict.took), "detail": verdict.detail, "setting": f"{verdict.vendor.upper()}_BASE_URL",
        "limit": settings.UPSTREAM_TIMEOUT_SECONDS, "until": f"{verdict.until:%H:%M:%S}" if verdict.until else "",
    }  # fmt: skip


def _chosen(request: HttpRequest) -> Organization | None:
    """Answer whose vendors are asked for: the asker's own organisation's, or an operator's choice, which may be none."""
    if not sees_all(request):
        return organizations.find(pk=asker(request).organization_id)
    asked = request.GET.get("organization", "")
    try:
        return organizations.find(pk=asked) if asked else None
    except NotFound as e:
        raise Http404 from e


def _connected(own: Any) -> dict[str, int]:
    """Answer how many applications each vendor has."""
    of_whom = {} if own is None else {"organization_id": own}
    counted = Application.objects.filter(type__in=trials.VENDORS, **of_whom).order_by().values_list("type")
    return {trials.VENDORS[type_]: number for type_, number in counted.annotate(number=Count("pk"))}


def _panel(found: Figures, applications: int, *, at: datetime) -> Panel:
    tone, verdict, words = _standing(found, at=at)
    hours = [(hour.at, hour.calls, hour.failures) for hour in found.hours]
    return Panel(
        vendor=found.vendor, name=NAMES[found.vendor], tone=tone, verdict=verdict, words=words, figures=found, mean=_length(found.mean),
        chart=charts.of_hours(found.vendor, NAMES[found.vendor], hours), applications=applications,
        link=f"{reverse('admin:identity_application_changelist')}?type={TYPES[found.vendor]}",
    )  # fmt: skip


def _standing(found: Figures, *, at: datetime) -> tuple[str, Promise, str]:
    """Answer how a vendor stands: a tone, a word, and a sentence."""
    open_ = [one for one in found.breakers if one.is_open(at=at)]
    if open_:
        until = max(one.open_until for one in open_ if one.open_until)
        words = (
            _("It failed five times in a row and is not asked until %s UTC; then one call tries.") % f"{until:%H:%M:%S}"
        )
        return "bad", gettext_lazy("not asked"), words
    row = max((one.failures for one in found.breakers), default=0)
    rate = found.error_rate
    if row:
        return (
            "warn",
            gettext_lazy("failing"),
            _("The last call failed, and %d in a row did; five stop it for half a minute.") % row,
        )
    if rate is not None and rate >= TROUBLED_PERCENT:
        return "warn", gettext_lazy("troubled"), _("It answers again, but failed often in the last 24 hours.")
    if rate is None:
        return "", gettext_lazy("quiet"), _("It was not asked in the last 24 hours.")
    return "ok", gettext_lazy("good"), _("It answers.")


def _is_elsewhere(vendor: str) -> bool:
    """Say whether the operator put another address in a vendor's place."""
    return bool(getattr(settings, f"{vendor.upper()}_BASE_URL", ""))


def _length(length: timedelta | None) -> str:
    """Answer how long something took."""
    if length is None:
        return "–"
    seconds = length.total_seconds()
    return _("%s s") % formats.number_format(seconds, 1 if seconds >= 1 else 2)
