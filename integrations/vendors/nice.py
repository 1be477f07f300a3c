"""NICE CXone: what an application must hold."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

# An https host of the vendor without user, port, query or fragment.
ISSUER = (
    r"^https://([a-z0-9-]{1,63}\.){1,4}(niceincontact\.com|nice-incontact\.com|nicecxone\.com|nicecxone-gov\.com)"
    r"(/[A-Za-z0-9._-]{1,63}){0,4}/?\Z"
)

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["issuer", "serviceParameters"],
    "properties": {
        "issuer": {"title": _("Issuer"), "type": "string", "pattern": ISSUER},
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
