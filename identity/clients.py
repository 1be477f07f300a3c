"""Makes machines known: OAuth clients with their secrets, and API keys (clarifications 32, 33, 48)."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from identity import audit, clock, crypto, limits, policy, sessions
from identity.errors import (
    CredentialInvalid,
    CredentialRevoked,
    Invalid,
    NotAllowed,
    NotFound,
    TooManyAttempts,
    WrongCredentials,
)
from identity.limits import Rate
from identity.models import ApiKey, Client, ClientSecret, ClientUse, Organization, Session
from identity.principal import Kind, Principal, Role, Via
from identity.sessions import Opened

logger = logging.getLogger(__name__)

SECRET_PURPOSE = "client-secret"  # noqa: S105  # the word that separates digests
API_KEY_PURPOSE = "api-key"
# Days that calls of internal services are remembered: no organisation says how long.
KEPT_OF_INTERNALS = 90
LONGEST_GRACE = timedelta(days=7)
LONGEST_ADDRESS = 2000
THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_PRINTED = re.compile(r"[!-~]+")


# What proving a client needs to know: the organisation's many settings would cost more than the look-up.
_OF_A_SECRET = (
    "last_used_at", "client__organization", "client__roles", "client__is_internal", "client__serves_sign_in",
    "client__requests_per_minute", "client__deleted_at", "client__organization__name", "client__organization__suspended_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Made:
    """A client or API key with its secret, told once."""

    row: Any
    secret: str

    def __repr__(self) -> str:
        return f"Made({self.row.pk})"


@transaction.atomic
def create(
    *,
    by: Principal,
    organization: Organization | None,
    description: str = "",
    roles: Sequence[str] = (),
    redirect_uris: Sequence[str] = (),
    is_internal: bool = False,
    serves_sign_in: bool = False,
    requests_per_minute: int | None = None,
) -> Made:
    """Make a client; no roles = it may do nothing. Raises NotAllowed, Invalid naming `roles` or `redirect_uris`."""
    _may_manage(by, organization)
    check_roles(roles, by=by)
    _check_redirects(redirect_uris)
    if is_internal and not (by.is_system or by.is_operator):
        raise NotAllowed("internal")
    client = Client.objects.create(
        id=str(uuid.uuid4()), organization=organization, description=description[:500], roles=list(dict.fromkeys(roles)),
        redirect_uris=list(redirect_uris), is_internal=is_internal, serves_sign_in=serves_sign_in, created_by_id=by.user_id,
        requests_per_minute=requests_per_minute or None,
    )  # fmt: skip
    secret = _new_secret(client)
    audit.record("client.created", by=by, subject=client.pk, organization=organization, roles=client.roles)
    return Made(client, secret)


@transaction.atomic
def change(
    *,
    by: Principal,
    client: Client,
    description: str | None = None,
    roles: Sequence[str] | None = None,
    redirect_uris: Sequence[str] | None = None,
    requests_per_minute: int | None = None,
) -> Client:
    """Change what is said; what is None stays, and a limit of 0 is none. Raises NotAllowed, Invalid."""
    _may_manage(by, client.organization)
    said: dict[str, Any] = {}
    if roles is not None:
        check_roles(roles, by=by)
        client.roles = list(dict.fromkeys(roles))
    if description is not None:
        client.description = description[:500]
    if redirect_uris is not None:
        _check_redirects(redirect_uris)
        client.redirect_uris = said["redirect_uris"] = list(redirect_uris)
    if requests_per_minute is not None:
        client.requests_per_minute = said["requests_per_minute"] = requests_per_minute or None
    client.save(update_fields=["roles", "description", *said])
    audit.record(
        "client.changed", by=by, subject=client.pk, organization=client.organization, roles=client.roles, **said
    )
    return client


@transaction.atomic
def delete(*, by: Principal, client: Client) -> None:
    """Delete a client; its tokens die at the next request."""
    _may_manage(by, client.organization)
    at = clock.now()
    if Client.objects.filter(pk=client.pk, deleted_at=None).update(deleted_at=at) != 1:
        raise NotFound("no such client")
    ClientSecret.objects.filter(client=client).delete()
    Session.objects.filter(client=client, ended_at=None).update(ended_at=at, end_reason="client deleted")
    audit.record("client.deleted", by=by, subject=client.pk, organization=client.organization)


@transaction.atomic
def rotate(*, by: Principal, client: Client, grace: timedelta = timedelta(0)) -> Made:
    """Make a new secret; the old ones end now, or after a grace of at most seven days. Raises Invalid naming `graceSeconds`."""
    _may_manage(by, client.organization)
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise Invalid("grace", fields={"grace": [_("Between 0 and 604800 seconds.")]})
    # Rotations of one client wait for each other: two at once would leave three live secrets.
    Client.objects.select_for_update().get(pk=client.pk)
    old = ClientSecret.objects.filter(client=client)
    kept = list(old.order_by("-created_at").values_list("pk", flat=True)[: 1 if grace else 0])
    old.exclude(pk__in=kept).delete()
    if grace:
        ends = clock.now() + grace
        old.filter(Q(expires_at=None) | Q(expires_at__gt=ends)).update(expires_at=ends)
    secret = _new_secret(client)
    audit.record(
        "client.rotated",
        by=by,
        subject=client.pk,
        organization=client.organization,
        grace_seconds=int(grace.total_seconds()),
    )
    return Made(client, secret)


def find(*, client_id: str, organization_id: Any) -> Client:
    """Answer a live client of an organisation. Raises NotFound."""
    client = None if "\0" in client_id else of_organization(organization_id).filter(pk=client_id).first()
    if client is None:
        raise NotFound("no such client")
    return client


def by_id(*, client_id: str) -> Client:
    """Answer a live client of an organisation that is not suspended, whoever asks. Raises NotFound."""
    found = Client.objects.select_related("organization").filter(pk=client_id, deleted_at=None)
    # A NUL cannot even be asked for: PostgreSQL refuses the question.
    client = None if "\0" in client_id else found.exclude(organization=None).first()
    if client is None or (client.organization and client.organization.is_suspended):
        raise NotFound("no such client")
    return client


def of_organization(organization_id: Any) -> QuerySet[Client]:
    """Answer the live clients of an organisation, oldest first."""
    return (
        Client.objects.select_related("organization")
        .filter(organization_id=organization_id, deleted_at=None)
        .order_by("created_at")
    )


def authenticate(*, client_id: str, secret: str, via: Via) -> Client:
    """Prove a client by its secret: one fast digest, one query. Raises WrongCredentials."""
    at = clock.now()
    digests = crypto.digests(secret, purpose=SECRET_PURPOSE)
    found = (
        ClientSecret.objects.select_related("client__organization")
        .only(*_OF_A_SECRET)
        .filter(
            Q(expires_at=None) | Q(expires_at__gt=at),
            digest__in=digests,
            client_id=client_id,
            client__deleted_at=None,
        )
        .first()
    )
    organization = found.client.organization if found else None
    if found is None or (organization is not None and organization.is_suspended):
        raise WrongCredentials("wrong client")
    if found.last_used_at is None or at - found.last_used_at > timedelta(minutes=1):
        ClientSecret.objects.filter(pk=found.pk).update(last_used_at=at)
    return found.client


def admit(*, client: Client, at: datetime) -> None:
    """Count a request of a client against its own limit, if it has one. Raises TooManyAttempts."""
    if client.requests_per_minute is None:
        return
    rate = Rate(client.requests_per_minute, timedelta(minutes=1))
    counted = limits.charge(limits.key_for("client", client.pk), rate, at=at)
    if not counted.is_within:
        raise TooManyAttempts(retry_after=counted.until - at)


def note_use(*, client_id: str, endpoint: str, status: int, address: str) -> None:
    """Remember one call of a client; `endpoint` is the route with its placeholders, never an address with an id in it.

    Comes after the deed: when the trace cannot be written, the log says so and the answer goes out all the same.
    """
    try:
        with transaction.atomic():
            ClientUse.objects.create(client_id=client_id, endpoint=endpoint[:200], status=status, address=address[:45])
    except DatabaseError:
        logger.warning("the trace of a client's call is lost", extra={"endpoint": endpoint, "status": status})


def purge_uses(*, batch: int = 1000) -> int:
    """Delete what was remembered longer than each organisation wants, a batch at a time; answers how many."""
    at = clock.now()
    wished = set(Organization.objects.values_list("usage_retention_days", flat=True))
    over = Q(client__organization=None, at__lt=at - timedelta(days=KEPT_OF_INTERNALS))
    for days in wished:
        over |= Q(client__organization__usage_retention_days=days, at__lt=at - timedelta(days=days))
    old = list(ClientUse.objects.filter(over).values_list("pk", flat=True)[:batch])
    return ClientUse.objects.filter(pk__in=old).delete()[0]


def open_session(*, client: Client, via: Via) -> Opened:
    """Open the session behind one token of a client."""
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
    return sessions.open_(via=via, lifetime=lifetime, client=client, organization=client.organization)


@transaction.atomic
def create_api_key(*, by: Principal, organization: Organization, name: str) -> Made:
    """Make an API key of an organisation. Raises NotAllowed."""
    policy.forbid_while_acting(by)
    if not by.is_system:
        policy.require(by, policy.Permission.API_KEYS_MANAGE)
        if by.organization_id is not None and by.organization_id != organization.pk:
            raise NotFound("no such organisation")
    secret = crypto.make("swk")
    key = ApiKey.objects.create(
        organization=organization, name=name[:100], digest=crypto.digest(secret, purpose=API_KEY_PURPOSE), hint=secret[:8], created_by_id=by.user_id
    )  # fmt: skip
    audit.record("api_key.created", by=by, subject=key.name, organization=organization)
    return Made(key, secret)


@transaction.atomic
def revoke_api_key(*, by: Principal, key: ApiKey) -> None:
    """End an API key at the next request. Raises NotAllowed."""
    policy.forbid_while_acting(by)
    if not by.is_system:
        policy.require(by, policy.Permission.API_KEYS_MANAGE)
        if by.organization_id is not None and by.organization_id != key.organization_id:
            raise NotFound("no such key")
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=clock.now())
    audit.record("api_key.revoked", by=by, subject=key.name, organization=key.organization)


def by_api_key(secret: str, *, via: Via) -> Principal:
    """Prove a caller by an API key, in one query: it acts as an Admin of its organisation, under its own name.

    Raises CredentialInvalid, CredentialRevoked.
    """
    digests = crypto.digests(secret, purpose=API_KEY_PURPOSE)
    key = ApiKey.objects.select_related("organization").filter(digest__in=digests).first()
    if key is None:
        raise CredentialInvalid("no such key")
    if key.revoked_at is not None or key.organization.is_suspended:
        raise CredentialRevoked("the key was revoked")
    at = clock.now()
    if key.last_used_at is None or at - key.last_used_at > timedelta(minutes=1):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=at)
    roles = frozenset({Role.ADMIN})
    return Principal(
        kind=Kind.API_KEY, id=str(key.pk), name=key.name, via=via, organization_id=key.organization_id,
        organization_name=key.organization.name, roles=roles, permissions=policy.permissions_of(roles),
    )  # fmt: skip


def check_roles(roles: Sequence[str], *, by: Principal) -> None:
    """Go on only with roles that exist, and that the creator may give: an Admin all four (clarifications 32)."""
    known = {role.value for role in Role}
    if not set(roles) <= known:
        raise Invalid("roles", fields={"roles": [_("Known are: %s") % ", ".join(sorted(known))]})


def _check_redirects(addresses: Sequence[str]) -> None:
    """Go on only with addresses that a code may be sent to: https, this machine, or an app's own scheme (RFC 8252, 7)."""
    for address in addresses:
        if not _may_carry_a_code(address):
            raise Invalid(
                "redirect_uris",
                fields={"redirect_uris": [_("No address that a code may be sent to: %s") % address[:200]]},
            )


