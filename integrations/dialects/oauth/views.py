"""OAuth's operations: read, one call into the house, render."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from identity import tokens
from integrations import edge
from integrations.dialects.oauth import credentials, errors, grants

# Long enough to spare us, short enough for a key that had to be dropped.
CACHED = "public, max-age=300"


class OAuthViewSet(edge.DialectViewSet):
    """A resource of OAuth: forms in, JSON out; who asks is proven from header or form, so after the body is read."""

    voice = errors
    door = credentials.DOOR
    parser_classes = [edge.StrictForm]


class Token(OAuthViewSet):
    """The token endpoint (RFC 6749, 3.2)."""

    open_to_strangers = ("issue",)

    def issue(self, request: Request) -> Response:
        caller = credentials.caller_of(request, request.data)
        grants.require(request.data, "grant_type")
        grant = grants.GRANTS.get(request.data["grant_type"])
        if grant is None:
            raise errors.UnsupportedGrant("grant_type")
        return Response(grant(caller, request.data), headers={"Pragma": "no-cache"})


class Metadata(OAuthViewSet):
    """What a client finds out by itself."""

    open_to_strangers = ("keys",)

    def keys(self, request: Request) -> Response:
        return Response(tokens.jwks(), headers={"Cache-Control": CACHED})
