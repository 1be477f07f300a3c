"""Asks a vendor on somebody's behalf: the one way out of the house, guarded (dialects.md 3.6, security.md threat 13 and P10)."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.db import DatabaseError

from identity import clock
from identity.errors import Malformed, UpstreamUnavailable
from integrations import edge
from integrations.vendors import health, transport

logger = logging.getLogger(__name__)

LARGEST = 65_536
LARGEST_DOCUMENT = 1_048_576
FORM = "application/x-www-form-urlencoded"
JSON = re.compile(r"application/([a-z0-9.+-]+\+)?json\s*(;|\Z)", re.IGNORECASE)
# A host's name or an address, and what may follow: no user, no dot at the end, nothing beyond ASCII (it could look like
# another name), no space and no control character (a parser could drop it).
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
PLAIN = re.compile(rf"https?://({LABEL}(\.{LABEL})*|\[[0-9a-f:.]+\])(:[0-9]{{1,5}})?(/[!-~]*)?\Z", re.IGNORECASE)
TARGET = re.compile(r"/[!-~]*\Z")


class Unanswered(UpstreamUnavailable):
    """A vendor that was asked failed or was silent; `word` says how, and holds nothing of what was sent or received."""

    def __init__(self, vendor: str, word: str) -> None:
        super().__init__(f"{vendor}: {word}")
        self.word = word


@dataclass(frozen=True, slots=True)
class Place:
    """Where a vendor is: its own address, or the one that the operator put in its stead (`<VENDOR>_BASE_URL`)."""

    vendor: str
    base: str
    is_operators: bool

    @property
    def origin(self) -> str:
        """Scheme, host and port, in lower case: what two addresses must share to belong to one system (RFC 6454)."""
        return _origin(self.base, is_operators=self.is_operators).url


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said. `json` is what its body holds; None where a refusal's body cannot be read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: Any

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def __repr__(self) -> str:
        return f"Answer({self.status})"


def place(vendor: str, own: str) -> Place:
    """Answer where a vendor is: `own` is the https address that its pattern made of an application's configuration."""
    named = getattr(settings, f"{vendor.upper()}_BASE_URL", "")
    return Place(vendor, named or own.removesuffix("/"), is_operators=bool(named))


def deadline() -> float:
    """Answer when a call that begins now has to be over, on the monotonic clock; calls that belong together share one."""
    return time.monotonic() + settings.UPSTREAM_TIMEOUT_SECONDS


def is_object(value: Any) -> bool:
    """Say whether JSON is an object."""
    return isinstance(value, dict)


def ask(
    *,
    place: Place,
    organization_id: Any,
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    body: Any = None,
    authorization: str = "",
    until: float | None = None,
    largest: int = LARGEST,
    fits: Callable[[Any], bool] = is_object,
) -> Answer:
    """Ask a vendor once, at `place.base` + `path`, and answer what it said if it is a success or a refusal (4xx).

    `form` or `body` (sent as JSON) is what goes along; `authorization` the whole header; `fits` says whether the JSON of a
    success is what was asked for. Nothing is ever asked again and no redirect followed. Everything else is a failure: 5xx,
    redirects, a success that is no strict JSON or does not fit, no answer until the deadline. It counts against the vendor
    in this organisation only; after five in a row the vendor is not asked for a while. Raises UpstreamUnavailable. Call it
    outside a transaction: the vendor may take all of its time.
    """
    until = deadline() if until is None else until
    at, began = clock.now(), time.monotonic()
    if began >= until:
        # Calls before this one took all of the time; it was not asked, and nothing is counted against it.
        raise UpstreamUnavailable(f"{place.vendor}: no time is left")
    health.admit(organization_id=organization_id, vendor=place.vendor, at=at)
    error, answer = "", None
    try:
        answer = _read(_sent(place, method, path, query, form, body, authorization, until, largest), fits)
    except transport.Failed as e:
        error = e.word
    took = timedelta(seconds=time.monotonic() - began)
    try:
        health.record(organization_id=organization_id, vendor=place.vendor, at=at + took, took=took, error=error)
    except DatabaseError:
        # What the vendor said must not be lost with the count: it may hold the only copy of a token that it just turned over.
        logger.exception("a call was not counted", extra={"vendor": place.vendor})
    if answer is None:
        logger.warning(
            "a vendor failed", extra={"vendor": place.vendor, "error": error, "organization": str(organization_id)}
        )
        raise Unanswered(place.vendor, error)
    return answer


def basic(client_id: str, secret: str) -> str:
    """Answer the Authorization header of HTTP Basic (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def origin_of(url: str) -> str:
    """Answer scheme, host and port of an address, the usual port left out. Raises ValueError for what is no plain address."""
    return _origin(url, is_operators=False).url


def _sent(
    place: Place, method: str, path: str, query: Mapping[str, str] | None, form: Mapping[str, str] | None, body: Any,
    authorization: str, until: float, largest: int,
) -> transport.Response:  # fmt: skip
    try:
        origin = _origin(place.base, is_operators=place.is_operators)
    except ValueError:
        raise transport.Failed("address") from None
    target = urlsplit(place.base).path + path + (f"?{urlencode(query)}" if query else "")
    if not TARGET.match(target):
        raise transport.Failed("address")
    headers = {"User-Agent": "Switchboard", **({"Authorization": authorization} if authorization else {})}
    content = b""
    if form is not None:
        headers["Content-Type"], content = FORM, urlencode(form).encode()
    elif body is not None:
        headers["Content-Type"], content = "application/json", json.dumps(body).encode()
    return transport.exchange(
        method=method, origin=origin, target=target, headers=headers, body=content, deadline=until, largest=largest
    )


def _read(said: transport.Response, fits: Callable[[Any], bool]) -> Answer:
    if 300 <= said.status < 400:
        raise transport.Failed("redirect")
    if not 200 <= said.status < 500:
        raise transport.Failed(f"status {said.status}")
    try:
        held = _json(said)
    except Malformed:
        held = None
    answer = Answer(said.status, said.headers, said.body, held)
    if answer.is_success and not fits(held):
        raise transport.Failed("garbage")
    return answer


def _json(said: transport.Response) -> Any:
    """Read a body as strictly as one that comes in: what is passed on must mean the same to whoever reads it. Raises Malformed."""
    content_type = said.headers.get("content-type", "")
    is_plain = said.headers.get("content-encoding", "identity").lower() == "identity"
    if not (JSON.match(content_type) and is_plain and said.body.strip()):
        raise Malformed("no JSON")
    return edge.read_json(said.body, content_type=content_type)


def _origin(url: str, *, is_operators: bool) -> transport.Origin:
    """Take an address apart. What the operator named was looked at when his setting was read; everything else is now."""
    if not (is_operators or PLAIN.match(url)):
        raise ValueError("no plain address")
    parts = urlsplit(url)
    port = parts.port or transport.USUAL_PORTS[parts.scheme]
    return transport.Origin(parts.scheme, str(parts.hostname), port, is_operators)
