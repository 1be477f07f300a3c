"""The guarded client: what vendors may do to us, and how little of it gets through (dialects.md 3.6, security.md P8 and P10)."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from identity.errors import UpstreamUnavailable
from identity.models import Organization
from integrations.models import CircuitBreaker
from integrations.vendors import client
from tests.cast import Cast
from tests.integrations.vendors.conftest import PUBLIC
from tests.integrations.vendors.stand_in import Asked, StandIn, said

pytestmark = [pytest.mark.django_db, pytest.mark.wire("auvious", "3.6 Outbound calls")]
OWN = "https://acme.talkdeskid.eu"
SECRET = "s3cret-of-nobody"
FORM = {"grant_type": "refresh_token", "refresh_token": "t0ken-of-nobody"}
# A busy machine may need more than its time to end what ends at once.
ROOM = 5.0
OK = {"access_token": "fresh-of-nobody"}


@pytest.fixture
def acme(cast: Cast) -> Organization:
    return cast.organization("acme")


@pytest.fixture
def there(stand_in: StandIn, settings: Any) -> StandIn:
    """The stand-in, in Talkdesk's place by the operator's word."""
    settings.TALKDESK_BASE_URL = stand_in.url
    return stand_in


def asked(acme: Organization, **more: Any) -> client.Answer:
    place = client.place("talkdesk", OWN)
    by = client.basic("us", SECRET)
    more = {"method": "POST", "path": "/oauth/token", "form": FORM, "authorization": by, **more}
    return client.ask(place=place, organization_id=acme.pk, **more)


def test_an_answer_comes_back_as_it_was(acme: Organization, there: StandIn) -> None:
    body = b'{ "access_token":"\xc3\xa5",\n "extra": [1, null, {"n": 1.50}] }'
    there.answers(201, body, content_type="application/json;charset=UTF-8", Retry_After="7")

    answer = asked(acme)

    assert (answer.status, answer.body, answer.headers["retry-after"]) == (201, body, "7")
    assert answer.json == {"access_token": "å", "extra": [1, None, {"n": 1.5}]}
    (request,) = there.asked
    assert (request.method, request.target, request.form) == ("POST", "/oauth/token", FORM)
    assert request.headers == {
        "host": there.url.removeprefix("http://"), "accept": "application/json", "accept-encoding": "identity", "connection": "close",
        "user-agent": "Switchboard", "authorization": "Basic dXM6czNjcmV0LW9mLW5vYm9keQ==",
        "content-type": "application/x-www-form-urlencoded", "content-length": str(len(request.body)),
    }  # fmt: skip


def test_json_and_a_query_go_along(acme: Organization, there: StandIn) -> None:
    asked(acme, path="/api/v2/things", form=None, body={"name": "Åsa"}, query={"name": "a b&c", "size": "1"})

    (request,) = there.asked
    assert request.target == "/api/v2/things?name=a+b%26c&size=1"
    assert (json.loads(request.body), request.headers["content-type"]) == ({"name": "Åsa"}, "application/json")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
def test_a_refusal_is_an_answer(acme: Organization, there: StandIn, status: int) -> None:
    there.answers(status, {"error": "no"}, Retry_After="3")
    answer = asked(acme)
    assert (answer.status, answer.is_success, answer.json) == (status, False, {"error": "no"})
    assert len(there.asked) == 1


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b'{"error":', b'{"a":1,"a":2}'], ids=["html", "empty", "cut", "twice"]
)
def test_what_a_refusal_says_may_be_unreadable(acme: Organization, there: StandIn, body: bytes) -> None:
    there.answers(400, body)
    assert (asked(acme).status, asked(acme).json) == (400, None)


def endless(head: bytes, piece: bytes) -> Callable[[Asked], Iterator[bytes]]:
    return lambda asked: itertools.chain([head], itertools.repeat(piece))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
FAILURES: dict[str, tuple[str, Callable[[Asked], Any]]] = {
    "server error": ("status 500", lambda asked: said(500, {"error": "x"})),
    "unavailable": ("status 503", lambda asked: said(503, b"", Retry_After="1")),
    "informational": ("status 103", lambda asked: said(103, b"")),
    "nonsense status": ("status 700", lambda asked: said(700, OK)),
    "moved": ("redirect", lambda asked: said(302, b"", Location="/oauth/other")),
    "moved for good": ("redirect", lambda asked: said(308, b"", Location="http://169.254.169.254/")),
    "not modified": ("redirect", lambda asked: said(304, b"")),
    "no JSON by type": ("garbage", lambda asked: said(200, OK, content_type="text/html")),
    "no type": ("garbage", lambda asked: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    "another charset": ("garbage", lambda asked: said(200, OK, content_type="application/json; charset=utf-16")),
    "packed": ("garbage", lambda asked: said(200, OK, Content_Encoding="gzip")),
    "a list": ("garbage", lambda asked: said(200, [OK])),
    "nothing": ("garbage", lambda asked: said(200, b"")),
    "no content": ("garbage", lambda asked: said(204, b"")),
    "half of it": ("garbage", lambda asked: said(200, b'{"access_token": "a')),
    "less than announced": ("garbage", lambda asked: HEAD + b"Content-Length: 100\r\n\r\n{}"),
    "cut in a chunk": ("garbage", lambda asked: HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}"),
    "a key twice": ("garbage", lambda asked: said(200, b'{"access_token":"a","access_token":"b"}')),
    "not finite": ("garbage", lambda asked: said(200, b'{"expires_in": NaN}')),
    "too deep": ("garbage", lambda asked: said(200, b'{"a":' * 40 + b"1" + b"}" * 40)),
    "no HTTP": ("garbage", lambda asked: b"220 mail.example ESMTP\r\n"),
    "a header without end": ("garbage", lambda asked: b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000),
    "too many headers": ("garbage", lambda asked: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
    "hangs up": ("connection", lambda asked: b""),
    "100 MB announced": ("too large", endless(HEAD + b"Content-Length: 104857600\r\n\r\n", b" " * 65_536)),
    "a body without end": ("too large", endless(HEAD + b"\r\n", b" " * 65_536)),
    "chunks without end": ("too large", endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"2000\r\n" + b" " * 8192 + b"\r\n")),
}  # fmt: skip


@pytest.mark.parametrize(("word", "answer"), FAILURES.values(), ids=FAILURES.keys())
def test_everything_else_is_a_failure(
    acme: Organization, there: StandIn, word: str, answer: Callable[[Asked], Any], caplog: Any
) -> None:
    there.behaviour.answer = answer

    with pytest.raises(UpstreamUnavailable) as refused:
        asked(acme)

    assert str(refused.value) == f"talkdesk: {word}"
    assert len(there.asked) == 1
    told_nothing(refused.value, caplog)


def told_nothing(error: BaseException | None, caplog: Any) -> None:
    """Look for what was sent or received, in the log and in every exception of the chain."""
    told = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    while error is not None:
        told += repr(error) + repr(error.args)
        error = None if error.__suppress_context__ and error.__cause__ is None else error.__cause__ or error.__context__
    for secret in (SECRET, "t0ken-of-nobody", "fresh-of-nobody", "dXM6czNjcmV0"):
        assert secret not in told


def dripping(server: StandIn, first: bytes, piece: bytes) -> Callable[[Asked], Iterator[bytes]]:
    def pieces(asked: Asked) -> Iterator[bytes]:
        yield first
        while not server.over.wait(0.05):
            yield piece

    return pieces


@pytest.mark.parametrize(
    ("first", "piece"), [(b"", b""), (b"HTTP/1.1 200 OK\r\nX: ", b"y"), (HEAD + b"Content-Length: 9999\r\n\r\n", b" "), (HEAD + b"\r\n", b" "), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["silence", "headers", "a body", "a body without length", "continues"],
)  # fmt: skip
def test_a_drip_ends_with_the_time(
    acme: Organization, there: StandIn, quick: float, first: bytes, piece: bytes
) -> None:
    there.behaviour.answer = dripping(there, first, piece)
    began = time.monotonic()

    with pytest.raises(UpstreamUnavailable, match="talkdesk: timeout"):
        asked(acme)

    assert quick - 0.01 < time.monotonic() - began < quick + ROOM


def test_calls_that_belong_together_share_one_end(acme: Organization, there: StandIn, quick: float) -> None:
    there.behaviour.answer = dripping(there, b"", b"")
    began = time.monotonic()
    until = client.deadline()

    for _ in range(3):
        with pytest.raises(UpstreamUnavailable):
            asked(acme, until=until)

    assert time.monotonic() - began < quick + ROOM
    assert len(there.asked) == 1
    assert CircuitBreaker.objects.get().failures == 1


def test_a_larger_document_can_be_asked_for(acme: Organization, there: StandIn) -> None:
    there.answers(200, {"keys": ["k" * 100_000]})
    with pytest.raises(UpstreamUnavailable, match="too large"):
        asked(acme)
    assert len(asked(acme, largest=client.LARGEST_DOCUMENT).body) > 100_000


def test_nobody_listens(acme: Organization, settings: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.TALKDESK_BASE_URL = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UpstreamUnavailable, match="talkdesk: connection"):
            asked(acme)


def test_a_proxy_of_the_environment_is_not_asked(
    acme: Organization, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert asked(acme).status == 200


def test_a_body_that_ends_in_chunks_is_read(acme: Organization, there: StandIn) -> None:
    there.behaviour.answer = lambda asked: (
        HEAD + b'Transfer-Encoding: chunked\r\n\r\n7\r\n{"a": 1\r\n1\r\n}\r\n0\r\n\r\n'
    )
    assert asked(acme).json == {"a": 1}


# --- TLS and addresses -----------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("trusted")
def test_the_vendor_is_reached_under_its_own_name_at_the_address_that_was_checked(
    acme: Organization, secure_stand_in: StandIn, names: Any, routes: Any
) -> None:
    # A second look-up would find another answer: whoever connects by name again is led home (DNS rebinding).
    names["acme.talkdeskid.eu"] = [[PUBLIC], ["127.0.0.1"]]
    routes[PUBLIC, 443] = secure_stand_in

    assert asked(acme).json == {"path": "/oauth/token"}

    assert secure_stand_in.names == ["acme.talkdeskid.eu"]
    assert secure_stand_in.asked[0].headers["host"] == "acme.talkdeskid.eu"
    assert names["acme.talkdeskid.eu"] == [["127.0.0.1"]]


@pytest.mark.usefixtures("trusted")
def test_the_next_address_serves_where_the_first_does_not_answer(
    acme: Organization, secure_stand_in: StandIn, names: Any, routes: Any
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        names["acme.talkdeskid.eu"] = [["8.8.8.8", PUBLIC]]
        routes[PUBLIC, 443] = secure_stand_in
        routes["8.8.8.8", 443] = type("Silent", (), {"port": silent.getsockname()[1]})()
        assert asked(acme).status == 200


def test_a_certificate_that_nobody_trusts_is_a_failure(
    acme: Organization, secure_stand_in: StandIn, names: Any, routes: Any, caplog: Any
) -> None:
    names["acme.talkdeskid.eu"] = [[PUBLIC]]
    routes[PUBLIC, 443] = secure_stand_in
    with pytest.raises(UpstreamUnavailable, match="talkdesk: tls") as refused:
        asked(acme)
    assert secure_stand_in.asked == []
    told_nothing(refused.value, caplog)


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_another_name_is_a_failure(
    acme: Organization, secure_stand_in: StandIn, names: Any, routes: Any
) -> None:
    names["globex.talkdeskid.eu"] = [[PUBLIC]]
    routes[PUBLIC, 443] = secure_stand_in
    place = client.place("talkdesk", "https://globex.talkdeskid.eu")
    with pytest.raises(UpstreamUnavailable, match="talkdesk: tls"):
        client.ask(place=place, organization_id=acme.pk, method="GET", path="/")
    assert secure_stand_in.asked == []


def test_a_vendor_without_tls_is_a_failure(acme: Organization, stand_in: StandIn, names: Any, routes: Any) -> None:
    names["acme.talkdeskid.eu"] = [[PUBLIC]]
    routes[PUBLIC, 443] = stand_in
    # A greeting is random: one without a line break leaves the other side waiting for more.
    with pytest.raises(UpstreamUnavailable, match=r"talkdesk: (tls|connection|timeout)"):
        asked(acme)
    assert stand_in.asked == []


def test_a_handshake_that_never_ends_ends_with_the_time(
    acme: Organization, names: Any, routes: Any, quick: float
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        names["acme.talkdeskid.eu"] = [[PUBLIC]]
        routes[PUBLIC, 443] = type("Silent", (), {"port": silent.getsockname()[1]})()
        began = time.monotonic()
        with pytest.raises(UpstreamUnavailable, match="talkdesk: timeout"):
            asked(acme)
        assert time.monotonic() - began < quick + ROOM


INNER = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",  # noqa: S104  # nobody binds to it
    "100.64.0.1", "100.127.255.255", "192.0.0.8", "192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:93.184.216.34",
    "64:ff9b::7f00:1", "64:ff9b::5db8:d822", "64:ff9b:1::a00:1", "100::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%lo", "fec0::1",
    "ff02::1", "2001::1", "2001:10::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "4000::1", "nonsense",
]  # fmt: skip


@pytest.mark.usefixtures("look_ups_end")
@pytest.mark.parametrize("inner", INNER)
def test_a_name_that_leads_inside_is_not_followed(
    acme: Organization, stand_in: StandIn, names: Any, routes: Any, inner: str
) -> None:
    routes[inner, 443] = stand_in
    for found in ([inner], [PUBLIC, inner]):
        names["acme.talkdeskid.eu"] = [found]
        with pytest.raises(UpstreamUnavailable, match="talkdesk: address"):
            asked(acme)
    assert stand_in.asked == []


@pytest.mark.parametrize("outer", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:400f::200e"])
def test_the_public_internet_is_reached(acme: Organization, names: Any, routes: Any, outer: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        routes[outer, 443] = type("Silent", (), {"port": silent.getsockname()[1]})()
        names["acme.talkdeskid.eu"] = [[outer]]
        with pytest.raises(UpstreamUnavailable, match="talkdesk: connection"):
            asked(acme)


def test_a_name_that_nobody_knows_is_a_failure(acme: Organization, names: Any) -> None:
    names["acme.talkdeskid.eu"] = [[]]
    with pytest.raises(UpstreamUnavailable, match="talkdesk: dns"):
        asked(acme)


@pytest.mark.usefixtures("look_ups_end")
def test_a_resolver_that_hangs_is_left_behind(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, quick: float
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: over.wait(30) and [])
    began = time.monotonic()

    with pytest.raises(UpstreamUnavailable, match="talkdesk: timeout"):
        asked(acme)

    assert time.monotonic() - began < quick + ROOM
    over.set()


OUTSIDE = [
    "http://acme.talkdeskid.eu", "https://acme.talkdeskid.eu@evil.example", "https://u:p@acme.talkdeskid.eu", "https://acme.talkdeskid.eu.",
    "https://acme。talkdeskid.eu", "https://аcme.talkdeskid.eu", "https://acme..talkdeskid.eu", "https://-acme.talkdeskid.eu",
    "https://acme.talkdeskid.eu:99999", "https://acme.talkdeskid.eu:", "https://", "//acme.talkdeskid.eu", "ftp://acme.talkdeskid.eu",
    "https://acme.talkdeskid.eu\\@evil.example", "https://acme.talkdeskid.eu/a b", "https://acme.talk_deskid.eu", "https://[::1", "https://acme.talkdeskid.eu%2eevil.example",
]  # fmt: skip


@pytest.mark.parametrize("own", OUTSIDE)
def test_an_address_that_is_not_plain_is_not_called(
    acme: Organization, names: Any, routes: Any, stand_in: StandIn, own: str
) -> None:
    place = client.Place("talkdesk", own, is_operators=False)
    for name in ("acme.talkdeskid.eu", "evil.example"):
        names[name] = [[PUBLIC]]
    for port in (80, 443):
        routes[PUBLIC, port] = stand_in
    with pytest.raises(UpstreamUnavailable, match="talkdesk: address"):
        client.ask(place=place, organization_id=acme.pk, method="GET", path="/")
    assert stand_in.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "2130706433", "127.1"])
def test_only_the_operator_leads_inside(acme: Organization, host: str) -> None:
    place = client.Place("talkdesk", f"https://{host}", is_operators=False)
    with pytest.raises(UpstreamUnavailable, match=r"talkdesk: (address|dns)"):
        client.ask(place=place, organization_id=acme.pk, method="GET", path="/")
