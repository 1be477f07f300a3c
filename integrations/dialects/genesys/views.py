"""Genesys' operations: read, one call, render (dialects.md 4.1)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import sessions
from identity.errors import NotAllowed
from identity.principal import Principal
from integrations import edge
from integrations.dialects.genesys import credentials, errors, recording, shapes

# DRF's word for the action of every OPTIONS request.
PREFLIGHT = "metadata"
WANTS_CSRF = "X-Support-CSRFP"
HEADERS = [
    OpenApiParameter("Origin", location="header", description="Of the page that asks; a program sends none."),
    OpenApiParameter(WANTS_CSRF, location="header", description="`True` asks for a token that a logout then needs."),
    OpenApiParameter(recording.CSRF_SENT, location="header", description="That token."),
]
# Kept as a schema: a serializer cannot say "an array or an object".
KINDS = {
    "application/json": {
        "oneOf": [
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"enum": [*shapes.Configuration().fields]}, "value": {}},
                    "required": ["name", "value"],
                },
            },
            {
                "type": "object",
                "properties": {
                    shapes.OPERATION: {"enum": [shapes.BEGIN, shapes.END]},
                    "place": {"type": "string"},
                    "channels": {"type": "array", "items": {"type": "string"}},
                },
                "required": [shapes.OPERATION],
            },
        ]
    }
}


def answers(shape: Any, *refusals: int) -> dict[int, Any]:
    """Answer what the OpenAPI page says that an operation answers."""
    return {200: shape, **dict.fromkeys((*refusals, 401, 429), shapes.Refused)}


class GenesysViewSet(edge.DialectViewSet):
    """A resource of Genesys: name and password or a cookie, JSON under any media type, OPTIONS for everybody."""

    voice = errors
    door = credentials.DOOR
    authentication_classes = [credentials.BasicOrCookie]
    parser_classes = [shapes.ArrayOrObject]
    open_to_strangers: tuple[str, ...] = (PREFLIGHT,)

    def prove(self, request: Request) -> Principal | None:
        """Refuse what a foreign page sends along with somebody's cookie: it could not have known a password."""
        principal = super().prove(request)
        if principal is None or principal.session is None or request.method != "POST":
            return principal
        if credentials.is_from_a_foreign_page(request, principal):
            raise NotAllowed("a page of an origin that is not listed")
        return principal

    @extend_schema(exclude=True)
    def metadata(self, request: Request) -> Response:
        """Answer a pre-flight, and what looks like one: what a page may do stands in the headers."""
        return edge.empty(200)


class Me(GenesysViewSet):
    """The session of whoever sits at a workstation."""

    @extend_schema(parameters=HEADERS[:2], responses=answers(shapes.SignedIn))
    def sign_in(self, request: Any) -> Response:
        """Sign in, or say who is signed in already."""
        return self._sign_in(request, {})

    @extend_schema(parameters=HEADERS, request=KINDS, responses=answers(shapes.SignedIn, 400, 403))
    def post(self, request: Any) -> Response:
        """Sign in with a configuration (an array, or no body), or sign out (an object with an `operationName`)."""
        configuration = shapes.configuration_of(request)
        return self._sign_out(request) if configuration is None else self._sign_in(request, configuration)

    def _sign_in(self, request: Any, configuration: dict[str, Any]) -> Response:
        principal: Principal = request.principal
        if principal.session is not None:
            recording.configure(principal, request, configuration=configuration)
            return Response(shapes.signed_in(sessions.person_of(principal), principal))
        response = Response(shapes.signed_in(request.proven.user, principal))
        # A page that must not hold the cookie gets the same answer, and nothing is begun that it could not end.
        if not credentials.is_from_a_foreign_page(request, principal):
            opened = recording.begin(principal, request, configuration=configuration)
            credentials.set_cookie(response, opened.secret)
            if request.headers.get(WANTS_CSRF, "").lower() == "true":
                response.headers["X-CSRF-HEADER"] = "X-CSRF-TOKEN"
                response.headers["X-CSRF-TOKEN"] = recording.guard(opened)
        return response

    def _sign_out(self, request: Any) -> Response:
        recording.end(request.principal, request)
        response = Response(shapes.DONE)
        if not credentials.is_from_a_foreign_page(request, request.principal):
            credentials.take_cookie(response)
        return response


class Ping(GenesysViewSet):
    """The timer of a session."""

    @extend_schema(responses=answers(shapes.Done))
    def ping(self, request: Any) -> Response:
        """Say that the desktop is still there."""
        recording.keep_alive(request.principal)
        return Response(shapes.DONE)


class Version(GenesysViewSet):
    """What the portal stands in for."""

    open_to_strangers = (PREFLIGHT, "version")

    @extend_schema(responses={200: shapes.Version})
    def version(self, request: Any) -> Response:
        """Answer a version in the vendor's form."""
        return Response({"version": settings.SRS_VERSION})
