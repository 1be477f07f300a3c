"""Working as somebody else: one policy, one row, one audit trail behind every door (dialects.md 0.7)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from identity import audit, clock, organizations, outbox, policy, sessions, users
from identity.errors import Invalid, LoginAsActorRefused, LoginAsRefused, NotFound
from identity.models import Client, LoginAs, Membership, Organization, Session, User
from identity.principal import Kind, Principal, Via
from identity.sessions import Opened

SHORTEST_REASON = 10
# The person is told at most this often about the same actor (clarifications 47).
TELLING_PAUSE = timedelta(hours=1)


def lifetime() -> timedelta:
    """Answer the absolute cap of a login-as, never above an hour (clarifications 19)."""
    return timedelta(seconds=min(settings.LOGIN_AS_SECONDS, 3600))


def verdict(*, by: Principal, subject: User) -> str | None:
    """Answer the first rule that refuses this pair, or None; what the portal shows before the button is pressed. Raises NotFound."""
    try:
        _check(by, subject, at=clock.now())
    except LoginAsRefused as e:
        return e.rule
    return None


def require_actor(*, by: Principal, via: Via) -> None:
    """Go on only if the caller may work as anybody at all; no query, for it stands on what this request just proved.

    Raises LoginAsActorRefused, which is audited. `start` asks again, of the tables.
    """
    session: Session | None = by.session
    organization = (session.effective_organization or session.organization) if session else None
    if by.acting is not None:
        rule: policy.Rule | None = policy.Rule.NESTED
    elif by.kind is not Kind.PERSON or session is None or organization is None:
        rule = policy.Rule.NOT_ALLOWED
    else:
        standing = policy.Standing(
            user_id=by.user_id or 0, roles=by.roles, permissions=by.permissions, grants=by.grants, is_active=True,
            is_locked=False, is_protected=False, is_service=False, has_second_factor=by.has_second_factor,
        )  # fmt: skip
        rule = policy.rule_against_actor(
            standing, organization, is_acting=False, passed_second_factor=by.passed_second_factor
        )
    if rule is not None:
        audit.refused("login_as.refused", by=by, via=via, subject=None, organization=organization, rule=rule.value)
        raise LoginAsActorRefused(rule.value)


def start(
    *, by: Principal, subject_id: int | str, via: Via, reason: str = "", mode: str = LoginAs.Mode.ACT, needs_reason: bool = False
) -> LoginAs:  # fmt: skip
    """Let one person begin to work as another; the caller's session is untouched, and so is everything of the subject.

    `reason` is shown to the person; API doors may leave it out, and where `needs_reason` it has 10 characters or more.
    Answers the row, whose `deadline_at` is absolute. Raises LoginAsActorRefused, NotFound (unknown or of another
    organisation), LoginAsSubjectRefused, Invalid; the refusals are audited.
    """
    at = clock.now()
    subject = _permitted(by, subject_id, via, at=at)
    if needs_reason and len(" ".join(reason.split())) < SHORTEST_REASON:
        raise Invalid("reason", fields={"reason": [_("Say why, in 10 characters or more.")]})
    with transaction.atomic():
        return _begin(by, subject, via, reason, mode, at=at)


def assume(*, by: Principal, subject_id: int | str, via: Via, reason: str = "") -> Session:
    """Let one person begin to work as another inside the caller's own session, and answer the session as it is then.

    Several at once: one begins, and nothing remains of the others. Raises what `start` raises, and NotFound when the session
    ended or became another's meanwhile.
    """
    at = clock.now()
    subject = _permitted(by, subject_id, via, at=at)
    with transaction.atomic():
        own = sessions.hold(by)
        take_on(session=own, login_as=_begin(by, subject, via, reason, LoginAs.Mode.ACT, at=at))
    return own


def be_oneself(*, by: Principal, via: Via) -> Session:
    """Give the caller's own session back to its real person, in the organisation it was opened in, and answer it.

    Raises NotFound when the session ended meanwhile.
    """
    with transaction.atomic():
        own = sessions.hold(by)
        put_off(session=own)
        _move(own, own.organization, by=by, via=via)
    return own


def move(*, by: Principal, organization_id: str, via: Via) -> Session:
    """Let the caller's own session work in another organisation that its real person belongs to, and answer it.

    Whoever is worked as comes along only where the policy says yes there too; else the session is its owner's again
    (dialects.md 1.2). Raises NotFound for an organisation that the person does not belong to.
    """
    with transaction.atomic():
        own = sessions.hold(by)
        organization = organizations.of_member(user_id=own.user_id, organization_id=organization_id)
        if own.login_as is not None and own.login_as.organization_id != organization.pk:
            _take_along(own, own.login_as, organization, by=by, via=via)
        _move(own, organization, by=by, via=via)
    return own


def open_session(
    *, by: Principal, login_as: LoginAs, via: Via, secret_prefix: str = "", client: Client | None = None
) -> Opened:
    """Open the session in which a login-as runs, when it does not run in the caller's own. It ends at the deadline.

    `client` is the one that asked for it, if any: the session ends with it.
    """
    own: Session = by.session
    return sessions.open_(
        via=via, lifetime=lifetime(), expires_at=login_as.deadline_at, user=own.user, organization=login_as.organization,
        login_as=login_as, passed_second_factor_at=own.second_factor_at, secret_prefix=secret_prefix, client=client,
    )  # fmt: skip


def take_on(*, session: Session, login_as: LoginAs) -> None:
    """Let a login-as run in the caller's own session (setEffectiveUser). Raises NotFound when the session ended meanwhile."""
    if Session.objects.filter(pk=session.pk, ended_at=None, login_as=None).update(login_as=login_as) != 1:
        sessions.end_login_as(login_as.pk, at=clock.now(), reason="session")
        raise NotFound("the session ended")
    session.login_as = login_as


