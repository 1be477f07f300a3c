"""A vendor on loopback: a real HTTP(S) server that answers as it is told, misbehaves on demand, and remembers what it was asked."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized"}


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


def said(status: int = 200, body: Any = b"", *, content_type: str = "application/json", **headers: str) -> bytes:
    """Write an answer with its length; what is no bytes becomes JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Reason')}", f"Content-Type: {content_type}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""]).encode() + content


Answers = Callable[[Asked], bytes | Iterable[bytes]]


@dataclass
class Behaviour:
    """What the server does: `answer` turns a request into bytes, or into pieces that are sent one by one."""

    answer: Answers = field(default=lambda asked: said(200, {"path": asked.path}))


class StandIn(socketserver.ThreadingTCPServer):
    """One request a connection. `over` is set when the test ends: whoever waits in an answer waits for it."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.tls = tls
        self.behaviour = Behaviour()
        self.asked: list[Asked] = []
        self.names: list[str | None] = []
        self.over = threading.Event()
        if tls is not None:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def answers(self, status: int = 200, body: Any = b"", **more: str) -> None:
        """Answer every request like this from now on."""
        self.behaviour.answer = lambda asked: said(status, body, **more)

    def close(self) -> None:
        self.over.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is what the tests are about."""


class _Talk(socketserver.StreamRequestHandler):
    server: StandIn

    def setup(self) -> None:
        if self.server.tls is not None:
            self.request.settimeout(10)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        method, target, _version = self.rfile.readline().decode("latin-1").split()
        headers = {}
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        asked = Asked(method, target, headers, self.rfile.read(int(headers.get("content-length", 0))))
        self.server.asked.append(asked)
        answered = self.server.behaviour.answer(asked)
        for piece in [answered] if isinstance(answered, bytes) else answered:
            self.wfile.write(piece)
            self.wfile.flush()

    def finish(self) -> None:
        super().finish()
        self.request.close()


@dataclass(frozen=True)
class Certificate:
    """A certificate that signs itself, in files."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def certificate_for(name: str, folder: Path) -> Certificate:
    """Make a certificate for one host name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = Certificate(folder / "certificate.pem", folder / "key.pem")
    files.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
