"""Refresh tokens: opaque, rotated at every use, one family per session; a reused one ends its family (RFC 6749, 6 and 10.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from identity import audit, clock, crypto, sessions
from identity.errors import CredentialExpired, CredentialInvalid, CredentialRevoked
from identity.models import RefreshToken, Session
from identity.principal import Via

PURPOSE = "refresh-token"
PREFIX = "swr"
_ROWS = ("session__user", "session__client", "session__organization", "session__effective_organization")


@dataclass(frozen=True, slots=True)
class Rotated:
    """The session that a refresh token belongs to, and the token that follows it, told once."""

    session: Session
    secret: str

    def __repr__(self) -> str:
        return f"Rotated({self.session.pk})"


def begin(*, session: Session, at: datetime) -> str:
    """Make a refresh token of a session and answer it. It dies with the session: rotation never makes a session longer."""
    secret = crypto.make(PREFIX)
    digest = crypto.digest(secret, purpose=PURPOSE)
    RefreshToken.objects.create(session=session, digest=digest, created_at=at, expires_at=session.expires_at)
    return secret


def rotate(*, secret: str, client_id: str | None, via: Via) -> Rotated:
    """Spend a refresh token and answer the next one of its family.

    `client_id` is the client that asks, None for the public one; another's token is not spent. A token that was spent
    before ends the family with all its access tokens: it was stolen, or the thief's was used first. The end is committed
    before the refusal. Raises CredentialInvalid (unknown, another client's), CredentialExpired, CredentialRevoked.
    """
    at = clock.now()
    row = _find(secret)
    if row is None or row.session.client_id != client_id:
        raise CredentialInvalid("no such refresh token")
    sessions.principal_of(row.session, via=via, at=at)
    if row.used_at is None:
        with transaction.atomic():
            # Claims first: two uses at once would both pass a look at `used_at`.
            if RefreshToken.objects.filter(pk=row.pk, used_at=None).update(used_at=at) == 1:
                return Rotated(row.session, begin(session=row.session, at=at))
    _end_family(row.session, via=via)
    raise CredentialRevoked("the refresh token was used before")


def revoke(*, session: Session, via: Via) -> None:
    """End what stands behind a token, access and refresh alike (RFC 7009, 2.1); a login-as ends with its token."""
    with transaction.atomic():
        if session.login_as_id is not None:
            was_open = sessions.end_login_as(session.login_as_id, at=clock.now(), reason="revoked")
        else:
            was_open = sessions.close(session.pk, reason="revoked", via=via)
        if was_open:
            subject = session.user or session.holder or session.client_id
            audit.record(
                "token.revoked", via=via, subject=subject, organization=session.organization, session=str(session.pk)
            )


def session_of(secret: str) -> Session:
    """Answer the session of a refresh token that may still be used. Raises CredentialInvalid, Expired, Revoked."""
    row = _find(secret)
    if row is None:
        raise CredentialInvalid("no such refresh token")
    if row.used_at is not None or row.session.ended_at is not None:
        raise CredentialRevoked("the refresh token was used or ended")
    if row.expires_at <= clock.now():
        raise CredentialExpired("the refresh token is over")
    return row.session


def _find(secret: str) -> RefreshToken | None:
    digests = crypto.digests(secret, purpose=PURPOSE)
    return RefreshToken.objects.select_related(*_ROWS).filter(digest__in=digests).first()


def _end_family(session: Session, *, via: Via) -> None:
    if not Session.objects.filter(pk=session.pk, ended_at=None).exists():
        return  # somebody else was faster; a flood of the same token must not queue for the same lock
    with transaction.atomic():
        if sessions.close(session.pk, reason="token reused", via=via):
            subject = session.user or session.holder or session.client_id
            audit.record(
                "token.reused", via=via, subject=subject, organization=session.organization, session=str(session.pk)
            )
