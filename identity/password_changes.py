"""Changes a password by its digest: one's own with the old one, somebody's with the admin's (dialects.md 1.2, row 12)."""

from __future__ import annotations

from identity import policy, sign_in, users
from identity.errors import NotFound
from identity.models import User
from identity.principal import Principal, Via


def whose(*, by: Principal, user_id: str) -> User:
    """Answer the person whose password the caller may change at all: the caller, or as an admin somebody who is at home in the
    own organisation. A member from elsewhere is not: the password opens the other organisation's doors too.

    Raises NotAllowedWhileActing, NotFound.
    """
    policy.forbid_while_acting(by)
    user = users.get(user_id=user_id)
    is_theirs = policy.may(by, policy.Permission.PEOPLE_MANAGE) and user.default_organization_id == by.organization_id
    if user.pk != by.user_id and not is_theirs:
        raise NotFound("no such person")
    return user


def change(*, by: Principal, user: User, new: str, via: Via, old: str = "", admin: str = "") -> None:
    """Set a new password digest for a person that `whose` answered, after the old digest or the admin's own was right.

    Each try is counted like a sign-in of the caller, who is the real person: nobody acts here (clarifications 7). The
    caller's session goes on, all others of the person end; a forced change counts as a reset (clarifications 55). Raises
    WrongCredentials, TooManyAttempts, NotFound (somebody else's old digest, or no right to force), Invalid naming `new`.
    """
    policy.forbid_while_acting(by)
    is_own = user.pk == by.user_id
    if not (is_own if old else policy.may(by, policy.Permission.PEOPLE_MANAGE)):
        raise NotFound("no such person")
    users.check_digest(new, field="new")
    sign_in.check_own_password(user=by.session.user, password_sha256=old or admin, via=via)
    users.set_password(
        by=by, user=user, password_sha256=new, but=by.session_id if is_own else None, is_reset=not is_own
    )
