"""Denovolab's operations: read, one call into the house, render."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agents import actions as agents
from identity import login_as, password_resets, policy, sessions, sign_in, users
from identity.errors import NotFound, ResetTokenInvalid
from identity.principal import Principal
from integrations import edge
from integrations.dialects.denovolab import credentials, errors, shapes
from integrations.edge import Asked

# The word of the audit trail for this way of working as somebody else (clarifications 23).
LOGIN_AS_DOOR = "as_agent"


def answers(shape: Any, *refusals: int) -> dict[int, Any]:
    """Answer what the OpenAPI page says that an operation answers."""
    shapes_of = {400: shapes.Incorrect, 401: shapes.Refused, 404: shapes.Missing, 429: shapes.Refused}
    return {200: shape, **{status: shapes_of[status] for status in refusals}}


class DenovolabViewSet(edge.DialectViewSet):
    """A resource of Denovolab: JSON under any media type, `X-Auth-Token`."""

    voice = errors
    door = credentials.DOOR
    authentication_classes = [credentials.XAuthToken]
    parser_classes = [edge.AnyJson]


class Auth(DenovolabViewSet):
    """Signing in, signing in as somebody else, and what a token is asked about."""

    open_to_strangers = ("sign_in",)
    for_admins: tuple[str, ...] = ("as_agent", "as_client")
    not_while_acting: tuple[str, ...] = ("check_password",)

    def prove(self, request: Request) -> Principal | None:
        """Refuse the wrong kind of token before the body is looked at: here that is a 401 too (dialects.md 5.1)."""
        principal = super().prove(request)
        if principal is not None and self.action in self.for_admins:
            login_as.require_actor(by=principal, via=edge.way(request, door=LOGIN_AS_DOOR))
        if principal is not None and self.action in self.not_while_acting:
            policy.forbid_while_acting(principal)
        return principal

    @extend_schema(request=shapes.SignIn, responses=answers(shapes.AuthToken, 400, 401, 429))
    def sign_in(self, request: Asked) -> Response:
        """Sign a person in by name or e-mail and password."""
        asked = shapes.SignIn.read(request)
        via = edge.way(request, door=self.door)
        minutes = asked.pop("minutes", credentials.DEFAULT_MINUTES)
        proven = sign_in.prove(via=via, admits_operators=False, **asked)
        opened = sign_in.open_session(
            proven, via=via, lifetime=credentials.SESSION_LIFETIME, details={credentials.MINUTES: minutes}
        )
        return Response(shapes.auth_token(*credentials.hand_out(opened, via=via)))

    @extend_schema(request=shapes.AsAgent, responses=answers(shapes.AuthToken, 400, 401, 404))
    def as_agent(self, request: Asked) -> Response:
        """Hand an admin a token with which to work as an agent."""
        via = edge.way(request, door=LOGIN_AS_DOOR)
        _agent, row = agents.work_as(by=request.principal, via=via, **shapes.AsAgent.read(request))
        opened = login_as.open_session(by=request.principal, login_as=row, via=via)
        return Response(shapes.auth_token(*credentials.hand_out(opened, via=via)))

    @extend_schema(request=shapes.AsClient, responses=answers(shapes.AuthToken, 400, 401, 404))
    def as_client(self, request: Asked) -> Response:
        """Find no carrier client: the portal has none (clarifications 24)."""
        shapes.AsClient.read(request)
        raise NotFound("there are no carrier clients here")

    @extend_schema(request=None, responses=answers(shapes.AuthToken, 401))
    def check_token(self, request: Asked) -> Response:
        """Hand out one more token on the same sign-in."""
        claims, text = credentials.refresh(request.principal, request.claims)
        return Response(shapes.auth_token(request.principal, claims, text))

    @extend_schema(request=shapes.Password, responses=answers(shapes.Success, 400, 401, 429))
    def check_password(self, request: Asked) -> Response:
        """Say whether a password is the caller's own."""
        asked = shapes.Password.read(request)
        person = sessions.person_of(request.principal)
        sign_in.check_own_password(user=person, via=edge.way(request, door=self.door), **asked)
        return Response(shapes.success())


class Reset(DenovolabViewSet):
    """Setting a new password without the old one."""

    open_to_strangers = ("request_link", "look", "confirm")

    @extend_schema(request=shapes.Email, responses=answers(shapes.Success, 400))
    def request_link(self, request: Asked) -> Response:
        """Send a link that sets a new password, if there is somebody to send it to."""
        user = users.find(**shapes.Email.read(request))
        password_resets.request(via=edge.way(request, door=self.door), user=user)
        return Response(shapes.success())

    @extend_schema(responses=answers(shapes.Success, 404))
    def look(self, request: Asked, token: str) -> Response:
        """Say whether a reset token would work, and change nothing."""
        if not password_resets.is_usable(token):
            raise ResetTokenInvalid("not usable")
        return Response(shapes.success())

    @extend_schema(request=shapes.Password, responses=answers(shapes.Success, 400, 404))
    def confirm(self, request: Asked, token: str) -> Response:
        """Set a new password with a reset token, once."""
        self.look(request, token)  # a token named in the address is refused before the body (clarifications 56)
        asked: dict[str, Any] = shapes.Password.read(request)
        password_resets.confirm(token=token, via=edge.way(request, door=self.door), **asked)
        return Response(shapes.success())


class User(DenovolabViewSet):
    """Whom a token stands for."""

    @extend_schema(responses=answers(shapes.UserInfo, 401))
    def me(self, request: Asked) -> Response:
        """Answer whom the token stands for."""
        return Response(shapes.success(shapes.user(request.principal, request.claims)))
