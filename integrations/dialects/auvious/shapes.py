"""What Auvious' bodies look like: Input classes on the way in, functions on the way out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from identity import applications
from identity.principal import Kind, Principal, Role

MASK = "********"
SECTIONS = ("serviceParameters", "agentParameters", "customerParameters")
SEES_ALL = "integrations:integration:view"
PEOPLE = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})


def moment(at: datetime | None) -> str | None:
    """Answer a time as RFC 3339 in UTC, to the millisecond."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def application(row: Any, *, viewer: Principal) -> dict[str, Any]:
    """Answer an Application with the sections of its configuration that this caller may see."""
    hidden = set(SECTIONS) - sections_of(viewer)
    return {
        "version": row.version,
        "id": row.pk,
        "organizationId": str(row.organization_id),
        "type": row.type,
        "config": {name: value for name, value in applications.config_of(row).items() if name not in hidden},
        "createdAt": moment(row.created_at),
        "visible": row.is_visible,
        "expiresAt": moment(row.expires_at),
    }


def sections_of(viewer: Principal) -> set[str]:
    """Answer the sections that a caller sees; a caller of no known class sees none (dialects.md 3.6)."""
    if SEES_ALL in viewer.grants:
        return set(SECTIONS)
    if viewer.kind is Kind.CUSTOMER:
        return {"customerParameters"}
    if Role.SERVICE in viewer.roles:
        return {"serviceParameters"}
    return {"agentParameters"} if viewer.roles & PEOPLE else set()


def may_call(principal: Principal) -> bool:
    """Say whether a caller may do anything at all: a client without roles may not (clarifications 32)."""
    return bool(principal.permissions)
