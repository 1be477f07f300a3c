"""The admin's page of callbacks: what was asked of Genesys, for when, what became of it, and the ticket to it. Never a number."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from identity import clock
from identity.admin.rows import OfOneOrganization, badge
from identity.policy import Permission
from integrations.models import Callback

State = Callback.State
TONES = {State.REQUESTED: "accent", State.ACCEPTED: "ok", State.REFUSED: "bad", State.UNAVAILABLE: "warn"}


@admin.register(Callback)
class CallbackAdmin(OfOneOrganization[Callback]):
    """The callbacks of an organisation, read only: calls are made by Genesys, and ended there."""

    reads = Permission.MESSAGES_MANAGE
    list_display = ("created_at", "standing", "scheduled_at", "through", "queue", "admission", "requested_by")
    list_filter = ("state",)
    list_select_related = ("organization", "application", "ticket")
    sortable_by = ("created_at",)
    search_fields = ("queue", "conversation", "requested_by")
    search_help_text = gettext_lazy("The beginning of a queue, a conversation or a client’s id.")
    fields = (
        "standing", "error", "organization", "through", "queue", "scheduled_at", "admission", "conversation", "requested_by", "created_at",
        "settled_at",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Callback]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def audit_name(self, row: Any) -> str:
        return str(row.ticket.name if row.ticket else row.pk)

    @admin.display(description=gettext_lazy("state"))
    def standing(self, row: Callback) -> SafeString:
        return badge(State(row.state).label, TONES[State(row.state)])

    @admin.display(description=gettext_lazy("application"))
    def through(self, row: Callback) -> str:
        return str(row.application) if row.application else "–"

    @admin.display(description=gettext_lazy("ticket"))
    def admission(self, row: Callback) -> str | SafeString:
        if row.ticket is None or row.ticket.deleted_at is not None:
            return "–"
        page = reverse("admin:tickets_ticket_change", args=[row.ticket_id])
        return format_html('<a href="{}">{}</a>', page, row.ticket.state(at=clock.now()).label)
