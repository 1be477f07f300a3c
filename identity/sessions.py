"""Opens, finds, touches and closes sessions, and says who stands behind one (operating.md 6.1, house.md 2)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Q, QuerySet

from identity import audit, clock, crypto, policy, tokens
from identity.errors import CredentialExpired, CredentialInvalid, CredentialRevoked, NotFound
from identity.models import (
    AuthorizationCode,
    Client,
    LoginAs,
    Membership,
    Organization,
    PasswordReset,
    Session,
    SigningKey,
    User,
)
from identity.principal import Acting, Kind, Principal, Role, Via

PURPOSE = "session"
_RELATED = ("user", "client", "organization", "effective_organization", "login_as__actor_session")
# Of organisations only what a request asks; a session's row is read at every one, and columns cost more than rows.
_OF_ORGANIZATION = (
    "name", "title", "domain", "suspended_at", "login_as_roles", "requires_second_factor", "second_factor_exemptions", "ping_mechanisms",
    "cors_origins", "link_bases", "ticket_length", "tickets_are_single_use",
)  # fmt: skip
_OF_ACTOR_SESSION = ("door", "digest", "ended_at", "expires_at", "idle_seconds", "last_seen_at", "user")


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session and its secret, which is told once and kept as a digest only."""

    session: Session
    secret: str

    def __repr__(self) -> str:
        return f"Opened({self.session.pk})"


def open_(
    *,
    via: Via,
    lifetime: timedelta,
    user: User | None = None,
    client: Client | None = None,
    holder: str = "",
    organization: Organization | None = None,
    idle: timedelta | None = None,
    login_as: LoginAs | None = None,
    effective_organization: Organization | None = None,
    cloned_from: Session | None = None,
    passed_second_factor_at: datetime | None = None,
    is_personal_token: bool = False,
    label: str = "",
    details: dict[str, Any] | None = None,
    secret_prefix: str = "",
    expires_at: datetime | None = None,
) -> Opened:
    """Open a session and answer it with its secret.

    It ends `lifetime` from now (or at `expires_at`), and earlier if nobody uses it for `idle`. Doors that hand out signed
    tokens leave the secret unused.
    """
    at = clock.now()
    secret = crypto.make(secret_prefix)
    session = Session(
        door=via.door, digest=crypto.digest(secret, purpose=PURPOSE), user=user, client=client, holder=holder[:200],
        organization=organization, effective_organization=effective_organization, login_as=login_as, cloned_from=cloned_from,
        is_personal_token=is_personal_token, label=label, details=details or {}, address=via.address, user_agent=via.user_agent[:300], created_at=at,
        last_seen_at=at, expires_at=expires_at or at + lifetime,
        idle_seconds=None if idle is None else int(idle.total_seconds()), second_factor_at=passed_second_factor_at,
    )  # fmt: skip
    session.save(force_insert=True)
    return Opened(session, secret)


def by_secret(secret: str, *, doors: tuple[str, ...], via: Via) -> Principal:
    """Prove a caller by an opaque secret that one of these doors handed out.

    Two queries, acting included. Raises CredentialInvalid, CredentialExpired or CredentialRevoked.
    """
    digests = crypto.digests(secret, purpose=PURPOSE)
    session = _first(_row().filter(digest__in=digests, door__in=doors))
    if session is None:
        raise CredentialInvalid("no such session")
    return principal_of(session, via=via, at=clock.now())


def by_token(token: str, *, audience: str, via: Via) -> tuple[Principal, dict[str, Any]]:
    """Prove a caller by a signed token and answer the principal with the token's claims.

    Two queries, acting included. Raises CredentialInvalid, CredentialExpired or CredentialRevoked.
    """
    claims, kid = tokens.read_with_key(token, audience=audience)
    key = SigningKey.objects.filter(pk=kid)
    session = _first(_row().annotate(has_key=Exists(key)).filter(pk=UUID(claims["sid"])))
    if session is None or not getattr(session, "has_key", False):
        raise CredentialRevoked("its session or its signing key is gone")
    expires_at = datetime.fromtimestamp(claims["exp"], tz=session.created_at.tzinfo)
    return principal_of(session, via=via, at=clock.now(), expires_at=expires_at), claims


