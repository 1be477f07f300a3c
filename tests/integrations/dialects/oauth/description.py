"""OAuth, as the common rules want to know it."""

from __future__ import annotations

from typing import Any

from django.test import Client

from tests.cast import Cast
from tests.integrations.descriptions import Ask, Description
from tests.integrations.dialects.oauth.conftest import FORM, Endpoint


def credential(client: Client, cast: Cast) -> dict[str, str]:
    return {"Authorization": f"Bearer {Endpoint(cast, client).person('alice')['access_token']}"}


def is_refusal(answer: Any) -> None:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) == {"error", "error_description"}
    assert all(isinstance(said, str) and said for said in body.values())


DESCRIPTION = Description(
    name="oauth",
    closed=Ask("POST", "/oauth/userinfo", b"x=y", FORM),
    read=Ask("GET", "/oauth/userinfo"),
    unknown="/oauth/nope",
    credential=credential,
    dead_credential={"Authorization": "Bearer dead"},
    challenge="Bearer",
    is_refusal=is_refusal,
    reads_json=False,
)
