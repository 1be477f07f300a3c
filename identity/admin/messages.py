"""The page of messages: what left the house, what waits, what was given up. Never what they say."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import outbox
from identity.admin.rows import NEVER, Deed, OfOneOrganization, asker, badge
from identity.models import OutboxMessage
from identity.policy import Permission

State = OutboxMessage.State
TONES = {State.SENT: "ok", State.DEAD: "bad", State.UNKNOWN: "warn", State.SENDING: "accent"}


def _repeat(request: HttpRequest, message: OutboxMessage) -> str:
    outbox.repeat(by=asker(request), message=message)
    return _("The message will be sent again.")


def _can_repeat(message: OutboxMessage) -> bool:
    return message.state == State.DEAD and bool(message.context_sealed)


@admin.register(OutboxMessage)
class MessageAdmin(OfOneOrganization[OutboxMessage]):
    """Messages with their state; what was given up can be sent again."""

    reads = Permission.MESSAGES_MANAGE
    deeds = (Deed("repeat", gettext_lazy("Send again"), Permission.MESSAGES_MANAGE, _repeat, is_offered=_can_repeat),)
    list_display = (
        "created_at",
        "standing",
        "channel",
        "to",
        "template",
        "attempts",
        "sent",
        "last_error",
        "repeat_button",
    )
    list_filter = ("state", "channel")
    list_select_related = ("organization",)
    operators_see = ("organization",)
    sortable_by = ("created_at",)
    ordering = ("-created_at",)
    search_fields = ("to",)
    search_help_text = gettext_lazy("The beginning of an address or a number.")
    fields = (
        "standing", "channel", "to", "template", "locale", "organization", "attempts", "created_at", "next_at", "useful_until", "sent_at",
        "provider_id", "provider_status", "last_error",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description=gettext_lazy("state"))
    def standing(self, message: OutboxMessage) -> SafeString:
        return badge(message.get_state_display(), TONES.get(State(message.state), ""))

    @admin.display(description=gettext_lazy("sent"), empty_value=NEVER)
    def sent(self, message: OutboxMessage) -> Any:
        return message.sent_at

    @admin.display(description="")
    def repeat_button(self, message: OutboxMessage) -> SafeString | str:
        return self.button(message, "repeat") if _can_repeat(message) else ""
