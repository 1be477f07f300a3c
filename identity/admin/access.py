"""The page of API keys: made, told once, revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clients
from identity.admin.made import MadeHere, OwnedForm
from identity.admin.rows import NEVER, Deed, asker, badge, sees_all
from identity.models import ApiKey
from identity.policy import Permission


class NewApiKeyForm(OwnedForm):
    """An API key to be."""

    class Meta:
        model = ApiKey
        fields = ("name",)


def _revoke_key(request: HttpRequest, key: ApiKey) -> str:
    clients.revoke_api_key(by=asker(request), key=key)
    return _("The key “%s” is revoked.") % key


@admin.register(ApiKey)
class ApiKeyAdmin(MadeHere):
    """API keys: make, shown once, revoke."""

    reads = adds = Permission.API_KEYS_MANAGE
    new_form, told_as = NewApiKeyForm, gettext_lazy("Name")
    deeds = (
        Deed(
            "revoke", gettext_lazy("Revoke"), Permission.API_KEYS_MANAGE, _revoke_key, tone="bad",
            question=gettext_lazy("Revoke this key? Whoever uses it is refused at once."), is_offered=lambda key: key.revoked_at is None,
        ),
    )  # fmt: skip
    list_display = ("name", "begins", "state", "created_by", "created_at", "last_used")
    list_select_related = ("organization", "created_by")
    sortable_by = ("created_at",)
    search_fields = ("name",)
    readonly_fields = (
        "name",
        "begins",
        "state",
        "organization",
        "created_by",
        "created_at",
        "last_used_at",
        "revoked_at",
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        whose = ("organization",) if sees_all(request) else ()
        return ((None, {"fields": self.readonly_fields if obj is not None else ("name", *whose)}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        owner = self.owner(request, form.cleaned_data)
        made = clients.create_api_key(by=asker(request), organization=owner, name=form.cleaned_data["name"])
        obj.pk, request.made = made.row.pk, made  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("begins with"))
    def begins(self, key: ApiKey) -> SafeString:
        return format_html("<code>{}…</code>", key.hint)

    @admin.display(description=gettext_lazy("state"))
    def state(self, key: ApiKey) -> SafeString:
        return badge(_("Live"), "ok") if key.revoked_at is None else badge(_("Revoked"), "bad")

    @admin.display(description=gettext_lazy("last used"), empty_value=NEVER)
    def last_used(self, key: ApiKey) -> Any:
        return key.last_used_at

    def audit_name(self, row: Any) -> str:
        return str(row.name)
