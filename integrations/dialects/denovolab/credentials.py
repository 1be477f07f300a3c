"""How Denovolab's callers prove themselves: a signed token in `X-Auth-Token`, read and handed out here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from identity import clock, crypto, sessions, tokens
from identity.principal import Principal, Via
from identity.sessions import Opened
from integrations import edge

DOOR = "denovolab"
AUDIENCE = "dnl"
# A session outlives its tokens: check-token gives new ones until this long after the sign-in (clarifications 54).
SESSION_LIFETIME = timedelta(hours=12)
DEFAULT_MINUTES = 60
MINUTES = "minutes"


class XAuthToken(BaseAuthentication):
    """Proves a caller by `X-Auth-Token`; what the token says is left in `request.claims`."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        text = request.headers.get("X-Auth-Token")
        if not text:
            return None
        via = edge.way(request, door=DOOR)
        principal, claims = sessions.by_token(text, audience=AUDIENCE, via=via)
        sessions.touch(principal.session, at=clock.now())
        cast(edge.Asked, request).claims = claims
        return None, principal


class XAuthTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the header."""

    target_class = XAuthToken
    name = "X-Auth-Token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}


def hand_out(opened: Opened, *, via: Via) -> tuple[Principal, dict[str, Any], str]:
    """Issue the first token of a new session; answers who it stands for, its claims and its text."""
    at = clock.now()
    principal = sessions.principal_of(opened.session, via=via, at=at)
    claims, text = _issue(principal, at=at)
    return principal, claims, text


def refresh(principal: Principal, claims: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Issue one more token on the same session; answers its claims and text.

    The old one lives on to its end. While acting nothing is lengthened (clarifications 20).
    """
    at = clock.now()
    return _issue(principal, at=at, not_after=claims["exp"] if principal.acting else None)


def cdr_api_token(claims: dict[str, Any]) -> str:
    """Answer the read-only token for call records that goes with a token: a keyed digest of its `jti`, so never stored."""
    return crypto.digest(claims["jti"], purpose="denovolab-cdr")


def _issue(principal: Principal, *, at: datetime, not_after: int | None = None) -> tuple[dict[str, Any], str]:
    session, acting = principal.session, principal.acting
    if acting is not None:
        ends_at = acting.deadline_at if not_after is None else datetime.fromtimestamp(not_after, tz=at.tzinfo)
        more: dict[str, Any] = {"act": {"sub": str(acting.actor_id)}}
    else:
        ends_at = min(session.expires_at, at + timedelta(minutes=session.details.get(MINUTES, DEFAULT_MINUTES)))
        more = {}
    issued = tokens.issue(
        session=session, audience=AUDIENCE, subject=principal.id, expires_at=ends_at, at=at, **more
    )  # fmt: skip
    return issued.claims, issued.text
