"""Makes, finds and changes agents: extension, presence, seat; and lets an admin work as one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from agents.models import Agent
from identity import audit, login_as, policy, sessions
from identity.errors import Invalid, NotFound
from identity.models import LoginAs, Organization, Session, User
from identity.principal import Principal, Via

EXTENSION_TRIES = 20


@transaction.atomic
def create(*, by: Principal, user: User, organization: Organization, extension: str | None = None) -> Agent:
    """Give a person an agent record and an extension, a free one if none is said. Raises Invalid when it is taken."""
    policy.forbid_while_acting(by)
    if not by.is_system:
        policy.require(by, policy.Permission.PEOPLE_MANAGE)
    chosen = extension or _free_extension(organization)
    try:
        with transaction.atomic():
            agent = Agent.objects.create(user=user, organization=organization, extension=chosen)
    except IntegrityError as e:
        raise Invalid("extension", fields={"extension": [_("This extension is taken.")]}) from e
    audit.record("user.changed", by=by, subject=user, organization=organization, extension=chosen)
    return agent


def find(*, agent_id: int, organization_id: Any) -> Agent:
    """Answer an agent of an organisation by the id of the agent record. Raises NotFound."""
    agent = of_organization(organization_id).filter(pk=agent_id).first() if 0 < agent_id < 2**63 else None
    if agent is None:
        raise NotFound("no such agent")
    return agent


def by_extension(*, extension: str, organization_id: Any) -> Agent:
    """Answer an enabled agent of an organisation by extension. Raises NotFound."""
    agent = listed(organization_id).filter(extension=extension).first()
    if agent is None:
        raise NotFound("no such extension")
    return agent


def of_user(*, user_id: Any, organization_id: Any) -> Agent | None:
    """Answer the agent record of a person in an organisation, or None."""
    return of_organization(organization_id).filter(user_id=user_id).first()


def of_organization(organization_id: Any) -> QuerySet[Agent]:
    """Answer all agents of an organisation."""
    return Agent.objects.select_related("user", "organization", "seat_session").filter(organization_id=organization_id)


def listed(organization_id: Any) -> QuerySet[Agent]:
    """Answer the agents that colleagues see: disabled people are left out (clarifications 25)."""
    return of_organization(organization_id).filter(user__is_active=True).order_by("extension")


def work_as(
    *, by: Principal, agent_id: int, via: Via, reason: str = "", mode: str = LoginAs.Mode.ACT
) -> tuple[Agent, LoginAs]:
    """Let an admin begin to work as an agent, named by the agent record. Raises as login_as.start, and NotFound."""
    agent = find(agent_id=agent_id, organization_id=by.organization_id)
    return agent, login_as.start(by=by, subject_id=agent.user_id, via=via, reason=reason, mode=mode)


@transaction.atomic
def set_presence(
    *, by: Principal, agent: Agent, is_available: bool, name: str = "", until: datetime | None = None, message: str = "",
    key_words: list[str] | None = None,
) -> Agent:  # fmt: skip
    """Set what colleagues see of an agent: one's own, or another's by a supervisor. `until` is aware; None has no end.

    Raises NotAllowed, NotFound.
    """
    _may_change(by, agent)
    agent.has_profile, agent.is_available, agent.profile_name = True, is_available, name[:100]
    agent.profile_until, agent.profile_message = until, message[:300]
    if key_words is not None:
        agent.key_words = [word[:50] for word in key_words][:50]
    agent.save(
        update_fields=["has_profile", "is_available", "profile_name", "profile_until", "profile_message", "key_words"]
    )
    return agent


@transaction.atomic
def set_place(*, by: Principal, agent: Agent, place: str, devices: list[dict[str, str]] | None = None) -> Agent:
    """Say by hand where an agent sits and with which devices; what a sign-in said before counts no more.

    Raises NotAllowed, NotFound.
    """
    _may_change(by, agent)
    agent.place, agent.seat_session = place[:100], None
    if devices is not None:
        agent.devices = devices
    agent.save(update_fields=["place", "devices", "seat_session"])
    return agent


@transaction.atomic
def sit(*, by: Principal, session: Session, place: str = "", devices: Sequence[Mapping[str, str]] = ()) -> None:
    """Seat whoever signed in at a place for as long as that session lives (hot seating); what was said before is forgotten.

    `place` and `devices` (each with `dn` and `switch`) are kept with the session. People without an agent record sit nowhere.
    """
    policy.forbid_while_acting(by)
    sessions.note(session, place=place, devices=[dict(device) for device in devices])
    Agent.objects.filter(user_id=by.user_id, organization_id=by.organization_id).update(
        seat_session=session, place="", devices=[]
    )


def _may_change(by: Principal, agent: Agent) -> None:
    if by.organization_id is not None and by.organization_id != agent.organization_id:
        raise NotFound("no such agent")
    if by.user_id != agent.user_id:
        policy.require(by, policy.Permission.PRESENCE_ANY)


def _free_extension(organization: Organization) -> str:
    for _try in range(EXTENSION_TRIES):
        extension = f"08{secrets.randbelow(9_000_000) + 1_000_000}"
        if not Agent.objects.filter(organization=organization, extension=extension).exists():
            return extension
    raise Invalid("extension", fields={"extension": [_("No free extension was found; name one.")]})
