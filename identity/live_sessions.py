"""Sessions as their owner and the admins of their organisation see and end them, by public handle or by secret."""

from __future__ import annotations

from identity import clock, crypto, organizations, policy, sessions, users
from identity.errors import NotFound
from identity.models import Organization, Session
from identity.principal import Principal


def find(*, by: Principal, handle: str, doors: tuple[str, ...]) -> Session:
    """Answer an open session of these doors that the caller owns, or manages as an admin of its organisation.

    `handle` is the public id or the secret itself; the caller's own session costs no query. Raises NotFound, the same for
    sessions that are not there and sessions that are none of the caller's business.
    """
    at = clock.now()
    own: Session | None = by.session
    if own is not None and _names(handle, own):
        return own
    session = sessions.by_handle(handle, doors=doors)
    login_as = session.login_as if session else None
    if session is None or not session.is_open(at=at) or (login_as is not None and login_as.is_over(at=at)):
        raise NotFound("no such session")
    is_manager = policy.may(by, policy.Permission.SESSIONS_MANAGE) and by.organization_id == session.organization_id
    if not is_manager and (by.user_id is None or by.user_id != session.user_id):
        raise NotFound("no such session")
    return session


def require_own(*, by: Principal, handle: str) -> None:
    """Go on only if a handle names the very session whose secret was sent (clarifications 12 and 66). Raises NotFound."""
    if not _names(handle, by.session):
        raise NotFound("not the own session")


def end(*, by: Principal, session: Session, everywhere: bool = False) -> None:
    """End a session that `find` answered, or every session of its real person behind every door.

    An admin reaches those of the own organisation only. While acting, nothing but the session that is sent can be ended
    (clarifications 12). Raises NotFound, also when somebody else ended it first.
    """
    if by.acting is not None and session.pk != by.session_id:
        raise NotFound("no such session")
    is_own = session.user_id == (by.acting.actor_id if by.acting else by.user_id)
    if everywhere and session.user is not None:
        ended = sessions.close_all(
            user=session.user,
            reason="terminated",
            by=by,
            organization=None if is_own else session.organization,
        )
    else:
        ended = sessions.close(session.pk, reason="terminated", by=by)
    if not ended:
        raise NotFound("it has ended already")


def end_of_person(*, by: Principal, user_id: str) -> None:
    """End all sessions of a person: one's own, or as an admin somebody's in the own organisation (clarifications 15).

    Raises NotFound (an impossible id; for an admin also an unknown or foreign one), NotAllowed, NotAllowedWhileActing.
    """
    if not users.is_possible_id(user_id):
        raise NotFound("no such person")
    policy.forbid_while_acting(by)
    organization: Organization | None = None
    if by.user_id != int(user_id):
        policy.require(by, policy.Permission.SESSIONS_MANAGE)
        organization = organizations.find(pk=str(by.organization_id))
    user = users.get(user_id=user_id, organization_id=organization.pk if organization else None)
    sessions.close_all(user=user, reason="terminated", by=by, organization=organization)


def _names(handle: str, session: Session) -> bool:
    is_secret = crypto.matches(handle, session.digest, purpose=sessions.PURPOSE)
    return is_secret or crypto.same(handle, str(session.pk))
