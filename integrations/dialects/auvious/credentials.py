"""How Auvious' callers prove themselves: an access token as bearer, of a person, a client or a customer; an application's id; or a code."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from identity import applications, clock, otp, sessions
from identity.errors import CredentialInvalid
from identity.principal import Principal
from integrations import edge
from integrations.stories import callbacks

DOOR = "auvious"
AUDIENCE = "auvious"
APPLICATION_ID = "X-ApplicationId"
VERIFICATION_ID, CODE = "X-OtpVerificationId", "X-OtpCode"


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


class VerifiedNumber(BaseAuthentication):
    """Proves a customer by a verification and its code, for one callback (clarifications 38).

    The pair is left in `request.verification`, held: whoever named this gives it back when the request is over. Named before
    Bearer: where a pair is sent, also half of one, it alone decides.
    """

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        verification_id, code = (request.headers.get(name, "") for name in (VERIFICATION_ID, CODE))
        if not (verification_id or code):
            return None
        via = edge.way(request, door=DOOR)
        verification = callbacks.hold(verification_id=verification_id, code=code, via=via)
        request.verification = verification  # type: ignore[attr-defined]
        return None, callbacks.holder(verification, via=via)


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


class VerifiedNumberScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about a code in a token's stead; the verification's id is sent beside it."""

    target_class = VerifiedNumber
    name = CODE

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        said = f"The code of a verified number, beside {VERIFICATION_ID}."
        return {"type": "apiKey", "in": "header", "name": CODE, "description": said}
