"""What the tests of OAuth share: a caller at its endpoints, and the claims of what they hand out."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from django.test import Client

from identity import authorization_codes
from identity.principal import at_the_console
from tests.cast import Cast

TOKEN = "/security/oauth/token"
FORM = "application/x-www-form-urlencoded"
CUSTOMER = ("customer", "")


def basic(client_id: str, secret: str) -> dict[str, str]:
    """Answer the header of HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def claims_of(token: str) -> dict[str, Any]:
    """Answer what a token says, unverified."""
    said: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return said


@dataclass
class Endpoint:
    """Speaks forms, as a client of the cast or as whoever is said."""

    cast: Cast
    http: Client

    def secret(self, name: str) -> tuple[str, str]:
        entry = self.cast.said["clients"][name]
        return entry["client_id"], entry["client_secret"]

    def post(self, path: str, form: dict[str, str], *, by: str | tuple[str, str] | None) -> Any:
        pair = self.secret(by) if isinstance(by, str) else by
        return self.http.post(path, urlencode(form), content_type=FORM, headers=basic(*pair) if pair else {})

    def ask(self, form: dict[str, str], *, by: str | tuple[str, str] | None) -> Any:
        """Ask the token endpoint."""
        return self.post(TOKEN, form, by=by)

    def refresh(self, token: str, *, by: str | tuple[str, str] = "agent_sso") -> Any:
        return self.ask({"grant_type": "refresh_token", "refresh_token": token}, by=by)

    def code(self, name: str) -> str:
        """Answer a code as `sso_code` prints it."""
        user = self.cast.user(name)
        organization = user.default_organization
        assert organization is not None
        client = authorization_codes.sign_in_client(organization)
        return authorization_codes.issue(by=at_the_console(), user=user, client=client, organization=organization)

    def person(self, name: str, *, by: str = "agent_sso") -> dict[str, Any]:
        """Sign a person in by a code and answer the token endpoint's body."""
        answer = self.ask({"grant_type": "password", "username": name, "password": self.code(name)}, by=by)
        assert answer.status_code == 200, answer.content
        body: dict[str, Any] = answer.json()
        return body

    def bearer(self, name: str) -> str:
        """Answer the access token of a client of the cast."""
        token: str = self.ask({"grant_type": "client_credentials"}, by=name).json()["access_token"]
        return token

    def applications(self, token: str) -> Any:
        """Use a token on a resource."""
        return self.http.get("/security/applications", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def endpoint(cast: Cast) -> Endpoint:
    return Endpoint(cast, Client())


def refused(answer: Any, status: int, error: str, description: str | None = None) -> None:
    """Compare a refusal with RFC 6749, 5.2."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert body["error"] == error
    assert body["error_description"]
    if description is not None:
        assert body["error_description"] == description
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="switchboard"'
