"""The pages of machines and keys: clients, API keys, applications, kept keys, and the keys that sign our tokens."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import applications, clients, clock, organizations, tokens
from identity.admin.fields import LinesField
from identity.admin.rows import NEVER, Deed, DomainForm, OfOneOrganization, asker, badge, sees_all, shown_once
from identity.models import ApiKey, Application, Client, Key, Organization, SigningKey
from identity.policy import Permission
from identity.principal import Role

# The old secret of a rotated client serves so long beside the new one, so that nothing stands still.
GRACE = timedelta(days=1)
ROLES = [(role.value, role.value) for role in Role]


class OwnedForm(DomainForm):
    """A form for something new that belongs to an organisation: the asker's own, or one that an operator names."""

    organization = forms.ModelChoiceField(Organization.objects.all(), label=gettext_lazy("Organisation"))


class MadeHere(OfOneOrganization[Any]):
    """A page whose new rows have a secret that is shown once."""

    new_form: type[DomainForm]
    told_as: Promise = gettext_lazy("Client id")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(
            request, obj, change=change, **(kwargs if change else {**kwargs, "form": self.new_form})
        )
        if not change and not sees_all(request):
            form.base_fields.pop("organization", None)
        return form

    def owner(self, request: HttpRequest, said: dict[str, Any]) -> Any:
        """Answer to which organisation a new row belongs; an operator may leave it open where the form lets him."""
        return said["organization"] if "organization" in said else organizations.find(pk=asker(request).organization_id)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        made: clients.Made = request.made  # type: ignore[attr-defined]  # set by save_model in this very request
        return told(request, made, kind=self.told_as, back=f"{self.opts.app_label}_{self.opts.model_name}")


def told(request: HttpRequest, made: clients.Made, *, kind: Promise, back: str) -> HttpResponse:
    """Answer the page that tells a new secret."""
    words = _("Copy the secret now: it is not stored and cannot be shown again.")
    shown = [(str(kind), str(made.row if isinstance(made.row, ApiKey) else made.row.pk)), (_("Secret"), made.secret)]
    return shown_once(request, title=str(made.row), words=words, secrets=shown, back=back)


class NewClientForm(OwnedForm):
    """A client to be: what it is for and what it may."""

    organization = forms.ModelChoiceField(
        Organization.objects.all(), required=False, label=gettext_lazy("Organisation"),
        help_text=gettext_lazy("Empty makes an internal service, which belongs to none."),
    )  # fmt: skip
    roles = forms.MultipleChoiceField(
        choices=ROLES, required=False, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Roles")
    )
    redirect_uris = LinesField(label=gettext_lazy("Redirect addresses"), help_text=gettext_lazy("One per line."))

    class Meta:
        model = Client
        fields = ("description",)


class ClientForm(DomainForm):
    """What is said of a client, and what it may."""

    roles = forms.MultipleChoiceField(
        choices=ROLES, required=False, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Roles")
    )

    class Meta:
        model = Client
        fields = ("description", "roles")


def _delete_client(request: HttpRequest, client: Client) -> str:
    clients.delete(by=asker(request), client=client)
    return _("The client is deleted and its tokens are dead.")


def _rotate_client(request: HttpRequest, client: Client) -> HttpResponse:
    made = clients.rotate(by=asker(request), client=client, grace=GRACE)
    return told(request, made, kind=gettext_lazy("Client id"), back="identity_client")


@admin.register(Client)
class ClientAdmin(MadeHere):
    """OAuth clients: make, change, rotate, delete."""

    reads = adds = changes = Permission.CLIENTS_MANAGE
    deeds = (
        Deed(
            "rotate", gettext_lazy("New secret"), Permission.CLIENTS_MANAGE, _rotate_client,
            question=gettext_lazy("Make a new secret? The old one serves for one more day."),
        ),
        Deed(
            "delete", gettext_lazy("Delete"), Permission.CLIENTS_MANAGE, _delete_client, tone="bad",
            question=gettext_lazy("Delete this client? Its tokens die at once."),
        ),
    )  # fmt: skip
    form, new_form = ClientForm, NewClientForm
    list_display = ("description", "id", "may", "is_internal", "created_at")
    list_display_links = ("description", "id")
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    search_fields = ("id", "description")
    readonly_fields = ("id", "organization", "is_internal", "redirects", "created_by", "created_at", "last_used")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return super().get_queryset(request).filter(deleted_at=None).select_related("organization", "created_by")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            whose = ("organization",) if sees_all(request) else ()
            return ((None, {"fields": ("description", *whose, "roles", "redirect_uris")}),)
        return (
            (None, {"fields": ("description", "roles")}),
            (_("What it is"), {"fields": self.readonly_fields}),
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, said = asker(request), form.cleaned_data
        if change:
            clients.change(by=by, client=obj, description=said["description"], roles=said["roles"])
            return
        owner = self.owner(request, said)
        made = clients.create(
            by=by, organization=owner, description=said["description"], roles=said["roles"], redirect_uris=said["redirect_uris"],
            is_internal=owner is None,
        )  # fmt: skip
        obj.pk, request.made = made.row.pk, made  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("roles"))
    def may(self, client: Client) -> str:
        return ", ".join(client.roles) or _("none")

    @admin.display(description=gettext_lazy("redirect addresses"))
    def redirects(self, client: Client) -> str:
        return ", ".join(client.redirect_uris)

    @admin.display(description=gettext_lazy("last used"))
    def last_used(self, client: Client) -> Any:
        used = client.secrets.exclude(last_used_at=None).order_by("-last_used_at").first()
        return localize(used.last_used_at) if used else NEVER


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


