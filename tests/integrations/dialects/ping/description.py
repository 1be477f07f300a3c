"""Ping, as the common rules want to know it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from identity import personal_tokens
from identity.principal import at_the_console
from tests.cast import Cast
from tests.integrations.descriptions import Ask, Description

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    411: "Length Required",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
}


def credential(client: Client, cast: Cast) -> dict[str, str]:
    made = personal_tokens.create(by=at_the_console(), user=cast.user("alice"), domain="acme.example", label="rules")
    return {"Authorization": f"Bearer {made.text}"}


def is_refusal(answer: Any) -> None:
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json() == {"message": REASONS[answer.status_code]}


DESCRIPTION = Description(
    name="ping",
    closed=Ask(
        "PUT",
        "/api/extensions/08123456/calls/call-1",
        b'{"callerid": "+46701740605", "direction": "in", "linestatus": "up"}',
    ),
    read=Ask("GET", "/api/extensions/"),
    unknown="/api/nope",
    credential=credential,
    dead_credential={"Authorization": "Bearer dead"},
    challenge='Basic realm="Ping", charset="UTF-8"',
    is_refusal=is_refusal,
)
