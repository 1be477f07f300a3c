"""What OAuth's answers look like: access tokens with their claims, and the token endpoint's body (dialects.md 3.0, 3.1)."""

from __future__ import annotations

import base64
import hashlib
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


def id_token(traded: Any, issued: Issued, *, caller: Caller) -> dict[str, str]:
    """Answer the `id_token` beside an access token, when `openid` was asked for (OpenID Connect Core, 2 and 3.1.3.6)."""
    code = traded.code
    if "openid" not in code.scope.split():
        return {}
    claims: dict[str, Any] = {"auth_time": int(code.authenticated_at.timestamp()), "at_hash": _half_hash(issued.text)}
    if code.nonce:
        claims["nonce"] = code.nonce
    made = tokens.issue(
        session=traded.session, audience=caller.id, subject=issued.claims["sub"], expires_at=issued.expires_at, at=clock.now(), **claims
    )  # fmt: skip
    return {"id_token": made.text}


def userinfo(person: Any, *, scope: str) -> dict[str, Any]:
    """Answer the claims about a person that a token's scope covers (OpenID Connect Core, 5.1 and 5.4)."""
    covers, claims = set(scope.split()), {"sub": str(person.pk)}
    if covers & {SCOPE, "profile"}:
        claims |= {
            "name": person.get_full_name(),
            "given_name": person.first_name,
            "family_name": person.last_name,
            "preferred_username": person.username,
        }
    if covers & {SCOPE, "email"}:
        claims["email"] = person.email
    return claims


def introspection(principal: Principal, claims: dict[str, Any]) -> dict[str, Any]:
    """Answer what is told about a live access token (RFC 7662, 2.2; `act`: RFC 8693, 4.1)."""
    told = (
        "scope",
        "client_id",
        "exp",
        "iat",
        "sub",
        "aud",
        "iss",
        "jti",
        "act",
        "authorities",
        "organization",
        "userId",
    )
    return {
        "active": True,
        "token_type": "bearer",
        "username": principal.name,
        **{name: claims[name] for name in told if name in claims},
    }


def refresh_introspection(session: Any) -> dict[str, Any]:
    """Answer what is told about a live refresh token."""
    return {
        "active": True,
        "token_type": "refresh_token",
        "scope": scope_of(session),
        "client_id": session.client_id or CUSTOMER,
        "sub": str(session.user_id or session.holder),
        "iss": settings.PUBLIC_URL,
        "exp": int(session.expires_at.timestamp()),
    }


def metadata() -> dict[str, Any]:
    """Answer where everything is and what is supported (RFC 8414, 2)."""
    base, methods = settings.PUBLIC_URL, ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/security/oauth/token",
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "introspection_endpoint": f"{base}/oauth/introspect",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "grant_types_supported": [
            "client_credentials",
            "password",
            "refresh_token",
            "authorization_code",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "scopes_supported": ["openid", "profile", "email"],
        "authorization_response_iss_parameter_supported": True,
    }


def openid_metadata() -> dict[str, Any]:
    """Answer the same with what OpenID Connect Discovery, 3, adds."""
    return metadata() | {
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [tokens.ALGORITHM],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash",
            "name", "given_name", "family_name", "preferred_username", "email",
        ],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip


def _half_hash(text: str) -> str:
    """OpenID Connect Core, 3.1.3.6: the left half of the SHA-256, base64url without padding."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:16]).rstrip(b"=").decode()


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
