"""Runs the sandbox beside a portal on a laptop: for the vendors of which the operator did not say where they are."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from config.supervisor import Child
from integrations.sandbox import server

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Beside the portal, so that it is the same at the next start; where that port is taken, any other will do.
PORTS_AWAY = 1000


@dataclass(frozen=True, slots=True)
class StandIns:
    """The stand-ins of some vendors, on a socket that listens already."""

    vendors: Sequence[str]
    listening: socket.socket

    @property
    def url(self) -> str:
        return server.url_of(self.listening)

    @property
    def names(self) -> str:
        """What people call them."""
        return ", ".join(server.STAND_INS[vendor].name for vendor in self.vendors)

    @property
    def environment(self) -> dict[str, str]:
        """Where the vendors are, as the portal's processes are told."""
        return {setting_of(vendor): f"{self.url}/{vendor}" for vendor in self.vendors}

    def child(self) -> Child:
        number = self.listening.fileno()
        command = (
            sys.executable,
            "-m",
            "integrations.sandbox",
            str(number),
            settings.PUBLIC_URL.removesuffix("/"),
            *self.vendors,
        )
        return Child("sandbox", command, dict(os.environ), str(settings.BASE_DIR), (number,))


def setting_of(vendor: str) -> str:
    """Answer the name of the setting that says where a vendor is."""
    return f"{vendor.upper()}_BASE_URL"


def wanted() -> list[str]:
    """Answer the vendors that need a stand-in: none in production, nor where others than this computer reach the portal.

    Whoever reaches the sandbox signs in there without a password.
    """
    reached_by = (settings.BIND, urlsplit(settings.PUBLIC_URL).hostname)
    if settings.PORTAL_ENV != "development" or not set(reached_by) <= set(LOOPBACK):
        return []
    return [vendor for vendor in server.STAND_INS if not getattr(settings, setting_of(vendor))]


@contextmanager
def prepared(vendors: Sequence[str]) -> Iterator[StandIns | None]:
    """Hold the socket of the stand-ins of some vendors; of none, nothing."""
    if not vendors:
        yield None
        return
    with server.listening_socket(settings.PORT + PORTS_AWAY) as listening:
        yield StandIns(vendors, listening)
