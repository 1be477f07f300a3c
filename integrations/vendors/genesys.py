"""Genesys Cloud: what an application must hold."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

# The regions that the vendor names; anything else would be a host that a tenant chose for us to call (dialects.md 3.6).
ENVIRONMENT = (
    r"^(mypurecloud\.(com|ie|de|jp|com\.au)|[a-z]{2,5}[0-9]\.(pure\.cloud|us-gov-pure\.cloud|gc-fedramp\.cloud))\Z"
)

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["organizationId", "pcEnvironment"],
    "properties": {
        "organizationId": {"title": _("Organisation id"), "type": "string", "minLength": 1, "maxLength": 100},
        "pcEnvironment": {"title": _("Region’s domain"), "type": "string", "pattern": ENVIRONMENT},
        "integrationId": {"title": _("Integration id"), "type": "string", "maxLength": 100},
        "serviceParameters": {
            "type": "object",
            "properties": {
                "clientId": {"title": _("Client id"), "type": "string"},
                "clientSecret": {"title": _("Client secret"), "type": "string"},
            },
        },
        "agentParameters": {"type": "object"},
        "customerParameters": {"type": "object"},
    },
}
