"""Denovolab's operations: read, one call into the house, render."""

from __future__ import annotations

from typing import Any

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

    def sign_in(self, request: Asked) -> Response:
        asked = shapes.SignIn.read(request)
        via = edge.way(request, door=self.door)
        minutes = asked.pop("minutes", credentials.DEFAULT_MINUTES)
        proven = sign_in.prove(via=via, admits_operators=False, **asked)
        opened = sign_in.open_session(
            proven, via=via, lifetime=credentials.SESSION_LIFETIME, details={credentials.MINUTES: minutes}
        )
        return Response(shapes.auth_token(*credentials.hand_out(opened, via=via)))

    def as_agent(self, request: Asked) -> Response:
        via = edge.way(request, door=LOGIN_AS_DOOR)
        _agent, row = agents.work_as(by=request.principal, via=via, **shapes.AsAgent.read(request))
        opened = login_as.open_session(by=request.principal, login_as=row, via=via)
        return Response(shapes.auth_token(*credentials.hand_out(opened, via=via)))

    def as_client(self, request: Asked) -> Response:
        shapes.AsClient.read(request)
        raise NotFound("there are no carrier clients here")

    def check_token(self, request: Asked) -> Response:
        claims, text = credentials.refresh(request.principal, request.claims)
        return Response(shapes.auth_token(request.principal, claims, text))

    def check_password(self, request: Asked) -> Response:
        asked = shapes.Password.read(request)
        person = sessions.person_of(request.principal)
        sign_in.check_own_password(user=person, via=edge.way(request, door=self.door), **asked)
        return Response(shapes.success())


class Reset(DenovolabViewSet):
    """Setting a new password without the old one."""

    open_to_strangers = ("request_link", "look", "confirm")

    def request_link(self, request: Asked) -> Response:
        user = users.find(**shapes.Email.read(request))
        password_resets.request(via=edge.way(request, door=self.door), user=user)
        return Response(shapes.success())

    def look(self, request: Asked, token: str) -> Response:
        if not password_resets.is_usable(token):
            raise ResetTokenInvalid("not usable")
        return Response(shapes.success())

    def confirm(self, request: Asked, token: str) -> Response:
        self.look(request, token)  # a token named in the address is refused before the body (clarifications 56)
        asked: dict[str, Any] = shapes.Password.read(request)
        password_resets.confirm(token=token, via=edge.way(request, door=self.door), **asked)
        return Response(shapes.success())


class User(DenovolabViewSet):
    """Whom a token stands for."""

    def me(self, request: Asked) -> Response:
        return Response(shapes.success(shapes.user(request.principal, request.claims)))
