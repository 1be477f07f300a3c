"""The page of the audit trail: filter, search, follow a name, export as CSV or JSON, verify the chain."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import audit, clock
from identity.admin.rows import WORDS_PER_SEARCH, OfOneOrganization, badge, sees_all
from identity.models import AuditEvent
from identity.policy import Permission

# The vocabulary of the trail by family (clarifications 64).
FAMILIES = (
    ("login.", gettext_lazy("signing in")), ("login_as.", gettext_lazy("working as others")), ("session.", gettext_lazy("sessions")),
    ("password.", gettext_lazy("passwords")), ("factor.", gettext_lazy("second factors")), ("user.", gettext_lazy("people")),
    ("membership.", gettext_lazy("memberships")), ("organization.", gettext_lazy("organisations")), ("client.", gettext_lazy("clients")),
    ("api_key.", gettext_lazy("API keys")), ("application.", gettext_lazy("applications")), ("key.", gettext_lazy("keys")),
    ("ticket.", gettext_lazy("tickets")), ("otp.", gettext_lazy("one-time passwords")), ("message.", gettext_lazy("messages")),
    ("token.", gettext_lazy("tokens")), ("signing_key.", gettext_lazy("signing keys")),
)  # fmt: skip
BATCH = 1000
COLUMNS_ASKED = ("actor", "subject", "door", "event", "rule", "address")
# A sheet that opens a cell beginning with one of these would run it as a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    "id", "at", "event", "door", "actor", "acting_as", "subject", "organization", "rule", "address", "request_id", "count", "details",
)  # fmt: skip


class FamilyFilter(admin.SimpleListFilter):
    """Events of one family, or of one exact word."""

    title, parameter_name = gettext_lazy("event"), "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        asked = request.GET.get("event", "")
        exact = [(asked, asked)] if asked and asked not in dict(FAMILIES) else []
        return [*exact, *FAMILIES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        word = self.value() or ""
        if word in dict(FAMILIES):
            return queryset.filter(event__startswith=word)
        return queryset.filter(event=word) if word else queryset


class NameFilter(admin.SimpleListFilter):
    """Events that name somebody or something exactly; it appears once a name in the list was followed."""

    column = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        asked = request.GET.get(str(self.parameter_name), "")
        return [(asked, asked)] if asked else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(**{self.column: self.value()}) if self.value() else queryset


class ActorFilter(NameFilter):
    title, parameter_name, column = gettext_lazy("who"), "actor", "actor"


class SubjectFilter(NameFilter):
    title, parameter_name, column = gettext_lazy("on whom or what"), "subject", "subject"


class DoorFilter(NameFilter):
    title, parameter_name, column = gettext_lazy("door"), "door", "door"


class DayFilter(admin.SimpleListFilter):
    """Events of one day, as `?day=2026-11-21`, or of the last few."""

    title, parameter_name = gettext_lazy("when"), "day"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        asked = request.GET.get("day", "")
        exact = [(asked, asked)] if _day(asked) else []
        return [*exact, ("1", _("today")), ("7", _("the last 7 days")), ("30", _("the last 30 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        word = self.value() or ""
        midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        if word in ("1", "7", "30"):
            return queryset.filter(at__gte=midnight - timedelta(days=int(word) - 1))
        day = _day(word)
        return queryset.filter(at__gte=day, at__lt=day + timedelta(days=1)) if day else queryset


@admin.register(AuditEvent)
class AuditAdmin(OfOneOrganization[AuditEvent]):
    """The audit trail, read only."""

    reads = Permission.AUDIT_READ
    change_list_template = "admin/audit.html"
    operators_see = ("organization_name",)
    list_display = ("at", "event", "door", "who", "on", "rule", "address", "count")
    list_filter = (FamilyFilter, DayFilter, ActorFilter, SubjectFilter, DoorFilter)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("actor", "subject", "acting_as", "event", "door", "address")
    search_help_text = gettext_lazy(
        "A name, an event, a door, an address; or like actor:alice, subject:bob, door:portal."
    )
    fields = (
        "id", "at", "event", "door", "actor", "acting_as", "subject", "organization_name", "rule", "address", "request_id", "count",
        "said", "sealed",
    )  # fmt: skip
    readonly_fields = fields

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """Leave the rows unbounded: an export holds all that fit."""
        for word in search_term.split()[:WORDS_PER_SEARCH]:
            queryset = queryset.filter(self.fitting(request, word))
        return queryset, False

    def fitting(self, request: HttpRequest, word: str) -> Q:
        column, colon, value = word.partition(":")
        if colon and column in COLUMNS_ASKED:
            return Q(**{column: value})
        return super().fitting(request, word)

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path("export.csv", self.admin_site.admin_view(self.as_csv), name="identity_auditevent_csv"),
            path("export.json", self.admin_site.admin_view(self.as_json), name="identity_auditevent_json"),
            path("verify/", self.admin_site.admin_view(self.verify), name="identity_auditevent_verify"),
        ]
        return [*pages, *super().get_urls()]

    def as_csv(self, request: HttpRequest) -> StreamingHttpResponse:
        """Export what the filters of the list let through, oldest first, as CSV."""
        return _download(_csv_lines(self._filtered(request)), "text/csv; charset=utf-8", "audit.csv")

    def as_json(self, request: HttpRequest) -> StreamingHttpResponse:
        """Export the same as one JSON array."""
        return _download(_json_lines(self._filtered(request)), "application/json", "audit.json")

    def verify(self, request: HttpRequest) -> HttpResponse:
        """Walk the chain. What is wrong in detail speaks of every organisation's rows, so it is told to operators only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        wrong = audit.verify()
        if not wrong:
            self.message_user(request, _("The chain holds: nothing that was sealed was changed."), messages.SUCCESS)
        else:
            said = [_("The audit trail was changed after it was sealed. Tell the operator.")]
            for one in [*said, *wrong[:20]] if sees_all(request) else said:
                self.message_user(request, one, messages.ERROR)
        return HttpResponseRedirect(reverse("admin:identity_auditevent_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "filters": request.GET.urlencode()})

    def _filtered(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found: QuerySet[AuditEvent] = self.get_changelist_instance(request).get_queryset(request)
        return found.order_by("id")

    # --- columns ----------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("who"))
    def who(self, row: AuditEvent) -> SafeString | str:
        if not row.actor:
            return ""
        link = format_html('<a href="?{}">{}</a>', urlencode({"actor": row.actor}), row.actor)
        return format_html("{} <small>{}</small>", link, _("as %s") % row.acting_as) if row.acting_as else link

    @admin.display(description=gettext_lazy("on whom or what"))
    def on(self, row: AuditEvent) -> SafeString | str:
        return (
            format_html('<a href="?{}">{}</a>', urlencode({"subject": row.subject}), row.subject) if row.subject else ""
        )

    @admin.display(description=gettext_lazy("details"))
    def said(self, row: AuditEvent) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(row.details, indent=2, ensure_ascii=False))

    @admin.display(description=gettext_lazy("sealed"))
    def sealed(self, row: AuditEvent) -> SafeString:
        return badge(_("sealed"), "ok") if row.seal_id else badge(_("not yet"))


def _download(lines: Iterator[str], kind: str, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(lines, content_type=kind, headers=headers)


class _Line:
    """What csv writes to: it hands each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def _csv_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for row in rows.iterator(chunk_size=BATCH):
        said = audit.as_dict(row)
        said["details"] = json.dumps(said["details"], ensure_ascii=False)
        yield writer.writerow([_cell(said[name]) for name in COLUMNS])


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _json_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    yield "["
    before = "\n"
    for line in audit.as_json_lines(rows.iterator(chunk_size=BATCH)):
        yield before + line.rstrip("\n")
        before = ",\n"
    yield "\n]\n"


def _day(word: str) -> datetime | None:
    try:
        return datetime.strptime(word, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
