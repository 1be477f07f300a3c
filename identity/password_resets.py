"""Lets people who cannot sign in set a new password: one token store behind every door (clarifications 16 and 17)."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from identity import audit, clock, crypto, limits, outbox, users
from identity.errors import Invalid, ResetTokenInvalid
from identity.limits import Rate
from identity.models import Organization, PasswordReset, User
from identity.models.user import key_of
from identity.principal import Kind, Principal, Via

PURPOSE = "password-reset"
TEMPLATES = ("password_reset", "welcome")
# At most one message per person in this time (dialects.md 1.2, side effects).
PAUSE = timedelta(minutes=5)


def request(
    *,
    via: Via,
    user: User | None,
    page: str = "",
    template: str = "password_reset",
    locale: str = "",
    by: Principal | None = None,
) -> bool:
    """Send a person a link to a page that sets a new password; answers whether a message went out, which no caller tells.

    `page` is the address of the page, exact under one of the organisation's link bases, or empty for the portal's own.
    Raises Invalid naming `template` or `page`; a person who may not sign in gets nothing, and nobody learns it.
    """
    at = clock.now()
    organization = user.default_organization if user else None
    check_request(page=page, template=template)
    if user is None or not user.may_sign_in(at=at) or organization is None or organization.is_suspended:
        return False
    if page and not is_allowed_page(page, organization):
        return False
    token = crypto.make("swr")
    lifetime = timedelta(seconds=settings.PASSWORD_RESET_SECONDS)
    with transaction.atomic():
        # One statement decides who sends: requests at once would all pass a look at the last one's time.
        if not limits.charge(pause_key(user), Rate(1, PAUSE), at=at).is_within:
            return False
        PasswordReset.objects.filter(user=user, used_at=None, superseded_at=None).update(superseded_at=at)
        PasswordReset.objects.create(
            user=user, digest=crypto.digest(token, purpose=PURPOSE), created_at=at, expires_at=at + lifetime
        )
        outbox.put(
            channel="EMAIL",
            to=user.email,
            template=template,
            locale=user.language or locale or "en",
            organization=organization,
            user=user,
            useful_for=lifetime,
            context={
                "link": f"{page or settings.PUBLIC_URL + '/reset/'}?token={token}",
                "name": user.get_full_name(),
                "username": user.username,
                "minutes": int(lifetime.total_seconds() // 60),
            },
        )
        audit.record("password.reset_requested", by=by, via=via, subject=user, organization=organization)
    return True


def request_for(
    *,
    via: Via,
    user_id: str = "",
    email: str = "",
    phone: str = "",
    mobile: str = "",
    page: str = "",
    template: str = "",
    locale: str = "",
) -> bool:
    """Send a link to whoever all of this is true of; what is empty is not asked (dialects.md 1.2, row 10).

    A number or address that fits nobody, and a telephone number that is not the person's, send nothing, and the answer is the
    same (clarifications 48). Raises Invalid naming `template` or `page`.
    """
    user = _found(user_id, email)
    if user is not None and not all(
        _is_number(sent, kept) for sent, kept in ((phone, user.phone), (mobile, user.mobile))
    ):
        user = None
    return request(via=via, user=user, page=page, template=template or TEMPLATES[0], locale=locale)


def pause_key(user: User) -> str:
    """Answer the counter that keeps a person's mailbox from being flooded."""
    return limits.key_for("reset", user.pk)


def check_request(*, page: str, template: str) -> None:
    """Go on only with a template and a page that somebody may ask for. Raises Invalid.

    Any organisation's page will do here: asking the person's own would tell strangers who exists, and where. A person of
    another organisation than the page's just gets no message.
    """
    if template not in TEMPLATES:
        raise Invalid("template", fields={"template": [_("There is no such template.")]})
    if page:
        organizations = Organization.objects.filter(suspended_at=None).only("link_bases")
        if not any(is_allowed_page(page, one) for one in organizations):
            raise Invalid("page", fields={"page": [_("This page is not on the organisation's list.")]})


def is_allowed_page(page: str, organization: Organization) -> bool:
    """Say whether an address is https (or the portal itself), has no query, and lies under one of the organisation's bases."""
    if not users.is_storable(page) or len(page) > 500 or "\\" in page:
        return False
    try:
        parts = urlsplit(page)
        origin = f"{parts.scheme}://{parts.netloc}"
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if parts.query or parts.fragment or "@" in parts.netloc or not port_is_fine or "/../" in f"{parts.path}/":
        return False
    bases = [base.rstrip("/") for base in (*organization.link_bases, settings.PUBLIC_URL)]
    return any(
        (page == base or page.startswith(base + "/")) and (parts.scheme == "https" or origin == settings.PUBLIC_URL)
        for base in bases
    )


def is_usable(token: str) -> bool:
    """Say whether a token would work, and change nothing."""
    found = _find(token)
    return found is not None and found.is_live(at=clock.now()) and found.user.may_sign_in(at=clock.now())


def confirm(
    *, token: str, via: Via, clear: str | None = None, password_sha256: str | None = None, username: str | None = None
) -> User:
    """Set a new password with a token, once under any concurrency, and end all the person's sessions.

    A refused password keeps the token alive. Raises ResetTokenInvalid (unknown, used, expired, another's: all alike), Invalid.
    """
    at = clock.now()
    reset = _find(token)
    if reset is None or not reset.is_live(at=at) or not reset.user.may_sign_in(at=at):
        raise ResetTokenInvalid("invalid or expired")
    if username is not None and key_of(username) not in (reset.user.username_key, reset.user.email_key):
        raise ResetTokenInvalid("invalid or expired")
    if clear is not None:
        users.check_password_rules(clear, user=reset.user)
    else:
        users.check_digest(password_sha256 or "")
    with transaction.atomic():
        # Claims first: two uses at once would both pass a check (security.md M6).
        claimed = PasswordReset.objects.filter(pk=reset.pk, used_at=None, superseded_at=None, expires_at__gt=at).update(
            used_at=at
        )
        if claimed != 1:
            raise ResetTokenInvalid("invalid or expired")
        organization = reset.user.default_organization
        himself = Principal(
            kind=Kind.PERSON, id=str(reset.user.pk), name=reset.user.username, via=via, user_id=reset.user.pk,
            organization_id=organization.pk if organization else None, organization_name=organization.name if organization else "",
        )  # fmt: skip
        users.set_password(by=himself, user=reset.user, clear=clear, password_sha256=password_sha256, is_reset=True)
    return reset.user


def _found(user_id: str, email: str) -> User | None:
    by_address = users.find(name=email) if "@" in email else None
    if not user_id:
        return by_address
    by_number = User.objects.filter(pk=int(user_id)).first() if users.is_possible_id(user_id) else None
    return None if email and by_address != by_number else by_number


def _is_number(sent: str, kept: str) -> bool:
    """Compare telephone numbers by their digits; a leading 00 is a plus."""
    return not sent or (bool(kept) and _dialled(sent) == _dialled(kept))


def _dialled(number: str) -> str:
    bare = "".join(c for c in number if c in "+0123456789")
    return f"+{bare[2:]}" if bare.startswith("00") else bare


def _find(token: str) -> PasswordReset | None:
    digests = crypto.digests(token, purpose=PURPOSE)
    return PasswordReset.objects.select_related("user__default_organization").filter(digest__in=digests).first()
