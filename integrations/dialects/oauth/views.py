"""OAuth's operations: read, one call into the house, render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import clients, clock, sessions, tokens
from identity.errors import Malformed, Unauthenticated
from identity.principal import Kind, Principal
from integrations import edge
from integrations.dialects.oauth import credentials, errors, grants, shapes
from integrations.dialects.oauth.answers import (
    FORM,
    Introspected,
    Introspection,
    Person,
    TokenAnswer,
    TokenRequest,
    answers,
)

# Long enough to spare us, short enough for a key that had to be dropped.
CACHED = "public, max-age=300"


class OAuthViewSet(edge.DialectViewSet):
    """A resource of OAuth: forms in, JSON out; who asks is proven from header or form, so after the body is read."""

    voice = errors
    door = credentials.DOOR
    parser_classes = [edge.StrictForm]

    proven: credentials.Caller | None = None

    def asked(self, request: Request) -> tuple[Mapping[str, str], credentials.Caller]:
        """Answer the parameters of the body, and which client sent them. Raises TooManyAttempts at the client's own limit."""
        form = cast(Mapping[str, str], request.data)
        if settings.OAUTH_QUERY_PARAMETERS == "accept":
            form = _joined(form, edge.read_query(request))
        self.proven = credentials.caller_of(request, form)
        if self.proven.client is not None:
            clients.admit(client=self.proven.client, at=clock.now())
        return form, self.proven

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        if self.proven is not None and self.proven.client is not None and final.status_code < 500:
            clients.note_use(
                client_id=self.proven.id,
                endpoint=f"{request.method} {request.path}",
                status=final.status_code,
                address=self.proven.via.address,
            )
        return final


def _joined(form: Mapping[str, str], query: Mapping[str, str]) -> Mapping[str, str]:
    """Put the parameters of the query beside those of the body; one that is in both is refused (RFC 6749, 3.2)."""
    if set(form) & set(query):
        raise Malformed("a parameter is repeated")
    return {**form, **query}


class Token(OAuthViewSet):
    """What becomes of tokens: issued, looked at, ended (RFC 6749, 3.2; RFC 7662; RFC 7009)."""

    open_to_strangers = ("issue", "introspect", "revoke")

    @extend_schema(request={FORM: TokenRequest}, responses=answers(TokenAnswer, 400, 401, 429))
    def issue(self, request: Request) -> Response:
        form, caller = self.asked(request)
        grants.require(form, "grant_type")
        grant = grants.GRANTS.get(form["grant_type"])
        if grant is None:
            raise errors.UnsupportedGrant("grant_type")
        return Response(grant(caller, form), headers={"Pragma": "no-cache"})

    @extend_schema(request={FORM: Introspected}, responses=answers(Introspection, 400, 401, 429))
    def introspect(self, request: Request) -> Response:
        form, caller = self.asked(request)
        if caller.client is None:
            raise errors.PublicClient("customer")
        grants.require(form, "token")
        return Response(grants.introspect(caller, form["token"]))

    @extend_schema(request={FORM: Introspected}, responses=answers(None, 400, 401, 429))
    def revoke(self, request: Request) -> Response:
        form, caller = self.asked(request)
        grants.require(form, "token")
        grants.revoke(caller, form["token"])
        return Response()


class UserInfo(OAuthViewSet):
    """Whom an access token stands for (OpenID Connect Core, 5.3)."""

    authentication_classes = [credentials.Bearer]

    def prove(self, request: Request) -> Principal | None:
        try:
            principal = super().prove(request)
        except Unauthenticated as e:
            raise errors.TokenInvalid("no token that holds") from e
        if principal is not None and principal.kind is not Kind.PERSON:
            raise errors.TokenInvalid("no person stands behind this token")
        return principal

    @extend_schema(request=None, responses=answers(Person, 401))
    def me(self, request: Request) -> Response:
        principal = cast(Principal, request.auth)
        return Response(shapes.userinfo(sessions.person_of(principal), scope=shapes.scope_of(principal.session)))


class Metadata(OAuthViewSet):
    """What a client finds out by itself (RFC 8414; OpenID Connect Discovery; RFC 7517)."""

    open_to_strangers = ("server", "openid", "keys")

    def server(self, request: Request) -> Response:
        return Response(shapes.metadata(), headers={"Cache-Control": CACHED})

    def openid(self, request: Request) -> Response:
        return Response(shapes.openid_metadata(), headers={"Cache-Control": CACHED})

    def keys(self, request: Request) -> Response:
        return Response(tokens.jwks(), headers={"Cache-Control": CACHED})