def by_handle(handle: str, *, doors: tuple[str, ...]) -> Session | None:
    """Answer the session of a public id, in its one spelling, or of a secret, if one of these doors opened it; open or not."""
    try:
        is_id = str(UUID(handle)) == handle
    except ValueError:
        is_id = False
    where = Q(pk=handle) if is_id else Q(digest__in=crypto.digests(handle, purpose=PURPOSE))
    return _first(_row().filter(where, door__in=doors))


def principal_of(session: Session, *, via: Via, at: datetime, expires_at: datetime | None = None) -> Principal:
    """Answer who stands behind a session, asking at every request whether they still may.

    A login-as whose policy no longer holds, or whose time is over, is ended for good here (clarifications 19). Raises
    CredentialExpired or CredentialRevoked.
    """
    if session.ended_at is not None:
        raise CredentialRevoked("the session was ended")
    if session.is_expired(at=at):
        raise CredentialExpired("the session is over")
    dies_at = min(filter(None, (session.expires_at, expires_at)))
    if session.user is not None:
        return _person(session, session.user, via=via, at=at, dies_at=dies_at)
    if session.client is not None:
        return _client(session, session.client, via=via, dies_at=dies_at)
    _require_open(session.organization)
    return Principal(
        kind=Kind.CUSTOMER, id=session.holder, name=session.holder, via=via, organization_id=session.organization_id,
        organization_name=session.organization.name if session.organization else "", session_id=session.pk, session=session,
        permissions=frozenset({policy.Permission.TICKET_OWN}), expires_at=dies_at,
    )  # fmt: skip


def person_of(principal: Principal) -> User:
    """Answer the person that a principal is, as read with its session: while somebody acts, the one that is worked as.

    Raises NotFound for clients and customers.
    """
    session: Session = principal.session
    person = session.login_as.subject if principal.acting and session.login_as else session.user
    if person is None:
        raise NotFound("no person stands behind this credential")
    return person


def touch(session: Session, *, at: datetime, always: bool = False) -> None:
    """Remember that a session was used, when what is remembered is stale (clarifications 55)."""
    if always or session.needs_touch(at=at):
        Session.objects.filter(pk=session.pk, ended_at=None).update(last_seen_at=at)
        session.last_seen_at = at
        if session.user_id is not None and session.login_as_id is None:
            User.objects.filter(pk=session.user_id).update(last_seen_at=at)


def behind(*, by: Principal, doors: tuple[str, ...]) -> list[Session]:
    """Answer the open sessions of these doors that a person has in the caller's organisation, newest first."""
    at = clock.now()
    found = Session.objects.filter(
        user_id=by.user_id, organization_id=by.organization_id, door__in=doors, ended_at=None, expires_at__gt=at
    )
    found = found.select_related("user").order_by("-created_at", "pk")
    return [session for session in found if session.is_open(at=at)]


def keep_alive(found: Sequence[Session], *, idle: timedelta) -> None:
    """Let sessions idle for `idle` from now on, however long they could before; for doors that say that they are alive."""
    at = clock.now()
    Session.objects.filter(pk__in=[session.pk for session in found], ended_at=None).update(
        last_seen_at=at, idle_seconds=int(idle.total_seconds())
    )
    stale = {session.user.pk for session in found if session.user is not None and session.user.needs_touch(at=at)}
    if stale:
        User.objects.filter(pk__in=stale).update(last_seen_at=at)


def note(session: Session, **details: Any) -> None:
    """Write down more about an open session, in words of its door."""
    session.details = session.details | details
    Session.objects.filter(pk=session.pk, ended_at=None).update(details=session.details)


