"""What every page of the admin keeps to: one organisation's rows, the policy's word on who may, a verb behind every change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import policy
from identity.errors import DomainError, Invalid, NotFound
from identity.models import AuditEvent
from identity.policy import Permission
from identity.principal import Principal
from identity.users import is_storable

Row = TypeVar("Row", bound=Model)

# A search that fits more than this is too wide to be read: it shows so many, and is looked for only once.
MOST_FOUND = 1000
WORDS_PER_SEARCH = 4
# What stands where something has not happened. Any: the type of a lazy text is not one that Django's stubs take here.
NEVER: Any = gettext_lazy("never")


@dataclass(frozen=True, slots=True)
class Deed:
    """A button on the page of a row: a POST that makes one domain call.

    `run` gets the request and the row, and answers a sentence that says what was done, or a whole page. `is_offered` says
    whether the button makes sense for a row; who may press it is asked of the policy, and again by the verb. A deed that
    is not `is_plain` needs more than a press and is drawn by a panel of its own.
    """

    name: str
    label: Promise
    needs: Permission
    run: Callable[[HttpRequest, Any], str | HttpResponse]
    question: Promise | str = ""
    tone: str = ""
    is_plain: bool = True
    is_offered: Callable[[Any], bool] = lambda row: True


@dataclass(frozen=True, slots=True)
class Page:
    """A page of its own beside a model's list: its place under /admin/ and its name, who may open it, and the method that draws it.

    The site gives it an address and an entry of the sidebar, after the model's own.
    """

    path: str
    name: str
    label: Promise
    icon: str
    needs: Permission
    view: str


class DomainForm(forms.ModelForm):  # type: ignore[type-arg]  # one form class over every model of these pages
    """A form that shows what the verb behind it refused, at the fields of which it speaks."""

    refusal: ClassVar[DomainError | None] = None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.refusal is not None:
            said = self.refusal.fields if isinstance(self.refusal, Invalid) else {}
            for name, sentences in (said or {"": [sentence(self.refusal)]}).items():
                self.add_error(name if name in self.fields else None, sentences)
        return cleaned


class OfOneOrganization(admin.ModelAdmin, Generic[Row]):  # type: ignore[type-arg]  # the row's type comes through Generic
    """A page that shows the rows of the asker's own organisation, and every row to an operator.

    `reads` opens it; `adds` and `changes` open its forms, or nothing does when they are None. Rows of another organisation
    do not exist here: they answer 404 like rows that were never there (security.md P6).
    """

    reads: ClassVar[Permission]
    adds: ClassVar[Permission | None] = None
    changes: ClassVar[Permission | None] = None
    deeds: ClassVar[tuple[Deed, ...]] = ()
    pages: ClassVar[tuple[Page, ...]] = ()
    panels: ClassVar[tuple[str, ...]] = ()
    panels_above: ClassVar[tuple[str, ...]] = ()
    organization_field = "organization_id"
    shows_newest_only = False
    operators_see: ClassVar[tuple[str, ...]] = ("organization",)

    form = DomainForm
    actions = None
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_form_template = "admin/panels.html"

    class Media:
        css = {"all": ["switchboard/panels.css"]}

    # --- whose rows, and who may ------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        rows: QuerySet[Row] = super().get_queryset(request)
        if sees_all(request):
            return rows
        own = asker(request).organization_id
        return rows.filter(**{self.organization_field: own}) if self.organization_field else rows.none()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return policy.may(asker(request), self.reads)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.adds is not None and policy.may(asker(request), self.adds)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.changes is not None and policy.may(asker(request), self.changes)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Allow the filters of this page and nothing else.

        Django allows any column of the model in the address: `?password__startswith=` would tell a hash letter by letter.
        """
        declared = [_parameter(one) for one in self.get_list_filter(request)]
        return any(lookup == name or lookup.startswith(f"{name}__") for name in declared)

    def get_list_display(self, request: HttpRequest) -> Any:
        shown = tuple(super().get_list_display(request))
        return (*shown, *self.operators_see) if sees_all(request) else shown

    def get_list_filter(self, request: HttpRequest) -> Any:
        shown = tuple(super().get_list_filter(request))
        return (*shown, *self.operators_see) if sees_all(request) else shown

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[QuerySet[Row], bool]:
        """Look once, narrowly, then count and show by key: a list asks twice, and its rows are wide."""
        found = queryset
        for word in search_term.split()[:WORDS_PER_SEARCH]:
            found = found.filter(self.fitting(request, word))
        if found is queryset and not self.shows_newest_only:
            return queryset, False
        narrow = found.order_by(*self.get_ordering(request)).prefetch_related(None).select_related(None)
        keys = list(narrow.values_list("pk", flat=True)[:MOST_FOUND])
        return queryset.filter(pk__in=keys), False

    def fitting(self, request: HttpRequest, word: str) -> Q:
        """Answer what fits a word of the search: by the beginning of the columns that it may be in."""
        fits = Q()
        for column in self.search_fields:
            fits |= Q(**{f"{column}__startswith": word})
        return fits

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Row | None:
        """Answer a row, or None for an id that no row can have: PostgreSQL fails over a NUL instead of finding nothing."""
        row: Row | None = super().get_object(request, object_id, from_field) if is_storable(object_id) else None
        return row

    # --- the pages --------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        deed = path("<path:object_id>/do/<slug:name>/", self.admin_site.admin_view(self.do), name=self._page("do"))
        return [deed, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Show the list by what the address says, without its NULs: PostgreSQL fails over one instead of finding nothing."""
        if "\0" in "".join(value for _name, values in request.GET.lists() for value in values):
            asked = request.GET.copy()
            for name, values in request.GET.lists():
                asked.setlist(name, [value.replace("\0", "") for value in values])
            request.GET = asked  # type: ignore[assignment]  # a copy, read only from here on
        return super().changelist_view(request, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.refusal = getattr(request, "refusal", None)  # a class of this request alone: the factory makes it anew
        return form

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        """Show the page once more, with what the verb said, when it refuses what the form had accepted."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except NotFound as e:
            raise Http404 from e
        except DomainError as e:
            request.refusal = e  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        context |= {"shows_history": False, "panels": (), "panels_above": (), "show_save_and_add_another": add}
        if obj is not None:
            offered = [(d, self.deed_url(obj, d.name)) for d in self.deeds_for(request, obj) if d.is_plain]
            context |= {"panels": self.panels, "panels_above": self.panels_above, "deeds": offered}
            context |= {"shows_history": policy.may(asker(request), Permission.AUDIT_READ), "principal": asker(request)}
            context |= self.context_of(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def context_of(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        """Answer what the panels of a row's page are told."""
        return {}

    def deeds_for(self, request: HttpRequest, row: Row) -> list[Deed]:
        """Answer the deeds that the asker may do to a row now."""
        return [one for one in self.deeds if policy.may(asker(request), one.needs) and one.is_offered(row)]

    def deed_url(self, row: Any, name: str) -> str:
        return reverse(f"admin:{self._page('do')}", args=[row.pk, name])

    def do(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Do what a button says, and go back to where it was pressed."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        deed = next((one for one in self.deeds if one.name == name), None)
        row = self.get_object(request, unquote(object_id)) if self.has_view_permission(request) else None
        if deed is None or row is None:
            raise Http404
        if not policy.may(asker(request), deed.needs):
            raise PermissionDenied
        try:
            done = deed.run(request, row)
        except NotFound as e:
            raise Http404 from e
        except DomainError as e:
            self.message_user(request, sentence(e), messages.ERROR)
            return self._back(request, row)
        if isinstance(done, HttpResponse):
            return done
        self.message_user(request, done, messages.SUCCESS)
        return self._back(request, row)

    def button(self, row: Any, name: str) -> SafeString:
        """Answer a button for a row of a list; it posts by itself, out of the list's own form."""
        deed = next(one for one in self.deeds if one.name == name)
        return format_html(
            '<button type="submit" class="button sb-small sb-deed--{}" formaction="{}" name="back" value="list" data-confirm="{}">'
            '{}<span class="sb-hidden"> {}</span></button>',
            deed.tone, self.deed_url(row, name), deed.question, deed.label, row,
        )  # fmt: skip

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Show what the audit trail knows of a row; Django's own log would be a second, unsealed one."""
        row = self.get_object(request, unquote(object_id))
        if row is None or not self.has_view_permission(request):
            raise Http404
        if not policy.may(asker(request), Permission.AUDIT_READ):
            raise PermissionDenied
        trail = reverse(f"admin:{AuditEvent._meta.label_lower.replace('.', '_')}_changelist")
        return HttpResponseRedirect(f"{trail}?{urlencode({'subject': self.audit_name(row)})}")

    def audit_name(self, row: Any) -> str:
        """Answer under which name the audit trail knows a row."""
        return str(row.pk)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Leave it to the verb, which wrote to the audit trail."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Leave it to the verb, which wrote to the audit trail."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Leave it to the verb, which wrote everything."""

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404

    def _back(self, request: HttpRequest, row: Any) -> HttpResponse:
        asked = request.POST.get("back", "")
        if asked.startswith(reverse("admin:index")) and url_has_allowed_host_and_scheme(asked, allowed_hosts=None):
            return HttpResponseRedirect(asked)
        if asked == "list" or self.get_object(request, str(row.pk)) is None:
            return HttpResponseRedirect(reverse(f"admin:{self._page('changelist')}"))
        return HttpResponseRedirect(reverse(f"admin:{self._page('change')}", args=[row.pk]))

    def _page(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"


def shown_once(
    request: HttpRequest, *, title: str, words: str, secrets: list[tuple[str, str]], back: str
) -> HttpResponse:
    """Answer a page with secrets that nobody can show again; `back` is the model whose list follows."""
    context = {**admin.site.each_context(request), "title": title, "words": words, "secrets": secrets}
    context["back"] = reverse(f"admin:{back}_changelist")
    return TemplateResponse(request, "admin/shown_once.html", context, headers={"Cache-Control": "no-store"})


def asker(request: HttpRequest) -> Principal:
    """Answer who asks; behind the site's own guard somebody surely does. Raises PermissionDenied."""
    principal: Principal | None = getattr(request, "principal", None) or None
    if principal is None:
        raise PermissionDenied
    return principal


def sees_all(request: HttpRequest) -> bool:
    """Say whether the asker sees the rows of every organisation."""
    return policy.may(asker(request), Permission.ALL_ORGANIZATIONS)


def sentence(refusal: DomainError) -> str:
    """Answer a refusal in words for the person at the page."""
    if isinstance(refusal, Invalid) and refusal.fields:
        return " ".join(said for sentences in refusal.fields.values() for said in sentences)
    if not refusal.message or refusal.message in set(Permission):
        return _("Your role may not do this.")
    return refusal.message


def badge(words: str | Promise, tone: str = "") -> SafeString:
    """Answer a small coloured label; `tone` is ok, warn, bad, accent or nothing."""
    return format_html('<span class="sb-badge sb-badge--dot sb-badge--{}">{}</span>', tone or "plain", words)


def _parameter(declared: Any) -> str:
    """Answer what a filter of a list is called in the address: by its own word, or by the column that it is about."""
    if isinstance(declared, str):
        return declared
    return str(declared[0] if isinstance(declared, tuple) else declared.parameter_name)
