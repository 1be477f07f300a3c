"""What Genesys' tests may ask for."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.test import Client

from tests.cast import Cast

ME = "/api/v2/me"
ORIGIN = "https://desk.acme.example"
EVIL = "https://evil.example"
DONE = {"statusCode": 0}
LOGOUT = {"operationName": "EndContactCenterSession"}
GONE = "JSESSIONID=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=None; Partitioned="
CONFIGURATION = [
    {"name": "server", "value": "https://rws.dc1.example.com"},
    {"name": "peer_server", "value": "https://rws.dc2.example.com:4443"},
    {"name": "place", "value": "Plats 7"},
    {"name": "devices", "value": [{"dn": "DN1", "switch": "Switch"}, {"dn": "DN2", "switch": "Switch"}]},
]


@dataclass
class Desktop:
    """An agent's desktop, as it calls the service on the wire."""

    client: Client
    cast: Cast

    def basic(self, name: str, password: str | None = None, **more: str) -> dict[str, str]:
        clear = self.cast.password(name) if password is None else password
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{clear}".encode()).decode(), **more}

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, body: Any = None, **more: Any) -> Any:
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.generic(method, path, raw, more.pop("media", ""), headers=headers or {}, **more)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        return self.ask("GET", path, headers)

    def post(self, headers: dict[str, str] | None = None, body: Any = None, **more: Any) -> Any:
        return self.ask("POST", ME, headers, body, **more)

    def sign_in(self, name: str, configuration: Any = None, **more: str) -> dict[str, str]:
        """Sign in, and answer the headers that a browser of an allowed page would send from then on."""
        answer = self.post(self.basic(name, **more), configuration)
        assert answer.status_code == 200, answer.content
        said = {"Cookie": f"JSESSIONID={cookie_of(answer)}"}
        if "X-CSRF-TOKEN" in answer.headers:
            said["X-CSRF-Token"] = answer.headers["X-CSRF-TOKEN"]
        return said


def cookie_of(answer: Any) -> str:
    """Answer the value of the one cookie of an answer."""
    jar: SimpleCookie = SimpleCookie()
    jar.load(answer.headers["Set-Cookie"].partition(";")[0])
    return jar["JSESSIONID"].value


@pytest.fixture
def desktop(client: Client, cast: Cast) -> Desktop:
    """A desktop that speaks Genesys."""
    return Desktop(client, cast)


@pytest.fixture
def refused() -> Any:
    """A function that holds an answer to the whole of a refusal, byte for byte."""

    def check(answer: Any, status: int, code: int, message: str) -> None:
        body = f'{{"statusCode":{code},"statusMessage":"{message}"}}'.encode()
        assert (answer.status_code, answer.content) == (status, body)
        assert answer.headers["Content-Type"] == "application/json"
        challenge = 'Basic realm="Genesys", charset="UTF-8"'
        assert answer.headers.get("WWW-Authenticate") == (challenge if status == 401 else None)
        assert (int(answer.headers.get("Retry-After", 0)) > 0) is (status == 429)
        assert "Set-Cookie" not in answer.headers

    return check


@pytest.fixture
def denied(refused: Any) -> Any:
    """A function that holds an answer to the one 401."""
    return lambda answer: refused(answer, 401, 20, "Access denied")
