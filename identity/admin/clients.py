"""The pages of OAuth clients: made, changed, given a new secret, deleted, and what each of them called."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clients, clock
from identity.admin.fields import LinesField
from identity.admin.made import MadeHere, OwnedForm, told
from identity.admin.rows import Deed, DomainForm, OfOneOrganization, asker, badge, sees_all
from identity.errors import Invalid
from identity.models import Client, ClientUse, Organization
from identity.policy import Permission
from identity.principal import Role

# The old secret of a rotated client serves so long beside the new one, so that nothing stands still.
GRACE = timedelta(days=1)
GRACES = [
    (timedelta(0), gettext_lazy("ends at once")),
    (timedelta(hours=1), gettext_lazy("serves for one more hour")),
    (GRACE, gettext_lazy("serves for one more day")),
    (clients.LONGEST_GRACE, gettext_lazy("serves for seven more days")),
]
ROLES = [(role.value, role.value) for role in Role]
# More names than this make no filter that anybody reads.
CLIENTS_NAMED = 100
REFUSED, FAILED, LIMITED = 400, 500, 429


class WhatAClientMay(forms.Form):
    """What is asked of a client, old or new."""

    roles = forms.MultipleChoiceField(
        choices=ROLES, required=False, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Roles"),
        help_text=gettext_lazy("Without a role it may do nothing."),
    )  # fmt: skip
    redirect_uris = LinesField(
        label=gettext_lazy("Redirect addresses"),
        help_text=gettext_lazy("Where a signed-in agent is sent back to; one per line, compared letter by letter."),
    )
    requests_per_minute = forms.IntegerField(
        required=False, min_value=1, max_value=1_000_000, label=gettext_lazy("Requests a minute"),
        help_text=gettext_lazy("Empty is no limit of its own."),
    )  # fmt: skip


class NewClientForm(WhatAClientMay, OwnedForm):
    """A client to be: what it is for and what it may."""

    organization = forms.ModelChoiceField(
        Organization.objects.all(), required=False, label=gettext_lazy("Organisation"),
        help_text=gettext_lazy("Empty makes an internal service, which belongs to none."),
    )  # fmt: skip

    class Meta:
        model = Client
        fields = ("description",)


class ClientForm(WhatAClientMay, DomainForm):
    """What is said of a client, and what it may."""

    class Meta:
        model = Client
        fields = ("description", "roles", "redirect_uris", "requests_per_minute")


def _delete(request: HttpRequest, client: Client) -> str:
    clients.delete(by=asker(request), client=client)
    return _("The client is deleted and its tokens are dead.")


def _rotate(request: HttpRequest, client: Client) -> HttpResponse:
    said = request.POST.get("grace", str(int(GRACE.total_seconds())))
    if not (said.isascii() and said.isdigit() and len(said) < 8):
        raise Invalid("grace", fields={"grace": [_("Between 0 and 604800 seconds.")]})
    made = clients.rotate(by=asker(request), client=client, grace=timedelta(seconds=int(said)))
    return told(request, made, kind=gettext_lazy("Client id"), back="identity_client")


@admin.register(Client)
class ClientAdmin(MadeHere):
    """OAuth clients: make, change, rotate, delete, and the way to what they called."""

    reads = adds = changes = Permission.CLIENTS_MANAGE
    deeds = (
        Deed("rotate", gettext_lazy("New secret"), Permission.CLIENTS_MANAGE, _rotate, is_plain=False),
        Deed(
            "delete", gettext_lazy("Delete"), Permission.CLIENTS_MANAGE, _delete, tone="bad",
            question=gettext_lazy("Delete this client? Its tokens die at once."),
        ),
    )  # fmt: skip
    panels = ("admin/panels/client_secrets.html",)
    form, new_form = ClientForm, NewClientForm
    list_display = ("description", "id", "may", "is_internal", "created_at", "calls")
    list_display_links = ("description", "id")
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    search_fields = ("id", "description")
    readonly_fields = ("id", "organization", "is_internal", "created_by", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Client]:
        return super().get_queryset(request).filter(deleted_at=None).select_related("organization", "created_by")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        asked = ("roles", "redirect_uris", "requests_per_minute")
        if obj is None:
            whose = ("organization",) if sees_all(request) else ()
            return ((None, {"fields": ("description", *whose, *asked)}),)
        return (
            (None, {"fields": ("description", *asked)}),
            (_("What it is"), {"fields": self.readonly_fields}),
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, said = asker(request), form.cleaned_data
        wanted = {name: said[name] for name in ("description", "roles", "redirect_uris")}
        wanted["requests_per_minute"] = said["requests_per_minute"] or 0
        if change:
            clients.change(by=by, client=obj, **wanted)
            return
        owner = self.owner(request, said)
        made = clients.create(by=by, organization=owner, is_internal=owner is None, **wanted)
        obj.pk, request.made = made.row.pk, made  # type: ignore[attr-defined]

    def context_of(self, request: HttpRequest, row: Client) -> dict[str, Any]:
        live = row.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=clock.now()))
        return {
            "secrets": list(live), "rotate_url": self.deed_url(row, "rotate"), "usage_url": _calls_of(row),
            "graces": [(int(grace.total_seconds()), words, grace == GRACE) for grace, words in GRACES],
        }  # fmt: skip

    @admin.display(description=gettext_lazy("roles"))
    def may(self, client: Client) -> str:
        return ", ".join(client.roles) or _("none")

    @admin.display(description=gettext_lazy("calls"))
    def calls(self, client: Client) -> SafeString:
        return format_html(
            '<a href="{}">{}<span class="sb-hidden"> {}</span></a>', _calls_of(client), _("calls"), client
        )


def _calls_of(client: Client) -> str:
    return f"{reverse('admin:identity_clientuse_changelist')}?client={client.pk}"


class WhichClient(admin.SimpleListFilter):
    """Calls by the client that made them."""

    title, parameter_name = gettext_lazy("client"), "client"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        mine = Q() if sees_all(request) else Q(organization_id=asker(request).organization_id)
        named = list(Client.objects.filter(mine).order_by("-created_at")[:CLIENTS_NAMED])
        return [(client.pk, str(client)) for client in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ClientUse]) -> QuerySet[ClientUse]:
        named = self.value()
        return queryset if named is None else queryset.filter(client_id=named.replace("\0", ""))


class AnsweredHow(admin.SimpleListFilter):
    """Calls by the sort of their answer."""

    title, parameter_name = gettext_lazy("answer"), "answer"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("good", _("served")), ("refused", _("refused")), ("limited", _("too many")), ("failed", _("failed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ClientUse]) -> QuerySet[ClientUse]:
        conditions = {
            "good": Q(status__lt=REFUSED), "refused": Q(status__gte=REFUSED, status__lt=FAILED), "limited": Q(status=LIMITED),
            "failed": Q(status__gte=FAILED),
        }  # fmt: skip
        return queryset.filter(conditions.get(self.value() or "", Q()))


class SinceWhen(admin.SimpleListFilter):
    """Calls of the last while."""

    title, parameter_name = gettext_lazy("time"), "since"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("hour", _("last hour")), ("day", _("last 24 hours")), ("week", _("last 7 days"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ClientUse]) -> QuerySet[ClientUse]:
        spans = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
        span = spans.get(self.value() or "")
        return queryset if span is None else queryset.filter(at__gte=clock.now() - span)


@admin.register(ClientUse)
class ClientUseAdmin(OfOneOrganization[ClientUse]):
    """What clients called: endpoint, answer, address and time, kept as long as the organisation wants."""

    reads = Permission.CLIENTS_MANAGE
    organization_field = "client__organization_id"
    shows_newest_only = True
    operators_see = ()
    list_display = ("at", "client", "endpoint", "answer", "address")
    list_display_links = None
    list_filter = (WhichClient, AnsweredHow, SinceWhen)
    list_select_related = ("client",)
    sortable_by = ("at",)
    ordering = ("-at",)
    search_fields = ("endpoint", "address")
    search_help_text = gettext_lazy("The beginning of an endpoint or of an address.")
    fields = ("at", "client", "endpoint", "status", "address")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Stay out of the menu: the way here leads through a client."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[ClientUse], bool]:
        """Look through all that one client called, and of all clients together at the newest calls only."""
        if request.GET.get("client") and not search_term.split():
            return queryset, False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description=gettext_lazy("answer"), ordering="status")
    def answer(self, use: ClientUse) -> SafeString:
        tone = "ok" if use.status < REFUSED else "warn" if use.status < FAILED else "bad"
        return badge(str(use.status), tone)
