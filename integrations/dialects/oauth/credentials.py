"""How clients prove themselves at the token endpoint: Basic or body, never both (RFC 6749, 2.3.1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from identity import clients, sessions
from identity.errors import AmbiguousCredentials, CredentialMissing, NotAllowed, WrongCredentials
from identity.principal import Principal, Via
from integrations import edge

DOOR = "oauth"
AUDIENCE = "auvious"
CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks at the token endpoint: a client of the house, or the public client of ticket holders (`client` is None)."""

    id: str
    client: Any
    via: Via

    @property
    def client_id(self) -> str | None:
        """The id as sessions know it: the public client has no row."""
        return None if self.client is None else self.id

    def confidential(self) -> Any:
        """Answer the client that has a secret. Raises NotAllowed for the public one."""
        if self.client is None:
            raise NotAllowed("customer")
        return self.client


class Bearer(BaseAuthentication):
    """Proves a person by an access token, for the one resource of ours that takes one."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        principal, _claims = sessions.by_token(token.strip(), audience=AUDIENCE, via=edge.way(request, door=DOOR))
        return None, principal


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says about the header."""

    target_class = Bearer
    name = "AccessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


def caller_of(request: Request, form: Mapping[str, str]) -> Caller:
    """Prove the client of a request. Raises CredentialMissing, WrongCredentials, AmbiguousCredentials."""
    via = edge.way(request, door=DOOR)
    client_id, secret = _presented(request.headers.get("Authorization", ""), form)
    if client_id == CUSTOMER:
        if secret:
            raise WrongCredentials("the public client has no secret")
        return Caller(CUSTOMER, None, via)
    return Caller(client_id, clients.authenticate(client_id=client_id, secret=secret, via=via), via)


def _presented(header: str, form: Mapping[str, str]) -> tuple[str, str]:
    if not header:
        if "client_id" not in form:
            raise CredentialMissing("no client authentication")
        return form["client_id"], form.get("client_secret", "")
    if "client_secret" in form:
        raise AmbiguousCredentials("Basic and client_secret")
    client_id, secret = _basic(header)
    if form.get("client_id", client_id) != client_id:
        raise AmbiguousCredentials("two client ids")
    return client_id, secret


def _basic(header: str) -> tuple[str, str]:
    """Read Basic; id and secret are form-encoded inside it (RFC 6749, 2.3.1)."""
    scheme, _, sent = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        client_id, colon, secret = base64.b64decode(sent.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error) as e:
        raise WrongCredentials("no Basic that we can read") from e
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if not colon or "\0" in client_id:
        raise WrongCredentials("no Basic that we can read")
    return client_id, secret
