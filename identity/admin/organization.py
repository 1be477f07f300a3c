"""The page of an organisation: its rules, on one page (clarifications 63)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import organizations
from identity.admin import message_texts
from identity.admin.fields import LinesField, PricesField
from identity.admin.rows import Deed, DomainForm, OfOneOrganization, asker, badge, sees_all
from identity.models import Organization
from identity.policy import Permission
from identity.principal import Role

ONE_PER_LINE = gettext_lazy("One per line.")
LOGIN_AS_ROLES = [(Role.ADMIN.value, gettext_lazy("Admins")), (Role.SUPERVISOR.value, gettext_lazy("Supervisors"))]
MECHANISMS = [("basic", gettext_lazy("name and password")), ("cookie", gettext_lazy("cookie")), ("jwt", gettext_lazy("signed token"))]  # fmt: skip


def _as_step(line: str) -> str:
    return " ".join(line.upper().split())


class SettingsForm(DomainForm):
    """Every setting of an organisation; lists are typed a line each."""

    login_as_roles = forms.MultipleChoiceField(
        choices=LOGIN_AS_ROLES, required=False, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Who may log in as others"),
        help_text=gettext_lazy("Nobody ticked switches it off; whoever works as another right now is stopped."),
    )  # fmt: skip
    second_factor_exemptions = LinesField(
        label=gettext_lazy("Doors exempt from the second factor"), rows=2,
        help_text=gettext_lazy("Doors that cannot ask for a code and take the password alone, one per line."),
    )  # fmt: skip
    link_bases = LinesField(
        label=gettext_lazy("Allowed link bases"),
        help_text=gettext_lazy("Where links in our messages may lead, such as reset pages; one address per line."),
    )
    cors_origins = LinesField(
        label=gettext_lazy("Allowed browser origins"),
        help_text=gettext_lazy("One per line, such as https://desk.example.com or https://*.example.com."),
    )
    otp_countries = LinesField(
        label=gettext_lazy("Countries that get codes"), rows=3, help_text=gettext_lazy("Two letters each, one per line."), each=str.upper
    )  # fmt: skip
    ping_mechanisms = forms.MultipleChoiceField(
        choices=MECHANISMS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Ways into the extensions API"),
    )
    message_prices = PricesField(
        label=gettext_lazy("Prices"),
        help_text=gettext_lazy("Country, channel and price, one line each, such as SE SMS 0.05."),
    )
    message_fallbacks = LinesField(
        label=gettext_lazy("Fallback plan"), rows=3, each=_as_step,
        help_text=gettext_lazy(
            "What is tried when nobody enters a code: a channel and the seconds after the step before, such as VOICE 60; one step per line."
        ),
    )  # fmt: skip
    sign_in_hosts = LinesField(label=gettext_lazy("Host names of the sign-in page"), help_text=ONE_PER_LINE, rows=2)
    sign_in_domains = LinesField(label=gettext_lazy("E-mail domains of its people"), help_text=ONE_PER_LINE, rows=2)

    class Meta:
        model = Organization
        # Own texts have a page of their own.
        fields = tuple(name for name in organizations.SETTINGS if name != "message_templates")


class NewOrganizationForm(DomainForm):
    """An organisation to be."""

    class Meta:
        model = Organization
        fields = ("name", "title", "domain")


def _suspend(request: HttpRequest, organization: Organization) -> str:
    organizations.suspend(by=asker(request), organization=organization)
    return _("Every door of %s is closed.") % organization


def _resume(request: HttpRequest, organization: Organization) -> str:
    organizations.resume(by=asker(request), organization=organization)
    return _("The doors of %s are open again.") % organization


@admin.register(Organization)
class OrganizationAdmin(OfOneOrganization[Organization]):
    """An admin's own organisation, or all of them for an operator."""

    reads = changes = Permission.ORGANIZATION_MANAGE
    adds = Permission.ALL_ORGANIZATIONS
    organization_field = "pk"
    operators_see = ()
    deeds = (
        Deed(
            "suspend", gettext_lazy("Suspend"), Permission.ALL_ORGANIZATIONS, _suspend, tone="bad", is_offered=lambda row: not row.is_suspended,
            question=gettext_lazy("Suspend this organisation? All of its people and machines are refused at once."),
        ),
        Deed("resume", gettext_lazy("Resume"), Permission.ALL_ORGANIZATIONS, _resume, is_offered=lambda row: row.is_suspended),
    )  # fmt: skip
    form, new_form = SettingsForm, NewOrganizationForm
    list_display = ("name", "title", "domain", "standing", "created_at")
    sortable_by = ("name",)
    search_fields = ("name", "title", "domain")
    readonly_fields = ("name", "domain", "standing", "protected_people", "own_texts")
    fieldsets = (
        (gettext_lazy("Who"), {"fields": ("name", "domain", "standing", "title")}),
        (gettext_lazy("Working as others"), {"fields": ("login_as_roles", "protected_people")}),
        (gettext_lazy("Signing in"), {"fields": (
            "requires_second_factor", "second_factor_exemptions", "sign_in_hosts", "sign_in_domains", "creates_people_just_in_time",
        )}),
        (gettext_lazy("Links and browsers"), {"fields": ("link_bases", "cors_origins", "ping_mechanisms")}),
        (gettext_lazy("Messages"), {"fields": (
            "otp_countries", "otp_guard_only_reports", "message_budget_per_day", "money_budget_per_day", "message_prices", "message_fallbacks",
            "own_texts",
        )}),
        (gettext_lazy("Tickets and usage"), {"fields": ("ticket_length", "tickets_are_single_use", "usage_retention_days")}),
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        texts = path("<uuid:pk>/texts/", self.admin_site.admin_view(self.texts), name="identity_organization_texts")
        return [texts, *super().get_urls()]

    def texts(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """Show and change what the organisation's own messages say."""
        organization = self.get_object(request, str(pk)) if self.has_change_permission(request) else None
        if organization is None:
            raise Http404
        return message_texts.page(request, organization)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fieldsets if obj is not None else ((None, {"fields": ("name", "title", "domain")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(
            request, obj, change=change, **(kwargs if change else {**kwargs, "form": self.new_form})
        )

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Whoever has one organisation only gets its page, not a list of one."""
        if sees_all(request) or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        own = asker(request).organization_id
        return HttpResponseRedirect(reverse("admin:identity_organization_change", args=[own]))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, said = asker(request), form.cleaned_data
        if change:
            changed = {name: said[name] for name in form.changed_data}
            if changed:
                organizations.change(by=by, organization=obj, **changed)
            return
        made = organizations.create(by=by, name=said["name"], title=said["title"], domain=said["domain"])
        obj.pk = made.pk

    def audit_name(self, row: Any) -> str:
        return str(row.name)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Stay on the page: an organisation's settings have no list to go back to."""
        super().response_change(request, obj)
        return HttpResponseRedirect(reverse("admin:identity_organization_change", args=[obj.pk]))

    @admin.display(description=gettext_lazy("state"))
    def standing(self, organization: Organization) -> SafeString:
        return badge(_("Suspended"), "bad") if organization.is_suspended else badge(_("Open"), "ok")

    @admin.display(description=gettext_lazy("own message texts"))
    def own_texts(self, organization: Organization) -> SafeString:
        languages = organization.message_templates.get(message_texts.TEMPLATE) or {}
        address = reverse("admin:identity_organization_texts", args=[organization.pk])
        said = ", ".join(sorted(languages)) or _("none, ours are used")
        return format_html('{} · <a href="{}">{}</a>', said, address, _("Edit and preview"))

    @admin.display(description=gettext_lazy("protected people"))
    def protected_people(self, organization: Organization) -> SafeString:
        count = organization.memberships.filter(user__is_protected=True).count()
        address = f"{reverse('admin:identity_user_changelist')}?state=protected"
        return format_html(
            '<a href="{}">{}</a> {}', address, count, _("that nobody may work as; protect them on their own pages.")
        )
