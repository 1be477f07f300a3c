"""The page of connected applications: an editor that knows the fields of each type, under the permissions of the wire."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import applications, policy
from identity.admin.made import OwnedHere
from identity.admin.rows import Deed, Page, asker, sees_all
from identity.errors import NotAllowed
from identity.models import Application
from identity.policy import Permission
from identity.principal import Principal
from integrations import (
    admin_callbacks,  # noqa: F401  # registers its page
    admin_identities,  # noqa: F401  # registers its page
    admin_vendors,
    application_forms,
)
from integrations.providers import policy as sign_in_policy
from integrations.stories import external_people, sign_in_with, trials
from integrations.vendors import configs

SWITCHES = ("is_visible", "allows_anonymous_registration")
TITLES = {
    "": gettext_lazy("The other system"),
    "serviceParameters": gettext_lazy("Service parameters: for our calls to it"),
    "agentParameters": gettext_lazy("Agent parameters: for the agents’ side"),
    "customerParameters": gettext_lazy("Customer parameters: for the customers’ side"),
    sign_in_policy.SECTION: gettext_lazy("Signing in with it"),
}


def may_write(by: Principal, type_: str, verb: str) -> bool:
    """Say whether somebody may `add`, `edit` or `delete` applications of a type."""
    try:
        applications.require_writer(by, grant=configs.grant_of(type_, verb))
    except NotAllowed:
        return False
    return True


def _delete(request: HttpRequest, application: Application) -> str:
    grant = configs.grant_of(application.type, "delete")
    external_people.disconnect(by=asker(request), application=application, grant=grant)
    return _("%s is disconnected.") % application


@admin.register(Application)
class ApplicationAdmin(OwnedHere):
    """Connected applications; an Admin writes most types, and whoever holds the grant those that ask for one."""

    reads = Permission.APPLICATIONS_MANAGE
    form = new_form = application_forms.ApplicationForm
    pages = (
        Page("vendors/", "vendors", gettext_lazy("Integrations"), "live", Permission.APPLICATIONS_MANAGE, "vendors"),
    )
    # Who may really delete is a matter of the type: `deeds_for` and the verb ask for that.
    deeds = (
        Deed(
            "test", gettext_lazy("Test connection"), Permission.APPLICATIONS_MANAGE, admin_vendors.test,
            is_offered=lambda row: row.type in trials.VENDORS,
        ),
        Deed(
            "delete", gettext_lazy("Delete"), Permission.PEOPLE_READ, _delete, tone="bad",
            question=gettext_lazy("Disconnect this application? What its people do through it stops working."),
        ),
    )  # fmt: skip
    list_display = ("type", "id", "is_visible", "allows_anonymous_registration", "created_at")
    list_display_links = ("type", "id")
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    list_filter = ("type",)
    search_fields = ("id", "type")
    readonly_fields = ("type", "id", "organization", "redirects", "open_part", "created_at", "changed_at")

    # --- who may ----------------------------------------------------------------------------------------------------

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Supervisors see people and what is live here, grants or not; what a grant allows them, they do on the wire."""
        return policy.may(asker(request), self.reads)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) and bool(self._addable(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_view_permission(request)

    def deeds_for(self, request: HttpRequest, row: Application) -> list[Deed]:
        may_delete = may_write(asker(request), row.type, "delete")
        return [one for one in super().deeds_for(request, row) if one.name != "delete" or may_delete]

    def _may_switch(self, request: HttpRequest) -> bool:
        return policy.may(asker(request), Permission.APPLICATIONS_MANAGE)

    def _addable(self, request: HttpRequest) -> list[str]:
        return [type_ for type_ in configs.SCHEMAS if may_write(asker(request), type_, "add")]

    def vendors(self, request: HttpRequest) -> HttpResponse:
        return admin_vendors.page(request)

    # --- the pages --------------------------------------------------------------------------------------------------

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Ask for the type first, then show its fields."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        types = self._addable(request)
        if request.GET.get("type") in types:
            return super().add_view(request, form_url, {**(extra_context or {}), "title": request.GET["type"]})
        context = {**self.admin_site.each_context(request), "title": _("Connect an application"), "types": types}
        context["back"] = reverse("admin:identity_application_changelist")
        return TemplateResponse(request, "admin/application_types.html", context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = application_forms.form_for(request.GET["type"], {})
        elif may_write(asker(request), obj.type, "edit") and obj.type in configs.SCHEMAS:
            kwargs["form"] = application_forms.form_for(obj.type, applications.config_of(obj))
        form = super().get_form(request, obj, change=change, **kwargs)
        if change:
            form.base_fields.pop("organization", None)
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        is_editor = obj is None or (may_write(asker(request), obj.type, "edit") and obj.type in configs.SCHEMAS)
        type_ = request.GET["type"] if obj is None else obj.type
        editor = (
            [(TITLES[at], {"fields": names}) for at, names in application_forms.fields_of(type_)] if is_editor else []
        )
        whose = ("organization",) if obj is None and sees_all(request) else ()
        first = (*whose, *(SWITCHES if self._may_switch(request) else ()))
        shown = [(None, {"fields": first})] if first else []
        if obj is None:
            return [*shown, *editor]
        redirects = ("redirects",) if obj.type in sign_in_with.TYPES else ()
        part = () if is_editor else ("open_part",)
        about = ("type", "id", "organization", *redirects, *part, "created_at", "changed_at")
        return [*shown, *editor, (_("What it is"), {"fields": about})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, said = asker(request), form.cleaned_data
        if not change:
            type_ = form.type_
            made = applications.create(
                by=by, organization=self.owner(request, said), type_=type_, config=form.configuration, grant=configs.grant_of(type_, "add")
            )  # fmt: skip
            obj.pk, obj.type = made.pk, type_
            self._switch(request, made, form, standing={"is_visible": True, "allows_anonymous_registration": False})
            return
        if form.configuration is not None and form.configuration != form.stored:
            applications.change(
                by=by, application=obj, type_=obj.type, config=form.configuration, grant=configs.grant_of(obj.type, "edit")
            )  # fmt: skip
        self._switch(request, obj, form, standing={name: form.initial.get(name) for name in SWITCHES})

    def _switch(self, request: HttpRequest, row: Application, form: Any, *, standing: dict[str, Any]) -> None:
        wanted = {name: form.cleaned_data[name] for name in SWITCHES if name in form.cleaned_data}
        if any(standing[name] != value for name, value in wanted.items()):
            applications.set_flags(by=asker(request), application=row, **wanted)

    @admin.display(description=gettext_lazy("Redirect addresses"))
    def redirects(self, application: Application) -> SafeString:
        """Where the provider sends browsers back: with a code, and from its logout."""
        back = f"{settings.PUBLIC_URL}{settings.LOGIN_URL}"
        return format_html("{}<br>{}", sign_in_with.redirect_uri(application), back)

    @admin.display(description=gettext_lazy("configuration"))
    def open_part(self, application: Application) -> SafeString:
        """The stored open part: where a secret belongs stands a mask."""
        shown = application_forms.masked(applications.config_of(application))
        return format_html("<pre>{}</pre>", json.dumps(shown, indent=2, ensure_ascii=False))
