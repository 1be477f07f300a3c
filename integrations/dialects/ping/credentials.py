"""How Ping's callers prove themselves: by name and password, by a personal token, or by the cookie of a login."""

from __future__ import annotations

import base64
import binascii
from datetime import timedelta
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from identity import clock, personal_tokens, sessions, sign_in
from identity.errors import CredentialInvalid, CredentialMissing
from identity.principal import Principal
from identity.sign_in import Proven
from integrations import edge

DOOR = "ping"
COOKIE = "ping_session"
PATH = "/api"
PREFIX = "swp"
LONG_AGO = "Thu, 01 Jan 1970 00:00:00 GMT"
LIFETIME = timedelta(days=30)
IDLE = timedelta(hours=12)
# What an organisation calls the three ways where it switches them (clarifications 63).
BASIC, BY_COOKIE, TOKEN = "basic", "cookie", "jwt"
# Clients of an older time sent these in the address, where logs and histories keep them (dialects.md 2.2).
NEVER_IN_THE_ADDRESS = ("username", "password")


class AnyMechanism(BaseAuthentication):
    """Proves a caller by `Authorization`; only where there is none, by the cookie."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        principal = by_authorization(request) or by_cookie(request)
        return None if principal is None else (None, principal)


class PasswordOnly(BaseAuthentication):
    """Proves a caller by name and password, who is then left in `request.proven`: the way to a cookie."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        scheme, value = authorization(request)
        return (None, by_password(request, value, BASIC, BY_COOKIE)) if scheme == "basic" else None


class CookieOnly(AnyMechanism):
    """Proves a caller by the cookie; a bad `Authorization` beside it is refused all the same."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        super().authenticate(request)
        principal = by_cookie(request)
        return None if principal is None else (None, principal)


class Scheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the three ways."""

    target_class = AnyMechanism
    name = ["Ping token", "Ping password", "Ping cookie"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            {"type": "http", "scheme": "basic"},
            {"type": "apiKey", "in": "cookie", "name": COOKIE},
        ]


class PasswordScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the login."""

    target_class = PasswordOnly
    name = "Ping login"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "basic"}


class CookieScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the logout."""

    target_class = CookieOnly
    name = "Ping logout"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": COOKIE}


def by_authorization(request: Request) -> Principal | None:
    """Prove a caller by the Authorization header; None where there is none. Raises CredentialInvalid and its kin."""
    scheme, value = authorization(request)
    if scheme == "bearer":
        via = edge.way(request, door=DOOR)
        return _open(personal_tokens.authenticate(value, origin=request.headers.get("Origin"), via=via), TOKEN)
    if scheme == "basic":
        return by_password(request, value, BASIC)
    if scheme:
        raise CredentialInvalid("no such scheme")
    return None


def by_cookie(request: Request) -> Principal | None:
    """Prove a caller by the cookie, which every use keeps from idling out; None where there is none."""
    secret = request.COOKIES.get(COOKIE)
    if not secret:
        return None
    principal = _open(sessions.by_secret(secret, doors=(DOOR,), via=edge.way(request, door=DOOR)), BY_COOKIE)
    sessions.touch(principal.session, at=clock.now())
    return principal


def by_password(request: Request, value: str, *needed: str) -> Principal:
    """Prove a caller by RFC 7617's name and password, where the organisation has the needed mechanisms switched on."""
    name, clear = name_and_password(value)
    via = edge.way(request, door=DOOR)
    proven = sign_in.prove(
        name=name, clear=clear, via=via, asks_second_factor=False, exempt_door=DOOR, admits_operators=False,
        admits=lambda organization, _membership: set(needed) <= set(organization.ping_mechanisms),
    )  # fmt: skip
    cast(Any, request).proven = proven
    return sign_in.principal_of(proven, via=via)


def open_session(proven: Proven, request: Request, response: Response) -> None:
    """Open a session for somebody who has proven himself, and hand out its cookie."""
    opened = sign_in.open_session(
        proven, via=edge.way(request, door=DOOR), lifetime=LIFETIME, idle=IDLE, secret_prefix=PREFIX
    )
    response.set_cookie(COOKIE, opened.secret, path=PATH, secure=True, httponly=True, samesite="Lax")


def close_session(principal: Principal, response: Response) -> None:
    """End the session of the cookie that was sent, and take the cookie back."""
    sessions.close(principal.session_id, reason="logout", by=principal)
    response.set_cookie(COOKIE, "", max_age=0, expires=LONG_AGO, path=PATH, secure=True, httponly=True, samesite="Lax")


def is_by_token(principal: Principal) -> bool:
    """Say whether a caller proved himself by a personal token."""
    return principal.session is not None and principal.session.is_personal_token


def authorization(request: Request) -> tuple[str, str]:
    """Answer the scheme, in small letters, and the rest of the Authorization header; two empty texts where there is none.

    Raises CredentialInvalid for a credential in the address, whatever came beside it.
    """
    if any(name in request.query_params for name in NEVER_IN_THE_ADDRESS):
        raise CredentialInvalid("a credential in the address")
    scheme, _, value = request.headers.get("Authorization", "").strip().partition(" ")
    return scheme.lower(), value.strip()


def name_and_password(value: str) -> tuple[str, str]:
    """Read the two halves of a Basic credential, which are UTF-8 (RFC 7617, 2.1). Raises CredentialInvalid."""
    try:
        name, colon, clear = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as e:
        raise CredentialInvalid("no Basic credential") from e
    if not colon or "\0" in name + clear:
        raise CredentialInvalid("no Basic credential")
    return name, clear


def _open(principal: Principal, mechanism: str) -> Principal:
    """Go on only by a way that the caller's organisation has switched on."""
    if mechanism not in principal.session.organization.ping_mechanisms:
        raise CredentialMissing("this way is switched off")
    return principal
