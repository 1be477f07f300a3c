"""Talkdesk: what an application must hold, and where its tokens are refreshed (dialects.md 3.2, Partner token refresh)."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from integrations.vendors import client

VENDOR = "talkdesk"
# Under which domain each region's accounts are.
REGIONS = {"us": "talkdeskid.com", "eu": "talkdeskid.eu", "ca": "talkdeskidca.com", "au": "talkdeskid.au"}

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


def token_endpoint(*, config: dict[str, Any], organization_id: Any, until: float) -> tuple[client.Place, str]:
    """Answer where the tokens of an account are refreshed: the place, and the path there. Asks nobody."""
    place = client.place(VENDOR, f"https://{config['account']}.{REGIONS[config['region']]}")
    return place, "/oauth/token"
