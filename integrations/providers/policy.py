"""What an administrator decides about signing in with an application: the entries of its `signIn`, and how they are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from identity.principal import Role

SECTION = "signIn"
ROLES = (Role.AGENT.value, Role.SUPERVISOR.value, Role.ADMIN.value)
NOBODY, BY_EMAIL = "none", "email"
# Names that the public internet may know; where they lead is looked at when they are called.
HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.){1,8}[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
HOSTS = rf"^({HOST}( {HOST}){{0,9}})?\Z"

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "enabled": {"title": _("Offered on the sign-in page"), "type": "boolean"},
        "label": {"title": _("Words on the button"), "type": "string", "maxLength": 60},
        "linkBy": {"title": _("Recognises people who are here already by"), "enum": [NOBODY, BY_EMAIL]},
        "keepsRoles": {"title": _("Roles stay as they are set here"), "type": "boolean"},
        "roleClaim": {"title": _("Claim that holds the roles"), "type": "string", "maxLength": 100},
        "roles": {
            "title": _("Role of each of its values"),
            "type": "object",
            "additionalProperties": {"enum": list(ROLES)},
        },
        "acceptsSecondFactor": {"title": _("The provider’s second factor counts here"), "type": "boolean"},
        "secondFactorAcr": {"title": _("Its acr of a second factor"), "type": "string", "maxLength": 200},
        "logsOut": {"title": _("Logging out here logs out there"), "type": "boolean"},
        "scopes": {"title": _("Further scopes"), "type": "string", "maxLength": 200},
        "hosts": {"title": _("Further host names of the provider"), "type": "string", "pattern": HOSTS},
    },
}


@dataclass(frozen=True, slots=True)
class Policy:
    """An application's `signIn`, read: nothing is offered, linked or believed that nobody switched on."""

    is_enabled: bool
    label: str
    links_by_email: bool
    keeps_roles: bool
    role_claim: str
    roles: Mapping[str, Role]
    accepts_second_factor: bool
    second_factor_acr: str
    logs_out: bool
    scopes: tuple[str, ...]
    hosts: tuple[str, ...]

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Policy:
        """Read the policy of a configuration; a configuration without one offers nothing."""
        said = config.get(SECTION)
        entries: Mapping[str, Any] = said if isinstance(said, dict) else {}
        return cls(
            is_enabled=entries.get("enabled") is True,
            label=str(entries.get("label", "")),
            links_by_email=entries.get("linkBy") == BY_EMAIL,
            keeps_roles=entries.get("keepsRoles") is True,
            role_claim=str(entries.get("roleClaim", "")),
            roles={value: Role(role) for value, role in dict(entries.get("roles", {})).items() if role in ROLES},
            accepts_second_factor=entries.get("acceptsSecondFactor") is True,
            second_factor_acr=str(entries.get("secondFactorAcr", "")),
            logs_out=entries.get("logsOut") is True,
            scopes=tuple(str(entries.get("scopes", "")).split()),
            hosts=tuple(str(entries.get("hosts", "")).split()),
        )


def offering(schema: dict[str, Any], *needs: str) -> dict[str, Any]:
    """Answer a type's schema with the entries of signing in, and what it must hold once that is switched on."""
    switched_on = {
        "properties": {SECTION: {"properties": {"enabled": {"const": True}}, "required": ["enabled"]}},
        "required": [SECTION],
    }
    client = {"properties": {"serviceParameters": {"required": ["clientId"]}}}
    return {
        **schema,
        "properties": {**schema["properties"], SECTION: SCHEMA},
        "if": switched_on,
        "then": {"required": [*needs, "serviceParameters"], **client},
    }
