"""Serves the stand-ins on loopback, each below its own name, and refuses to in production."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from integrations.sandbox import pages
from integrations.sandbox.genesys import GenesysStandIn
from integrations.sandbox.known import CLIENTS
from integrations.sandbox.nice import NiceStandIn
from integrations.sandbox.openid import OpenIdStandIn
from integrations.sandbox.talkdesk import TalkdeskStandIn
from integrations.sandbox.wire import Answer, Request, said

STAND_INS: dict[str, type[OpenIdStandIn]] = {
    "genesys": GenesysStandIn, "talkdesk": TalkdeskStandIn, "nice": NiceStandIn, "openid": OpenIdStandIn,
}  # fmt: skip
LOOPBACK = "127.0.0.1"
# A name that somebody else gave to this computer would let a page of his read our answers.
HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]+)?\Z")
LARGEST = 262_144
PATIENCE_SECONDS = 10.0
WAITING = 64


class NotHere(Exception):
    """The sandbox may not run here."""


class Sandbox(ThreadingHTTPServer):
    """The stand-ins of some vendors, for one portal; `bases` says where each of them is."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, vendors: Iterable[str], *, portal: str) -> None:
        if os.environ.get("PORTAL_ENV") == "production":
            raise NotHere("PORTAL_ENV is production")
        if listening.getsockname()[0] != LOOPBACK:
            raise NotHere("not on loopback")
        super().__init__(listening.getsockname(), _Talk, bind_and_activate=False)
        self.socket.close()  # the base class made one; ours is bound already
        self.socket = listening
        self.url = url_of(listening)
        self.bases = {vendor: f"{self.url}/{vendor}" for vendor in vendors}
        self.stand_ins = {name: STAND_INS[name](base, portal, CLIENTS[name]) for name, base in self.bases.items()}

    def answer(self, request: Request) -> Answer:
        """Answer a request, whose path begins with a vendor's name."""
        if not HOST.match(request.headers.get("host", "")):
            return said(400, {"error": "a foreign host"})
        if request.path == "/":
            return self._overview()
        vendor, _, rest = request.path.removeprefix("/").partition("/")
        stand_in = self.stand_ins.get(vendor)
        there = stand_in and stand_in.answer(
            Request(request.method, f"/{rest}", request.query, request.headers, request.body)
        )
        return there or said(404, {"error": "there is nothing here"})

    def _overview(self) -> Answer:
        genesys = self.stand_ins.get("genesys")
        taken = list(genesys.callbacks) if isinstance(genesys, GenesysStandIn) else []
        return pages.overview({self.stand_ins[name].name: base for name, base in self.bases.items()}, taken)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that hang up in the middle."""


class _Talk(BaseHTTPRequestHandler):
    server: Sandbox
    timeout = PATIENCE_SECONDS
    server_version, sys_version = "Sandbox", ""

    def do_GET(self) -> None:
        self._talk()

    def do_POST(self) -> None:
        self._talk()

    def _talk(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit() and int(length) <= LARGEST):
            self._tell(said(413, {"error": "too much"}))
            return
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._tell(
            self.server.answer(Request(self.command, parts.path, parts.query, headers, self.rfile.read(int(length))))
        )

    def _tell(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *args: Any) -> None:
        """Write nothing down: addresses hold codes."""


def listening_socket(port: int) -> socket.socket:
    """Answer a socket that listens on loopback at a port, or at any free one where that is taken.

    It listens from here on, so that who comes before the server does is waited for, not refused.
    """
    for wanted in (port, 0):
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((LOOPBACK, wanted))
            found.listen(WAITING)
        except (OSError, OverflowError):
            found.close()
            continue
        return found
    raise NotHere("no port is free")


def url_of(listening: socket.socket) -> str:
    """Answer the address of a socket."""
    return f"http://{LOOPBACK}:{listening.getsockname()[1]}"


def serve(listening: socket.socket, vendors: Iterable[str], *, portal: str) -> None:
    """Serve until somebody ends the process. Raises NotHere."""
    with Sandbox(listening, vendors, portal=portal) as sandbox, contextlib.suppress(KeyboardInterrupt):
        sandbox.serve_forever()
