"""The pages of what is open now: sessions behind every door, and people who work as others."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clock, login_as, policy, sessions
from identity.admin.rows import Deed, OfOneOrganization, asker, badge
from identity.models import LoginAs, Session, User
from identity.models.user import key_of
from identity.policy import Permission


class KindFilter(admin.SimpleListFilter):
    """Sessions by what sort of owner they have."""

    title, parameter_name = gettext_lazy("whose"), "whose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("people", _("people")), ("others", _("people working as others")), ("tokens", _("personal tokens")),
            ("clients", _("clients")), ("customers", _("customers")),
        ]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[Session]) -> QuerySet[Session]:
        conditions = {
            "people": Q(user__isnull=False, is_personal_token=False), "others": Q(login_as__isnull=False),
            "tokens": Q(is_personal_token=True), "clients": Q(client__isnull=False), "customers": Q(user=None, client=None),
        }  # fmt: skip
        return queryset.filter(conditions.get(self.value() or "", Q()))


def _end_session(request: HttpRequest, session: Session) -> str:
    sessions.close_as_manager(by=asker(request), session=session)
    return _("The session is ended.")


@admin.register(Session)
class SessionAdmin(OfOneOrganization[Session]):
    """The open sessions; admins may end one."""

    reads = Permission.LIVE_READ
    shows_newest_only = True  # who wants one of a hundred thousand asks by name
    deeds = (
        Deed("end", gettext_lazy("End"), Permission.SESSIONS_MANAGE, _end_session, tone="bad", question=gettext_lazy("End this session?")),
    )  # fmt: skip
    list_display = ("whose", "door", "created_at", "last_seen_at", "expires_at", "address", "standing")
    list_filter = (KindFilter,)
    sortable_by = ("created_at",)
    ordering = ("-created_at",)
    search_fields = ("user__username_key",)
    search_help_text = gettext_lazy("The beginning of a user name or an e-mail address.")
    fields = (
        "whose", "organization", "door", "label", "address", "user_agent", "created_at", "last_seen_at", "expires_at", "second_factor_at",
        "standing",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows = super().get_queryset(request).filter(ended_at=None, expires_at__gt=clock.now())
        return rows.select_related("user", "client", "organization", "login_as__subject")

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = tuple(super().get_list_display(request))
        return (*shown, "end_button") if policy.may(asker(request), Permission.SESSIONS_MANAGE) else shown

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter

    def fitting(self, request: HttpRequest, word: str) -> Q:
        key = key_of(word)
        who = User.objects.filter(Q(username_key__startswith=key) | Q(email_key__startswith=key))
        return Q(user_id__in=who.values("pk"))

    @admin.display(description=gettext_lazy("whose"))
    def whose(self, session: Session) -> str:
        return str(session.user or session.client or session.holder)

    @admin.display(description=gettext_lazy("state"))
    def standing(self, session: Session) -> SafeString:
        if session.login_as is not None:
            return badge(_("works as %s") % session.login_as.subject, "warn")
        if session.is_expired(at=clock.now()):
            return badge(_("idled out"))
        return badge(_("open"), "ok")

    @admin.display(description="")
    def end_button(self, session: Session) -> SafeString:
        return self.button(session, "end")


class RunningFilter(admin.SimpleListFilter):
    """Login-as by whether it runs now."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("running", _("running")), ("over", _("over"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LoginAs]) -> QuerySet[LoginAs]:
        running = Q(ended_at=None, deadline_at__gt=clock.now())
        conditions = {"running": running, "over": ~running}
        return queryset.filter(conditions.get(self.value() or "", Q()))


def _end_login_as(request: HttpRequest, row: LoginAs) -> str:
    login_as.end(login_as=row, reason="ended", by=asker(request))
    return _("%(actor)s no longer works as %(subject)s.") % {"actor": row.actor, "subject": row.subject}


@admin.register(LoginAs)
class LoginAsAdmin(OfOneOrganization[LoginAs]):
    """Who worked as whom, why and until when; what runs can be ended. Supervisors see what runs, and nothing of the past."""

    reads = Permission.LIVE_READ
    deeds = (
        Deed(
            "end", gettext_lazy("End"), Permission.SESSIONS_MANAGE, _end_login_as, tone="bad", question=gettext_lazy("End this login-as?"),
            is_offered=lambda row: not row.is_over(at=clock.now()),
        ),
    )  # fmt: skip
    list_display = ("who", "as_whom", "mode", "reason", "door", "started_at", "standing")
    list_filter = (RunningFilter,)
    sortable_by = ("started_at",)
    ordering = ("-started_at",)
    search_fields = ("actor__username_key",)
    search_help_text = gettext_lazy("The beginning of one of the two user names.")
    fields = (
        "who", "as_whom", "organization", "mode", "reason", "door", "address", "started_at", "deadline_at", "ended_at", "end_reason",
        "notified_at", "standing",
    )  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[LoginAs]:
        rows = super().get_queryset(request).select_related("actor", "subject", "organization")
        if not policy.may(asker(request), Permission.AUDIT_READ):
            rows = rows.filter(ended_at=None, deadline_at__gt=clock.now())
        return rows

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = tuple(super().get_list_display(request))
        return (*shown, "end_button") if policy.may(asker(request), Permission.SESSIONS_MANAGE) else shown

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter

    def fitting(self, request: HttpRequest, word: str) -> Q:
        key = key_of(word)
        return Q(actor__username_key__startswith=key) | Q(subject__username_key__startswith=key)

    def audit_name(self, row: Any) -> str:
        return str(row.subject)

    @admin.display(description=gettext_lazy("who"))
    def who(self, row: LoginAs) -> str:
        return row.actor.get_full_name()

    @admin.display(description=gettext_lazy("as whom"))
    def as_whom(self, row: LoginAs) -> str:
        return row.subject.get_full_name()

    @admin.display(description=gettext_lazy("state"))
    def standing(self, row: LoginAs) -> SafeString:
        at = clock.now()
        if not row.is_over(at=at):
            minutes = max(1, int((row.deadline_at - at).total_seconds() // 60))
            return badge(_("running, %d min left") % minutes, "warn")
        return format_html("{} {}", badge(_("over")), row.end_reason or _("deadline"))

    @admin.display(description="")
    def end_button(self, row: LoginAs) -> SafeString | str:
        return "" if row.is_over(at=clock.now()) else self.button(row, "end")
