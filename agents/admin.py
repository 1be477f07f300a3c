"""The pages of agents, with the button "Log in as"; and the people's pages, with what only agents have."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from agents import actions
from agents.models import Agent
from identity import clock, policy, sessions
from identity.admin import people
from identity.admin.fields import LinesField
from identity.admin.rows import Deed, DomainForm, OfOneOrganization, asker, badge, sees_all
from identity.models import User
from identity.models.user import key_of
from identity.policy import Permission
from identity.principal import Role


class PresenceForm(DomainForm):
    """What colleagues see of an agent, and where the agent sits."""

    key_words = LinesField(label=gettext_lazy("Key words"), help_text=gettext_lazy("One per line."), rows=3)

    class Meta:
        model = Agent
        fields = ("is_available", "profile_name", "profile_until", "profile_message", "key_words", "place")


class AvailabilityFilter(admin.SimpleListFilter):
    """Agents by whether they can be called now."""

    title, parameter_name = gettext_lazy("availability"), "available"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("yes", _("available")), ("no", _("not available")), ("disabled", _("disabled"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Agent]) -> QuerySet[Agent]:
        conditions = {
            "yes": Q(is_available=True, user__is_active=True), "no": Q(is_available=False, user__is_active=True),
            "disabled": Q(user__is_active=False),
        }  # fmt: skip
        return queryset.filter(conditions.get(self.value() or "", Q()))


def _to_the_person(deed: Deed) -> Deed:
    """Answer a deed that is done from an agent's page to the person behind the record."""
    return replace(deed, run=lambda request, agent: deed.run(request, agent.user))


@admin.register(Agent)
class AgentAdmin(OfOneOrganization[Agent]):
    """The list of agents, and the page of one: who it is, whether available, which sessions, and the button."""

    reads, changes = Permission.PEOPLE_READ, Permission.PRESENCE_ANY
    deeds = tuple(_to_the_person(deed) for deed in people.DEEDS if deed.name in ("end-session", "end-all"))
    panels_above = ("admin/panels/login_as.html",)
    panels = ("admin/panels/sessions.html",)
    form = PresenceForm
    list_display = ("extension", "who", "availability", "profile_name", "seat")
    list_select_related = ("user", "organization", "seat_session")
    list_filter = (AvailabilityFilter, ("organization", admin.RelatedOnlyFieldListFilter))
    operators_see = ("organization",)
    sortable_by = ("extension",)
    ordering = ("organization_id", "extension")  # the index that the list is read along
    search_fields = ("extension",)
    search_help_text = gettext_lazy("The beginning of an extension, a name or an e-mail address.")
    readonly_fields = ("extension", "person", "availability", "organization", "seat", "devices_said")
    fieldsets = (
        (gettext_lazy("Who"), {"fields": ("person", "extension", "organization", "availability")}),
        (gettext_lazy("Presence"), {"fields": ("is_available", "profile_name", "profile_until", "profile_message", "key_words")}),
        (gettext_lazy("Seat"), {"fields": ("seat", "devices_said", "place")}),
    )  # fmt: skip

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter if sees_all(request) else (AvailabilityFilter,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        return super().get_queryset(request).select_related("user", "organization", "seat_session")

    def fitting(self, request: HttpRequest, word: str) -> Q:
        key = key_of(word)
        named = Q(username_key__startswith=key) | Q(email_key__startswith=key)
        named |= Q(first_name__istartswith=word) | Q(last_name__istartswith=word)
        return Q(extension__startswith=word) | Q(user_id__in=User.objects.filter(named).values("pk"))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        actions.set_presence(
            by=asker(request), agent=obj, is_available=said["is_available"], name=said["profile_name"], until=said["profile_until"],
            message=said["profile_message"], key_words=said["key_words"],
        )  # fmt: skip
        if "place" in form.changed_data:  # or else whoever edits presence would unseat who signed in at a place
            actions.set_place(by=asker(request), agent=obj, place=said["place"])

    def context_of(self, request: HttpRequest, row: Agent) -> dict[str, Any]:
        mine = Q() if sees_all(request) else Q(organization_id=asker(request).organization_id)
        return people.login_as_context(request, row.user) | {
            "sessions": list(sessions.live(user=row.user).filter(mine)[: people.SESSIONS_SHOWN]),
            "may_end": policy.may(asker(request), Permission.SESSIONS_MANAGE), "own_session_id": asker(request).session_id,
            "end_url": self.deed_url(row, "end-session"), "end_all_url": self.deed_url(row, "end-all"),
        }  # fmt: skip

    def audit_name(self, row: Any) -> str:
        return str(row.user)

    # --- columns ----------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("who"))
    def who(self, agent: Agent) -> str:
        return agent.user.get_full_name()

    @admin.display(description=gettext_lazy("person"))
    def person(self, agent: Agent) -> SafeString:
        address = reverse("admin:identity_user_change", args=[agent.user_id])
        name, email = agent.user.get_full_name(), agent.user.email
        return format_html('<a href="{}">{}</a> · {} · {}', address, name, agent.user.username, email)

    @admin.display(description=gettext_lazy("availability"))
    def availability(self, agent: Agent) -> SafeString:
        if not agent.user.may_sign_in(at=clock.now()):
            return badge(_("Cannot sign in"), "bad")
        return badge(_("Available"), "ok") if agent.is_available else badge(_("Not available"), "warn")

    @admin.display(description=gettext_lazy("sits at"))
    def seat(self, agent: Agent) -> str:
        return agent.seat

    @admin.display(description=gettext_lazy("devices"))
    def devices_said(self, agent: Agent) -> str:
        return ", ".join(" ".join(str(value) for value in device.values()) for device in agent.seat_devices)


class NewPersonForm(people.NewPersonForm):
    """One more person, with an extension for whoever answers calls."""

    extension = forms.RegexField(
        r"^\+?\d{1,19}$", required=False, label=gettext_lazy("Extension"),
        help_text=gettext_lazy("For agents and supervisors; empty takes a free one."),
    )  # fmt: skip


@admin.register(User)
class PersonAdmin(people.PersonAdmin):
    """The people's pages, where people are also found by extension, and agents get one."""

    new_form, new_fields = NewPersonForm, ("extension",)
    list_display = ("name", "email", "extension", "roles", "state", "second_factor", "last_seen")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        seen = Agent.objects.order_by("extension")
        if not sees_all(request):
            seen = seen.filter(organization_id=asker(request).organization_id)
        return super().get_queryset(request).prefetch_related(Prefetch("agents", queryset=seen, to_attr="seen_agents"))

    def fitting(self, request: HttpRequest, word: str) -> Q:
        owners = Agent.objects.filter(extension__startswith=word)
        if not sees_all(request):
            owners = owners.filter(organization_id=asker(request).organization_id)
        return super().fitting(request, word) | Q(pk__in=owners.values("user_id"))

    def make(self, request: HttpRequest, obj: User, said: dict[str, Any]) -> Any:
        user, organization, roles = super().make(request, obj, said)
        if {Role.AGENT, Role.SUPERVISOR} & set(roles):
            actions.create(by=asker(request), user=user, organization=organization, extension=said["extension"] or None)
        return user, organization, roles

    @admin.display(description=gettext_lazy("extension"))
    def extension(self, user: Any) -> SafeString | str:
        links = [
            format_html('<a href="{}">{}</a>', reverse("admin:agents_agent_change", args=[agent.pk]), agent.extension)
            for agent in user.seen_agents
        ]
        return links[0] if len(links) == 1 else ", ".join(agent.extension for agent in user.seen_agents)
