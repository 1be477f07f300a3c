"""Makes, finds and changes organisations, and who belongs to them as what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from identity import audit, clock, organization_settings, policy, sessions
from identity.errors import Invalid, NotAllowed, NotFound
from identity.models import Membership, Organization, User
from identity.principal import Kind, Principal, Role

# What may be changed by `change`, by whoever manages an organisation.
SETTINGS = (
    "title", "login_as_roles", "requires_second_factor", "second_factor_exemptions", "link_bases", "cors_origins", "otp_countries",
    "ping_mechanisms", "ticket_length", "tickets_are_single_use", "usage_retention_days", "otp_guard_only_reports", "message_budget_per_day",
    "money_budget_per_day", "message_prices", "message_fallbacks", "message_templates", "sign_in_hosts", "sign_in_domains",
    "creates_people_just_in_time",
)  # fmt: skip


@transaction.atomic
def create(*, by: Principal, name: str, domain: str, title: str = "", **settings: Any) -> Organization:
    """Make an organisation. Raises Invalid when the name or the domain is taken, NotAllowed for all but operators."""
    policy.require_operator(by)
    if Organization.objects.filter(Q(name=name) | Q(domain=domain)).exists():
        raise Invalid(_("The name or the domain is taken."), fields={"name": [_("The name or the domain is taken.")]})
    organization_settings.check(settings)
    organization = Organization.objects.create(name=name, domain=domain, title=title, **settings)
    audit.record("organization.created", by=by, subject=name, organization=organization)
    return organization


@transaction.atomic
def change(*, by: Principal, organization: Organization, **settings: Any) -> Organization:
    """Change settings of an organisation. Raises NotAllowed, or Invalid for a setting or a value that is not known."""
    if by.organization_id is not None and by.organization_id != organization.pk:
        raise NotFound("no such organisation")
    if not by.is_system:
        policy.require(by, policy.Permission.ORGANIZATION_MANAGE)
    policy.forbid_while_acting(by)
    unknown = sorted(set(settings) - set(SETTINGS))
    if unknown:
        raise Invalid(", ".join(unknown), fields={name: [_("There is no such setting.")] for name in unknown})
    organization_settings.check(settings)
    for name, value in settings.items():
        setattr(organization, name, value)
    organization.save(update_fields=list(settings))
    audit.record(
        "organization.changed", by=by, subject=organization.name, organization=organization, settings=sorted(settings)
    )
    return organization


def find(*, name: str | None = None, pk: UUID | str | None = None) -> Organization:
    """Answer an organisation by its short name or its id. Raises NotFound."""
    try:
        where = Q(name=name) if pk is None else Q(pk=UUID(str(pk)))
    except ValueError as e:
        raise NotFound("no such organisation") from e
    organization = Organization.objects.filter(where).first()
    if organization is None:
        raise NotFound("no such organisation")
    return organization


def is_possible_id(pk: Any) -> bool:
    """Say whether a text could be an organisation's id."""
    try:
        UUID(str(pk))
    except ValueError:
        return False
    return True


def membership(*, user: User, organization_id: Any) -> Membership | None:
    """Answer a person's membership in an organisation, or None."""
    return Membership.objects.filter(user=user, organization_id=organization_id).first()


def of_member(*, user_id: Any, organization_id: UUID | str) -> Organization:
    """Answer an open organisation that a person belongs to. Raises NotFound."""
    organization = find(pk=organization_id)
    is_member = Membership.objects.filter(user_id=user_id, organization=organization).exists()
    if organization.is_suspended or not is_member:
        raise NotFound("no such organisation")
    return organization


@transaction.atomic
def join(
    *, by: Principal, user: User, organization: Organization, roles: Sequence[Role], grants: Iterable[str] = ()
) -> Membership:
    """Make a person a member, or replace the roles of one. Raises NotAllowed for roles and grants that the caller may not give."""
    _may_manage(by, organization)
    held, is_new = Membership.objects.select_for_update().get_or_create(user=user, organization=organization)
    before = list(held.roles)
    held.hold(list(roles))
    if Role.ADMIN in before and Role.ADMIN not in roles:
        _keep_an_admin(by, user, organization)
    held.grants = sorted(set(held.grants) | set(grants))
    held.save()
    if user.default_organization_id is None:
        user.default_organization = organization
        user.save(update_fields=["default_organization"])
    audit.record(
        "membership.created" if is_new else "membership.changed", by=by, subject=user, organization=organization,
        before=[r.value for r in before], after=[r.value for r in roles], grants=held.grants,
    )  # fmt: skip
    if Role.ADMIN in before and Role.ADMIN not in roles:
        # Demoting an admin ends that person's sessions behind every door at once (dialects.md 0.4).
        sessions.close_all(user=user, reason="demoted", by=by, organization=organization)
    return held


