"""Auvious, as the common rules want to know it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.cast import Cast
from tests.integrations.descriptions import Ask, Description
from tests.integrations.dialects.oauth.conftest import Endpoint


def credential(client: Client, cast: Cast) -> dict[str, str]:
    return {"Authorization": f"Bearer {Endpoint(cast, client).person('alice')['access_token']}"}


def is_refusal(answer: Any) -> None:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) == {"error"}
    assert isinstance(body["error"], str)
    assert body["error"]
    fixed = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
    assert body["error"] == fixed.get(answer.status_code, body["error"])


DESCRIPTION = Description(
    name="auvious",
    closed=Ask("POST", "/security/clients", b'{"description": "x"}'),
    read=Ask("GET", "/security/applications"),
    unknown="/security/nope",
    credential=credential,
    dead_credential={"Authorization": "Bearer dead"},
    challenge="Bearer",
    is_refusal=is_refusal,
)
