"""What a provider says about somebody who signed in there, and the ways in which that can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from identity.errors import NotAllowed
from identity.principal import Role


class Why(StrEnum):
    """Why nobody was signed in; each has a page that says what to do."""

    STALE = "stale"
    REFUSED = "refused"
    UNPROVEN = "unproven"
    MISCONFIGURED = "misconfigured"
    UNREACHABLE = "unreachable"
    UNLINKED = "unlinked"
    UNVERIFIED = "unverified"
    NO_ADDRESS = "no_address"
    TAKEN = "taken"
    SHUT = "shut"


class SignInRefused(NotAllowed):
    """Signing in with an application came to nothing; `why` names the page that says what to do."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(detail or str(why))
        self.why = why


@dataclass(frozen=True, slots=True)
class Proof:
    """Who signed in at a provider, as it says; nothing here is believed beyond the organisation of the application.

    `roles` are those that it gives, None where it gives none; `grants` likewise. `logout_address` is where the browser is
    sent to log out there, and holds an id_token.
    """

    issuer: str
    subject: str
    email: str = ""
    is_email_verified: bool = False
    username: str = ""
    first_name: str = ""
    last_name: str = ""
    roles: tuple[Role, ...] | None = None
    grants: tuple[str, ...] | None = None
    passed_second_factor: bool = False
    logout_address: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What one sign-in sends along and holds the answer to (RFC 7636, RFC 6749 10.12, OpenID Connect Core 3.1.2.1)."""

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    wants_fresh_proof: bool = False

    @property
    def prompt(self) -> str | None:
        """What makes a provider ask somebody whom it knows already (OpenID Connect Core, 3.1.2.1)."""
        return "login" if self.wants_fresh_proof else None

    def __repr__(self) -> str:
        return "Asked(…)"


def text(said: Mapping[str, Any], name: str, *, longest: int = 150) -> str:
    """Answer a text that a provider said, or nothing where it is none that can be kept (security.md M9, M10)."""
    found = said.get(name)
    is_text = isinstance(found, str) and found.isprintable() and len(found) <= longest
    return found.strip() if is_text and isinstance(found, str) else ""


class Provider(Protocol):
    """Where people of an organisation sign in."""

    def authorization_address(self, asked: Asked) -> str:
        """Answer where the browser has to go. Raises SignInRefused, UpstreamUnavailable."""

    def prove(self, asked: Asked, answer: Mapping[str, str]) -> Proof:
        """Answer who came back with this answer (`code`, `iss`). Raises SignInRefused, UpstreamUnavailable."""
