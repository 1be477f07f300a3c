"""The admin site: who may enter it, and its pages by task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.db.models.base import ModelBase
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config import overview
from identity import clock, policy
from identity.policy import Permission
from identity.principal import Principal

# Signing in and out and the password have their own pages; Django's would need its session application.
FOREIGN_DOORS = {"login", "logout", "password_change", "password_change_done"}


@dataclass(frozen=True, slots=True)
class Task:
    """One group of the sidebar: its name, what it is for, and its models with their icons."""

    name: Promise
    words: Promise
    icons: dict[str, str]


TASKS = (
    Task(
        _("People"),
        _("Who works here, with which extension and which rights."),
        {
            "identity.User": "person",
            "agents.Agent": "headset",
            "identity.Membership": "people",
            "integrations.ExternalIdentity": "swap",
        },
    ),
    Task(
        _("Access"),
        _("Machines that call us, and the keys they use."),
        {
            "identity.Client": "device",
            "identity.ApiKey": "key",
            "identity.Application": "swap",
            "identity.Key": "key",
            "identity.SigningKey": "shield",
        },
    ),
    Task(
        _("Live"),
        _("What is open right now, and a button to end it."),
        {
            "identity.Session": "live",
            "agents.Call": "phone",
            "tickets.Ticket": "ticket",
        },
    ),
    Task(
        _("Messages"),
        _("What left the house, what waits, what was given up."),
        {
            "identity.OutboxMessage": "message",
            "identity.OtpVerification": "shield",
            "identity.PrefixPause": "stop",
            "integrations.Callback": "phone",
        },
    ),
    Task(
        _("Audit"),
        _("Who did what, to whom, through which door."),
        {"identity.AuditEvent": "list", "identity.LoginAs": "swap", "identity.AuditSeal": "shield"},
    ),
    Task(
        _("Settings"),
        _("The rules of an organisation."),
        {"identity.Organization": "building", "integrations.VendorHealth": "live"},
    ),
)


def principal_of(request: HttpRequest) -> Principal | None:
    """Answer who asks, as the portal's middleware has proven it, or None."""
    # Truth, not identity: the middleware hands out a lazy object, which is never None itself.
    return getattr(request, "principal", None) or None


def asker(request: HttpRequest) -> Principal:
    """Answer who asks behind `admin_view`, where somebody surely does. Raises PermissionDenied."""
    principal = principal_of(request)
    if principal is None:
        raise PermissionDenied
    return principal


class SwitchboardAdminSite(AdminSite):
    """Django's admin, entered through the portal's own sign-in and sorted by task."""

    site_header = "Switchboard"
    site_title = "Switchboard"
    index_title = _("Overview")
    site_url = None
    enable_nav_sidebar = False  # templates/admin/_sidebar.html is ours, and needs no script

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Take in a model; Django's groups stay outside, for roles and policy take their part here."""
        models = [model_or_iterable] if isinstance(model_or_iterable, ModelBase) else model_or_iterable
        super().register([model for model in models if model is not Group], admin_class, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in Supervisors, Admins and operators who passed their second factor if they have one (clarifications 45)."""
        principal = principal_of(request)
        if principal is None or (principal.has_second_factor and not principal.passed_second_factor):
            return False
        return policy.may(principal, Permission.PEOPLE_READ)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Answer the view behind the guard: strangers are sent to /login/, people without the right get the 403 page."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if self.has_permission(request):
                response: HttpResponse = inner(request, *args, **kwargs)
                return response
            principal = principal_of(request)
            if principal is None or policy.may(principal, Permission.PEOPLE_READ):
                return redirect_to_login(request.get_full_path(), settings.LOGIN_URL)
            raise PermissionDenied

        return update_wrapper(guarded, view)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        stock = [url for url in super().get_urls() if getattr(url, "name", None) not in FOREIGN_DOORS]
        pages = [
            path(page.path, self.admin_view(getattr(model_admin, page.view)), name=page.name)
            for model_admin in self._registry.values()
            for page in getattr(model_admin, "pages", ())
        ]
        return [path("search/", self.admin_view(self.search), name="search"), *pages, *stock]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().each_context(request), "principal": principal_of(request)}

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Answer the models by task; what no task names stands under the last one. One app's own page keeps Django's order."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        models = {f"{app['app_label']}.{model['object_name']}": model for app in apps for model in app["models"]}
        groups = []
        for task in TASKS:
            names = [name for name in task.icons if name in models]
            if task is TASKS[-1]:
                names += models.keys() - set().union(*(task.icons for task in TASKS))
            entries = []
            for name in names:
                entries.append({**models[name], "icon": task.icons.get(name, "settings")})
                entries += self.pages_beside(request, models[name])
            if entries:
                groups.append(group_of(task, entries))
        return groups

    def pages_beside(self, request: HttpRequest, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """Answer the pages that stand after a model in the sidebar, for whom they open, in the shape of Django's own entries."""
        pages = getattr(self._registry[entry["model"]], "pages", ())
        return [
            {
                "name": page.label,
                "admin_url": reverse(f"admin:{page.name}"),
                "icon": page.icon,
                "object_name": page.name,
            }
            for page in pages
            if policy.may(asker(request), page.needs)
        ]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        numbers = overview.numbers_for(asker(request), at=clock.now(), link=self.link)
        return super().index(request, {**(extra_context or {}), "numbers": numbers})

    def search(self, request: HttpRequest) -> HttpResponse:
        """Find people, agents and organisations: JSON for the dialog, a page for everybody else."""
        query = request.GET.get("q", "").strip().replace("\x00", "")[:100]
        results = overview.found(query, asker(request), link=self.link) if query else []
        if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
            rows = [{"url": r.url, "title": r.title, "detail": r.detail, "icon": r.icon} for r in results]
            return JsonResponse({"results": rows})
        context = {**self.each_context(request), "title": _("Search"), "query": query, "results": results}
        return TemplateResponse(request, "admin/search.html", context)

    def link(self, model: type[Model], pk: object = None, query: str = "") -> str:
        """Answer the address of a model's list, or of one row, or "" when the model has no page here."""
        if not self.is_registered(model):
            return ""
        page, args = ("changelist", []) if pk is None else ("change", [pk])
        return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args) + query


def group_of(task: Task, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Answer a group in the shape that Django's own templates read."""
    return {
        "name": task.name,
        "words": task.words,
        "app_label": "",
        "app_url": reverse("admin:index"),
        "has_module_perms": True,
        "models": entries,
    }
