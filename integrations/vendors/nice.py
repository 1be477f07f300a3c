"""NICE CXone: what an application must hold, and where its tokens are refreshed (dialects.md 3.2, Partner token refresh)."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _

from identity.errors import UpstreamUnavailable
from integrations.vendors import client

VENDOR = "nice"
DISCOVERY = "/.well-known/openid-configuration"
KNOWN_FOR_SECONDS = 300.0
MOST_KNOWN = 500
# An https host of the vendor without user, port, query or fragment.
ISSUER = (
    r"^https://([a-z0-9-]{1,63}\.){1,4}(niceincontact\.com|nice-incontact\.com|nicecxone\.com|nicecxone-gov\.com)"
    r"(/[A-Za-z0-9._-]{1,63}){0,4}/?\Z"
)

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["issuer", "serviceParameters"],
    "properties": {
        "issuer": {"title": _("Issuer"), "type": "string", "pattern": ISSUER},
        "serviceParameters": {
            "type": "object",
            "required": ["clientId", "clientSecret"],
            "properties": {
                "clientId": {"title": _("Client id"), "type": "string", "minLength": 1},
                "clientSecret": {"title": _("Client secret"), "type": "string", "minLength": 1},
            },
        },
        "agentParameters": {"type": "object"},
        "customerParameters": {"type": "object"},
    },
}

# Token endpoints by issuer, with the end of each on the monotonic clock: they hardly ever move.
_known: dict[str, tuple[float, str]] = {}


def token_endpoint(*, config: dict[str, Any], organization_id: Any, until: float) -> tuple[client.Place, str]:
    """Answer where the tokens of an issuer are refreshed: the place, and the path there, as its discovery document says.

    An endpoint that is not on the issuer's own origin is none (clarifications 34). Raises UpstreamUnavailable.
    """
    issuer = client.place(VENDOR, config["issuer"])
    ends, endpoint = _known.get(issuer.base, (0.0, ""))
    if ends <= time.monotonic():
        endpoint = _discovered(issuer, organization_id, until)
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[issuer.base] = (time.monotonic() + KNOWN_FOR_SECONDS, endpoint)
    return client.Place(VENDOR, issuer.origin, issuer.is_operators), endpoint


def _discovered(issuer: client.Place, organization_id: Any, until: float) -> str:
    """Ask the issuer and answer the path of its token endpoint (OpenID Connect Discovery 1.0, 4)."""
    said = client.ask(
        place=issuer, organization_id=organization_id, method="GET", path=DISCOVERY, until=until,
        largest=client.LARGEST_DOCUMENT, fits=lambda document: _path_on(issuer, document) is not None,
    )  # fmt: skip
    path = _path_on(issuer, said.json)
    if path is None:  # a refusal
        raise UpstreamUnavailable(f"{VENDOR}: no discovery document")
    return path


def _path_on(issuer: client.Place, document: Any) -> str | None:
    """Answer the path of a document's token endpoint, if the document is the issuer's and the endpoint on its origin."""
    endpoint = document.get("token_endpoint") if isinstance(document, dict) else None
    try:
        if not isinstance(endpoint, str) or client.origin_of(endpoint) != issuer.origin:
            return None
        # An operator's stand-in may speak under the name of what it stands for (4.3 asks for equality).
        if not issuer.is_operators and str(document.get("issuer", "")).removesuffix("/") != issuer.base:
            return None
    except ValueError:
        return None
    parts = urlsplit(endpoint)
    return parts.path + (f"?{parts.query}" if parts.query else "")
