"""Examines an installation and says what is wrong and what to do about it (clarifications 62, 65)."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from config import health
from identity import clock, crypto, seals
from identity.models import AuditEvent, Client, Membership, Organization, OutboxMessage, SigningKey, TotpDevice, User

# What waits longer than this does so because nobody works, not because somebody is busy.
OVERDUE = timedelta(minutes=10)
SKEW = timedelta(seconds=5)
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with what to do; a note does not make the house ill."""

    said: str
    is_note: bool = False


def examine() -> Iterator[Finding]:
    """Answer everything found, the gravest first. Without a database the rest cannot be asked."""
    yield from _settings()
    if not health.database_answers():
        yield Finding(_("The database does not answer; look at DATABASE_URL and at the database's own log."))
        return
    if not health.migrations_applied():
        yield Finding(_("Migrations are missing; run `manage.py migrate`."))
        return
    for look in LOOKS:
        yield from look()


def _settings() -> Iterator[Finding]:
    """What the settings let pass when they were read; a missing or weak secret keeps every command from starting."""
    public = urlsplit(settings.PUBLIC_URL)
    if public.scheme == "http" and public.hostname not in LOOPBACK:
        said = _(
            "PUBLIC_URL is plain http: cookies are Secure, so browsers off this machine cannot sign in. Use https."
        )
        yield Finding(said, is_note=True)
    for name in ("secret_key", "encryption_keys", "digest_keys", "demo.json"):
        path = settings.DATA_DIR / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(_("%(file)s can be read by others; run `chmod 600` on it.") % {"file": path})


def _broker() -> Iterator[Finding]:
    if not health.broker_answers():
        yield Finding(_("The broker does not answer; look at CELERY_BROKER_URL. Messages wait until it does."))


def _clock() -> Iterator[Finding]:
    skew = clock.measure(connection)
    if abs(skew) > SKEW:
        said = _("This machine's clock is %(seconds)s seconds off the database's; synchronise it.")
        yield Finding(said % {"seconds": round(skew.total_seconds())})
    latest = AuditEvent.objects.order_by("-pk").values_list("at", flat=True).first()
    if latest is not None and latest > clock.now() + SKEW:
        yield Finding(_("The clock was set back: the latest audit row lies in the future. Synchronise the clock."))


def _keys() -> Iterator[Finding]:
    for column in seals.columns():
        if lost := seals.count_under_lost_keys(column):
            said = _("%(what)s: %(count)s secrets are sealed under a key that is not in ENCRYPTION_KEYS; put it back.")
            yield Finding(said % {"what": column.title, "count": lost})
        elif former := seals.count_under_former_keys(column):
            said = _("%(what)s: %(count)s secrets are sealed under a former key; run `manage.py reseal`.")
            yield Finding(said % {"what": column.title, "count": former}, is_note=True)
    key = SigningKey.objects.filter(state=SigningKey.State.CURRENT).first()
    try:
        if key is not None:
            crypto.open_sealed(key.private_sealed, place=key.place())
    except crypto.SealBroken:
        yield Finding(
            _("The signing key cannot be opened: no token can be issued. Put its key back into ENCRYPTION_KEYS.")
        )


def _messages() -> Iterator[Finding]:
    before = clock.now() - OVERDUE
    state = OutboxMessage.State
    waiting = Q(state__in=(state.PENDING, state.UNKNOWN), next_at__lt=before)
    stuck = OutboxMessage.objects.filter(waiting | Q(state=state.SENDING, lease_until__lt=before)).count()
    if stuck:
        said = ngettext(
            "%(count)s message waits longer than it should; is the Celery worker running, and beat?",
            "%(count)s messages wait longer than they should; is the Celery worker running, and beat?",
            stuck,
        )
        yield Finding(said % {"count": stuck})
    if failing := OutboxMessage.objects.filter(state=state.PENDING, attempts__gte=5).count():
        said = _("%(count)s messages fail again and again; the admin's Messages page says why.")
        yield Finding(said % {"count": failing})
    if dead := OutboxMessage.objects.filter(state=state.DEAD).exclude(context_sealed="").count():
        said = _("%(count)s messages were given up; the admin's Messages page repeats them.")
        yield Finding(said % {"count": dead}, is_note=True)


def _audit() -> Iterator[Finding]:
    if AuditEvent.objects.filter(seal=None, at__lt=clock.now() - OVERDUE).exists():
        yield Finding(_("The audit trail is not being sealed; is the Celery worker running, and beat?"))


def _people() -> Iterator[Finding]:
    """Accounts that are weaker than they look."""
    imported = User.objects.exclude(password__startswith=f"{crypto.DigestArgon2Hasher.algorithm}$")
    imported = imported.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    if legacy := imported.count():
        said = _("%(count)s people have an imported password hash; it is upgraded when they next type their password.")
        yield Finding(said % {"count": legacy}, is_note=True)
    lost = User.objects.filter(has_second_factor=True).exclude(pk__in=TotpDevice.objects.values("user"))
    if names := list(lost.values_list("username", flat=True)[:5]):
        said = _("A second factor is asked of people who have none, reset it on their page in the admin: %(names)s")
        yield Finding(said % {"names": ", ".join(names)})
    bare = Membership.objects.filter(is_admin=True, user__is_active=True, user__has_second_factor=False)
    if admins := bare.filter(organization__requires_second_factor=True).count():
        said = _("%(count)s admins have no second factor where their organisation asks everybody for one.")
        yield Finding(said % {"count": admins}, is_note=True)


def _organizations() -> Iterator[Finding]:
    governed = Membership.objects.filter(is_admin=True, user__is_active=True).values("organization")
    for name in Organization.objects.exclude(pk__in=governed).values_list("name", flat=True):
        said = _("%(name)s has no enabled admin; make one with `manage.py create_user --role Admin`.")
        yield Finding(said % {"name": name}, is_note=True)
    machines = Client.objects.filter(deleted_at=None, secrets=None).count()
    if machines:
        said = _("%(count)s clients have no secret and cannot be used; rotate them in the admin.")
        yield Finding(said % {"count": machines}, is_note=True)


LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _broker,
    _clock,
    _keys,
    _messages,
    _audit,
    _people,
    _organizations,
)
