"""The admin's pages of tickets: who made them, who used them, the link to hand out again, and the end of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import segno
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from identity import clock
from identity.admin.rows import Deed, OfOneOrganization, asker, badge
from identity.policy import Permission
from tickets import actions, calendar
from tickets.models import State, Ticket

TONES = {State.VALID: "ok", State.USED: "", State.REVOKED: "bad", State.DISABLED: "warn", State.EXPIRED: ""}


def _show(request: HttpRequest, ticket: Ticket) -> HttpResponse:
    """Show link and picture, out of the page that everybody may look over a shoulder at."""
    link = calendar.link_of(actions.show(by=asker(request), ticket=ticket))
    picture = segno.make(link, error="m").svg_data_uri(scale=6, border=4, light="#fff")
    context = {**admin.site.each_context(request), "title": _("The customer's link"), "link": link, "picture": picture}
    context["back"] = reverse("admin:tickets_ticket_change", args=[ticket.pk])
    return TemplateResponse(request, "admin/ticket_shown.html", context, headers={"Cache-Control": "no-store"})


def _simply(verb: Callable[..., None], said: Any) -> Callable[[HttpRequest, Ticket], str]:
    def run(request: HttpRequest, ticket: Ticket) -> str:
        verb(by=asker(request), ticket=ticket)
        return str(said)

    return run


def _revoke_all(party: str) -> Callable[[HttpRequest, Ticket], str]:
    def run(request: HttpRequest, ticket: Ticket) -> str:
        revoked = actions.revoke_all(by=asker(request), ticket=ticket, party=party)
        return ngettext("%d ticket is revoked.", "%d tickets are revoked.", revoked) % revoked

    return run


def _all_of(party: str, label: Any, question: Any) -> Deed:
    return Deed(
        f"revoke-{party}", label, Permission.TICKETS_ANY, _revoke_all(party), tone="bad", question=question,
        is_offered=lambda row: bool(getattr(row, party)),
    )  # fmt: skip


DEEDS = (
    Deed("show", gettext_lazy("Show link and QR code"), Permission.TICKETS_ANY, _show, is_offered=lambda row: not row.is_gone()),
    Deed(
        "disable", gettext_lazy("Disable"), Permission.TICKETS_ANY, _simply(actions.disable, gettext_lazy("The ticket lets nobody in for now.")),
        is_offered=lambda row: row.disabled_at is None and row.revoked_at is None and not row.is_gone(),
    ),
    Deed(
        "enable", gettext_lazy("Enable"), Permission.TICKETS_ANY, _simply(actions.enable, gettext_lazy("The ticket lets its holder in again.")),
        is_offered=lambda row: row.disabled_at is not None and row.revoked_at is None and not row.is_gone(),
    ),
    Deed(
        "revoke", gettext_lazy("Revoke"), Permission.TICKETS_ANY, _simply(actions.revoke, gettext_lazy("The ticket is revoked for good.")),
        tone="bad", question=gettext_lazy("Revoke this ticket for good, and end what was redeemed from it?"),
        is_offered=lambda row: row.revoked_at is None,
    ),
    _all_of("customer", gettext_lazy("Revoke all of this customer"), gettext_lazy("Revoke all tickets of this customer?")),
    _all_of("conference", gettext_lazy("Revoke all of this conference"), gettext_lazy("Revoke all tickets of this conference?")),
    _all_of("interaction", gettext_lazy("Revoke all of this interaction"), gettext_lazy("Revoke all tickets of this interaction?")),
)  # fmt: skip


class StateFilter(admin.SimpleListFilter):
    """Tickets by what can be said of them."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(state.value, state.label) for state in State if state is not State.DELETED]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        at = clock.now()
        used = Q(is_single_use=True, redeemed_at__isnull=False)
        revoked, disabled, over = Q(revoked_at__isnull=False), Q(disabled_at__isnull=False), Q(expires_at__lte=at)
        conditions = {
            State.VALID: ~used & ~revoked & ~disabled & ~over, State.USED: used, State.REVOKED: ~used & revoked,
            State.DISABLED: ~used & ~revoked & disabled, State.EXPIRED: ~used & ~revoked & ~disabled & over,
        }  # fmt: skip
        return queryset.filter(conditions.get(self.value() or "", Q()))  # type: ignore[call-overload]  # a State is its value


@admin.register(Ticket)
class TicketAdmin(OfOneOrganization[Ticket]):
    """The tickets of an organisation, and the page of one."""

    reads = Permission.TICKETS_ANY
    deeds = DEEDS
    list_display = ("what", "standing", "customer", "conference", "uses", "last_used_at", "creator_name")
    list_filter = (StateFilter,)
    sortable_by = ()
    ordering = ("-created_at",)
    search_fields = ("customer", "conference", "interaction")
    search_help_text = gettext_lazy("The beginning of a customer, a conference or an interaction.")
    fields = (
        "what", "standing", "organization", "customer", "conference", "interaction", "properties", "scheduled_at", "expires_at", "uses",
        "redeemed_at", "last_used_at", "creator_name", "created_at", "disabled_at", "revoked_at", "version",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Ticket]:
        return super().get_queryset(request).filter(deleted_at=None).select_related("organization")

    def audit_name(self, row: Any) -> str:
        return str(row.name)

    @admin.display(description=gettext_lazy("type"))
    def what(self, ticket: Ticket) -> str:
        return ticket.type

    @admin.display(description=gettext_lazy("state"))
    def standing(self, ticket: Ticket) -> SafeString:
        state = ticket.state(at=clock.now())
        return badge(state.label, TONES.get(state, ""))
