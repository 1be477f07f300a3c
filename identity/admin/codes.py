"""The pages of codes: what became of each, ranges of numbers that are paused, and the way to the figures. Never a code."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clock, otp_guard, otp_history
from identity.admin import code_figures
from identity.admin.messages import standing_of
from identity.admin.rows import Deed, OfOneOrganization, Page, asker, badge, sees_all
from identity.models import Organization, OtpVerification, OutboxMessage, PrefixPause
from identity.models.user import key_of
from identity.otp_history import State, Step
from identity.policy import Permission

MANAGE = Permission.MESSAGES_MANAGE
TONES = {State.PENDING: "accent", State.APPROVED: "ok", State.CONSUMED: "ok", State.EXHAUSTED: "bad", State.EXPIRED: ""}
# What happened, in words for the timeline; a word that is not here is shown as the trail has it.
WORDS = {
    "otp.requested": gettext_lazy("Code asked for"), "otp.failed": gettext_lazy("Wrong code entered"),
    "otp.exhausted": gettext_lazy("Wrong code entered, the last one allowed"), "otp.approved": gettext_lazy("Right code entered"),
    "otp.consumed": gettext_lazy("Used up"), "otp.fell_back": gettext_lazy("Sent on by the fallback plan"),
    "otp.fallback_refused": gettext_lazy("The fallback plan ended here"), "otp.falls_back": gettext_lazy("The fallback plan goes on"),
    "otp.expired": gettext_lazy("Expired without being entered"), "message.accepted": gettext_lazy("Message accepted"),
    "message.sent": gettext_lazy("Taken by the gateway"), "message.delivered": gettext_lazy("Delivered"),
    "message.failed": gettext_lazy("Not delivered"), "message.given_up": gettext_lazy("Given up"),
    "message.repeated": gettext_lazy("Sent again by hand"),
}  # fmt: skip
TONE_OF_STEP = {
    "otp.approved": "ok", "otp.consumed": "ok", "message.delivered": "ok", "message.sent": "ok", "otp.failed": "warn", "otp.fell_back": "accent",
    "otp.exhausted": "bad", "message.failed": "bad", "message.given_up": "bad", "otp.fallback_refused": "warn",
}  # fmt: skip

ENDS = ("message.failed", "message.given_up")
REPORTS = ("message.sent", "message.delivered", "message.failed")


class StateFilter(admin.SimpleListFilter):
    """Verifications by what became of them."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return State.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[OtpVerification]) -> QuerySet[OtpVerification]:
        return queryset.filter(otp_history.in_state(self.value() or "", at=clock.now()))


class CountryFilter(admin.SimpleListFilter):
    """Rows by country, of those that may get codes."""

    title, parameter_name = gettext_lazy("country"), "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        mine = Q() if sees_all(request) else Q(pk=asker(request).organization_id)
        allowed = Organization.objects.filter(mine).values_list("otp_countries", flat=True)
        asked = request.GET.get("country", "")
        return [(code, code) for code in sorted({asked[:2], *(one for of in allowed for one in of)} - {""})]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(country=_storable(self.value())) if self.value() else queryset


class RecipientFilter(admin.SimpleListFilter):
    """Verifications of one recipient; it appears once a recipient was followed."""

    title, parameter_name = gettext_lazy("recipient"), "recipient"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        asked = request.GET.get("recipient", "")
        return [(asked, asked)] if asked else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[OtpVerification]) -> QuerySet[OtpVerification]:
        return queryset.filter(recipient_key=_storable(self.value())) if self.value() else queryset


@admin.register(OtpVerification)
class OtpVerificationAdmin(OfOneOrganization[OtpVerification]):
    """Verifications with their state, read only; the page of one tells what happened to it, in order."""

    reads = MANAGE
    pages = (Page("codes/", "codes", gettext_lazy("Figures"), "chart", MANAGE, "figures"),)
    change_form_template = "admin/code.html"
    panels_above = ("admin/panels/code_timeline.html",)
    list_display = ("created_at", "recipient", "country", "channel", "standing", "sends", "failures")
    list_display_links = ("created_at", "recipient")
    list_filter = (StateFilter, "channel", CountryFilter, RecipientFilter)
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    ordering = ("-created_at",)
    search_fields = ("recipient_key",)
    search_help_text = gettext_lazy("The beginning of a number or an address, such as +46701.")
    fields = (
        "standing", "recipient", "id", "country", "prefix", "channel", "locale", "name", "asked_by", "organization", "sends", "failures", "created_at",
        "expires_at", "approved_at", "consumed_at",
    )  # fmt: skip
    readonly_fields = fields

    def fitting(self, request: HttpRequest, word: str) -> Q:
        return super().fitting(request, key_of(word))

    def figures(self, request: HttpRequest) -> HttpResponse:
        """Show how codes and gateways do."""
        return code_figures.page(request)

    def context_of(self, request: HttpRequest, row: OtpVerification) -> dict[str, Any]:
        at = clock.now()
        of_recipient = urlencode({"recipient": row.recipient_key})
        of_code = urlencode({"about": str(row.pk)})
        return {
            "steps": _shown(otp_history.timeline(row, at=at)),
            "recipient_url": f"{reverse('admin:identity_otpverification_changelist')}?{of_recipient}",
            "messages_url": f"{reverse('admin:identity_outboxmessage_changelist')}?{of_code}",
        }

    @admin.display(description=gettext_lazy("state"))
    def standing(self, verification: OtpVerification) -> SafeString:
        state = otp_history.state_of(verification, at=clock.now())
        return badge(state.label, TONES[state])