def put_off(*, session: Session, reason: str = "stopped") -> None:
    """End the login-as that runs in a session and keep the session: its owner is himself again."""
    login_as = session.login_as
    if login_as is None:
        return
    with transaction.atomic():
        Session.objects.filter(pk=session.pk, login_as=login_as).update(login_as=None)
        session.login_as = None
        if login_as.actor_session_id == session.pk:
            end(login_as=login_as, reason=reason)


def end(*, login_as: LoginAs, reason: str, by: Principal | None = None) -> bool:
    """End a login-as for good and tell the person; answers whether it was running. By an admin of the organisation, or by whom it is."""
    if by is not None and not by.is_system and by.user_id != login_as.actor_id:
        policy.require(by, policy.Permission.SESSIONS_MANAGE)
        if by.organization_id is not None and by.organization_id != login_as.organization_id:
            raise NotFound("no such login-as")
    with transaction.atomic():
        was_running = sessions.end_login_as(login_as.pk, at=clock.now(), reason=reason)
    tell()
    return was_running


def stop(*, by: Principal) -> bool:
    """Stop the login-as of the session that is sent; answers whether one was running."""
    if by.acting is None:
        return False
    return end(login_as=LoginAs.objects.get(pk=by.acting.login_as_id), reason="stopped")


def sweep() -> int:
    """End what ran past its deadline, and tell the people of what has ended; answers how many were ended."""
    at = clock.now()
    overdue = list(LoginAs.objects.filter(ended_at=None, deadline_at__lte=at).values_list("pk", flat=True)[:500])
    ended = sum(sessions.end_login_as(pk, at=at, reason="deadline") for pk in overdue)
    tell()
    return ended


def tell() -> int:
    """Send a mail to whoever was worked as and does not know yet, once per actor and hour; answers how many."""
    at = clock.now()
    sent = 0
    untold = (
        LoginAs.objects.filter(notified_at=None)
        .exclude(ended_at=None)
        .select_related("actor", "subject", "organization")
    )
    for row in untold.order_by("ended_at")[:200]:
        with transaction.atomic():
            if LoginAs.objects.filter(pk=row.pk, notified_at=None).update(notified_at=at) != 1:
                continue
            pair = LoginAs.objects.filter(
                actor=row.actor, subject=row.subject, notified_at__gt=at - TELLING_PAUSE
            ).exclude(pk=row.pk)
            if pair.exists():
                continue
            outbox.put(
                channel="EMAIL", to=row.subject.email, template="login_as", locale=row.subject.language or "en",
                organization=row.organization, user=row.subject,
                context={
                    "name": row.subject.get_full_name(), "actor": row.actor.get_full_name(), "reason": row.reason, "mode": row.mode,
                    "started_at": row.started_at.strftime("%Y-%m-%d %H:%M UTC"), "ended_at": (row.ended_at or at).strftime("%Y-%m-%d %H:%M UTC"),
                    "link": f"{settings.PUBLIC_URL}/account/",
                },
            )  # fmt: skip
            sent += 1
    return sent


def running(*, organization: Organization | None = None) -> QuerySet[LoginAs]:
    """Answer the login-as that run now, of one organisation or all, newest first."""
    found = LoginAs.objects.filter(ended_at=None, deadline_at__gt=clock.now()).select_related(
        "actor", "subject", "organization"
    )
    return found if organization is None else found.filter(organization=organization)


def history(*, subject: User | int) -> QuerySet[LoginAs]:
    """Answer who worked as a person, newest first."""
    return LoginAs.objects.filter(subject=subject).select_related("actor", "organization").order_by("-started_at")


def _permitted(by: Principal, subject_id: int | str, via: Via, *, at: datetime) -> User:
    """Answer the person to be worked as, if the policy says yes; a no is audited."""
    subject = None
    try:
        actor = _check_actor(by, at=at)
        subject = users.get(user_id=subject_id, organization_id=by.organization_id)
        _check_subject(by, actor, subject, at=at)
    except LoginAsRefused as e:
        audit.refused(
            "login_as.refused",
            by=by,
            via=via,
            subject=subject,
            organization=_organization(by),
            rule=e.rule,
        )
        raise
    return subject