def close(session_id: UUID, *, reason: str, by: Principal | None = None, via: Via | None = None) -> bool:
    """End one session, and the login-as that runs in it or out of it; answers whether it was open."""
    at = clock.now()
    with transaction.atomic():
        _lock(Q(sessions=session_id))
        ended = Session.objects.filter(pk=session_id, ended_at=None).update(ended_at=at, end_reason=reason[:40])
        if ended:
            _end_logins(Q(actor_session_id=session_id), at=at, reason=reason)
            session = Session.objects.select_related("user", "organization").get(pk=session_id)
            audit.record(
                "session.ended", by=by, via=via, subject=session.user or session.holder or str(session.pk),
                organization=session.organization, session=str(session_id), reason=reason, session_door=session.door,
            )  # fmt: skip
    return bool(ended)


def close_own(*, by: Principal, session_id: UUID) -> bool:
    """End one of one's own sessions; answers whether it was open. Raises NotFound, NotAllowedWhileActing (clarifications 12)."""
    policy.forbid_while_acting(by)
    if not Session.objects.filter(pk=session_id, user_id=by.user_id, ended_at=None, is_personal_token=False).exists():
        raise NotFound("no such session")
    return close(session_id, reason="owner", by=by)


def close_others(*, by: Principal, user: User) -> int:
    """End all of one's own sessions but the one that asks; answers how many. Raises NotFound, NotAllowedWhileActing."""
    policy.forbid_while_acting(by)
    if by.user_id != user.pk:
        raise NotFound("no such person")
    return close_all(user=user, reason="owner", by=by, but=by.session_id)


def close_all(
    *,
    user: User,
    reason: str,
    by: Principal | None = None,
    via: Via | None = None,
    but: Any = None,
    with_personal_tokens: bool = False,
    organization: Organization | None = None,
    doors: tuple[str, ...] = (),
) -> int:
    """End a person's sessions behind every door, or behind these, but one if said; answers how many were ended.

    Personal tokens outlive a password change but not a reset (dialects.md 0.4).
    """
    at = clock.now()
    found = Session.objects.filter(user=user, ended_at=None, expires_at__gt=at).exclude(pk=but)
    if organization is not None:
        found = found.filter(organization=organization)
    if doors:
        found = found.filter(door__in=doors)
    if not with_personal_tokens:
        found = found.filter(is_personal_token=False)
    with transaction.atomic():
        _lock(Q(pk=user.pk))
        ids = list(found.values_list("pk", flat=True))
        ended = Session.objects.filter(pk__in=ids, ended_at=None).update(ended_at=at, end_reason=reason[:40])
        _end_logins(Q(actor_session_id__in=ids), at=at, reason=reason)
        if ended:
            audit.record(
                "session.ended", by=by, via=via, subject=user, organization=organization, reason=reason, sessions=ended
            )
    return ended


def close_those(which: Any, *, reason: str, by: Principal, subject: str, organization: Organization) -> int:
    """End the open ones of some sessions of people, given by their ids or a query for them; answers how many were ended.

    The record tells of `subject`, which is what they have in common.
    """
    at = clock.now()
    with transaction.atomic():
        _lock(Q(pk__in=Session.objects.filter(pk__in=which).values("user")))
        ids = list(Session.objects.filter(pk__in=which, ended_at=None).values_list("pk", flat=True))
        ended = Session.objects.filter(pk__in=ids, ended_at=None).update(ended_at=at, end_reason=reason[:40])
        _end_logins(Q(actor_session_id__in=ids), at=at, reason=reason)
        if ended:
            audit.record(
                "session.ended", by=by, subject=subject, organization=organization, reason=reason, sessions=ended
            )
    return ended


