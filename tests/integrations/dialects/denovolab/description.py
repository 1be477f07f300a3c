"""Denovolab, as the common rules want to know it."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from tests.cast import Cast
from tests.integrations.descriptions import Ask, Description


def credential(client: Client, cast: Cast) -> dict[str, str]:
    body = json.dumps({"email_or_name": "alice", "password": cast.password("alice")})
    answer = client.generic("POST", "/v1/auth", body.encode(), "application/json")
    return {"X-Auth-Token": answer.json()["payload"]["token"]}


def is_refusal(answer: Any) -> None:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert body["success"] is False
    if answer.status_code == 404:
        assert body == {"error_type": "Object not found error", "success": False}
    elif answer.status_code == 400:
        assert set(body) == {"error_type", "success", "errors"}
        assert body["error_type"] == "validation_error"
        assert all(isinstance(entry, dict) for entry in body["errors"])
    else:
        assert set(body) == {"error_type", "success", "error"}
        assert body["error_type"] in ("unauthenticated_error", "operation_error")
        assert set(body["error"]) == {"message", "code", "reason"}


DESCRIPTION = Description(
    name="denovolab",
    closed=Ask("POST", "/v1/auth/as_agent", b'{"agent_id": 987654}'),
    read=Ask("GET", "/v1/user"),
    unknown="/v1/nope",
    credential=credential,
    dead_credential={"X-Auth-Token": "dead"},
    challenge="X-Auth-Token",
    is_refusal=is_refusal,
)
