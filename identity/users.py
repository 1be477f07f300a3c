"""Makes, finds and changes people: their names, their state, their password."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import identify_hasher
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from identity import audit, clock, crypto, organizations, policy, sessions
from identity.errors import Invalid, NotAllowed, NotFound
from identity.models import Membership, Organization, PasswordReset, User
from identity.models.user import key_of
from identity.principal import Principal, Role

# What the columns of names and addresses take, and those of what they are compared by.
LONGEST_NAME, LONGEST_NAME_KEY = 150, 200
LONGEST_ADDRESS, LONGEST_ADDRESS_KEY = 254, 300


@dataclass(frozen=True, slots=True)
class Created:
    """A new person, and the password when it was made here."""

    user: User
    password: str

    def __repr__(self) -> str:
        return f"Created({self.user.pk})"


@transaction.atomic
def create(
    *,
    by: Principal,
    username: str,
    email: str,
    organization: Organization | None,
    roles: Sequence[Role] = (),
    grants: Sequence[str] = (),
    password: str | None = None,
    **fields: Any,
) -> Created:
    """Make a person and, with an organisation, a membership; without a password a random one is made and answered.

    Raises Invalid (a field's name with what is wrong), NotAllowed.
    """
    policy.forbid_while_acting(by)
    if not by.is_system:
        policy.require(by, policy.Permission.PEOPLE_MANAGE)
    check_names(username=username, email=email)
    made = password or crypto.make_password_text()
    user = User(username=username.strip(), email=email.strip(), default_organization=organization, **fields)
    user.created_by_id = by.user_id
    if password is not None:
        check_password_rules(password, user=user)
    user.password = crypto.hash_password(crypto.password_digest(made))
    user.password_changed_at = clock.now()
    user.save(force_insert=True)
    audit.record("user.created", by=by, subject=user, organization=organization)
    if organization is not None:
        organizations.join(by=by, user=user, organization=organization, roles=roles, grants=grants)
    return Created(user, made)


def find(*, name: str) -> User | None:
    """Answer the person of a user name or an e-mail address, in any case, or None."""
    if not is_storable(name):
        return None
    key = key_of(name)
    return User.objects.filter(email_key=key).first() if "@" in key else User.objects.filter(username_key=key).first()


def is_possible_id(user_id: int | str) -> bool:
    """Say whether a number could be a person's: ASCII digits that fit into the column."""
    digits = str(user_id)
    return digits.isascii() and digits.isdigit() and len(digits) < 19


def get(*, user_id: int | str, organization_id: Any = None) -> User:
    """Answer a person by number, of one organisation if said. Raises NotFound."""
    if not is_possible_id(user_id):
        raise NotFound("no such person")
    found = User.objects.filter(pk=int(user_id))
    if organization_id is not None:
        found = found.filter(memberships__organization_id=organization_id)
    user = found.first()
    if user is None:
        raise NotFound("no such person")
    return user


@transaction.atomic
def change(*, by: Principal, user: User, **fields: Any) -> User:
    """Change names, addresses and preferences of a person; e-mail and phone never while acting. Raises Invalid, NotAllowed."""
    policy.forbid_while_acting(by)
    if by.user_id != user.pk:
        _may_manage(by, user)
    if "username" in fields or "email" in fields:
        check_names(username=fields.get("username", user.username), email=fields.get("email", user.email), but=user)
    for name, value in fields.items():
        setattr(user, name, value)
    keys = [f"{name}_key" for name in ("username", "email") if name in fields]
    user.save(update_fields=[*fields, *keys])
    if "email" in fields:
        _void_links(user)
    audit.record("user.changed", by=by, subject=user, organization=user.default_organization, fields=sorted(fields))
    return user


@transaction.atomic
def disable(*, by: Principal, user: User) -> None:
    """Shut a person out behind every door at the next request. Raises NotAllowed for the last admin himself."""
    _may_manage(by, user)
    if by.user_id == user.pk and any(organizations.is_last_admin(user, m.organization) for m in _memberships(user)):
        raise NotAllowed(_("The last admin cannot disable himself; make somebody else an admin first."))
    User.objects.filter(pk=user.pk).update(is_active=False)
    user.is_active = False
    sessions.close_all(user=user, reason="disabled", by=by)
    audit.record("user.disabled", by=by, subject=user, organization=user.default_organization)


@transaction.atomic
def enable(*, by: Principal, user: User) -> None:
    """Let a disabled person sign in again; no ended session comes back (clarifications 9)."""
    _may_manage(by, user)
    User.objects.filter(pk=user.pk).update(is_active=True)
    user.is_active = True
    audit.record("user.enabled", by=by, subject=user, organization=user.default_organization)


@transaction.atomic
def lock(*, by: Principal, user: User) -> None:
    """Lock a person out by decree, sessions and all; the failure counter is another thing (clarifications 7)."""
    _may_manage(by, user)
    user.locked_at = clock.now()
    User.objects.filter(pk=user.pk).update(locked_at=user.locked_at)
    sessions.close_all(user=user, reason="locked", by=by)
    audit.record("user.locked", by=by, subject=user, organization=user.default_organization)


@transaction.atomic
def unlock(*, by: Principal, user: User) -> None:
    """Take an operator's lock away."""
    _may_manage(by, user)
    user.locked_at = None
    User.objects.filter(pk=user.pk).update(locked_at=None)
    audit.record("user.unlocked", by=by, subject=user, organization=user.default_organization)


@transaction.atomic
def set_expiry(*, by: Principal, user: User, expires_at: datetime | None) -> None:
    """Set when an account ends, or that it does not; sessions of an account that is over, or was, end for good."""
    _may_manage(by, user)
    at = clock.now()
    was_over = user.is_expired(at=at)
    user.expires_at = expires_at
    User.objects.filter(pk=user.pk).update(expires_at=expires_at)
    if was_over or user.is_expired(at=at):
        sessions.close_all(user=user, reason="expired", by=by)
    said = expires_at.isoformat() if expires_at else None
    audit.record("user.changed", by=by, subject=user, organization=user.default_organization, expires_at=said)


@transaction.atomic
def protect(*, by: Principal, user: User, is_protected: bool) -> None:
    """Say whether anybody may work as this person."""
    _may_manage(by, user)
    user.is_protected = is_protected
    User.objects.filter(pk=user.pk).update(is_protected=is_protected)
    audit.record("user.changed", by=by, subject=user, organization=user.default_organization, is_protected=is_protected)


@transaction.atomic
def set_password(
    *,
    by: Principal,
    user: User,
    clear: str | None = None,
    password_sha256: str | None = None,
    but: Any = None,
    is_reset: bool = False,
) -> None:
    """Store a new password, clear or as its digest, and end the person's other sessions behind every door.

    `but` is the session that goes on. A reset ends personal tokens too. Whether the caller may is asked by the story that
    calls this. Raises Invalid naming `password`.
    """
    policy.forbid_while_acting(by)
    if clear is not None:
        check_password_rules(clear, user=user)
        password_sha256 = crypto.password_digest(clear)
    password_sha256 = password_sha256 or ""
    check_digest(password_sha256)
    user.password, user.password_changed_at = crypto.hash_password(password_sha256), clock.now()
    user.save(update_fields=["password", "password_changed_at"])
    _void_links(user)
    sessions.close_all(user=user, reason="password", by=by, but=but, with_personal_tokens=is_reset)
    audit.record(
        "password.reset" if is_reset else "password.changed",
        by=by,
        subject=user,
        organization=user.default_organization,
    )


@transaction.atomic
def import_hash(*, by: Principal, user: User, encoded: str) -> None:
    """Take over a bcrypt or PBKDF2 hash of a clear password; it is upgraded at the next clear-password login.

    Raises Invalid for a hash of no known kind.
    """
    _may_manage(by, user)
    try:
        identify_hasher(encoded)
    except ValueError as e:
        raise Invalid("password", fields={"password": [_("This is no hash that can be imported.")]}) from e
    user.password = encoded
    user.save(update_fields=["password"])
    audit.record("user.changed", by=by, subject=user, organization=user.default_organization, fields=["password"])


def check_password_rules(clear: str, *, user: User | None = None, field: str = "password") -> None:
    """Go on only with a clear password that follows the rules (clarifications 50). Raises Invalid naming the field."""
    if not is_storable(clear):
        raise Invalid(field, fields={field: [_("It holds characters that cannot be typed.")]})
    try:
        password_validation.validate_password(clear, user)
    except ValidationError as e:
        raise Invalid(field, fields={field: list(e.messages)}) from e


def check_digest(password_sha256: str, *, field: str = "password") -> None:
    """Go on only with a digest in the one form, and of no common password. Raises Invalid naming the field."""
    is_hex = len(password_sha256) == 64 and set(password_sha256) <= set("0123456789abcdef")
    if not is_hex:
        raise Invalid(field, fields={field: [_("Must be 64 lower-case hexadecimal characters.")]})
    if crypto.is_common_password_digest(password_sha256):
        raise Invalid(field, fields={field: [_("This password is too common.")]})


def check_names(*, username: str, email: str, but: User | None = None) -> None:
    """Go on only with a name and an address that are well formed and free (clarifications 49). Raises Invalid."""
    wrong: dict[str, list[str]] = {}
    # As they are compared, too: one letter may be eighteen there, and a wide @ an @.
    name, address = key_of(username), key_of(email)
    if (
        not name
        or {"@", " "} & {*username.strip(), *name}
        or not is_storable(username)
        or len(username) > LONGEST_NAME
        or len(name) > LONGEST_NAME_KEY
    ):
        wrong["username"] = [_("A user name has 1 to 150 characters, no space and no @.")]
    try:
        validate_email(email.strip())
    except ValidationError as e:
        wrong["email"] = list(e.messages)
    if len(email) > LONGEST_ADDRESS or len(address) > LONGEST_ADDRESS_KEY:
        wrong["email"] = [str(validate_email.message)]
    others = User.objects.all() if but is None else User.objects.exclude(pk=but.pk)
    if not wrong:
        taken = others.filter(Q(username_key=name) | Q(email_key=address))
        for name_key in taken.values_list("username_key", flat=True):
            field = "username" if name_key == name else "email"
            wrong[field] = [_("This is taken.")]
    if wrong:
        raise Invalid(", ".join(wrong), fields=wrong)


def is_storable(text: str) -> bool:
    """Say whether a text may reach a query: no control characters and no lone surrogates (security.md M9, M10)."""
    return not any(ord(c) < 32 or ord(c) == 127 or 0xD800 <= ord(c) <= 0xDFFF for c in text)


def _void_links(user: User) -> None:
    """Links that set a new password die with the password, and with the mailbox, that they were asked for."""
    PasswordReset.objects.filter(user=user, used_at=None, superseded_at=None).update(superseded_at=clock.now())


def _memberships(user: User) -> list[Membership]:
    return list(user.memberships.select_related("organization"))


def require_manager(*, by: Principal, user: User) -> None:
    """Go on only for whoever manages this person. Raises NotAllowed, NotAllowedWhileActing, NotFound."""
    _may_manage(by, user)


def _may_manage(by: Principal, user: User) -> None:
    """People are managed by admins of the organisation that they are at home in, by operators, and from the console.

    Not by admins of another one that they belong to as well: with the address or the second factor of an account its doors
    there, and everything that it may do there, would fall too.
    """
    policy.forbid_while_acting(by)
    if by.is_system:
        return
    policy.require(by, policy.Permission.PEOPLE_MANAGE)
    if by.organization_id is None:
        return
    if not user.memberships.filter(organization_id=by.organization_id).exists():
        raise NotFound("no such person")
    if user.is_superuser or user.default_organization_id not in (None, by.organization_id):
        raise NotAllowed(_("This account is at home elsewhere, and looked after there."))
