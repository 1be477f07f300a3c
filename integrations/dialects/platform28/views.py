"""Platform28's operations: read, one call into the house, render. The numbers are the rows of dialects.md 1.2."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import blocks, live_sessions, login_as, password_changes, password_resets, sessions, sign_in
from identity.errors import CredentialMissing
from identity.principal import Kind, Principal
from integrations import edge
from integrations.dialects.platform28 import credentials, errors, shapes

DOORS = (credentials.DOOR,)


class Platform28ViewSet(edge.DialectViewSet):
    """A resource of Platform28: an LSID, or for the operations in `open_to_keys` an organisation's API key."""

    voice = errors
    door = credentials.DOOR
    authentication_classes = [credentials.LsidOrApiKey]
    parser_classes = [edge.StrictForm, edge.AnyJson]
    open_to_keys: ClassVar[tuple[str, ...]] = ()

    def prove(self, request: Request) -> Principal | None:
        """Also where nobody has to be proven, two credentials at once are refused."""
        credentials.sent(request)
        principal = super().prove(request)
        if principal is not None and principal.kind is Kind.API_KEY and self.action not in self.open_to_keys:
            # These act for a person, and a key is none (clarifications 48).
            raise CredentialMissing("an LSID is needed")
        return principal


class Authenticate(Platform28ViewSet):
    """Signing in, and who is blocked from it."""

    open_to_strangers = ("sign_in", "block_status")
    open_to_keys = ("block", "unblock")

    @extend_schema(request=shapes.SignIn, responses=shapes.NewLoginSession)
    def sign_in(self, request: Request, username: str) -> Response:
        """1: make a session with the hash of a password."""
        asked = shapes.SignIn.read(request)
        via = edge.way(request, door=self.door)
        proven = sign_in.prove(name=username, via=via, admits_operators=False, **asked)
        opened = sign_in.open_session(
            proven,
            via=via,
            lifetime=credentials.lifetime(),
            idle=credentials.idle(),
            secret_prefix=credentials.PREFIX,
        )
        return Response(shapes.new_login_session(opened))

    @extend_schema(responses=shapes.BlockStatus)
    def block_status(self, request: Request, username: str) -> Response:
        """2: tell whether a name is blocked."""
        return Response(shapes.block_status(username, blocks.until(name=username)))

    @extend_schema(request=None, responses=shapes.BlockStatus)
    def block(self, request: edge.Asked, username: str) -> Response:
        """2b: block a name."""
        return Response(shapes.block_status(username, blocks.put(by=request.principal, name=username)))

    @extend_schema(responses=shapes.BlockStatus)
    def unblock(self, request: edge.Asked, username: str) -> Response:
        """2c: let a name try again."""
        blocks.lift(by=request.principal, name=username)
        return Response(shapes.block_status(username, None))


class Session(Platform28ViewSet):
    """Login sessions, by public handle or by LSID."""

    parser_classes = [shapes.BareJson]
    open_to_keys = ("find", "end", "end_of_user")

    @extend_schema(responses=shapes.LoginSession)
    def find(self, request: edge.Asked, session_id: str) -> Response:
        """3: read a session."""
        return Response(shapes.login_session(live_sessions.find(by=request.principal, handle=session_id, doors=DOORS)))

    @extend_schema(request=bool, responses=shapes.Said200)
    def end(self, request: edge.Asked, session_id: str) -> Response:
        """4: end a session, or with `true` all of its real person."""
        session = live_sessions.find(by=request.principal, handle=session_id, doors=DOORS)
        live_sessions.end(by=request.principal, session=session, everywhere=shapes.read_everywhere(request))
        return Response(shapes.sentence("Login session terminated"))

    @extend_schema(request=shapes.EffectiveUser, responses=shapes.LoginSession)
    def set_effective_user(self, request: edge.Asked, session_id: str) -> Response:
        """5: work as somebody else."""
        live_sessions.require_own(by=request.principal, handle=session_id)
        asked = shapes.EffectiveUser.read(request)
        via = edge.way(request, door="setEffectiveUser")
        return Response(shapes.login_session(login_as.assume(by=request.principal, via=via, **asked)))

    @extend_schema(responses=shapes.LoginSession)
    def end_assumed_identity(self, request: edge.Asked, session_id: str) -> Response:
        """6: be oneself again."""
        live_sessions.require_own(by=request.principal, handle=session_id)
        return Response(
            shapes.login_session(login_as.be_oneself(by=request.principal, via=edge.way(request, door=self.door)))
        )

    @extend_schema(request=shapes.EffectiveOrg, responses=shapes.LoginSession)
    def set_effective_org(self, request: edge.Asked, session_id: str) -> Response:
        """7: work in another of one's organisations."""
        live_sessions.require_own(by=request.principal, handle=session_id)
        asked = shapes.EffectiveOrg.read(request)
        via = edge.way(request, door="setEffectiveOrg")
        return Response(shapes.login_session(login_as.move(by=request.principal, via=via, **asked)))

    @extend_schema(responses=shapes.Said200)
    def end_of_user(self, request: edge.Asked, user_id: str) -> Response:
        """8: end all sessions of a person."""
        live_sessions.end_of_person(by=request.principal, user_id=user_id)
        return Response(shapes.sentence("Login session terminated"))

    @extend_schema(request=None, responses=shapes.NewLoginSession)
    def clone(self, request: edge.Asked, session_id: str) -> Response:
        """9: make a second session like the own one."""
        live_sessions.require_own(by=request.principal, handle=session_id)
        via = edge.way(request, door=self.door)
        return Response(
            shapes.new_login_session(sessions.clone(by=request.principal, via=via, secret_prefix=credentials.PREFIX))
        )


class Password(Platform28ViewSet):
    """Setting a new password: by mail, by token, by the old one or an admin's."""

    open_to_strangers = ("request_reset", "reset_with_token")

    @extend_schema(request=shapes.ResetRequest, responses=shapes.Said200)
    def request_reset(self, request: Request, user_id: str = "") -> Response:
        """10: send a link, if there is anybody to send it to; the answer is the same."""
        asked: dict[str, Any] = shapes.ResetRequest.read(request, user_id=user_id)
        via = edge.way(request, door=self.door)
        password_resets.request_for(via=via, **asked)
        return Response(shapes.sentence("successful operation"))

    @extend_schema(request=shapes.ResetWithToken, responses=shapes.Said200)
    def reset_with_token(self, request: Request) -> Response:
        """11: set a new password with the token of such a link."""
        password_resets.confirm(via=edge.way(request, door=self.door), **shapes.ResetWithToken.read(request))
        return Response(shapes.sentence("successful operation"))

    @extend_schema(request=shapes.PasswordChange, responses=shapes.Said200)
    def change_password(self, request: edge.Asked, user_id: str) -> Response:
        """12: set a new password with the old one or the admin's own."""
        user = password_changes.whose(by=request.principal, user_id=user_id)
        asked = shapes.PasswordChange.read(request)
        password_changes.change(by=request.principal, user=user, via=edge.way(request, door=self.door), **asked)
        return Response(shapes.sentence("Password updated"))
