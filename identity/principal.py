"""Who is asking: a proven identity, as every door hands it to the domain."""

from __future__ import annotations

import getpass
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Role(StrEnum):
    """What a membership or a client may be, weakest first (clarifications 44)."""

    AGENT = "Agent"
    SUPERVISOR = "Supervisor"
    ADMIN = "Admin"
    SERVICE = "ClientService"


class Kind(StrEnum):
    """What sort of asker a principal is."""

    PERSON = "person"
    CLIENT = "client"
    API_KEY = "api_key"
    APPLICATION = "application"
    CUSTOMER = "customer"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Via:
    """By which way a request came: the door's name, the client's address and agent, the request's id."""

    door: str
    address: str = ""
    user_agent: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Acting:
    """The real person behind a login-as: who, by which start, how, until when."""

    login_as_id: UUID
    actor_id: int
    actor_name: str
    mode: str
    reason: str
    deadline_at: datetime


@dataclass(frozen=True, slots=True)
class Principal:
    """A proven identity.

    `id` is the public id as text (a person's number, a client's id); `permissions` holds values of policy.Permission,
    `grants` the `integrations:integration:*` texts; `expires_at` is when the credential itself dies; `acting` is the real
    person when somebody works as this one.
    """

    kind: Kind
    id: str
    name: str
    via: Via
    # Any: Django's typed look-ups refuse None, which to them is a row that does not exist.
    user_id: Any = None
    client_id: str | None = None
    organization_id: Any = None
    organization_name: str = ""
    roles: frozenset[Role] = frozenset()
    permissions: frozenset[str] = frozenset()
    grants: frozenset[str] = frozenset()
    session_id: Any = None
    session: Any = field(default=None, repr=False, compare=False)
    expires_at: datetime | None = None
    passed_second_factor: bool = False
    has_second_factor: bool = False
    is_internal: bool = False
    acting: Acting | None = None

    @property
    def is_admin(self) -> bool:
        return Role.ADMIN in self.roles

    @property
    def is_system(self) -> bool:
        """Say whether this is the house itself, or somebody at its console: whom no policy judges."""
        return self.kind is Kind.SYSTEM

    @property
    def is_operator(self) -> bool:
        return self.kind is Kind.OPERATOR

    @property
    def actor_name(self) -> str:
        """The name of the real person: whose act this is."""
        return self.acting.actor_name if self.acting else self.name

    def coming(self, via: Via) -> Principal:
        """Answer the same principal, coming by another way."""
        return replace(self, via=via)


def at_the_console() -> Principal:
    """Answer the principal of somebody who runs an operator's command on the host."""
    return Principal(kind=Kind.SYSTEM, id="", name=f"operator:{getpass.getuser()}", via=Via(door="command"))


def by_itself(task: str) -> Principal:
    """Answer the principal of the house when it acts by itself, as in a beat task."""
    return Principal(kind=Kind.SYSTEM, id="", name="switchboard", via=Via(door=task))
