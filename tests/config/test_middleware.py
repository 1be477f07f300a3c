"""What happens to a request before it is routed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client, RequestFactory
from django.urls import path
from django.views import View
from pytest_django.fixtures import Settings

from config.middleware import NOWHERE, ClientAddress, MatrixParameters, RequestId
from config.wsgi import WholeBodies


class Refusing(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("read")


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("read")


urlpatterns = [path("plain", plain), path("class", Refusing.as_view())]


def seen(middleware: type, request: HttpRequest) -> Any:
    """The request as the room behind the middleware sees it."""
    found: list[HttpRequest] = []

    def room(request: HttpRequest) -> HttpResponse:
        found.append(request)
        return HttpResponse()

    middleware(room)(request)
    return found[0]


def target(raw: str) -> HttpRequest:
    """A request whose request line had exactly this target, as gunicorn hands it over."""
    return RequestFactory().get(raw.partition("?")[0] if raw.startswith("/") else "/", RAW_URI=raw)


# --- matrix parameters -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("raw", "cut", "matrix"),
    [
        ("/session/42;lsid=XYZ", "/session/42", {"lsid": ["XYZ"]}),
        ("/session;lsid=XYZ/42", "/session/42", {"lsid": ["XYZ"]}),
        ("/session;lsid=A/42;lsid=B", "/session/42", {"lsid": ["A", "B"]}),
        ("/session/42;lsid=A;lsid=A;x=1", "/session/42", {"lsid": ["A", "A"], "x": ["1"]}),
        ("/session/42;lsid", "/session/42", {"lsid": [""]}),
        ("/session/42;", "/session/42", {}),
        ("/session/42;;=5;lsid=a=b", "/session/42", {"lsid": ["a=b"]}),
        ("/session/42;lsid=a%2Fb%3Bc", "/session/42", {"lsid": ["a/b;c"]}),
        ("/session/42%3Blsid=XYZ", "/session/42;lsid=XYZ", {}),
        ("/session/4%3B2;lsid=XYZ", "/session/4;2", {"lsid": ["XYZ"]}),
        ("/session/42;lsid=XYZ?apiKey=a;b", "/session/42", {"lsid": ["XYZ"]}),
        ("/session/42;lsid=a+b", "/session/42", {"lsid": ["a+b"]}),
        ("/authenticate/bob;passwordHash=1", "/authenticate/bob", {"passwordHash": ["1"]}),
        ("/password;lsid=1", "/password", {"lsid": ["1"]}),
        ("/session/%C3%A5;lsid=1", "/session/å", {"lsid": ["1"]}),
        ("/session/%ff;lsid=1", "/session/%FF", {"lsid": ["1"]}),
        ("http://portal.example/session/42;lsid=XYZ?a=1", "/session/42", {"lsid": ["XYZ"]}),
    ],
)
def test_a_literal_semicolon_divides_and_nothing_else_does(raw: str, cut: str, matrix: dict[str, list[str]]) -> None:
    request = seen(MatrixParameters, target(raw))

    assert (request.path, request.path_info, request.matrix) == (cut, cut, matrix)
    assert "XYZ" not in request.get_full_path().replace("%3Blsid%3DXYZ", "")


@pytest.mark.parametrize("raw", ["/admin;x=1/", "/api/v2/me;x=1", "/sessions/1;lsid=2", "/a/session/1;lsid=2", "/"])
def test_elsewhere_nothing_is_cut(raw: str) -> None:
    request = seen(MatrixParameters, target(raw))

    assert (request.path, request.matrix) == (raw, {})


def test_where_the_server_hides_the_target_the_decoded_path_is_cut() -> None:
    request = seen(MatrixParameters, RequestFactory().get("/session/42;lsid=XYZ"))

    assert (request.path, request.matrix) == ("/session/42", {"lsid": ["XYZ"]})


# --- client address --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (0, "192.0.2.1", "203.0.113.9", "192.0.2.1"),
        (1, "192.0.2.1", "203.0.113.9", "203.0.113.9"),
        (1, "192.0.2.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "192.0.2.1", "6.6.6.6, 203.0.113.9, 192.0.2.2", "203.0.113.9"),
        (2, "192.0.2.1", "203.0.113.9", "192.0.2.1"),
        (1, "192.0.2.1", "", "192.0.2.1"),
        (1, "192.0.2.1", "unknown", "192.0.2.1"),
        (1, "192.0.2.1", "203.0.113.9:4711", "203.0.113.9"),
        (1, "192.0.2.1", "[2001:db8::0:1]:4711", "2001:db8::1"),
        (1, "192.0.2.1", "2001:DB8::1", "2001:db8::1"),
        (1, "192.0.2.1", "::ffff:203.0.113.9", "203.0.113.9"),
        (0, "::ffff:127.0.0.1", "", "127.0.0.1"),
        (0, "fe80::1%eth0", "", "fe80::1"),
        (0, "", "", NOWHERE),
    ],
)
def test_the_address_is_what_our_own_proxies_wrote(
    settings: Settings, proxies: int, peer: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=peer, headers={"X-Forwarded-For": forwarded})

    assert seen(ClientAddress, request).client_address == address


@pytest.mark.parametrize(
    ("proxies", "sent", "scheme"),
    [
        (0, "https", "http"),
        (1, "https", "https"),
        (1, "http, https", "https"),
        (2, "https", "https"),
        (2, "http, https", "http"),
        (1, "gopher", "http"),
        (1, "", "http"),
    ],
)
def test_the_scheme_is_what_our_own_proxies_wrote(settings: Settings, proxies: int, sent: str, scheme: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", headers={"X-Forwarded-Proto": sent})

    assert seen(ClientAddress, request).scheme == scheme


# --- request id ------------------------------------------------------------------------------------------------------
def test_every_answer_has_a_number_of_its_own(client: Client) -> None:
    numbers = {client.get("/healthz").headers["X-Request-ID"] for _ in range(3)}

    assert len(numbers) == 3
    assert all(len(number) == 32 for number in numbers)


@pytest.mark.parametrize(
    ("proxies", "sent", "is_kept"),
    [(0, "a-number-of-theirs", False), (1, "a-number-of-theirs", True), (1, "x\r\n", False), (1, "short", False)],
)
def test_a_number_that_was_sent_along_is_kept_only_behind_a_proxy(
    settings: Settings, proxies: int, sent: str, is_kept: bool
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", HTTP_X_REQUEST_ID=sent)

    assert (seen(RequestId, request).id == sent) is is_kept


# --- TRACE -----------------------------------------------------------------------------------------------------------
@pytest.mark.urls("tests.config.test_middleware")
@pytest.mark.parametrize("address", ["/plain", "/class"])
def test_trace_is_refused_by_plain_views_and_classes_alike(client: Client, address: str) -> None:
    answer = client.trace(address)

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    assert client.get(address).content == b"read"


# --- bodies without a length -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("environ", "read"),
    [
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, {"length": "5", "body": "hello"}),
        ({"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "3"}, {"length": "3", "body": "hel"}),
        ({"CONTENT_LENGTH": "5"}, {"length": "5", "body": "hello"}),
        ({}, {"length": "", "body": ""}),
    ],
)
def test_a_body_in_chunks_gets_a_length(environ: dict[str, Any], read: dict[str, str]) -> None:
    said: list[dict[str, str]] = []

    def room(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        length = environ.get("CONTENT_LENGTH", "")
        said.append({"length": length, "body": environ["wsgi.input"].read(int(length or 0)).decode()})
        return []

    WholeBodies(room)({"wsgi.input": Piped(b"hello"), **environ}, lambda *_: None)

    assert said == [read]


def test_a_body_without_an_end_is_read_to_just_beyond_the_limit() -> None:
    lengths: list[str] = []

    def room(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        lengths.append(environ["CONTENT_LENGTH"])
        return []

    WholeBodies(room)({"wsgi.input": Piped(None), "HTTP_TRANSFER_ENCODING": "chunked"}, lambda *_: None)

    assert lengths == ["1048577"]


class Piped:
    """A stream as the server hands it over; None never ends."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content

    def read(self, size: int) -> bytes:
        if self.content is None:
            return b"x" * size
        given, self.content = self.content[:size], self.content[size:]
        return given


def test_a_json_answer_goes_through_every_room(client: Client) -> None:
    answer = client.get("/healthz")

    assert isinstance(answer, JsonResponse)
    assert json.loads(answer.content) == {"status": "alive"}
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer.headers["Cache-Control"]
    assert set(answer.headers["Content-Security-Policy"].split("; ")) == {
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    }
