"""A partner who speaks Denovolab."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jwt
from django.test import Client

from tests.cast import Cast

NO_TOKEN = b'{"error_type":"unauthenticated_error","success":false,"error":{"message":"No header X-Auth-Token present","code":110,"reason":"auth_token_not_provided"}}'
NOT_FOUND = b'{"error_type":"Object not found error","success":false}'
WRONG_LOGIN = b'{"success":false,"error_type":"operation_error","error":{"message":"Invalid credentials","code":100,"reason":"invalid_credentials"}}'
REASONS = {
    111: ("The auth token is invalid", "auth_token_invalid"),
    112: ("The auth token has expired", "auth_token_expired"),
    113: ("The auth token was revoked", "auth_token_revoked"),
    114: ("An admin token is required", "admin_token_required"),
}


@dataclass
class Partner:
    """A program that calls the portal as the vendor's own clients do."""

    client: Client
    cast: Cast

    def post(self, path: str, body: Any = None, token: str | None = None, **more: Any) -> Any:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {**more.pop("headers", {}), **({"X-Auth-Token": token} if token is not None else {})}
        return self.client.generic("POST", path, raw, more.pop("media", "application/json"), headers=headers, **more)

    def get(self, path: str, token: str | None = None) -> Any:
        return self.client.get(path, headers={"X-Auth-Token": token} if token is not None else {})

    def sign_in(self, name: str, **more: Any) -> Any:
        return self.post("/v1/auth", {"email_or_name": name, "password": self.cast.password(name), **more})

    def token(self, name: str, **more: Any) -> str:
        answer = self.sign_in(name, **more)
        assert answer.status_code == 200, answer.content
        return str(answer.json()["payload"]["token"])

    def as_agent(self, token: str | None, target: str, **more: Any) -> Any:
        return self.post("/v1/auth/as_agent", {"agent_id": self.cast.agent(target).pk, **more}, token)

    def acting_token(self, actor: str, target: str) -> str:
        answer = self.as_agent(self.token(actor), target)
        assert answer.status_code == 200, answer.content
        return str(answer.json()["payload"]["token"])


def claims_of(token: str) -> dict[str, Any]:
    """Answer what a token says, unverified."""
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def refused(answer: Any, code: int) -> None:
    """The whole 401 of one reason code, byte for byte."""
    message, reason = REASONS[code]
    assert answer.status_code == 401, answer.content
    expected = {"message": message, "code": code, "reason": reason}
    body = {"error_type": "unauthenticated_error", "success": False, "error": expected}
    assert answer.content == json.dumps(body, separators=(",", ":")).encode()
    assert answer.headers["WWW-Authenticate"] == 'X-Auth-Token realm="switchboard"'


def invalid(answer: Any, *errors: dict[str, list[str]]) -> None:
    """The whole 400, byte for byte."""
    assert answer.status_code == 400, answer.content
    body = {"error_type": "validation_error", "success": False, "errors": list(errors)}
    assert answer.content == json.dumps(body, separators=(",", ":")).encode()
