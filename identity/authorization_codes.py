"""Codes that serve once within a minute: printed for an operator or handed to a browser, redeemed at the token endpoint."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from identity import audit, clock, crypto, policy, refresh, sessions
from identity.errors import NotFound, Spent
from identity.models import AuthorizationCode, Client, Organization, Session, User
from identity.models.user import key_of
from identity.principal import Principal, Via

PURPOSE = "authorization-code"
PREFIX = "swo"
LIFETIME = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Traded:
    """What a code was traded for: a session of its person, the first refresh token, and the row with what was asked."""

    code: AuthorizationCode
    session: Session
    refresh_token: str

    def __repr__(self) -> str:
        return f"Traded({self.session.pk})"


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


def trade(
    *, code: str, client: Client, via: Via, username: str | None = None, redirect_uri: str = "", code_verifier: str = ""
) -> Traded:
    """Spend a code and open the session that it stands for, with its first refresh token.

    A browser's code that comes a second time ends what it was traded for (RFC 6749, 4.1.2); the end is committed before
    the refusal. Raises as `redeem`.
    """
    at = clock.now()
    try:
        with transaction.atomic():
            row = redeem(
                code=code, client=client, username=username, redirect_uri=redirect_uri, code_verifier=code_verifier
            )
            own = row.session
            opened = sessions.open_(
                via=via, lifetime=timedelta(seconds=settings.REFRESH_TOKEN_SECONDS), user=row.user, client=client,
                organization=row.organization, passed_second_factor_at=own.second_factor_at if own else None,
                details={"scope": row.scope} if row.scope else {},
            )  # fmt: skip
            AuthorizationCode.objects.filter(pk=row.pk).update(opened=opened.session)
            audit.record(
                "login.succeeded", via=via, actor_name=row.user.username, subject=row.user, organization=row.organization,
                session=str(opened.session.pk), client=client.pk,
            )  # fmt: skip
            return Traded(row, opened.session, refresh.begin(session=opened.session, at=at))
    except Spent:
        if redirect_uri:
            _end_what_was_opened(code, via=via)
        raise


def redeem(
    *, code: str, client: Client, username: str | None = None, redirect_uri: str = "", code_verifier: str = ""
) -> AuthorizationCode:
    """Spend a code and answer its row, with user, organization and session.

    A code is not spent by being shown by another client, for another person, from another address or without the verifier
    of its challenge (RFC 7636, 4.6). Raises NotFound for one that is unknown, foreign or expired, or whose person may not
    sign in any more; Spent for one that was used before.
    """
    at = clock.now()
    digests = crypto.digests(code, purpose=PURPOSE)
    rows = AuthorizationCode.objects.select_related("user", "organization", "session")
    row = rows.filter(digest__in=digests, client=client).first()
    if row is None or not (username is None or _is_of(row.user, username)):
        raise NotFound("no such code")
    if row.redirect_uri != redirect_uri or not _fits(row.code_challenge, code_verifier):
        raise NotFound("no such code")
    if row.organization.is_suspended or not row.user.may_sign_in(at=at) or not _is_alive(row.session, at=at):
        raise NotFound("no such code")
    # Claims first: two redemptions at once would both pass a look at `used_at`.
    if AuthorizationCode.objects.filter(pk=row.pk, used_at=None, expires_at__gt=at).update(used_at=at) != 1:
        was_never_used = row.used_at is None and row.expires_at <= at
        raise NotFound("no such code") if was_never_used else Spent("code")
    row.used_at = at
    return row


def purge(*, before: datetime, batch: int = 1000) -> int:
    """Delete codes that were over before a moment, a batch at a time; answers how many."""
    old = AuthorizationCode.objects.filter(expires_at__lt=before).values_list("pk", flat=True)[:batch]
    return AuthorizationCode.objects.filter(pk__in=list(old)).delete()[0]


def sign_in_client(organization: Organization) -> Client:
    """Answer the client through which an organisation's people sign in, the oldest if there are several. Raises NotFound."""
    clients = Client.objects.filter(organization=organization, serves_sign_in=True, deleted_at=None)
    client = clients.order_by("created_at").first()
    if client is None:
        raise NotFound("no sign-in client")
    return client


def challenge_of(code_verifier: str) -> str:
    """Answer the S256 challenge of a verifier (RFC 7636, 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()


def _fits(challenge: str, verifier: str) -> bool:
    return crypto.same(challenge_of(verifier), challenge) if challenge else not verifier


def _is_alive(session: Session | None, *, at: datetime) -> bool:
    return session is None or session.is_open(at=at)


def _end_what_was_opened(code: str, *, via: Via) -> None:
    row = AuthorizationCode.objects.filter(digest__in=crypto.digests(code, purpose=PURPOSE)).first()
    if row is not None and row.opened_id is not None:
        sessions.close(row.opened_id, reason="code reused", via=via)


def _is_of(user: User, username: str) -> bool:
    return key_of(username) in (user.username_key, user.email_key)
