"""What the tests of vendors share: stand-ins on loopback, and an outside world that a test makes up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.vendors import transport
from tests.integrations.vendors.stand_in import Certificate, StandIn, certificate_for

# Somebody's real address, which no test ever reaches.
PUBLIC = "93.184.216.34"


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A vendor over plain HTTP."""
    server = StandIn()
    yield server
    server.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """The certificate of an account at Talkdesk, which nobody trusts yet."""
    return certificate_for("acme.talkdeskid.eu", tmp_path)


@pytest.fixture
def secure_stand_in(certificate: Certificate) -> Iterator[StandIn]:
    """A vendor over TLS, under that certificate."""
    server = StandIn(certificate.context())
    yield server
    server.close()


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That certificate is one of the authorities that this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    transport.trust.cache_clear()
    yield
    transport.trust.cache_clear()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """The world's resolver: for each name the answers that it gives, one after the other, the last one for good."""
    known: dict[str, list[list[str]]] = {}
    look_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in known:
            return look_up(host, port, *args, **kwargs)
        answers = known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, int], StandIn]:
    """The world's routes: which stand-in answers at a public address and port."""
    known: dict[tuple[str, int], StandIn] = {}
    connect = socket.socket.connect

    def redirected(self: socket.socket, address: Any) -> None:
        there = known.get(tuple(address[:2]))
        connect(self, address if there is None else ("127.0.0.1", there.port))

    monkeypatch.setattr(socket.socket, "connect", redirected)
    return known


@pytest.fixture
def quick(settings: Any) -> float:
    """Half a second for every call to a vendor."""
    settings.UPSTREAM_TIMEOUT_SECONDS = 0.5
    return 0.5


@pytest.fixture
def look_ups_end() -> Iterator[None]:
    """After the test no look-up is under way any more."""
    yield
    until = time.monotonic() + 10
    while any(one.name == "look-up" for one in threading.enumerate()):
        assert time.monotonic() < until, "a look-up is stuck"
        time.sleep(0.01)