@admin.register(Application)
class ApplicationAdmin(OfOneOrganization[Application]):
    """Connected applications: what is open of their configuration, and two switches."""

    reads = changes = Permission.APPLICATIONS_MANAGE
    list_display = ("type", "id", "is_visible", "allows_anonymous_registration", "created_at")
    list_display_links = ("type", "id")
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    list_filter = ("type",)
    search_fields = ("id", "type")
    readonly_fields = ("type", "id", "organization", "open_part", "created_at", "changed_at")
    fieldsets = (
        (None, {"fields": ("is_visible", "allows_anonymous_registration")}),
        (gettext_lazy("What it is"), {"fields": ("type", "id", "organization", "open_part", "created_at", "changed_at")}),
    )  # fmt: skip

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        applications.set_flags(
            by=asker(request), application=obj, is_visible=said["is_visible"],
            allows_anonymous_registration=said["allows_anonymous_registration"],
        )  # fmt: skip

    @admin.display(description=gettext_lazy("configuration"))
    def open_part(self, application: Application) -> SafeString:
        """The stored open part: where a secret belongs stands that it is sealed."""
        return format_html("<pre>{}</pre>", json.dumps(application.config, indent=2, ensure_ascii=False))


@admin.register(Key)
class KeyAdmin(OfOneOrganization[Key]):
    """Kept keys: the public part; the private one leaves by its own door only."""

    reads = Permission.KEYS_MANAGE
    list_display = ("id", "type", "size", "comment", "created_by", "created_at")
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    search_fields = ("comment",)
    fields = ("id", "type", "size", "comment", "public_key", "organization", "created_by", "created_at")


def _drop(request: HttpRequest, key: SigningKey) -> str:
    tokens.drop(by=asker(request), kid=key.kid)
    return _("The key is gone, and every token that it signed is refused.")


def _rotate(request: HttpRequest, key: SigningKey) -> str:
    tokens.rotate(by=asker(request))
    return _("The next key signs from now on.")


@admin.register(SigningKey)
class SigningKeyAdmin(OfOneOrganization[SigningKey]):
    """The keys that sign tokens, for operators: turn over, or drop in an emergency."""

    reads = Permission.ALL_ORGANIZATIONS
    organization_field = ""  # they are the house's own
    deeds = (
        Deed(
            "rotate", gettext_lazy("Turn the keys over"), Permission.ALL_ORGANIZATIONS, _rotate,
            question=gettext_lazy("Let the next key sign? What the present one signed stays good."),
            is_offered=lambda key: key.state == SigningKey.State.CURRENT,
        ),
        Deed(
            "drop", gettext_lazy("Drop"), Permission.ALL_ORGANIZATIONS, _drop, tone="bad",
            question=gettext_lazy("Drop this key? Every token that it signed is refused at once."),
        ),
    )  # fmt: skip
    operators_see = ()
    list_display = ("kid", "standing", "created_at", "current_at", "retired_at", "verifies_until")
    sortable_by = ()
    fields = ("kid", "standing", "public_part", "created_at", "current_at", "retired_at", "verifies_until")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("state"))
    def standing(self, key: SigningKey) -> SafeString:
        if key.verifies_until is not None and key.verifies_until <= clock.now():
            return badge(_("over"))
        tones = {SigningKey.State.CURRENT: "ok", SigningKey.State.NEXT: "accent"}
        return badge(key.get_state_display(), tones.get(SigningKey.State(key.state), ""))

    @admin.display(description=gettext_lazy("public key"))
    def public_part(self, key: SigningKey) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(key.public_jwk, indent=2))
