"""How Genesys' callers prove themselves: by name and password, or by the cookie of a login; and how that cookie looks."""

from __future__ import annotations

import base64
import binascii
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from identity import sessions, sign_in
from identity.errors import CredentialInvalid, CredentialRevoked
from identity.principal import Principal
from integrations import cors, edge

DOOR = "genesys"
COOKIE = "JSESSIONID"
# A desktop's page lies on another site. `Partitioned`, or else Chromium drops the cookie; Django cannot spell it (clarifications 58).
# It has an empty value, which browsers do not look at: cookie parsers that do not know a bare word drop the whole line for it.
FLAGS = "Path=/; HttpOnly; Secure; SameSite=None; Partitioned="
GONE = f"{COOKIE}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; {FLAGS}"


class BasicOrCookie(BaseAuthentication):
    """Proves a caller by `Authorization`, who is then left in `request.proven`; only where there is none, by the cookie."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        sent = request.headers.get("Authorization")
        principal = by_cookie(request) if sent is None else by_password(request, sent)
        return None if principal is None else (None, principal)


class Scheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the two ways."""

    target_class = BasicOrCookie
    name = ["Genesys password", "Genesys cookie"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [{"type": "http", "scheme": "basic"}, {"type": "apiKey", "in": "cookie", "name": COOKIE}]


def by_password(request: Request, sent: str) -> Principal:
    """Prove a caller by name and password, who holds any role at all (clarifications 26)."""
    name, clear = name_and_password(sent)
    via = edge.way(request, door=DOOR)
    proven = sign_in.prove(
        name=name, clear=clear, via=via, asks_second_factor=False, exempt_door=DOOR, admits_operators=False,
        admits=lambda _organization, membership: bool(membership.roles),
    )  # fmt: skip
    cast(Any, request).proven = proven
    return sign_in.principal_of(proven, via=via)


def by_cookie(request: Request) -> Principal | None:
    """Prove a caller by the cookie, or answer None where there is none; its timer is moved by a `/ping` and nothing else."""
    secret = request.COOKIES.get(COOKIE)
    if not secret:
        return None
    principal = sessions.by_secret(secret, doors=(DOOR,), via=edge.way(request, door=DOOR))
    if not principal.roles:
        raise CredentialRevoked("no role is left")
    return principal


def is_from_a_foreign_page(request: Request, principal: Principal) -> bool:
    """Say whether a browser's page sent this that the caller's organisation does not list; programs send no Origin."""
    origin = request.headers.get("Origin")
    return origin is not None and not cors.admits(origin, principal)


def set_cookie(response: Response, secret: str) -> None:
    """Hand a session's secret out; one more cookie would need another way than this header."""
    response.headers["Set-Cookie"] = f"{COOKIE}={secret}; {FLAGS}"


def take_cookie(response: Response) -> None:
    """Take the cookie back."""
    response.headers["Set-Cookie"] = GONE


def name_and_password(sent: str) -> tuple[str, str]:
    """Read the Authorization header of RFC 7617; its halves are UTF-8. Raises CredentialInvalid."""
    scheme, _, value = sent.strip().partition(" ")
    try:
        text = base64.b64decode(value.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as e:
        raise CredentialInvalid("no Basic credential") from e
    name, colon, clear = text.partition(":")
    if scheme.lower() != "basic" or not colon or "\0" in text:
        raise CredentialInvalid("no Basic credential")
    return name, clear
