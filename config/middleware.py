"""What happens to every request before it is routed: a number, the client's address, matrix parameters, no TRACE."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.utils.encoding import repercent_broken_unicode

from config.logging import request_id, route

Answer = Callable[[Any], HttpResponseBase]

SENSIBLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
NOWHERE = "0.0.0.0"  # noqa: S104 - the peer of a Unix socket, nothing binds to it
MATRIX_PREFIXES = ("session", "authenticate", "password")


class PortalRequest(HttpRequest):
    """A request as the rooms behind these find it; `client_address` is an IP address in its canonical spelling."""

    id: str
    client_address: str
    matrix: dict[str, list[str]]
    environ: dict[str, Any]


class RequestId:
    """Gives each request a number that every log line of it carries and the answer repeats as `X-Request-ID`.

    A number sent along is kept only behind a proxy of ours: a stranger's would let him forge log lines.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponseBase:
        sent = request.headers.get("X-Request-ID", "")
        request.id = sent if settings.TRUSTED_PROXIES and SENSIBLE_ID.fullmatch(sent) else uuid.uuid4().hex
        tokens = request_id.set(request.id), route.set("")
        try:
            response = self.get_response(request)
        finally:
            request_id.reset(tokens[0])
            route.reset(tokens[1])
        response.headers["X-Request-ID"] = request.id
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        route.set(request.resolver_match.route if request.resolver_match else "")


class ClientAddress:
    """Sets `request.client_address`, and the scheme, from what our own proxies wrote and from nothing else.

    With TRUSTED_PROXIES = n the n-th entry from the right of `X-Forwarded-For` is the client; whatever is left of it
    the client may have invented. Missing or unreadable: the socket's peer.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponseBase:
        peer = as_address(request.META.get("REMOTE_ADDR", "")) or NOWHERE
        proxies = settings.TRUSTED_PROXIES
        request.client_address = (proxies and as_address(written_by(request, "X-Forwarded-For", proxies))) or peer
        if proxies and written_by(request, "X-Forwarded-Proto", proxies) in ("http", "https"):
            request.environ["wsgi.url_scheme"] = written_by(request, "X-Forwarded-Proto", proxies)
        return self.get_response(request)


def written_by(request: HttpRequest, header: str, proxies: int) -> str:
    """The entry that the outermost of our proxies wrote; a header with one entry was overwritten and is that entry."""
    entries = [entry.strip() for entry in request.headers.get(header, "").split(",")]
    if len(entries) >= proxies:
        return entries[-proxies]
    return entries[0] if header == "X-Forwarded-Proto" else ""


def as_address(text: str) -> str:
    """An IP address in its canonical spelling without port, brackets or IPv4-in-IPv6; empty when it is none."""
    bare = text.strip()
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


class MatrixParameters:
    """Cuts `;name=value` from the path segments of three prefixes into `request.matrix`, values in order of appearance.

    Only a literal `;` of the raw request target divides: `%3B` stays in its segment, which is then an unknown id. Both
    `path` and `path_info` are set to the cut path, so that no log line, redirect or page repeats a session id. Nowhere
    else is anything cut: `/public;/../admin` must not mean something else here than to the proxy in front.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: PortalRequest) -> HttpResponseBase:
        request.matrix = {}
        target = raw_path(request)
        if unquote(target.lstrip("/").partition("/")[0].partition(";")[0]) in MATRIX_PREFIXES:
            segments = [segment.split(";") for segment in target.split("/")]
            for parameter in (parameter for segment in segments for parameter in segment[1:]):
                name, _, value = parameter.partition("=")
                if name:
                    request.matrix.setdefault(unquote(name), []).append(unquote(value))
            cut = "/".join(segment[0] for segment in segments)
            decoded = repercent_broken_unicode(unquote_to_bytes(cut)).decode()
            request.path = request.path_info = request.environ["PATH_INFO"] = decoded
            request.META["PATH_INFO"] = decoded
        return self.get_response(request)


def raw_path(request: PortalRequest) -> str:
    """The path as it stood on the request line; quoted again from the decoded one where the server does not tell."""
    target: str = request.environ.get("RAW_URI", "")
    if not target:
        return quote(request.path_info, safe="/;=,:@!$&'()*+~")
    if not target.startswith("/"):  # absolute form: http://host/path
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("#")[0].partition("?")[0]


class RefuseTrace:
    """Answers TRACE with 405 where the view is a plain function; classes refuse it in their own envelope."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if request.method == "TRACE" and not hasattr(view, "view_class") and not hasattr(view, "cls"):
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        return None
