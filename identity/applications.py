"""Keeps the applications that organisations have connected, with the secrets in their configuration sealed (clarifications 34)."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from identity import audit, crypto, policy
from identity.errors import NotFound
from identity.models import Application, Organization
from identity.principal import Kind, Principal

# Texts under these keys, at any depth, are secrets whatever the application's type.
SECRET_WORDS = ("secret", "password", "privatekey", "token")
GAP = {"sealed": True}


@transaction.atomic
def create(
    *,
    by: Principal,
    organization: Organization,
    type_: str,
    config: dict[str, Any],
    application_id: str | None = None,
    is_visible: bool = True,
) -> Application:
    """Connect an application. What a type's configuration must hold is checked by whoever knows the type."""
    policy.forbid_while_acting(by)
    application = Application(
        id=application_id or str(uuid.uuid4()), organization=organization, type=type_, is_visible=is_visible
    )
    _store(application, config)
    application.save(force_insert=True)
    audit.record("application.created", by=by, subject=application.pk, organization=organization, type=type_)
    return application


def find(*, application_id: str, organization_id: Any = None) -> Application:
    """Answer an application, of one organisation if said. Raises NotFound."""
    found = Application.objects.select_related("organization").filter(pk=application_id[:64])
    if organization_id is not None:
        found = found.filter(organization_id=organization_id)
    application = found.first()
    if application is None:
        raise NotFound("no such application")
    return application


def find_for(*, by: Principal, application_id: str) -> Application:
    """Answer an application of the caller's organisation; an internal service finds them all. Raises NotFound."""
    if by.organization_id is None and not by.is_internal:
        raise NotFound("no such application")
    return find(application_id=application_id, organization_id=by.organization_id)


def visible_to(*, by: Principal) -> QuerySet[Application]:
    """Answer the listed applications of the caller's organisation, of all organisations for an internal service."""
    found = Application.objects.filter(is_visible=True)
    return found if by.is_internal else found.filter(organization_id=by.organization_id)


def config_of(application: Application) -> dict[str, Any]:
    """Answer the whole configuration, secrets opened: for the call that needs them, and for whoever may see them."""
    if not application.sealed:
        return dict(application.config)
    secrets: list[Any] = json.loads(crypto.open_sealed(application.sealed, place=application.place()))
    filled: dict[str, Any] = _fill(application.config, iter(secrets))
    return filled


@transaction.atomic
def set_flags(
    *,
    by: Principal,
    application: Application,
    is_visible: bool | None = None,
    allows_anonymous_registration: bool | None = None,
) -> None:
    """Say whether an application is listed, and whether strangers may ask for codes through it.

    Raises NotAllowed, NotFound.
    """
    policy.forbid_while_acting(by)
    if by.kind is not Kind.SYSTEM:
        policy.require(by, policy.Permission.APPLICATIONS_MANAGE)
        if by.organization_id is not None and by.organization_id != application.organization_id:
            raise NotFound("no such application")
    if is_visible is not None:
        application.is_visible = is_visible
    if allows_anonymous_registration is not None:
        application.allows_anonymous_registration = allows_anonymous_registration
    application.save(update_fields=["is_visible", "allows_anonymous_registration"])
    audit.record(
        "application.changed", by=by, subject=application.pk, organization=application.organization, is_visible=application.is_visible,
        allows_anonymous_registration=application.allows_anonymous_registration,
    )  # fmt: skip


def _store(application: Application, config: dict[str, Any]) -> None:
    """Put a configuration into its two columns: the open part with gaps, and what fills them, sealed."""
    secrets: list[Any] = []
    application.config = _empty(config, secrets)
    application.sealed = crypto.seal(json.dumps(secrets), place=application.place()) if secrets else ""


def _empty(value: Any, secrets: list[Any], *, name: str = "") -> Any:
    if value == GAP:
        # A configuration that came with a gap of its own must not take the secret that belongs into another one.
        secrets.append(value)
        return GAP
    if isinstance(value, dict):
        return {key: _empty(one, secrets, name=key) for key, one in value.items()}
    if isinstance(value, list):
        return [_empty(one, secrets, name=name) for one in value]
    if isinstance(value, str) and any(word in name.lower().replace("_", "") for word in SECRET_WORDS):
        secrets.append(value)
        return GAP
    return value


def _fill(value: Any, secrets: Any) -> Any:
    if value == GAP:
        return next(secrets)
    if isinstance(value, dict):
        return {key: _fill(one, secrets) for key, one in value.items()}
    if isinstance(value, list):
        return [_fill(one, secrets) for one in value]
    return value
