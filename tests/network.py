"""Keeps the tests at home: sockets reach loopback, and the services that the environment names, and nobody else."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import pytest

SERVICES = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")


class TooFarAway(AssertionError):
    """A test wanted to speak to the world."""


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in ("localhost", "")


@pytest.fixture(autouse=True, scope="session")
def at_home() -> Iterator[None]:
    """Refuses connections and look-ups that would leave this machine."""
    hosts = {urlsplit(os.environ.get(name, "")).hostname or "localhost" for name in SERVICES}
    known = {found[4][0] for host in hosts for found in socket.getaddrinfo(host, None)} | hosts
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def near_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not (is_loopback(address[0]) or address[0] in known):
            raise TooFarAway(f"a test connects to {address[0]}")
        connect(self, address)

    def near_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host or ""
        if not (is_loopback(name) or name in known or name.replace(".", "").isdigit() or ":" in name):
            raise TooFarAway(f"a test looks up {name}")
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", near_connect)
        patch.setattr(socket, "getaddrinfo", near_look_up)
        yield
