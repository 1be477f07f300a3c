"""How Auvious' callers prove themselves: an access token as bearer, of a person, a client or a customer; or an application's id."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from identity import applications, clock, otp, sessions
from identity.errors import CredentialInvalid
from identity.principal import Principal
from integrations import edge

DOOR = "auvious"
AUDIENCE = "auvious"
APPLICATION_ID = "X-ApplicationId"


class Bearer(BaseAuthentication):
    """Proves a caller by `Authorization: Bearer`; what the token says is left in `request.claims`."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        header = request.headers.get("Authorization")
        if not header:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise CredentialInvalid("no bearer")
        via = edge.way(request, door=DOOR)
        principal, claims = sessions.by_token(token.strip(), audience=AUDIENCE, via=via)
        sessions.touch(principal.session, at=clock.now())
        request.claims = claims  # type: ignore[attr-defined]
        return None, principal


class OpenApplication(BaseAuthentication):
    """Lets strangers in by `X-ApplicationId`, as whoever may ask for codes and nothing else (clarifications 36).

    Named after Bearer: whoever sends one is judged by it alone.
    """

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        application_id = request.headers.get(APPLICATION_ID)
        if not application_id:
            return None
        application = applications.find_open(application_id=application_id)
        return None, otp.stranger(application, via=edge.way(request, door=DOOR))


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the header."""

    target_class = Bearer
    name = "Bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class OpenApplicationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about an application in a token's stead."""

    target_class = OpenApplication
    name = APPLICATION_ID

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "header", "name": APPLICATION_ID}
