"""What OAuth's answers look like: access tokens with their claims, and the token endpoint's body (dialects.md 3.0, 3.1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings

from identity import clock, sessions, tokens
from identity.principal import Kind, Principal, Role
from identity.tokens import Issued
from integrations.dialects.oauth.credentials import AUDIENCE, CUSTOMER, Caller

# What a token is for when nobody asked for less.
SCOPE = "api"

AUTHORITIES = {
    Role.AGENT: "ROLE_AGENT",
    Role.SUPERVISOR: "ROLE_SUPERVISOR",
    Role.ADMIN: "ROLE_ADMIN",
    Role.SERVICE: "ROLE_SERVICE",
}


def authorities(principal: Principal) -> list[str]:
    """Answer the roles under Auvious' names, weakest first; for people the Genesys permissions they hold, too."""
    if principal.kind is Kind.CUSTOMER:
        return ["ROLE_CUSTOMER"]
    named = [name for role, name in AUTHORITIES.items() if role in principal.roles]
    return named + (sorted(principal.grants) if principal.kind is Kind.PERSON else [])


def access_token(session: Any, *, caller: Caller) -> Issued:
    """Issue an access token on a session that is still good. Raises CredentialRevoked, CredentialExpired."""
    at = clock.now()
    principal = sessions.principal_of(session, via=caller.via, at=at)
    ends_at = at + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
    return tokens.issue(
        session=session, audience=AUDIENCE, subject=principal.id, at=at, expires_at=min(ends_at, principal.expires_at or ends_at),
        userId=principal.id, authorities=authorities(principal), client_id=caller.id, scope=scope_of(session), **_more(principal),
    )  # fmt: skip


def scope_of(session: Any) -> str:
    """Answer the scope that a session was opened for."""
    return str(session.details.get("scope") or SCOPE)


def answer(issued: Issued, *, session: Any, refresh_token: str = "", **more: Any) -> dict[str, Any]:
    """Answer the body of RFC 6749, 5.1 with Auvious' additions; `conference_id` for tickets only."""
    claims = issued.claims
    body: dict[str, Any] = {
        "access_token": issued.text,
        "token_type": "bearer",
        "expires_in": claims["exp"] - claims["iat"],
        "scope": claims["scope"],
        "jti": claims["jti"],
        "sub": claims["sub"],
    }
    if refresh_token:
        body["refresh_token"] = refresh_token
    if "organization" in claims:
        body["organization"] = claims["organization"]
    if claims["client_id"] == CUSTOMER:
        body["conference_id"] = session.details.get("conference", "")
    return body | more


def _more(principal: Principal) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    if principal.organization_id is not None:
        claims["organization"] = str(principal.organization_id)
    if principal.acting is not None:
        # RFC 8693, 4.1: who really acts.
        claims["act"] = {"sub": str(principal.acting.actor_id)}
    return claims
