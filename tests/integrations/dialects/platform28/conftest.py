"""What the tests of Platform28 share: a caller that logs in and asks with its LSID, and the whole envelope of a refusal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from tests.cast import Cast

JSON = "application/json"


@dataclass
class Caller:
    """Speaks Platform28."""

    cast: Cast
    http: Client

    def ask(
        self, method: str, path: str, *, lsid: str = "", content_type: str = JSON, body: Any = None, **more: Any
    ) -> Any:
        """Ask with a JSON body, or with bytes as they are; the LSID is put behind the last segment."""
        address, mark, query = path.partition("?")
        tail = f";lsid={lsid}" if lsid else ""
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.http.generic(method, f"{address}{tail}{mark}{query}", raw, content_type, **more)

    def login(self, name: str, **more: str) -> dict[str, Any]:
        """Log in and answer the LoginSession with its `lsid`."""
        body = {"passwordHash": self.cast.digest(name), **more}
        answer = self.ask("POST", f"/authenticate/{name}", body=body)
        assert answer.status_code == 200, answer.content
        return dict(answer.json())

    def session(
        self, method: str, session: dict[str, Any], tail: str = "", *, by: dict[str, Any] | None = None, **more: Any
    ) -> Any:
        """Ask something of a session, by default with its own LSID."""
        return self.ask(method, f"/session/{session['id']}{tail}", lsid=(by or session)["lsid"], **more)

    def is_alive(self, session: dict[str, Any]) -> bool:
        return bool(self.session("GET", session).status_code == 200)

    def become(self, session: dict[str, Any], name: str) -> Any:
        """Work as somebody."""
        return self.session("POST", session, "/setEffectiveUser", body=str(self.cast.user(name).pk))


@pytest.fixture
def p28(cast: Cast, client: Client) -> Caller:
    """A caller among the cast."""
    return Caller(cast, client)


@pytest.fixture
def says() -> Any:
    """A function that holds an answer to the whole envelope of a refusal, or of a sentence."""

    def check(answer: Any, status: int, message: str) -> None:
        assert (answer.status_code, answer.json()) == (status, {"status": status, "message": message})
        assert answer.headers["Content-Type"] == JSON
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers.get("WWW-Authenticate") == ("LSID" if status == 401 else None)
        assert (int(answer.headers.get("Retry-After", 0)) > 0) is (status == 429)

    return check
