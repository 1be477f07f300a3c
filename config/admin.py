"""The admin site: who may enter it, its pages by task, the numbers of its first page, and quick search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet, Sum
from django.db.models.base import ModelBase
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from identity import clock, policy
from identity.models import AuditEvent, LoginAs, Membership, Organization, OutboxMessage, Session, User
from identity.models.user import key_of
from identity.policy import Permission
from identity.principal import Principal

Row = TypeVar("Row", bound=Model)

RESULTS_PER_KIND = 6
WORDS_PER_SEARCH = 4
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
        {"identity.User": "person", "agents.Agent": "headset", "identity.Membership": "people"},
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


@dataclass(frozen=True, slots=True)
class Number:
    """One figure of the first page."""

    label: Promise
    value: int
    icon: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that quick search found."""

    url: str
    title: str
    detail: str
    icon: str


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


def within(rows: QuerySet[Row], principal: Principal, field: str = "organization_id") -> QuerySet[Row]:
    """Answer the rows of the asker's organisation, or all of them for an operator."""
    if policy.may(principal, Permission.ALL_ORGANIZATIONS):
        return rows
    return rows.filter(**{field: principal.organization_id})


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
        return [path("search/", self.admin_view(self.search), name="search"), *stock]

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
            entries = [{**models[name], "icon": task.icons.get(name, "settings")} for name in names]
            if entries:
                groups.append(group_of(task, entries))
        return groups

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        numbers = numbers_for(asker(request), at=clock.now(), link=self.link)
        return super().index(request, {**(extra_context or {}), "numbers": numbers})

    def search(self, request: HttpRequest) -> HttpResponse:
        """Find people, agents and organisations: JSON for the dialog, a page for everybody else."""
        query = request.GET.get("q", "").strip().replace("\x00", "")[:100]
        results = found(query, asker(request), link=self.link) if query else []
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


def numbers_for(principal: Principal, *, at: datetime, link: Callable[..., str]) -> list[Number]:
    """Answer the figures that the asker may see, each of one query over the asker's organisation."""
    people = within(Membership.objects.filter(user__is_active=True), principal)
    of_people = Session.objects.filter(ended_at=None, expires_at__gt=at, user__isnull=False, is_personal_token=False)
    sessions = within(of_people, principal)
    running = within(LoginAs.objects.filter(ended_at=None, deadline_at__gt=at), principal)
    numbers = [
        Number(_("People"), people.values("user").distinct().count(), "people", link(User)),
        Number(_("Open sessions"), sessions.count(), "live", link(Session)),
    ]
    acting = running.count()
    numbers.append(Number(_("Working as others"), acting, "swap", link(LoginAs), "warn" if acting else ""))
    if policy.may(principal, Permission.MESSAGES_MANAGE):
        open_states = (OutboxMessage.State.PENDING, OutboxMessage.State.SENDING, OutboxMessage.State.UNKNOWN)
        waiting = within(OutboxMessage.objects.filter(state__in=open_states), principal).count()
        numbers.append(Number(_("Waiting messages"), waiting, "message", link(OutboxMessage)))
    if policy.may(principal, Permission.AUDIT_READ):
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        refused = AuditEvent.objects.filter(event__in=("login.failed", "login.blocked"), at__gte=midnight)
        times = within(refused, principal).aggregate(times=Sum("count"))["times"] or 0
        numbers.append(Number(_("Refused sign-ins today"), times, "shield", link(AuditEvent), "bad" if times else ""))
    return numbers


def found(query: str, principal: Principal, *, link: Callable[..., str]) -> list[Result]:
    """Answer what fits every word of the query, within the asker's organisation: one query per kind of thing."""
    people, agents, organizations = Q(), Q(), Q()
    for word in query.split()[:WORDS_PER_SEARCH]:
        key = key_of(word)
        name = Q(username_key__contains=key) | Q(email_key__startswith=key)
        people &= name | Q(first_name__icontains=word) | Q(last_name__icontains=word)
        agents &= Q(extension__startswith=word)
        organizations &= Q(name__icontains=word) | Q(title__icontains=word) | Q(domain__icontains=word)

    persons = within(User.objects.filter(people), principal, "memberships__organization_id").order_by("username_key")
    results = [Result(link(User, p.pk), p.get_full_name(), p.email, "person") for p in persons[:RESULTS_PER_KIND]]
    extensions = within(Agent.objects.filter(agents).select_related("user"), principal).order_by("extension")
    results += [
        Result(link(Agent, a.pk), a.user.get_full_name(), a.extension, "headset") for a in extensions[:RESULTS_PER_KIND]
    ]
    if policy.may(principal, Permission.ALL_ORGANIZATIONS):
        houses = Organization.objects.filter(organizations).order_by("name")[:RESULTS_PER_KIND]
        results += [Result(link(Organization, o.pk), str(o), o.domain, "building") for o in houses]
    return [result for result in results if result.url]
