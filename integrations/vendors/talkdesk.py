"""Talkdesk: what an application must hold."""

from __future__ import annotations

from typing import Any

REGIONS = ("us", "eu", "ca", "au")

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["account", "region", "serviceParameters"],
    "properties": {
        # One label of a host name: `{account}.talkdeskid.com`.
        "account": {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z"},
        "region": {"enum": list(REGIONS)},
        "serviceParameters": {
            "type": "object",
            "required": ["clientId", "clientSecret"],
            "properties": {
                "clientId": {"type": "string", "minLength": 1},
                "clientSecret": {"type": "string", "minLength": 1},
            },
        },
        "agentParameters": {"type": "object"},
        "customerParameters": {"type": "object"},
    },
}
