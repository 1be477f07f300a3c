"""How Platform28's callers prove themselves: an LSID for a person, an API key for a system, never both."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from identity import clients, clock, sessions
from identity.errors import AmbiguousCredentials
from identity.principal import Principal
from integrations import edge

DOOR = "platform28"
PREFIX = "swl"


class LsidOrApiKey(BaseAuthentication):
    """Proves a caller by an LSID, which every use keeps from idling out, or by an API key."""

    def authenticate(self, request: Request) -> tuple[None, Principal] | None:
        lsid, api_key = sent(request)
        via = edge.way(request, door=DOOR)
        if lsid is not None:
            principal = sessions.by_secret(lsid, doors=(DOOR,), via=via)
            sessions.touch(principal.session, at=clock.now())
            return None, principal
        if api_key is not None:
            return None, clients.by_api_key(api_key, via=via)
        return None


class LsidOrApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """What the OpenAPI page says: it knows no matrix parameters, so the headers stand for all ways."""

    target_class = LsidOrApiKey
    name = ["LSID", "API key"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-LSID"},
            {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
        ]


def sent(request: Request) -> tuple[str | None, str | None]:
    """Answer the LSID and the API key of a request, at most one of which is not None.

    Raises AmbiguousCredentials for both, for one given twice with different values, and for one in the other's place: whose
    authority counts is never guessed (dialects.md 1.1 and 1.3).
    """
    matrix: dict[str, list[str]] = request.matrix  # type: ignore[attr-defined]  # config.middleware.MatrixParameters
    lsids = {*matrix.get("lsid", ()), *_header(request, "X-LSID")}
    api_keys = {*request.query_params.getlist("apiKey"), *_header(request, "X-Api-Key")}
    if "lsid" in request.query_params or "apiKey" in matrix or len(lsids) + len(api_keys) > 1:
        raise AmbiguousCredentials("more than one credential, or one in the wrong place")
    return next(iter(lsids), None), next(iter(api_keys), None)


def lifetime() -> timedelta:
    """Answer how long an LSID lives at most."""
    return timedelta(seconds=settings.LSID_LIFETIME_SECONDS)


def idle() -> timedelta:
    """Answer how long an LSID lives unused."""
    return timedelta(seconds=settings.LSID_IDLE_SECONDS)


def _header(request: Request, name: str) -> list[str]:
    """The server joins a repeated header with commas, which neither credential contains."""
    said = request.headers.get(name)
    return [] if said is None else [one.strip() for one in said.split(",")]