class OpenFilter(admin.SimpleListFilter):
    """Pauses by whether they still hold."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("paused", _("paused")), ("reported", _("only reported")), ("resumed", _("resumed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[PrefixPause]) -> QuerySet[PrefixPause]:
        conditions = {
            "paused": Q(resumed_at=None, is_only_reported=False), "reported": Q(resumed_at=None, is_only_reported=True),
            "resumed": Q(resumed_at__isnull=False),
        }  # fmt: skip
        return queryset.filter(conditions.get(self.value() or "", Q()))


def _resume(request: HttpRequest, pause: PrefixPause) -> str:
    otp_guard.resume(by=asker(request), pause=pause)
    return _("Codes go to %s again.") % pause


def _can_resume(pause: PrefixPause) -> bool:
    return pause.resumed_at is None


@admin.register(PrefixPause)
class PrefixPauseAdmin(OfOneOrganization[PrefixPause]):
    """Ranges of numbers whose codes nobody entered; a person looks at them and lets codes go there again."""

    reads = MANAGE
    deeds = (
        Deed(
            "resume", gettext_lazy("Resume"), MANAGE, _resume, is_offered=_can_resume,
            question=gettext_lazy("Let codes go to this range of numbers again?"),
        ),
    )  # fmt: skip
    list_display = ("prefix", "country", "unentered", "paused_at", "standing", "resumed_by", "resume_button")
    list_filter = (OpenFilter, CountryFilter)
    list_select_related = ("organization",)
    sortable_by = ("paused_at",)
    ordering = ("-paused_at",)
    search_fields = ("prefix",)
    search_help_text = gettext_lazy("The beginning of a range of numbers, such as +4670.")
    fields = ("prefix", "country", "numbers", "standing", "organization", "paused_at", "resumed_at", "resumed_by")
    readonly_fields = fields

    def audit_name(self, row: Any) -> str:
        return str(row.prefix)

    @admin.display(description=gettext_lazy("state"))
    def standing(self, pause: PrefixPause) -> SafeString:
        if pause.resumed_at is not None:
            return badge(_("resumed"))
        return badge(_("only reported"), "warn") if pause.is_only_reported else badge(_("paused"), "bad")

    @admin.display(description=gettext_lazy("never entered"))
    def unentered(self, pause: PrefixPause) -> int:
        return pause.numbers

    @admin.display(description=gettext_lazy("Action"))
    def resume_button(self, pause: PrefixPause) -> SafeString | str:
        return self.button(pause, "resume") if _can_resume(pause) else ""


def _shown(steps: list[Step]) -> list[dict[str, Any]]:
    """Answer steps in words: what happened, by whom, and what the gateway said; an error stands once, where it ended a message."""
    ended = {step.message.pk for step in steps if step.message and step.event in ENDS}
    return [
        {
            "at": step.at, "words": WORDS.get(step.event, step.event), "tone": TONE_OF_STEP.get(step.event, "plain"), "who": step.actor,
            "address": step.address, "count": step.count if step.count > 1 else 0, "message": step.message,
            "channel": _channel_words(step.message.channel if step.message else step.details.get("channel", "")),
            "standing": standing_of(step.message) if step.message and step.event == "message.accepted" else "",
            "message_url": reverse("admin:identity_outboxmessage_change", args=[step.message.pk]) if step.message else "",
            "says_attempts": step.event == "message.accepted", "says_gateway": step.event in REPORTS,
            "says_error": step.message and (step.event in ENDS or (step.event == "message.accepted" and step.message.pk not in ended)),
        }
        for step in steps
    ]  # fmt: skip


def _channel_words(channel: str) -> str:
    return str(dict(OutboxMessage.Channel.choices).get(channel, channel))


def _storable(word: str | None) -> str:
    return (word or "").replace("\0", "")
