"""The page of messages: what left the house, what waits, what was given up. Never what they say."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import otp_history, outbox
from identity.admin.rows import Deed, OfOneOrganization, asker, badge
from identity.errors import Invalid
from identity.models import OutboxMessage
from identity.policy import Permission

State = OutboxMessage.State
TONES = {
    State.SENT: "ok", State.DELIVERED: "ok", State.FAILED: "bad", State.DEAD: "bad", State.UNKNOWN: "warn", State.SENDING: "accent",
}  # fmt: skip


class AboutFilter(admin.SimpleListFilter):
    """Messages of one matter, such as one code; it appears once its messages were asked for."""

    title, parameter_name = gettext_lazy("about"), "about"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        asked = request.GET.get("about", "")
        return [(asked, asked)] if asked else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> QuerySet[OutboxMessage]:
        return queryset.filter(subject_key=self.value().replace("\0", "")) if self.value() else queryset  # type: ignore[union-attr]  # a value that is there is a text


def _repeat(request: HttpRequest, message: OutboxMessage) -> str:
    if not outbox.can_repeat(message):
        raise Invalid(_("It is no longer of use, or what it says is gone."))
    outbox.repeat(by=asker(request), message=message)
    return _("The message will be sent again.")


@admin.register(OutboxMessage)
class MessageAdmin(OfOneOrganization[OutboxMessage]):
    """Messages with their state; what was given up can be sent again."""

    reads = Permission.MESSAGES_MANAGE
    deeds = (
        Deed("repeat", gettext_lazy("Send again"), Permission.MESSAGES_MANAGE, _repeat, is_offered=outbox.can_repeat),
    )
    list_display = (
        "created_at",
        "standing",
        "channel",
        "to",
        "template",
        "attempts",
        "last_error",
        "repeat_button",
    )
    list_filter = ("state", "channel", AboutFilter)
    list_select_related = ("organization",)
    operators_see = ("organization",)
    sortable_by = ("created_at",)
    ordering = ("-created_at",)
    search_fields = ("to",)
    search_help_text = gettext_lazy("The beginning of an address or a number.")
    fields = (
        "standing", "channel", "to", "country", "price", "template", "locale", "about", "organization", "attempts", "created_at", "next_at",
        "useful_until", "sent_at", "reported_at", "provider_id", "provider_status", "last_error",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=gettext_lazy("state"))
    def standing(self, message: OutboxMessage) -> SafeString:
        return standing_of(message)

    @admin.display(description=gettext_lazy("about"))
    def about(self, message: OutboxMessage) -> SafeString | str:
        """Lead to the code that a message carried, without naming it."""
        code = otp_history.of_message(message)
        if code is None:
            return message.subject_key
        return format_html('<a href="{}">{}</a>', reverse("admin:identity_otpverification_change", args=[code.pk]), _("What became of the code"))  # fmt: skip

    @admin.display(description=gettext_lazy("Action"))
    def repeat_button(self, message: OutboxMessage) -> SafeString | str:
        return self.button(message, "repeat") if outbox.can_repeat(message) else ""


def standing_of(message: OutboxMessage) -> SafeString:
    """Answer a message's state as a badge."""
    return badge(message.get_state_display(), TONES.get(State(message.state), ""))