@transaction.atomic
def leave(*, by: Principal, user: User, organization: Organization) -> None:
    """End a membership and the person's sessions in that organisation; who was at home there is so in the next of theirs, if any.

    Raises NotAllowed for the last admin, NotFound.
    """
    _may_manage(by, organization)
    held = Membership.objects.select_for_update().filter(user=user, organization=organization).first()
    if held is None:
        raise NotFound("no such membership")
    if held.is_admin:
        _keep_an_admin(by, user, organization)
    held.delete()
    remaining = Membership.objects.filter(user=user).order_by("pk").values_list("organization_id", flat=True).first()
    User.objects.filter(pk=user.pk, default_organization=organization).update(default_organization=remaining)
    sessions.close_all(user=user, reason="left", by=by, with_personal_tokens=True, organization=organization)
    audit.record("membership.ended", by=by, subject=user, organization=organization)


@transaction.atomic
def grant(
    *, by: Principal, user: User, organization: Organization, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> Membership:
    """Give and take grants of one person. Raises Invalid for an unknown grant, NotFound without a membership.

    Raises NotAllowed for a grant that the giver does not hold: nobody grows by giving to himself or to a friend.
    """
    _may_manage(by, organization)
    if by.kind is Kind.PERSON and not set(add) <= by.grants:
        raise NotAllowed(_("You can give only the grants that you hold yourself."))
    unknown = (set(add) | set(remove)) - set(policy.GRANTS)
    if unknown:
        raise Invalid(
            ", ".join(sorted(unknown)), fields={"permission": [_("Known are: %s") % ", ".join(policy.GRANTS)]}
        )
    held = Membership.objects.select_for_update().filter(user=user, organization=organization).first()
    if held is None:
        raise NotFound("no such membership")
    held.grants = sorted((set(held.grants) | set(add)) - set(remove))
    held.save(update_fields=["grants"])
    audit.record("membership.changed", by=by, subject=user, organization=organization, grants=held.grants)
    return held


def is_last_admin(user: User, organization: Organization) -> bool:
    """Say whether a person is the only enabled admin of an organisation."""
    admins = Membership.objects.filter(organization=organization, is_admin=True, user__is_active=True)
    return admins.filter(user=user).exists() and not admins.exclude(user=user).exists()


def cors_origins() -> set[str]:
    """Answer the union of all organisations' browser origins (clarifications 27)."""
    found = Organization.objects.filter(suspended_at=None).values_list("cors_origins", flat=True)
    return {origin for origins in found for origin in origins}


def cors_origins_of(principal: Principal) -> set[str]:
    """Answer the browser origins of the organisation that somebody acts in; no query where a session was read."""
    session = principal.session
    if session is None:
        found = Organization.objects.filter(pk=principal.organization_id).values_list("cors_origins", flat=True)
        return {origin for origins in found for origin in origins}
    organization = session.effective_organization or session.organization
    return set(organization.cors_origins) if organization else set()


def suspend(*, by: Principal, organization: Organization) -> None:
    """Close an organisation's doors at the next request, everybody's and every client's. Raises NotAllowed."""
    policy.require_operator(by)
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk, suspended_at=None).update(suspended_at=clock.now())
        audit.record(
            "organization.changed", by=by, subject=organization.name, organization=organization, suspended=True
        )


def resume(*, by: Principal, organization: Organization) -> None:
    """Open a suspended organisation's doors again. Raises NotAllowed."""
    policy.require_operator(by)
    with transaction.atomic():
        Organization.objects.filter(pk=organization.pk).exclude(suspended_at=None).update(suspended_at=None)
        audit.record(
            "organization.changed", by=by, subject=organization.name, organization=organization, suspended=False
        )


def _may_manage(by: Principal, organization: Organization) -> None:
    policy.forbid_while_acting(by)
    if by.is_system:
        return
    policy.require(by, policy.Permission.PEOPLE_MANAGE)
    if by.organization_id is not None and by.organization_id != organization.pk:
        raise NotFound("no such organisation")


def _keep_an_admin(by: Principal, user: User, organization: Organization) -> None:
    if by.user_id == user.pk and is_last_admin(user, organization):
        raise NotAllowed(_("The last admin cannot give up the role; make somebody else an admin first."))
