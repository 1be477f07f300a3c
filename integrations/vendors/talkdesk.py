"""Talkdesk: what an application must hold."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

REGIONS = ("us", "eu", "ca", "au")

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["account", "region", "serviceParameters"],
    "properties": {
        # One label of a host name: `{account}.talkdeskid.com`.
        "account": {"title": _("Account"), "type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z"},
        "region": {"title": _("Region"), "enum": list(REGIONS)},
        "serviceParameters": {
            "type": "object",
            "required": ["clientId", "clientSecret"],
            "properties": {
                "clientId": {"title": _("Client id"), "type": "string", "minLength": 1},
                "clientSecret": {"title": _("Client secret"), "type": "string", "minLength": 1},
            },
        },
        "agentParameters": {"type": "object"},
        "customerParameters": {"type": "object"},
    },
}