def _begin(by: Principal, subject: User, via: Via, reason: str, mode: str, *, at: datetime) -> LoginAs:
    if mode not in LoginAs.Mode.values:
        raise Invalid("mode", fields={"mode": ["unknown_mode"]})
    said = " ".join(reason.split())[:500]
    if not users.is_storable(said):
        raise Invalid("reason", fields={"reason": [_("It holds characters that cannot be typed.")]})
    said = said or f"through {via.door}"
    row = LoginAs.objects.create(
        actor_id=by.user_id, subject=subject, organization_id=by.organization_id, actor_session_id=by.session_id,
        door=via.door, mode=mode, reason=said, address=via.address, started_at=at, deadline_at=_deadline(by, at=at),
    )  # fmt: skip
    _record_start(row, by=by.coming(via))
    return row


def _record_start(row: LoginAs, *, by: Principal) -> None:
    audit.record(
        "login_as.started", by=by, subject=row.subject, organization=row.organization, login_as=str(row.pk), mode=row.mode,
        reason=row.reason, deadline_at=row.deadline_at.isoformat(),
    )  # fmt: skip


def _take_along(own: Session, before: LoginAs, organization: Organization, *, by: Principal, via: Via) -> None:
    """Begin the same login-as in another organisation, to the same deadline, or none at all where the policy says no."""
    at = clock.now()
    here = Membership.objects.filter(user_id__in=(before.actor_id, before.subject_id), organization=organization)
    memberships = {held.user_id: held for held in here}
    subject = memberships.get(before.subject_id)
    put_off(session=own, reason="organization")
    if subject is None or own.user is None:
        return
    actor = policy.standing_of(own.user, memberships[own.user.pk], at=at)
    has_passed = own.second_factor_at is not None
    if policy.rule_against_actor(actor, organization, is_acting=False, passed_second_factor=has_passed) or (
        policy.rule_against_subject(actor, policy.standing_of(before.subject, subject, at=at))
    ):
        return
    row = LoginAs.objects.create(
        actor_id=before.actor_id, subject=before.subject, organization=organization, actor_session_id=before.actor_session_id,
        door=via.door, mode=before.mode, reason=before.reason, address=via.address, started_at=at, deadline_at=before.deadline_at,
    )  # fmt: skip
    _record_start(row, by=by.coming(via))
    take_on(session=own, login_as=row)


def _move(own: Session, organization: Organization | None, *, by: Principal, via: Via) -> None:
    before = own.effective_organization or own.organization
    own.effective_organization = None if organization == own.organization else organization
    own.save(update_fields=["effective_organization"])
    if before != organization:
        audit.record(
            "session.moved", by=by, via=via, subject=own.user, organization=organization, session=str(own.pk),
            before=before.name if before else "", after=organization.name if organization else "",
        )  # fmt: skip


def _organization(by: Principal) -> Organization | None:
    return Organization.objects.filter(pk=by.organization_id).first() if by.organization_id else None


def _standing(by: Principal, *, at: datetime) -> tuple[policy.Standing, Organization] | None:
    """Answer the real person's standing as it is in the tables now; None for clients, keys, customers and operators."""
    user_id = by.acting.actor_id if by.acting else by.user_id
    if by.kind is not Kind.PERSON or by.organization_id is None:
        return None
    found = (
        Membership.objects.select_related("user", "organization")
        .filter(user_id=user_id, organization_id=by.organization_id)
        .first()
    )
    return (policy.standing_of(found.user, found, at=at), found.organization) if found else None


def _check_actor(by: Principal, *, at: datetime) -> policy.Standing:
    known = _standing(by, at=at)
    if known is None:
        rule = policy.Rule.NESTED if by.acting else policy.Rule.NOT_ALLOWED
        raise LoginAsActorRefused(rule.value)
    standing, organization = known
    policy.require_actor(
        standing, organization, is_acting=by.acting is not None, passed_second_factor=by.passed_second_factor
    )
    return standing


def _check(by: Principal, subject: User, *, at: datetime) -> None:
    _check_subject(by, _check_actor(by, at=at), subject, at=at)


def _check_subject(by: Principal, actor: policy.Standing, subject: User, *, at: datetime) -> None:
    held = Membership.objects.filter(user=subject, organization_id=by.organization_id).first()
    if held is None:
        raise NotFound("no such person")
    policy.require_subject(actor, policy.standing_of(subject, held, at=at))


def _deadline(by: Principal, *, at: datetime) -> datetime:
    """The cap, or the end of the actor's own credential if that comes first (clarifications 19)."""
    cap = at + lifetime()
    return min(cap, by.expires_at) if by.expires_at else cap


def details_of(row: LoginAs, *, actor_name: str, at: datetime) -> dict[str, Any]:
    """Answer what a banner shows: both names, reason, mode, deadline, seconds left."""
    return {
        "subject_id": row.subject_id, "subject_name": row.subject.username, "actor_name": actor_name, "reason": row.reason,
        "door": row.door, "mode": row.mode, "deadline_at": row.deadline_at,
        "seconds_left": max(0, int((row.deadline_at - at).total_seconds())),
    }  # fmt: skip
