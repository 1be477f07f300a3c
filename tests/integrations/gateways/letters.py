"""Letters for the tests of gateways."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from identity.outbox import Letter


def letter(**more: Any) -> Letter:
    """An e-mail to bob with a reset link in it."""
    usual: dict[str, Any] = {
        "id": str(uuid.uuid4()), "channel": "EMAIL", "to": "bob@acme.example", "locale": "sv", "template": "password_reset",
        "subject": "Välj ett nytt lösenord", "body": "Hej Bob,\n\nhttps://id.example/reset/?token=abc\n",
        "html": "<p>Hej Bob</p>", "organization": "acme", "created_at": datetime(2026, 11, 21, 10, 0, tzinfo=UTC),
    }  # fmt: skip
    return Letter(**(usual | more))
