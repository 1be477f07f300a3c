"""Platform28, as the common rules want to know it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.test import Client

from identity.models import Session
from tests.cast import Cast
from tests.integrations.descriptions import Ask, Description

# Session ids are random and stand in the address: this one is given to alice's.
HANDLE = UUID("00000000-0000-4000-8000-00000000a11c")


def credential(client: Client, cast: Cast) -> dict[str, str]:
    body = json.dumps({"passwordHash": cast.digest("alice")}).encode()
    session = client.generic("POST", "/authenticate/alice", body, "application/json").json()
    Session.objects.filter(pk=session["id"]).update(id=HANDLE)
    return {"X-LSID": session["lsid"]}


def is_refusal(answer: Any) -> None:
    body = answer.json()
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) == {"status", "message"}
    assert body["status"] == answer.status_code
    assert body["message"]


DESCRIPTION = Description(
    name="platform28",
    closed=Ask("POST", f"/session/{HANDLE}/setEffectiveUser", b'"987654"'),
    read=Ask("GET", f"/session/{HANDLE}"),
    unknown="/session/a/nope",
    credential=credential,
    dead_credential={"X-LSID": "dead"},
    challenge="LSID",
    is_refusal=is_refusal,
)
