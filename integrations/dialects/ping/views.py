"""Ping's operations: read, one call into the house, render (dialects.md 2.1)."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents import calls, directory
from identity.errors import NotAllowed
from identity.principal import Principal
from integrations import edge
from integrations.dialects.ping import credentials, errors, shapes
from integrations.edge import Asked

DAYS = [
    OpenApiParameter(name, description=f"{which} day, `YYYY-MM-DD`, in UTC.")
    for name, which in (("fromDate", "First"), ("toDate", "Last"))
]


def answers(shape: Any, *refusals: int) -> dict[int, Any]:
    """Answer what the OpenAPI page says that an operation answers."""
    return {200: shape, **dict.fromkeys((*refusals, 401, 429), shapes.Said)}


class PingViewSet(edge.DialectViewSet):
    """A resource of Ping: three mechanisms, JSON in UTF-8."""

    voice = errors
    door = credentials.DOOR
    authentication_classes = [credentials.AnyMechanism]
    renderer_classes = [shapes.Utf8Json]
    # A cookie comes along by itself and a password is no system's: what changes something asks for a token (clarifications 59).
    by_token_only: ClassVar[tuple[str, ...]] = ()

    def prove(self, request: Request) -> Principal | None:
        principal = super().prove(request)
        if principal is not None and self.action in self.by_token_only and not credentials.is_by_token(principal):
            raise NotAllowed("a token is needed")
        return principal


class SignIn(PingViewSet):
    """Getting a cookie for name and password."""

    authentication_classes = [credentials.PasswordOnly]

    @extend_schema(request=None, responses=answers(shapes.Said))
    def sign_in(self, request: Any) -> Response:
        """Sign in, by GET or by POST."""
        response = Response(shapes.OK)
        credentials.open_session(request.proven, request, response)
        return response


class SignOut(PingViewSet):
    """Giving the cookie back."""

    authentication_classes = [credentials.CookieOnly]

    @extend_schema(request=None, responses=answers(shapes.Said))
    def sign_out(self, request: Asked) -> Response:
        """Sign out: end the session of this cookie and no other."""
        response = Response(shapes.OK)
        credentials.close_session(request.principal, response)
        return response


class Extensions(PingViewSet):
    """The colleagues, as they see each other."""

    by_token_only = ("report_call",)

    @extend_schema(responses=answers(shapes.Extension(many=True), 403))
    def everybody(self, request: Asked) -> Response:
        """Answer all colleagues by extension."""
        return Response([shapes.extension(agent) for agent in directory.everybody(by=request.principal)])

    @extend_schema(responses=answers(shapes.Extension, 403, 404))
    def me(self, request: Asked) -> Response:
        """Answer the caller's own extension."""
        return Response(shapes.extension(directory.own(by=request.principal)))

    @extend_schema(responses=answers(shapes.Extension, 403, 404))
    def one(self, request: Asked, extension: str) -> Response:
        """Answer one colleague."""
        return Response(shapes.extension(directory.one(by=request.principal, extension=extension)))

    @extend_schema(request=shapes.CallReport, responses=answers(shapes.Said, 400, 403, 404))
    def report_call(self, request: Asked, extension: str, call_id: str) -> Response:
        """Take a report about a call on an extension; `down` ends it."""
        agent = directory.one(by=request.principal, extension=extension)
        calls.report(by=request.principal, agent=agent, call_id=call_id, **shapes.CallReport.read(request))
        return Response(shapes.OK)


class Calls(PingViewSet):
    """The caller's own calls that are over."""

    @extend_schema(parameters=DAYS, responses=answers(shapes.Calls, 400, 403))
    def ended(self, request: Asked) -> Response:
        """Answer the last 30 calls of the caller."""
        return Response(shapes.calls(calls.ended(by=request.principal, **shapes.Days.asked(request))))