def close_as_manager(*, by: Principal, session: Session) -> bool:
    """End anybody's session, as an admin of its organisation or an operator; answers whether it was open.

    Raises NotAllowed, NotAllowedWhileActing, NotFound.
    """
    policy.forbid_while_acting(by)
    policy.require(by, policy.Permission.SESSIONS_MANAGE)
    if by.organization_id is not None and by.organization_id != session.organization_id:
        raise NotFound("no such session")
    return close(session.pk, reason="ended", by=by)


def close_all_as_manager(*, by: Principal, user: User) -> int:
    """End a person's sessions behind every door: those in the admin's organisation, or all by an operator.

    Answers how many were ended. Raises NotAllowed, NotAllowedWhileActing, NotFound.
    """
    policy.forbid_while_acting(by)
    policy.require(by, policy.Permission.SESSIONS_MANAGE)
    if by.organization_id is None:
        return close_all(user=user, reason="ended", by=by)
    organization = Organization.objects.filter(pk=by.organization_id, memberships__user=user).first()
    if organization is None:
        raise NotFound("no such person")
    return close_all(user=user, reason="ended", by=by, organization=organization)


def close_everything(*, by: Principal, organization: Organization | None = None) -> int:
    """End every session of the portal or of one organisation, personal tokens too; answers how many (security.md P17).

    Codes and password resets that could open a new one are void as well. For the console only.
    """
    at = clock.now()
    of_it = Q() if organization is None else Q(organization=organization)
    running = of_it if organization is None else of_it | Q(effective_organization=organization)
    of_its_people = Q() if organization is None else Q(user__memberships__organization=organization)
    resets = PasswordReset.objects.filter(of_its_people, used_at=None, superseded_at=None).values("pk")
    with transaction.atomic():
        _end_logins(of_it, at=at, reason="everything")
        AuthorizationCode.objects.filter(of_it, used_at=None).update(used_at=at)
        PasswordReset.objects.filter(pk__in=resets).update(superseded_at=at)
        ended = Session.objects.filter(running, ended_at=None).update(ended_at=at, end_reason="everything")
        audit.record("session.ended", by=by, organization=organization, reason="everything", sessions=ended)
    return ended


def live(
    *, organization: Organization | None = None, user: User | None = None, at: datetime | None = None
) -> QuerySet[Session]:
    """Answer the open sessions of an organisation or a person, newest first; idle ones are left out by the caller's `is_open`."""
    found = Session.objects.filter(ended_at=None, expires_at__gt=at or clock.now()).select_related(
        "user", "client", "login_as__subject"
    )
    if organization is not None:
        found = found.filter(organization=organization)
    if user is not None:
        found = found.filter(user=user)
    return found.order_by("-created_at")


def find(session_id: UUID, *, organization_id: Any) -> Session:
    """Answer a session of an organisation. Raises NotFound."""
    session = _first(_row().filter(pk=session_id, organization_id=organization_id))
    if session is None:
        raise NotFound("no such session")
    return session


def end_login_as(login_as_id: UUID, *, at: datetime, reason: str) -> bool:
    """End a login-as for good, with every session that carries it; answers whether it was running."""
    with transaction.atomic():
        return bool(_end_logins(Q(pk=login_as_id), at=at, reason=reason))


def _end_logins(which: Q, *, at: datetime, reason: str) -> int:
    """Also ends the sessions that a login-as runs in: they never fall back to the actor's own power (clarifications 14)."""
    running = list(LoginAs.objects.filter(which, ended_at=None).select_related("actor", "subject", "organization"))
    _lock(Q(pk__in=[one.actor_id for one in running]))
    ended = 0
    for one in running:
        if LoginAs.objects.filter(pk=one.pk, ended_at=None).update(ended_at=at, end_reason=reason[:40]):
            ended += 1
            audit.record(
                "login_as.ended", via=Via(door=one.door), actor_name=one.actor.username, subject=one.subject,
                organization=one.organization, reason=reason, login_as=str(one.pk),
            )  # fmt: skip
    Session.objects.filter(login_as__in=[one.pk for one in running], ended_at=None).update(
        ended_at=at, end_reason=reason[:40]
    )
    return ended


