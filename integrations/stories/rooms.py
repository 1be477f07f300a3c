"""Opens rooms: a conference, the ticket that lets a customer into it, and the links to both (dialects.md 3.2, Facades)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.utils.translation import gettext as _

from identity import applications, clock, policy
from identity.errors import Invalid, NotFound
from identity.models import Application, Organization
from identity.policy import Permission
from identity.principal import Principal
from tickets import actions as tickets
from tickets import calendar
from tickets.actions import Meaning, Reading
from tickets.models import Ticket


@dataclass(frozen=True, slots=True)
class Words:
    """How whoever asks for a room writes tickets.

    `write` answers the type and the properties of a ticket of an application that means something and serves once, or not;
    `read` reads them back.
    """

    write: Callable[[Application, Meaning, bool], tuple[str, dict[str, Any]]]
    read: Reading


@dataclass(frozen=True, slots=True)
class Room:
    """A conference with the ticket to it; all three links begin with `base`."""

    base: str
    application_id: str
    conference: str
    ticket: Ticket
    ticket_id: str
    destination: str = ""

    def __repr__(self) -> str:
        return f"Room({self.conference})"

    @property
    def ticket_link(self) -> str:
        """Where the customer enters; whoever holds it is let in."""
        return calendar.link_of(self.ticket_id, base=self.base)

    @property
    def agent_link(self) -> str:
        """Where the agent enters; it lets nobody in who is not signed in."""
        said = {"aid": self.application_id, "roomId": self.conference}
        said |= {"cdestination": self.destination} if self.destination else {}
        return f"{self.base}/a?{urlencode({**said, 'corigin': self.base})}"

    @property
    def recording_link(self) -> str:
        """Where the recording will be."""
        return f"{self.base}/r/{self.conference}"


def open_(
    *,
    by: Principal,
    organization: Organization,
    application_id: str,
    base: str,
    words: Words,
    customer: str = "",
    interaction: str = "",
    destination: str = "",
    length: int | None = None,
    ttl: int | None = None,
) -> Room:
    """Open a room for an application of an organisation; `ttl` are the seconds that its ticket lives, `length` its characters.

    Raises NotAllowed for whoever is no client that may use the facades, Invalid naming `base` for one that is not on the
    organisation's list, NotFound (the application).
    """
    require_opener(by)
    links_begin = base_of(organization, base)
    application = application_of(organization, application_id)
    meaning = Meaning(conference=str(uuid4()), customer=customer, interaction=interaction)
    return furnish(
        by=by, application=application, base=links_begin, meaning=meaning, words=words, destination=destination, length=length, ttl=ttl
    )  # fmt: skip


def furnish(
    *,
    by: Principal,
    application: Application,
    base: str,
    meaning: Meaning,
    words: Words,
    destination: str = "",
    length: int | None = None,
    ttl: int | None = None,
) -> Room:
    """Make the ticket of a conference and answer the room. Raises what `tickets.issue` raises."""
    organization = application.organization
    serves_once = organization.tickets_are_single_use
    type_, properties = words.write(application, meaning, serves_once)
    made = tickets.issue(
        by=by, organization=organization, type_=type_, properties=properties, read=words.read, is_single_use=serves_once,
        length=length, ttl=ttl,
    )  # fmt: skip
    return Room(base, application.pk, meaning.conference, made.ticket, made.id, destination)


def require_opener(by: Principal) -> None:
    """Go on only for clients that may use the facades (clarifications 44). Raises NotAllowed."""
    policy.require(by, Permission.FACADES)


def base_of(organization: Organization, base: str) -> str:
    """Answer what links begin with, if it is one of the organisation's. Raises Invalid naming `base`.

    Compared whole: what merely looks like one of them would take a customer, ticket in hand, to somebody else's page.
    """
    asked = base.removesuffix("/")
    if asked not in {one.removesuffix("/") for one in organization.link_bases}:
        raise Invalid("base", fields={"base": [_("This address is not on the organisation's list.")]})
    return asked


def application_of(organization: Organization, application_id: str) -> Application:
    """Answer an application of an organisation that is not over. Raises NotFound."""
    application = applications.find(application_id=application_id, organization_id=organization.pk)
    require_open(application, at=clock.now())
    return application


def require_open(application: Application, *, at: datetime) -> None:
    """Go on only with an application whose time is not over. Raises NotFound."""
    if application.expires_at is not None and application.expires_at <= at:
        raise NotFound("the application is over")