def _may_carry_a_code(address: str) -> bool:
    # What a browser would run (javascript:, data:) has no dot in its scheme; a fragment is forbidden by RFC 6749, 3.1.2.
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if "#" in address or len(address) > LONGEST_ADDRESS or not _PRINTED.fullmatch(address):
        return False
    if parts.scheme == "http":
        return parts.hostname in THIS_MACHINE or address.startswith(f"{settings.PUBLIC_URL}/")
    if parts.scheme == "https":
        return bool(parts.hostname)
    return "." in parts.scheme


def _new_secret(client: Client) -> str:
    secret = crypto.make("sws")
    ClientSecret.objects.create(client=client, digest=crypto.digest(secret, purpose=SECRET_PURPOSE), hint=secret[:8])
    return secret


def require_manager(by: Principal) -> None:
    """Go on only if the caller may manage clients at all. Raises NotAllowed."""
    policy.forbid_while_acting(by)
    if by.kind not in (Kind.SYSTEM, Kind.OPERATOR):
        policy.require(by, policy.Permission.CLIENTS_MANAGE)


def _may_manage(by: Principal, organization: Organization | None) -> None:
    require_manager(by)
    if by.kind in (Kind.SYSTEM, Kind.OPERATOR):
        return
    if organization is None or by.organization_id != organization.pk:
        raise NotFound("no such client")
