"""Genesys Cloud: what an application must hold."""

from __future__ import annotations

from typing import Any

# The regions that the vendor names; anything else would be a host that a tenant chose for us to call (dialects.md 3.6).
ENVIRONMENT = (
    r"^(mypurecloud\.(com|ie|de|jp|com\.au)|[a-z]{2,5}[0-9]\.(pure\.cloud|us-gov-pure\.cloud|gc-fedramp\.cloud))\Z"
)

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["organizationId", "pcEnvironment"],
    "properties": {
        "organizationId": {"type": "string", "minLength": 1, "maxLength": 100},
        "pcEnvironment": {"type": "string", "pattern": ENVIRONMENT},
        "integrationId": {"type": "string", "maxLength": 100},
        "serviceParameters": {
            "type": "object",
            "properties": {"clientId": {"type": "string"}, "clientSecret": {"type": "string"}},
        },
        "agentParameters": {"type": "object"},
        "customerParameters": {"type": "object"},
    },
}
