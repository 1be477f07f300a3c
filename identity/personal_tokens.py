"""Personal tokens: signed, bound to one person and one domain, listed and revoked one by one (dialects.md 2.1)."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from identity import audit, clock, policy, sessions, tokens
from identity.errors import CredentialInvalid, Invalid, NotFound
from identity.models import Session, User
from identity.principal import Principal, Via
from identity.tokens import Issued

DOOR = "personal-token"
LIFETIME = timedelta(days=90)
LONGEST = timedelta(days=365)
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")


def audience(domain: str) -> str:
    """Answer the `aud` claim of a domain's tokens."""
    return f"ping:{domain}"


@transaction.atomic
def create(*, by: Principal, user: User, domain: str, label: str, lifetime: timedelta = LIFETIME) -> Issued:
    """Make a personal token, told once: one's own, or from the console. Raises Invalid (domain, label, lifetime), NotFound."""
    policy.forbid_while_acting(by)
    if not by.is_system and by.user_id != user.pk:
        raise NotFound("no such person")
    wrong: dict[str, list[str]] = {}
    domain = domain.strip().lower()
    if not DOMAIN.match(domain):
        wrong["domain"] = [_("A domain looks like desk.example.com.")]
    if not label.strip():
        wrong["label"] = [_("Say what the token is for.")]
    if not timedelta(0) < lifetime <= LONGEST:
        wrong["lifetime"] = [_("A token lives 365 days at most.")]
    if wrong:
        raise Invalid(", ".join(wrong), fields=wrong)
    at = clock.now()
    organization = user.default_organization
    opened = sessions.open_(
        via=Via(door=DOOR, address=by.via.address, user_agent=by.via.user_agent), lifetime=lifetime, user=user, organization=organization,
        is_personal_token=True, label=label.strip()[:100], details={"domain": domain},
    )  # fmt: skip
    audit.record(
        "token.created", by=by, subject=user, organization=organization, label=opened.session.label, domain=domain
    )
    return tokens.issue(
        session=opened.session,
        audience=audience(domain),
        subject=str(user.pk),
        expires_at=opened.session.expires_at,
        at=at,
        domain=domain,
    )


def authenticate(token: str, *, origin: str | None, via: Via) -> Principal:
    """Prove a caller by a personal token, and remember the use. Two queries.

    `origin` is the Origin header of a browser's page, None where there is none: its host is the token's domain, or lies below
    it. Raises CredentialInvalid, CredentialExpired, CredentialRevoked.
    """
    said = tokens.audience_said(token)
    domain = said.removeprefix(audience(""))
    if not said.startswith(audience("")) or (origin is not None and not _is_within(origin, domain)):
        raise CredentialInvalid("not for here")
    principal, _claims = sessions.by_token(token, audience=said, via=via)
    sessions.touch(principal.session, at=clock.now())
    return principal


def of_user(user: User) -> QuerySet[Session]:
    """Answer a person's live personal tokens, newest first."""
    return Session.objects.filter(
        user=user, is_personal_token=True, ended_at=None, expires_at__gt=clock.now()
    ).order_by("-created_at")


def of_person(*, by: Principal, session_id: UUID) -> Session:
    """Answer one of the caller's own personal tokens. Raises NotFound."""
    session = Session.objects.filter(pk=session_id, user_id=by.user_id, is_personal_token=True, ended_at=None).first()
    if session is None:
        raise NotFound("no such token")
    return session


def revoke(*, by: Principal, session: Session) -> bool:
    """End a personal token: one's own, or another's by an admin of the organisation. Raises NotAllowed, NotFound."""
    policy.forbid_while_acting(by)
    if not by.is_system and by.user_id != session.user_id:
        policy.require(by, policy.Permission.SESSIONS_MANAGE)
        if by.organization_id is not None and by.organization_id != session.organization_id:
            raise NotFound("no such token")
    ended = sessions.close(session.pk, reason="revoked", by=by)
    if ended:
        audit.record(
            "token.revoked", by=by, subject=session.user, organization=session.organization, label=session.label
        )
    return ended


def _is_within(origin: str, domain: str) -> bool:
    """Say whether a page's host is a domain or below it; `null`, and what is no host name, is not."""
    try:
        host = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return bool(DOMAIN.match(host)) and (host == domain or host.endswith(f".{domain}"))
