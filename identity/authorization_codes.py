"""Codes that serve once within a minute: printed for an operator or handed to a browser, redeemed at the token endpoint."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from identity import audit, clock, crypto, policy
from identity.errors import NotFound, Spent
from identity.models import AuthorizationCode, Client, Organization, Session, User
from identity.models.user import key_of
from identity.principal import Principal

PURPOSE = "authorization-code"
PREFIX = "swo"
LIFETIME = timedelta(seconds=60)


@transaction.atomic
def issue(
    *, by: Principal, user: User, client: Client, organization: Organization, session: Session | None = None,
    authenticated_at: datetime | None = None, **asked: Any,
) -> str:  # fmt: skip
    """Make a code for one person at one client and answer it; it lives 60 seconds (clarifications 28).

    `session` is the browser session that it came out of, if any; `asked` are the request's own words that the redemption
    is held to: redirect_uri, code_challenge, scope, nonce. Raises NotFound when the person may not sign in or is of
    another organisation than the client.
    """
    policy.forbid_while_acting(by)
    at = clock.now()
    is_member = user.memberships.filter(organization=organization).exists()
    if client.organization_id != organization.pk or not is_member or not user.may_sign_in(at=at):
        raise NotFound("no such person")
    code = crypto.make(PREFIX)
    AuthorizationCode.objects.create(
        digest=crypto.digest(code, purpose=PURPOSE), client=client, user=user, organization=organization, session=session,
        authenticated_at=authenticated_at or at, created_at=at, expires_at=at + LIFETIME, **asked,
    )  # fmt: skip
    audit.record("token.code_issued", by=by, subject=user, organization=organization, client=client.pk)
    return code


def redeem(*, code: str, client: Client, username: str | None = None) -> AuthorizationCode:
    """Spend a code and answer its row, with user, organization and session.

    A code is not spent by being shown by another client or for another person. Raises NotFound for one that is unknown,
    foreign or expired, or whose person may not sign in any more; Spent for one that was used before.
    """
    at = clock.now()
    digests = crypto.digests(code, purpose=PURPOSE)
    rows = AuthorizationCode.objects.select_related("user", "organization", "session", "opened")
    row = rows.filter(digest__in=digests, client=client).first()
    if row is None or not (username is None or _is_of(row.user, username)):
        raise NotFound("no such code")
    if row.organization.is_suspended or not row.user.may_sign_in(at=at):
        raise NotFound("no such code")
    # Claims first: two redemptions at once would both pass a look at `used_at`.
    if AuthorizationCode.objects.filter(pk=row.pk, used_at=None, expires_at__gt=at).update(used_at=at) != 1:
        was_never_used = row.used_at is None and row.expires_at <= at
        raise NotFound("no such code") if was_never_used else Spent("code")
    row.used_at = at
    return row


def sign_in_client(organization: Organization) -> Client:
    """Answer the client through which an organisation's people sign in, the oldest if there are several. Raises NotFound."""
    clients = Client.objects.filter(organization=organization, serves_sign_in=True, deleted_at=None)
    client = clients.order_by("created_at").first()
    if client is None:
        raise NotFound("no sign-in client")
    return client


def _is_of(user: User, username: str) -> bool:
    return key_of(username) in (user.username_key, user.email_key)
