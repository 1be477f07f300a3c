"""A Twilio on loopback: it takes messages and calls, lists what it has, and misbehaves on demand."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SID, TOKEN, SENDER = "AC0123", "t0ken/of:acme", "+46700000000"
# What makes closing a connection a reset.
LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
SMS_URL = f"twilio://{SID}:t0ken%2Fof%3Aacme@default/?from={SENDER}"


@dataclass
class Answer:
    """What the server does out of line.

    `takes` says whether the message is kept all the same; `fault` is one of silent, hangs_up, resets, half, drips, drips_headers.
    """

    status: int = 201
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    takes: bool = False
    fault: str = ""


@dataclass
class Request:
    """What was asked: the form of a POST, the query of a GET."""

    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]


class TwilioServer(ThreadingHTTPServer):
    """Keeps every message that it took as the resource that Twilio shows; `answers` are used up by POSTs (`answers_to` by those to
    one number), `questions` by GETs."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "http" if tls is None else "https"
        self.answers: list[Answer] = []
        self.answers_to: dict[str, list[Answer]] = {}
        self.questions: list[Answer] = []
        self.requests: list[Request] = []
        self.kept: dict[str, list[dict[str, Any]]] = {"Messages": [], "Calls": []}
        self.began_to_send = threading.Event()
        self.has_answered = threading.Event()
        self.may_go_on = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    def keep(self, resource: str, fields: dict[str, str], **more: Any) -> dict[str, Any]:
        """Keep a message, and answer it as it is shown."""
        kept = self.kept[resource]
        shown: dict[str, Any] = {
            "sid": f"{'SM' if resource == 'Messages' else 'CA'}{len(kept) + 1:032x}", "status": "queued", "to": fields["To"], "from": fields["From"],
            "direction": "outbound-api", "date_created": format_datetime(datetime.now(UTC)), "error_code": None,
        }  # fmt: skip
        if "Body" in fields:
            shown["body"] = fields["Body"]
        kept.append(shown | more)
        return kept[-1]

    def close(self) -> None:
        self.may_go_on.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gives up in the middle is what the tests are about."""


class _Talk(BaseHTTPRequestHandler):
    server: TwilioServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        request = self.read()
        answers = self.server.answers_to.get(request.fields["To"]) or self.server.answers
        does = answers.pop(0) if answers else Answer(takes=True)
        shown = self.server.keep(self.resource(request), request.fields) if does.takes else {}
        self.server.requests.append(request)
        self.server.began_to_send.set()
        self.reply(does, shown)

    def do_GET(self) -> None:
        request = self.read()
        resource = self.resource(request)
        of_it = [
            one
            for one in reversed(self.server.kept[resource])
            if (one["to"], one["from"]) == (request.fields["To"], request.fields["From"])
        ]
        size = int(request.fields["PageSize"])
        does = self.server.questions.pop(0) if self.server.questions else Answer(200)
        self.server.requests.append(request)
        self.reply(
            does, {resource.lower(): of_it[:size], "next_page_uri": "/2010-04-01/more" if of_it[size:] else None}
        )

    def read(self) -> Request:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        parts = urlsplit(self.path)
        fields = {name: values[-1] for name, values in parse_qs(body or parts.query, keep_blank_values=True).items()}
        return Request(self.command, parts.path, fields, {name.lower(): said for name, said in self.headers.items()})

    def resource(self, request: Request) -> str:
        return request.path.rpartition("/")[2].removesuffix(".json")

    def reply(self, does: Answer, shown: dict[str, Any]) -> None:
        body = json.dumps(shown).encode() if does.body is None else does.body
        lines = [
            f"HTTP/1.1 {does.status} So", "Content-Type: application/json", f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in does.headers.items()),
        ]  # fmt: skip
        head = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.close_connection = True
        match does.fault:
            case "silent":
                self.server.may_go_on.wait(60)
            case "hangs_up":
                return
            case "resets":
                self.connection.setsockopt(*LINGER)
                return
            case "half":
                self.wfile.write(head + body[: len(body) // 2])
                return
            case "drips":
                self.wfile.write(head)
                self.drip(body)
                return
            case "drips_headers":
                self.drip(head)
                return
        self.wfile.write(head + body)
        self.server.has_answered.set()

    def drip(self, content: bytes) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.may_go_on.wait(0.2):
                return

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
