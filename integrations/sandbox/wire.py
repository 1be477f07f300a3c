"""What a stand-in gets and gives: requests with their parameters read, answers in JSON, pages and redirects."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from integrations.sandbox.known import Credentials

NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `path` is what follows the vendor's own beginning, headers are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters of the address, or of the form that was posted; one that comes twice is none (RFC 6749, 3.1)."""
        said = self.body.decode("utf-8", "replace") if self.method == "POST" else self.query
        pairs = parse_qsl(said, keep_blank_values=True)
        names = [name for name, _value in pairs]
        return {name: value for name, value in pairs if names.count(name) == 1}

    @property
    def bearer(self) -> str:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else ""

    @property
    def json(self) -> Any:
        """What the body says, or None where it says nothing in JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Refused(Exception):
    """A request was refused: with which status, and in which of OAuth's words (RFC 6749, 5.2)."""

    def __init__(self, error: str, why: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.why, self.status = error, why, status


def said(status: int, body: Any) -> Answer:
    """Answer in JSON."""
    return Answer(status, {"Content-Type": "application/json", **NO_STORE}, json.dumps(body).encode())


def refused(e: Refused) -> Answer:
    """Answer an OAuth error (RFC 6749, 5.2)."""
    told = said(e.status, {"error": e.error, "error_description": e.why or e.error})
    return Answer(told.status, {**told.headers, "WWW-Authenticate": "Basic"}, told.body) if e.status == 401 else told


def redirect(address: str, **parameters: str) -> Answer:
    """Send the browser on, with parameters that are not empty."""
    more = urlencode({name: value for name, value in parameters.items() if value})
    joined = f"{address}{'&' if '?' in address else '?'}{more}" if more else address
    return Answer(303, {"Location": joined, **NO_STORE})


def client_of(request: Request, known: Credentials) -> str:
    """Answer the id of the client that a request proves to come from, by Basic or in the form (RFC 6749, 2.3.1). Raises Refused."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            name, secret = "", ""
        pair = (unquote(name), unquote(secret))
    else:
        form = request.parameters
        pair = (form.get("client_id", ""), form.get("client_secret", ""))
    if pair != (known.id, known.secret):
        raise Refused("invalid_client", "the sandbox knows the demo's clients only", status=401)
    return known.id
