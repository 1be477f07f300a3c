"""What Ping's tests may ask for."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from identity import personal_tokens
from identity.principal import at_the_console
from tests.cast import Cast

OK = {"message": "OK"}
CHALLENGE = 'Basic realm="Ping", charset="UTF-8"'


@dataclass
class Partner:
    """A program that calls the portal as a Ping client does."""

    client: Client
    cast: Cast

    def basic(self, name: str, password: str | None = None) -> dict[str, str]:
        clear = self.cast.password(name) if password is None else password
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{clear}".encode()).decode()}

    def bearer(self, name: str, *, domain: str = "acme.example") -> dict[str, str]:
        user = self.cast.user(name)
        made = personal_tokens.create(by=at_the_console(), user=user, domain=domain, label="a test's")
        return {"Authorization": f"Bearer {made.text}"}

    def cookie(self, name: str) -> dict[str, str]:
        """Sign in, and answer the header that a browser would send from then on."""
        answer = self.get("/api/auth/login", self.basic(name))
        assert answer.status_code == 200, answer.content
        value = answer.cookies["ping_session"].value
        self.client.cookies.clear()
        return {"Cookie": f"ping_session={value}"}

    def get(self, path: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return self.client.get(path, headers=headers or {}, **more)

    def post(self, path: str, headers: dict[str, str] | None = None) -> Any:
        return self.client.generic("POST", path, headers=headers or {})

    def report(self, headers: dict[str, str], path: str = "/api/extensions/08123456/calls/call-1", **said: Any) -> Any:
        body = {"callerid": "+46701740605", "direction": "in", "linestatus": "up", **said}
        return self.client.generic("PUT", path, json.dumps(body).encode(), "application/json", headers=headers)


@pytest.fixture
def ping(client: Client, cast: Cast) -> Partner:
    """A program that speaks Ping."""
    return Partner(client, cast)


@pytest.fixture
def refused() -> Any:
    """A function that holds an answer to the whole of a refusal, byte for byte."""

    def check(answer: Any, status: int, message: str) -> None:
        assert (answer.status_code, answer.content) == (status, f'{{"message":"{message}"}}'.encode())
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert answer.headers.get("WWW-Authenticate") == (CHALLENGE if status == 401 else None)
        assert (int(answer.headers.get("Retry-After", 0)) > 0) is (status == 429)
        assert "Set-Cookie" not in answer.headers
        assert not answer.cookies

    return check
