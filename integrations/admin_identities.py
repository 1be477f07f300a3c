"""The admin's page of external identities: who is known at which provider, and a button to take such a link away."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity.admin.rows import Deed, OfOneOrganization, asker
from identity.models.user import key_of
from identity.policy import Permission
from integrations.models import ExternalIdentity
from integrations.stories import external_people


def _unlink(request: HttpRequest, identity: ExternalIdentity) -> str:
    external_people.unlink(by=asker(request), identity=identity)
    return _("%s is linked no more.") % identity.user


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(OfOneOrganization[ExternalIdentity]):
    """The links of an organisation's people, read only; they are made by signing in."""

    reads = Permission.PEOPLE_MANAGE
    organization_field = "application__organization_id"
    operators_see = ()
    deeds = (
        Deed(
            "unlink", gettext_lazy("Unlink"), Permission.PEOPLE_MANAGE, _unlink, tone="bad",
            question=gettext_lazy("Take this link away? The person’s browser sessions end."),
        ),
    )  # fmt: skip
    list_display = ("whose", "through", "issuer", "created_at", "last_used_at")
    list_display_links = ("whose",)
    list_select_related = ("user", "application__organization")
    sortable_by = ("created_at", "last_used_at")
    search_fields = ("user__username_key", "user__email_key", "subject")
    search_help_text = gettext_lazy("The beginning of a user name, an e-mail address, or the provider’s own id.")
    fields = ("person", "through", "issuer", "subject", "created_at", "last_used_at")
    readonly_fields = fields

    def fitting(self, request: HttpRequest, word: str) -> Q:
        return super().fitting(request, word) | super().fitting(request, key_of(word))

    def audit_name(self, row: Any) -> str:
        return str(row.user.username)

    @admin.display(description=gettext_lazy("person"))
    def whose(self, identity: ExternalIdentity) -> str:
        return identity.user.username

    @admin.display(description=gettext_lazy("person"))
    def person(self, identity: ExternalIdentity) -> SafeString:
        page = reverse("admin:identity_user_change", args=[identity.user_id])
        return format_html('<a href="{}">{}</a>', page, identity.user)

    @admin.display(description=gettext_lazy("application"))
    def through(self, identity: ExternalIdentity) -> str:
        return str(identity.application)
