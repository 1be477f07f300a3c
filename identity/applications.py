"""Keeps the applications that organisations have connected, with the secrets in their configuration sealed (clarifications 34)."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from identity import audit, clock, crypto, policy
from identity.errors import CredentialInvalid, Invalid, NotFound
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
    grant: str = "",
) -> Application:
    """Connect an application. What a type's configuration must hold is checked by whoever knows the type.

    `grant` is what a person must hold where the type asks for more than the role. Raises NotAllowed, NotFound (a foreign
    organisation), Invalid naming `id` when it is taken.
    """
    require_writer(by, grant=grant)
    if not _is_free(by) and by.organization_id != organization.pk:
        raise NotFound("no such organisation")
    application = Application(
        id=application_id or str(uuid.uuid4()), organization=organization, type=type_, is_visible=is_visible
    )
    _store(application, config)
    try:
        with transaction.atomic():
            application.save(force_insert=True)
    except IntegrityError as e:
        raise Invalid("id", fields={"id": [_("It is taken.")]}) from e
    audit.record("application.created", by=by, subject=application.pk, organization=organization, type=type_)
    return application


@transaction.atomic
def change(*, by: Principal, application: Application, type_: str, config: dict[str, Any], grant: str = "") -> None:
    """Replace the whole configuration of an application. Raises NotAllowed, NotFound (deleted meanwhile)."""
    require_writer(by, grant=grant)
    application.type = type_
    _store(application, config)
    changed = Application.objects.filter(pk=application.pk).update(
        type=type_, config=application.config, sealed=application.sealed, version=F("version") + 1, changed_at=clock.now()
    )  # fmt: skip
    if changed != 1:
        raise NotFound("no such application")
    audit.record(
        "application.changed", by=by, subject=application.pk, organization=application.organization, type=type_
    )


@transaction.atomic
def delete(*, by: Principal, application: Application, grant: str = "") -> None:
    """Disconnect an application. Raises NotAllowed, NotFound (deleted meanwhile)."""
    require_writer(by, grant=grant)
    if Application.objects.filter(pk=application.pk).delete()[0] == 0:
        raise NotFound("no such application")
    audit.record(
        "application.deleted", by=by, subject=application.pk, organization=application.organization, type=application.type
    )  # fmt: skip


def require_writer(by: Principal, *, grant: str = "") -> None:
    """Go on only if the caller may write applications: by role, or by a grant where the type asks for one. Raises NotAllowed."""
    policy.forbid_while_acting(by)
    if _is_free(by):
        return
    if grant:
        policy.require_grant(by, grant)
    else:
        policy.require(by, policy.Permission.APPLICATIONS_MANAGE)


def require_some_writer(by: Principal, *, grant: str) -> None:
    """Go on only if there is a type that the caller may write, whichever it is. Raises NotAllowed."""
    policy.forbid_while_acting(by)
    if grant not in by.grants:
        require_writer(by)


def find(*, application_id: str, organization_id: Any = None) -> Application:
    """Answer an application, of one organisation if said. Raises NotFound."""
    if "\0" in application_id:
        raise NotFound("no such application")
    found = Application.objects.select_related("organization").filter(pk=application_id)
    if organization_id is not None:
        found = found.filter(organization_id=organization_id)
    application = found.first()
    if application is None:
        raise NotFound("no such application")
    return application


def find_open(*, application_id: str) -> Application:
    """Answer an application through which strangers may ask for codes, now (clarifications 36).

    Raises CredentialInvalid, the same for unknown, closed, expired, and of a suspended organisation.
    """
    try:
        application = find(application_id=application_id)
    except NotFound as e:
        raise CredentialInvalid("no such application") from e
    is_over = application.expires_at is not None and application.expires_at <= clock.now()
    if is_over or application.organization.is_suspended or not application.allows_anonymous_registration:
        raise CredentialInvalid("the application is not open to strangers")
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


def is_secret(name: str) -> bool:
    """Say whether a text of this name is kept sealed."""
    return any(word in name.lower().replace("_", "") for word in SECRET_WORDS)


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


def _is_free(by: Principal) -> bool:
    """Operators, the console and internal services are bound to no organisation and no type (clarifications 33)."""
    return by.is_internal or by.kind in (Kind.SYSTEM, Kind.OPERATOR)


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
        # In the order of the names, here and in `_fill`: PostgreSQL keeps an object's keys in an order of its own.
        return {key: _empty(value[key], secrets, name=key) for key in sorted(value)}
    if isinstance(value, list):
        return [_empty(one, secrets, name=name) for one in value]
    if isinstance(value, str) and is_secret(name):
        secrets.append(value)
        return GAP
    return value


def _fill(value: Any, secrets: Any) -> Any:
    if value == GAP:
        return next(secrets)
    if isinstance(value, dict):
        return {key: _fill(value[key], secrets) for key in sorted(value)}
    if isinstance(value, list):
        return [_fill(one, secrets) for one in value]
    return value
