"""The pages of people: who they are, what they may, where they are signed in, who worked as them; and one more person.

`PersonAdmin` is registered by agents.admin, which adds what only agents have.
"""

from __future__ import annotations

from math import ceil
from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clock, login_as, organizations, password_resets, policy, second_factor, sessions, users
from identity.admin.fields import LinesField, network
from identity.admin.rows import NEVER, Deed, DomainForm, OfOneOrganization, asker, badge, sees_all, shown_once
from identity.errors import NotFound
from identity.models import Membership, Organization, User
from identity.models.user import key_of
from identity.policy import GRANTS, Permission
from identity.principal import Role

SESSIONS_SHOWN, HISTORY_SHOWN = 50, 20
ROLES = [
    (Role.AGENT.value, gettext_lazy("Agent")),
    (Role.SUPERVISOR.value, gettext_lazy("Supervisor")),
    (Role.ADMIN.value, gettext_lazy("Admin")),
]


class PersonForm(DomainForm):
    """Names, addresses and preferences of a person, and when the account ends."""

    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    auth_ip = LinesField(
        label=gettext_lazy("Addresses that may sign in"), each=network, rows=3,
        help_text=gettext_lazy("One address or network per line; empty means from everywhere."),
    )  # fmt: skip

    class Meta:
        model = User
        fields = (
            "username",
            "email",
            "first_name",
            "last_name",
            "phone",
            "mobile",
            "language",
            "auth_ip",
            "expires_at",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            self.fields["language"].choices = [("", _("As the browser asks")), *settings.LANGUAGES]  # type: ignore[attr-defined]


class NewPersonForm(DomainForm):
    """Everything that makes a person: names, organisation, roles, and how the first password travels."""

    organization = forms.ModelChoiceField(Organization.objects.all(), label=gettext_lazy("Organisation"))
    roles = forms.MultipleChoiceField(
        choices=ROLES, label=gettext_lazy("Roles"), widget=forms.CheckboxSelectMultiple, initial=[Role.AGENT.value]
    )
    sends_welcome = forms.BooleanField(
        required=False, label=gettext_lazy("Send a welcome mail"),
        help_text=gettext_lazy("With a link to set a password. Without it, a random password is shown here once."),
    )  # fmt: skip

    class Meta:
        model = User
        fields = ("username", "email", "first_name", "last_name")


class RoleFilter(admin.SimpleListFilter):
    """People who hold a role, in the asker's organisation or in any."""

    title, parameter_name = gettext_lazy("role"), "role"
    columns = {"Agent": "is_agent", "Supervisor": "is_supervisor", "Admin": "is_admin"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return ROLES

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        column = self.columns.get(self.value() or "")
        if not column:
            return queryset
        # By key and not by EXISTS: those who hold a role are read from the memberships, often a handful.
        held = _memberships_of(request, outer=False).filter(**{column: True})
        return queryset.filter(pk__in=held.values("user_id"))


class StateFilter(admin.SimpleListFilter):
    """People by what their account allows."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [
            ("enabled", _("enabled")), ("disabled", _("disabled")), ("locked", _("locked")), ("expired", _("expired")),
            ("protected", _("protected")), ("no_second_factor", _("without a second factor")),
        ]  # fmt: skip

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        is_over = Q(expires_at__lte=clock.now())
        conditions = {
            "enabled": Q(is_active=True, locked_at=None) & ~is_over, "disabled": Q(is_active=False),
            "locked": Q(locked_at__isnull=False), "expired": is_over, "protected": Q(is_protected=True),
            "no_second_factor": Q(has_second_factor=False, is_active=True),
        }  # fmt: skip
        return queryset.filter(conditions.get(self.value() or "", Q()))


class OrganizationFilter(admin.SimpleListFilter):
    """For operators: the people of one organisation."""

    title, parameter_name = gettext_lazy("organisation"), "organization"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(str(pk), title or name) for pk, title, name in Organization.objects.values_list("pk", "title", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        known = [pk for pk, _title in self.lookup_choices if pk == self.value()]
        if not known:
            return queryset
        return queryset.filter(Exists(Membership.objects.filter(user=OuterRef("pk"), organization_id=known[0])))


def _set_roles(request: HttpRequest, user: User) -> str:
    organization = organizations.find(pk=request.POST.get("organization", ""))
    roles = [role for role in (Role.AGENT, Role.SUPERVISOR, Role.ADMIN) if role in request.POST.getlist("roles")]
    by, wanted = asker(request), set(request.POST.getlist("grants"))
    held = organizations.join(by=by, user=user, organization=organization, roles=roles)
    if "with_grants" in request.POST and wanted != set(held.grants):
        add, remove = wanted - set(held.grants), set(held.grants) - wanted
        organizations.grant(by=by, user=user, organization=organization, add=add, remove=remove)
    return _("The roles of %s are saved.") % user


def _leave(request: HttpRequest, user: User) -> str:
    organization = organizations.find(pk=request.POST.get("organization", ""))
    organizations.leave(by=asker(request), user=user, organization=organization)
    return _("%(who)s no longer belongs to %(where)s.") % {"who": user, "where": organization}


def _end_session(request: HttpRequest, user: User) -> str:
    found = sessions.live(user=user).filter(pk__in=_uuids(request.POST.get("session", ""))).first()
    if found is None:
        raise NotFound("no such session")
    sessions.close_as_manager(by=asker(request), session=found)
    return _("The session is ended.")


def _end_all(request: HttpRequest, user: User) -> str:
    ended = sessions.close_all_as_manager(by=asker(request), user=user)
    return _("Sessions ended: %d.") % ended


def _send_reset(request: HttpRequest, user: User) -> str:
    by = asker(request)
    users.require_manager(by=by, user=user)
    password_resets.request(via=by.via, user=user, by=by)
    return _("If the account may sign in, a mail with a link is on its way.")


def _saying(said: Any, verb: Any, **more: Any) -> Any:
    """Answer a deed of one verb and one sentence."""

    def run(request: HttpRequest, user: User) -> str:
        verb(by=asker(request), user=user, **more)
        return str(said) % user

    return run


MANAGE, SESSIONS = Permission.PEOPLE_MANAGE, Permission.SESSIONS_MANAGE
DEEDS = (
    Deed(
        "disable", gettext_lazy("Disable"), MANAGE, _saying(gettext_lazy("%s is disabled and signed out."), users.disable),
        question=gettext_lazy("Disable this person? Every session ends at once."), tone="bad", is_offered=lambda user: user.is_active,
    ),
    Deed("enable", gettext_lazy("Enable"), MANAGE, _saying(gettext_lazy("%s may sign in again."), users.enable), is_offered=lambda user: not user.is_active),
    Deed(
        "lock", gettext_lazy("Lock"), MANAGE, _saying(gettext_lazy("%s is locked and signed out."), users.lock),
        question=gettext_lazy("Lock this person out? Every session ends at once."), tone="bad", is_offered=lambda user: user.locked_at is None,
    ),
    Deed("unlock", gettext_lazy("Unlock"), MANAGE, _saying(gettext_lazy("%s is unlocked."), users.unlock), is_offered=lambda user: user.locked_at is not None),
    Deed(
        "protect", gettext_lazy("Protect from login-as"), MANAGE,
        _saying(gettext_lazy("Nobody may work as %s now."), users.protect, is_protected=True), is_offered=lambda user: not user.is_protected,
    ),
    Deed(
        "unprotect", gettext_lazy("Stop protecting"), MANAGE,
        _saying(gettext_lazy("%s can be worked as again."), users.protect, is_protected=False), is_offered=lambda user: user.is_protected,
    ),
    Deed(
        "reset-factor", gettext_lazy("Reset the second factor"), MANAGE,
        _saying(gettext_lazy("The second factor of %s is gone; the next sign-in needs the password alone."), second_factor.remove),
        question=gettext_lazy("Take the second factor away? Do it only when you know who is asking."), tone="bad",
        is_offered=lambda user: user.has_second_factor,
    ),
    Deed("send-reset", gettext_lazy("Send a password link"), MANAGE, _send_reset, is_offered=lambda user: user.is_active),
    Deed("end-all", gettext_lazy("End all"), SESSIONS, _end_all, is_plain=False),
    Deed("end-session", gettext_lazy("End"), SESSIONS, _end_session, is_plain=False),
    Deed("roles", gettext_lazy("Save"), MANAGE, _set_roles, is_plain=False),
    Deed("leave", gettext_lazy("Remove"), MANAGE, _leave, is_plain=False),
)  # fmt: skip


class PersonAdmin(OfOneOrganization[User]):
    """The list of people, the page of one, and the form for one more."""

    reads, adds, changes = Permission.PEOPLE_READ, Permission.PEOPLE_MANAGE, Permission.PEOPLE_MANAGE
    deeds = DEEDS
    panels_above = ("admin/panels/login_as.html",)
    panels = ("admin/panels/memberships.html", "admin/panels/sessions.html", "admin/panels/worked_as.html")
    form, new_form = PersonForm, NewPersonForm
    list_display: tuple[str, ...] = ("name", "email", "roles", "state", "second_factor", "last_seen")
    operators_see = ()
    list_filter = (RoleFilter, StateFilter)
    ordering = ("username_key",)
    sortable_by = ("name",)
    search_fields = ("username_key", "email_key")
    search_help_text = gettext_lazy("The beginning of a name, an e-mail address or an extension.")
    readonly_fields = ("state", "second_factor", "last_login_at", "last_login_address", "last_seen_at", "created_at")
    fieldsets = (
        (gettext_lazy("Who"), {"fields": ("username", "email", "first_name", "last_name", "phone", "mobile", "language")}),
        (gettext_lazy("State"), {"fields": readonly_fields}),
        (gettext_lazy("Limits"), {"fields": ("expires_at", "auth_ip")}),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows = User.objects.order_by(*self.ordering)
        if not sees_all(request):
            # EXISTS and not a join: the list is read in the order of its index, and stops at the page's end.
            rows = rows.filter(Exists(_memberships_of(request)))
        seen = _memberships_of(request, outer=False).select_related("organization").order_by("organization__name")
        return rows.prefetch_related(Prefetch("memberships", queryset=seen, to_attr="seen_memberships"))

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (*self.list_filter, OrganizationFilter) if sees_all(request) else self.list_filter

    def fitting(self, request: HttpRequest, word: str) -> Q:
        """Answer who fits a word of the search: by the beginning of what is indexed, or of a first or last name."""
        key = key_of(word)
        names = Q(first_name__istartswith=word) | Q(last_name__istartswith=word)
        return Q(username_key__startswith=key) | Q(email_key__startswith=key) | names

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return super().get_fieldsets(request, obj)
        whose = ("organization",) if sees_all(request) else ()
        rest = (*whose, "roles", *self.new_fields, "sends_welcome")
        return ((None, {"fields": ("username", "email", "first_name", "last_name", *rest)}),)

    new_fields: tuple[str, ...] = ()

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(
            request, obj, change=change, **(kwargs if change else {**kwargs, "form": self.new_form})
        )
        if not change and not sees_all(request):
            form.base_fields.pop("organization", None)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        by, said = asker(request), form.cleaned_data
        if not change:
            self.make(request, obj, said)
            return
        changed = {name: said[name] for name in form.changed_data if name != "expires_at"}
        if changed:
            users.change(by=by, user=obj, **changed)
        if "expires_at" in form.changed_data:
            users.set_expiry(by=by, user=User.objects.get(pk=obj.pk), expires_at=said["expires_at"])

    def make(self, request: HttpRequest, obj: User, said: dict[str, Any]) -> tuple[User, Organization, list[Role]]:
        """Make the person that a form describes, and answer who, where, as what."""
        by = asker(request)
        organization = said["organization"] if "organization" in said else organizations.find(pk=by.organization_id)
        roles = [Role(word) for word in said["roles"]]
        made = users.create(
            by=by, username=said["username"], email=said["email"], organization=organization, roles=roles,
            first_name=said["first_name"], last_name=said["last_name"],
        )  # fmt: skip
        obj.pk = made.user.pk
        request.made = made  # type: ignore[attr-defined]  # read in response_add, within this very request
        if said["sends_welcome"]:
            password_resets.request(via=by.via, user=made.user, template="welcome", by=by)
        return made.user, organization, roles

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        made = request.made  # type: ignore[attr-defined]
        if request.POST.get("sends_welcome"):
            return super().response_add(request, made.user, post_url_continue)
        return shown_once(
            request, title=_("%s is here") % made.user, words=_("Hand the password over now: it is not stored and cannot be shown again."),
            secrets=[(_("User name"), made.user.username), (_("Password"), made.password)], back="identity_user",
        )  # fmt: skip

    def context_of(self, request: HttpRequest, row: User) -> dict[str, Any]:
        by, place = asker(request), asker(request).organization_id
        mine = Q() if sees_all(request) else Q(organization_id=place)
        may_manage = policy.may(by, Permission.PEOPLE_MANAGE)
        return login_as_context(request, row) | {
            "memberships": [_Held(one, row) for one in row.seen_memberships],  # type: ignore[attr-defined]
            "sessions": list(sessions.live(user=row).filter(mine)[:SESSIONS_SHOWN]),
            "history": list(login_as.history(subject=row).filter(mine)[:HISTORY_SHOWN]),
            "joinable": Organization.objects.exclude(memberships__user=row) if sees_all(request) else [],
            "all_roles": ROLES, "all_grants": GRANTS, "may_manage": may_manage,
            "may_end": policy.may(by, Permission.SESSIONS_MANAGE), "own_session_id": by.session_id,
            "roles_url": self.deed_url(row, "roles"), "leave_url": self.deed_url(row, "leave"),
            "end_url": self.deed_url(row, "end-session"), "end_all_url": self.deed_url(row, "end-all"),
        }  # fmt: skip

    def audit_name(self, row: Any) -> str:
        return str(row.username)

    # --- columns ----------------------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("name"), ordering="username_key")
    def name(self, user: User) -> SafeString:
        full = f"{user.first_name} {user.last_name}".strip()
        return format_html("{} <small>{}</small>", user.username, full) if full else format_html("{}", user.username)

    @admin.display(description=gettext_lazy("roles"))
    def roles(self, user: Any) -> str:
        names = {value: str(name) for value, name in ROLES}
        seen = [(one, ", ".join(names[role] for role in one.roles)) for one in user.seen_memberships]
        if user.is_superuser:
            return _("Operator")
        return "; ".join(f"{held} ({one.organization.name})" if len(seen) > 1 else held for one, held in seen)

    @admin.display(description=gettext_lazy("state"))
    def state(self, user: User) -> SafeString:
        at = clock.now()
        badges = []
        if not user.is_active:
            badges.append(badge(_("Disabled"), "bad"))
        if user.locked_at is not None:
            badges.append(badge(_("Locked"), "bad"))
        if user.is_expired(at=at):
            badges.append(badge(_("Expired"), "warn"))
        badges = badges or [badge(_("Enabled"), "ok")]
        if user.is_protected:
            badges.append(badge(_("Protected"), "accent"))
        return mark_safe(" ".join(badges))  # noqa: S308  # joined from format_html's own results

    @admin.display(description=gettext_lazy("second factor"))
    def second_factor(self, user: User) -> SafeString:
        return badge(_("On"), "ok") if user.has_second_factor else badge(_("Off"))

    @admin.display(description=gettext_lazy("last seen"), empty_value=NEVER)
    def last_seen(self, user: User) -> Any:
        return user.last_seen_at


class _Held:
    """A membership as its panel draws it."""

    def __init__(self, membership: Membership, user: User) -> None:
        self.organization, self.grants, self.user = membership.organization, membership.grants, user
        self.roles = [role.value for role in membership.roles]


def login_as_context(request: HttpRequest, user: User) -> dict[str, Any]:
    """Answer what the button "Log in as" is told: whom, for how long at most, and the rule that refuses, if one does."""
    try:
        rule = login_as.verdict(by=asker(request), subject=user)
    except NotFound:
        rule = policy.Rule.NOT_ALLOWED
    return {"subject": user, "login_as_minutes": ceil(login_as.lifetime().total_seconds() / 60), "login_as_rule": rule}


def _memberships_of(request: HttpRequest, *, outer: bool = True) -> QuerySet[Membership]:
    """Answer the memberships that the asker may know of: all of an outer query's person, or all there are."""
    found = Membership.objects.filter(user=OuterRef("pk")) if outer else Membership.objects.all()
    return found if sees_all(request) else found.filter(organization_id=asker(request).organization_id)


def _uuids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