def _lock(whose: Q) -> None:
    """Let nobody else change which sessions a real person has, until the transaction ends.

    One lock a person, before any row of a session: an end that locked the sessions themselves would miss a clone that is just
    being made, or meet its own kind the other way round.
    """
    people = User.objects.select_for_update(of=("self",), no_key=True).filter(whose).order_by("pk")
    list(people.values_list("pk", flat=True))


@functools.cache
def _row() -> QuerySet[Session]:
    """The query behind every request: made once, unordered (ordering by six models' wishes cost half of it)."""
    whole = [f.attname for f in Session._meta.concrete_fields]
    people = [f"user__{f.attname}" for f in User._meta.concrete_fields]
    machines = [f"client__{f.attname}" for f in Client._meta.concrete_fields]
    places = [f"{place}__{name}" for place in ("organization", "effective_organization") for name in _OF_ORGANIZATION]
    acting = [f"login_as__{f.attname}" for f in LoginAs._meta.concrete_fields]
    own = [f"login_as__actor_session__{name}" for name in _OF_ACTOR_SESSION]
    fields = [*whole, *people, *machines, *places, *acting, *own]
    return Session.objects.order_by().select_related(*_RELATED).only(*fields)


def _first(found: QuerySet[Session]) -> Session | None:
    """`first()` would order by the primary key; at most one row fits."""
    return next(iter(found[:1]), None)


def _memberships(session: Session) -> dict[int, Membership]:
    """Answer the memberships of the real person and of whom he works as, with that person's row."""
    organization: Any = session.effective_organization_id or session.organization_id
    found = Membership.objects.order_by().filter(organization_id=organization)
    if session.login_as is None:
        return {m.user_id: m for m in found.filter(user=session.user)}
    people: list[Any] = [session.user_id, session.login_as.subject_id]
    held = {m.user_id: m for m in found.filter(user_id__in=people).select_related("user")}
    if session.login_as.subject_id in held:
        session.login_as.subject = held[session.login_as.subject_id].user
    return held


def _person(session: Session, user: User, *, via: Via, at: datetime, dies_at: datetime) -> Principal:
    if not user.may_sign_in(at=at):
        raise CredentialRevoked("the account may not sign in")
    organization = session.effective_organization or session.organization
    if organization is None:
        return _operator(session, user, via=via, dies_at=dies_at)
    _require_open(organization)
    memberships = _memberships(session)
    mine = memberships.get(user.pk)
    if mine is None:
        raise CredentialRevoked("no longer a member of the organisation")
    acting, who, membership = None, user, mine
    if session.login_as is not None:
        acting = _acting(session, session.login_as, user, mine, memberships, organization, at=at)
        who, membership = session.login_as.subject, memberships[session.login_as.subject_id]
        dies_at = min(dies_at, acting.deadline_at)
    roles = frozenset(membership.roles)
    return Principal(
        kind=Kind.PERSON, id=str(who.pk), name=who.username, via=via, user_id=who.pk, organization_id=organization.pk,
        organization_name=organization.name, roles=roles, permissions=policy.permissions_of(roles),
        grants=frozenset(membership.grants), session_id=session.pk, session=session, expires_at=dies_at,
        passed_second_factor=session.second_factor_at is not None, has_second_factor=user.has_second_factor, acting=acting,
    )  # fmt: skip


