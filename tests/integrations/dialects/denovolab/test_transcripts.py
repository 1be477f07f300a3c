"""The vendor's document, exchange by exchange: what it prints goes in, and what it prints comes out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine

from agents.models import Agent
from identity.models import User

pytestmark = pytest.mark.wire("denovolab", "5.1 the seed's own exchanges")

HERE = Path(__file__).parent / "transcripts"
EXAMPLE = json.loads((HERE / "as_agent.json").read_text())
REFUSALS = json.loads((HERE / "refusals.json").read_text())["exchanges"]
SEEN = datetime(2018, 2, 24, 22, 11, 18, 724125, tzinfo=UTC)


def send(partner, request: dict[str, str], token: str) -> Any:
    """Send a request of the document; where it says "Admin Token", an admin's token is meant."""
    admin = token if "token" in request else None
    return partner.post(
        request["path"], request["body"].encode(), admin, media=request.get("media", "application/json")
    )


@pytest.mark.parametrize("exchange", REFUSALS, ids=lambda exchange: exchange["about"])
def test_a_refusal_of_the_document_comes_out_as_printed(partner, exchange):
    answer = send(partner, exchange["request"], partner.token("alice"))

    assert answer.status_code == exchange["response"]["status"]
    assert answer.content == json.dumps(exchange["response"]["body"], separators=(",", ":")).encode()


def test_the_example_of_the_document_comes_out_as_printed(partner, cast):
    """The agent of the example is made; what is new at each call is compared by its form."""
    Agent.objects.filter(user__username="bob").update(id=34)
    User.objects.filter(username="bob").update(
        first_name="Ha", last_name="Tran", username="agent", email="ha@example.com", landing_page="/routing/rate_table",
        avatar_id=1366, last_login_address="183.182.110.28", last_seen_at=SEEN,
        created_at=datetime(2017, 9, 8, 22, tzinfo=UTC), last_login_at=datetime(2018, 2, 24, 21, 5, 36, 94423, tzinfo=UTC),
    )  # fmt: skip
    expected = EXAMPLE["response"]["body"]

    with time_machine.travel(SEEN):
        answer = send(partner, EXAMPLE["request"], partner.token("alice"))

    said = answer.json()
    assert answer.status_code == EXAMPLE["response"]["status"]
    assert forms(said) == forms(expected)
    new = ("cdr_api_token", "cdr_expire", "user_id", "client_limits")
    user, printed = said["payload"]["user"], expected["payload"]["user"]
    assert [(name, user[name]) for name in user if name not in new] == [
        (name, printed[name]) for name in printed if name not in new
    ]
    assert user["client_limits"] == []


def forms(value: Any) -> Any:
    """Answer the names in their order with the JSON types of what they name."""
    if isinstance(value, dict):
        return [(name, forms(inner)) for name, inner in value.items()]
    return type(value).__name__
