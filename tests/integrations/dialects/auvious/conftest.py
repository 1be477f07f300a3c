"""What the tests of Auvious' resources share: callers with a bearer, and how a refusal looks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.test import Client

from identity import sessions
from identity.principal import Principal, Via
from tests.cast import Cast
from tests.integrations.dialects.oauth.conftest import Endpoint

FIXED = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 429: "Too Many Requests"}


@dataclass
class Caller:
    """Somebody with an access token, who speaks JSON; `headers` go along with every request."""

    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        headers = ({"Authorization": f"Bearer {self.token}"} if self.token else {}) | self.headers
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client().generic(method, f"/security{path}", sent, content_type="application/json", headers=headers)

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


@dataclass
class Callers:
    """The cast, each with a token of their own."""

    cast: Cast
    endpoint: Endpoint
    stranger: Caller

    def client(self, name: str) -> Caller:
        return Caller(self.endpoint.bearer(name))

    def person(self, name: str) -> Caller:
        organization = self.cast.user(name).default_organization
        by = "globex_sso" if organization is not None and organization.name == "globex" else "agent_sso"
        return Caller(self.endpoint.person(name, by=by)["access_token"])

    def acting(self, actor: str, subject: str) -> Principal:
        """Answer who stands behind a token by which one person works as another."""
        token = self.exchanged(actor, subject).token
        return sessions.by_token(token, audience="auvious", via=Via(door="test"))[0]

    def exchanged(self, actor: str, subject: str) -> Caller:
        """Work as another person."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": str(self.cast.user(subject).pk),
            "subject_token_type": "urn:portal:token-type:user_id",
            "actor_token": self.person(actor).token,
            "actor_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }
        return Caller(self.endpoint.ask(form, by="agent_sso").json()["access_token"])

    def id_of(self, client: str) -> str:
        return self.endpoint.secret(client)[0]


@pytest.fixture
def callers(cast: Cast) -> Callers:
    return Callers(cast, Endpoint(cast, Client()), Caller(""))


def refused(answer: Any, status: int, names: str = "") -> None:
    """Compare a refusal with the one shape of the dialect; `names` is the field that the sentence of a 400 must name."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert set(body) == {"error"}
    if status in FIXED:
        assert body == {"error": FIXED[status]}
    assert body["error"]
    assert names in body["error"]
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="switchboard"'


def empty(answer: Any, status: int) -> None:
    """Compare an answer with one that has no body."""
    assert (answer.status_code, answer.content) == (status, b"")