def _acting(
    session: Session, login_as: LoginAs, actor: User, mine: Membership, memberships: dict[int, Membership],
    organization: Organization, *, at: datetime,
) -> Acting:  # fmt: skip
    """Ask the policy again, as at the start (clarifications 19)."""
    standing = policy.standing_of(actor, mine, at=at)
    held = memberships.get(login_as.subject_id)
    if login_as.ended_at is not None:
        reason = "ended"
    elif login_as.deadline_at <= at:
        reason = "deadline"
    elif not login_as.actor_session.is_open(at=at) or login_as.organization_id != organization.pk:
        reason = "actor_session"
    else:
        rule = policy.rule_against_actor(
            standing, organization, is_acting=False, passed_second_factor=session.second_factor_at is not None
        )
        if rule is None and held is not None:
            rule = policy.rule_against_subject(standing, policy.standing_of(held.user, held, at=at))
        reason = rule or ("" if held else "not_member")
    if reason:
        end_login_as(login_as.pk, at=at, reason=reason)
        raise CredentialRevoked(reason)
    return Acting(
        login_as_id=login_as.pk, actor_id=actor.pk, actor_name=actor.username, mode=login_as.mode, reason=login_as.reason,
        deadline_at=login_as.deadline_at,
    )  # fmt: skip


def _operator(session: Session, user: User, *, via: Via, dies_at: datetime) -> Principal:
    if not user.is_superuser:
        raise CredentialRevoked("no longer an operator")
    return Principal(
        kind=Kind.OPERATOR, id=str(user.pk), name=user.username, via=via, user_id=user.pk, permissions=frozenset(policy.OPERATOR),
        session_id=session.pk, session=session, expires_at=dies_at, passed_second_factor=session.second_factor_at is not None,
        has_second_factor=user.has_second_factor,
    )  # fmt: skip


def _client(session: Session, client: Client, *, via: Via, dies_at: datetime) -> Principal:
    if client.deleted_at is not None:
        raise CredentialRevoked("the client was deleted")
    _require_open(session.organization)
    roles = frozenset(Role(role) for role in client.roles)
    return Principal(
        kind=Kind.CLIENT, id=client.pk, name=client.pk, via=via, client_id=client.pk, organization_id=session.organization_id,
        organization_name=session.organization.name if session.organization else "", roles=roles,
        permissions=policy.permissions_of(roles, kind=Kind.CLIENT), session_id=session.pk, session=session, expires_at=dies_at,
        is_internal=client.is_internal,
    )  # fmt: skip


def _require_open(organization: Organization | None) -> None:
    if organization is not None and organization.is_suspended:
        raise CredentialRevoked("the organisation is suspended")


def purge(*, before: datetime, batch: int = 50) -> int:
    """Delete sessions that were over before a moment, a batch at a time; answers how many."""
    old = (
        Session.objects.filter(expires_at__lt=before, logins_as=None)
        .order_by("expires_at")
        .values_list("pk", flat=True)[:batch]
    )
    deleted: int = Session.objects.filter(pk__in=list(old)).delete()[0]
    return deleted


def clone(*, by: Principal, via: Via, secret_prefix: str = "") -> Opened:
    """Open a session like the caller's own that keeps its absolute end, its actor, its deadline (clarifications 13).

    Raises NotFound when the caller's own session ended meanwhile.
    """
    with transaction.atomic():
        own = hold(by)
        opened = open_(
            via=via, lifetime=timedelta(0), expires_at=own.expires_at, user=own.user, organization=own.organization,
            idle=None if own.idle_seconds is None else timedelta(seconds=own.idle_seconds), login_as=own.login_as, cloned_from=own,
            effective_organization=own.effective_organization, passed_second_factor_at=own.second_factor_at, secret_prefix=secret_prefix,
        )  # fmt: skip
        audit.record(
            "session.cloned", by=by, via=via, subject=own.user, organization=own.organization, session=str(own.pk), clone=str(opened.session.pk)
        )  # fmt: skip
    return opened


def hold(by: Principal) -> Session:
    """Lock the caller's own session until the transaction ends and answer it as it is now.

    It is still open and appears as the one it did when the caller was proven; else it raises NotFound.
    """
    _lock(Q(sessions=by.session_id))
    own = _first(_row().filter(pk=by.session_id, ended_at=None))
    if own is None or own.login_as_id != (by.acting.login_as_id if by.acting else None):
        raise NotFound("the session changed meanwhile")
    return own
