"""Genesys, as the common rules want to know it."""

from __future__ import annotations

import base64
from typing import Any

from django.test import Client

from tests.cast import Cast
from tests.integrations.descriptions import Ask, Description

CODES = {400: (1, 10), 401: (20,), 403: (3,), 404: (6,), 405: (2,), 411: (10,), 413: (10,), 429: (5,)}


def credential(client: Client, cast: Cast) -> dict[str, str]:
    text = base64.b64encode(f"alice:{cast.password('alice')}".encode()).decode()
    answer = client.get("/api/v2/me", headers={"Authorization": f"Basic {text}"})
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def is_refusal(answer: Any) -> None:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) == {"statusCode", "statusMessage"}
    assert body["statusCode"] in CODES[answer.status_code]
    assert body["statusMessage"]


DESCRIPTION = Description(
    name="genesys",
    closed=Ask("POST", "/api/v2/me", b'[{"name": "place", "value": "Place"}]'),
    read=Ask("GET", "/api/v2/me"),
    unknown="/api/v2/nope",
    credential=credential,
    dead_credential={"Cookie": "JSESSIONID=dead"},
    challenge='Basic realm="Genesys"',
    is_refusal=is_refusal,
    answers_options=True,
)
