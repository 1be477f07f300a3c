"""What no library would send, at the real server: the two dialects under /api answer with a 4xx of their own (security.md M9 to M14)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
from django.conf import settings

from identity import personal_tokens
from identity.principal import at_the_console
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)

TEN_MEGABYTES = b"[" + b" " * 10_000_000 + b"]"
DEEP = b"[" * 200_000 + b"]" * 200_000
REPORT = b'{"callerid": "%s", "direction": "in", "linestatus": "up"}'
PING = "/api/extensions/08123456/calls/c"
GENESYS = "/api/v2/me"
# Path, and who owns it.
ADDRESSES = [
    ("/api/extensions/08123456%3Bx", "ping"),
    ("/api/extensions/08123456;x=1", "ping"),
    ("/api/extensions/../extensions/me", "ping"),
    ("/api/./extensions/me", "ping"),
    ("/api/extensions/%2e%2e/me", "ping"),
    ("/api//extensions/me", "ping"),
    ("//api/extensions/me", "ping"),
    ("///api/extensions/me", "ping"),
    ("/api/extensions/me//", "ping"),
    ("/api/extensions/%00", "ping"),
    ("/api/extensions/%ff%fe", "ping"),
    ("/api/extensions/0812%0a3456", "ping"),
    ("/api/extensions/08123456%0a", "ping"),
    ("/api%2fextensions%2fme%00", "ping"),
    ("/api/v2/me%3Bx", "genesys"),
    ("/api/v2/me;jsessionid=x", "genesys"),
    ("/api/v2/../v2/me", "genesys"),
    ("/api/v2/%2e%2e/me", "genesys"),
    ("/api//v2/me", "genesys"),
    ("//api/v2/me", "genesys"),
    ("//ping", "genesys"),
    ("/ping//", "genesys"),
    ("/ping/../ping", "genesys"),
    ("/ping%00", "genesys"),
    ("/version%ff", "genesys"),
    ("/version;x", "genesys"),
]
BODIES = {
    "ten megabytes": (TEN_MEGABYTES, 413),
    "deep": (DEEP, 400),
    "NUL": (REPORT % b"\\u0000", 400),
    "a raw NUL": (REPORT % b"\0", 400),
    "no UTF-8": (REPORT % b"\xff\xfe", 400),
    "half a character": (REPORT % b"\\ud800", 400),
    "a key twice": (b'{"callerid": "1", "callerid": "2"}', 400),
    "65 bits": (b"[18446744073709551616]", 400),
    "half": (b'{"a', 400),
}


def is_of(dialect: str, status: int, body: bytes, head: bytes) -> bool:
    """Say whether an answer is a refusal of a status in a dialect's own shape."""
    said = json.loads(body)
    if dialect == "ping":
        return set(said) == {"message"} and b"application/json; charset=utf-8" in head
    codes = {400: 10, 404: 6, 413: 10}
    return set(said) == {"statusCode", "statusMessage"} and said["statusCode"] == codes[status]


def ask(portal: Portal, method: str, path: str, authorization: str, body: bytes = b"") -> tuple[int, bytes, bytes]:
    """Send a request line as it is, and answer status, head and body."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: {authorization}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    answer = portal.say(head.encode() + b"\r\n" + body)
    top, _, said = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), top, said


def test_odd_addresses_and_bodies_get_the_dialects_own_refusal(start_portal: Callable[..., Portal], cast: Cast) -> None:
    portal = start_portal(PUBLIC_URL=settings.PUBLIC_URL)  # the issuer of the token
    alice = cast.user("alice")
    token = personal_tokens.create(by=at_the_console(), user=alice, domain="acme.example", label="hostile").text
    password = base64.b64encode(f"alice:{cast.password('alice')}".encode()).decode()
    proofs = {"ping": f"Bearer {token}", "genesys": f"Basic {password}"}

    for path, dialect in ADDRESSES:
        status, head, body = ask(portal, "GET", path, proofs[dialect])
        assert (path, status) == (path, 404)
        assert is_of(dialect, status, body, head), (path, body)
    for name, (raw, expected) in BODIES.items():
        for dialect, method, path in (("ping", "PUT", PING), ("genesys", "POST", GENESYS)):
            status, head, body = ask(portal, method, path, proofs[dialect], raw)
            assert (name, dialect, status) == (name, dialect, expected)
            assert is_of(dialect, status, body, head), (name, dialect, body)

    assert ask(portal, "GET", "/ping", "Basic bm9ib2R5OngA")[0] == 401
    assert "Traceback" not in portal.log.read_text()
    assert token not in portal.log.read_text()
    assert password not in portal.log.read_text()
