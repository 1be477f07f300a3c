"""What a stand-in has handed out: codes with their PKCE challenge, access tokens, and refresh tokens that turn over (RFC 6749, RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from dataclasses import dataclass

from integrations.sandbox.wire import Refused

CODE_SECONDS, ACCESS_SECONDS = 60.0, 3600.0
MOST_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code stands for: who said yes to which client, and what has to come back with the code."""

    client_id: str
    person: str
    redirect_uri: str
    challenge: str
    nonce: str
    at: int


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose an access token is: a client's, or a person's who signed in with it."""

    client_id: str
    person: str = ""


class Grants:
    """Everything that one stand-in has handed out, in memory; several threads at once may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: dict[str, tuple[float, Grant]] = {}
        self._access: dict[str, tuple[float, Holder]] = {}
        # Each refresh token with its family, and the one of each family that still counts.
        self._families: dict[str, tuple[str, Holder]] = {}
        self._newest: dict[str, str] = {}

    def code(self, grant: Grant) -> str:
        """Answer a code for a grant."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            _make_room(self._codes)
            self._codes[made] = (time.monotonic() + CODE_SECONDS, grant)
        return made

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """Answer what a code stands for, once. Raises Refused."""
        with self._lock:
            ends, grant = self._codes.pop(code, (0.0, None))
        is_open = grant is not None and ends > time.monotonic()
        if grant is None or not is_open or (grant.client_id, grant.redirect_uri) != (client_id, redirect_uri):
            raise Refused("invalid_grant", "the code is unknown, used, over, or another client's")
        if challenge_of(verifier) != grant.challenge:
            raise Refused("invalid_grant", "the code_verifier is not the one that was promised")
        return grant

    def access(self, holder: Holder) -> str:
        """Answer an access token."""
        made = secrets.token_urlsafe(32)
        with self._lock:
            _make_room(self._access)
            self._access[made] = (time.monotonic() + ACCESS_SECONDS, holder)
        return made

    def holder(self, access_token: str) -> Holder | None:
        """Answer whose an access token is, or None where it does not count."""
        with self._lock:
            ends, holder = self._access.get(access_token, (0.0, None))
        return holder if ends > time.monotonic() else None

    def refresh_token(self, holder: Holder) -> str:
        """Answer the first refresh token of a new family."""
        family = secrets.token_urlsafe(16)
        with self._lock:
            _make_room(self._families)
            return self._next(family, holder)

    def rotate(self, refresh_token: str, *, client_id: str) -> tuple[str, Holder]:
        """Answer the refresh token that takes another's place, and whose it is. Raises Refused.

        One that was used before ends its whole family (RFC 9700, 4.14.2).
        """
        with self._lock:
            family, holder = self._families.get(refresh_token, ("", Holder("")))
            if holder.client_id != client_id or self._newest.get(family) != refresh_token:
                self._newest.pop(family, None)
                raise Refused("invalid_grant", "the refresh token is unknown, or was used already")
            return self._next(family, holder), holder

    def _next(self, family: str, holder: Holder) -> str:
        made = secrets.token_urlsafe(32)
        self._families[made], self._newest[family] = (family, holder), made
        return made


def challenge_of(verifier: str) -> str:
    """Answer the S256 challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _make_room(
    kept: dict[str, tuple[float, Grant]] | dict[str, tuple[float, Holder]] | dict[str, tuple[str, Holder]],
) -> None:
    """Forget the oldest: a program that asks in a loop must not eat the laptop's memory."""
    while len(kept) >= MOST_KEPT:
        kept.pop(next(iter(kept)))
