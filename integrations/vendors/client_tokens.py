"""Keeps the access tokens that our clients hold at vendors, sealed, until shortly before they end (RFC 6749, 4.4)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings

from identity import clock, crypto
from identity.errors import UpstreamUnavailable
from identity.models import Application
from integrations.models import VendorToken

PURPOSE = "vendor-credentials"
# A token is not used in its last minute, nor in the last tenth of a shorter life: it has to live through the call.
MARGIN = timedelta(minutes=1)
# Where a vendor does not say how long a token lives (RFC 6749, 5.1), and the longest that is believed.
USUAL_LIFE = timedelta(minutes=5)
LONGEST_LIFE = timedelta(days=1)
POLL_SECONDS = 0.05
TOKEN = re.compile(r"[!-~]{1,16000}\Z")


@dataclass(frozen=True, slots=True)
class Held:
    """A token as it may be sent; `sealed` says which one it is without telling it."""

    token: str
    application_id: str
    sealed: str

    def __repr__(self) -> str:
        return f"Held({self.application_id})"


def get(
    *, application: Application, credentials: tuple[str, ...], fetch: Callable[[], dict[str, Any]], until: float
) -> Held:
    """Answer a token of an application's client: the one that is kept, or the one that `fetch` brings (a token answer).

    `credentials` is all that the token hangs on; with others the kept one does not count. Of all processes one fetches,
    the others wait for it until the deadline. Raises what `fetch` raises, UpstreamUnavailable.
    """
    digest = crypto.digest("\0".join(credentials), purpose=PURPOSE)
    while True:
        row, _is_new = VendorToken.objects.get_or_create(pk=application.pk)
        if _is_good(row, digest):
            # A token whose key is gone is fetched like one that never was.
            with suppress(crypto.SealBroken):
                return Held(crypto.open_sealed(row.sealed, place=row.place()), application.pk, row.sealed)
        if _claim(row):
            return _fetched(row, digest, fetch)
        if time.monotonic() >= until:
            raise UpstreamUnavailable("nobody brought a token in time")
        time.sleep(POLL_SECONDS)


def is_token_answer(said: Any) -> bool:
    """Say whether JSON is a token answer whose token can be sent in a header (RFC 6749, 5.1; RFC 6750, 2.1)."""
    token = said.get("access_token") if isinstance(said, dict) else None
    return isinstance(token, str) and TOKEN.match(token) is not None


def drop(held: Held) -> None:
    """Forget a token that the vendor does not take any more; one that was fetched meanwhile stays."""
    VendorToken.objects.filter(pk=held.application_id, sealed=held.sealed).update(sealed="", expires_at=None)


def _is_good(row: VendorToken, digest: str) -> bool:
    is_ours = bool(row.sealed) and crypto.same(row.credentials_digest, digest)
    return is_ours and row.expires_at is not None and row.expires_at > clock.now()


def _claim(row: VendorToken) -> bool:
    """Claim the fetching by the write; a claim whose process died is over when no call of it can still be under way."""
    now = clock.now()
    if row.claimed_until is not None and row.claimed_until > now:
        return False
    # What is kept is compared too: whoever looked before another one fetched must not fetch once more.
    seen = VendorToken.objects.filter(pk=row.pk, claimed_until=row.claimed_until, sealed=row.sealed)
    lease = timedelta(seconds=settings.UPSTREAM_TIMEOUT_SECONDS + 1)
    return seen.update(claimed_until=now + lease) == 1


def _fetched(row: VendorToken, digest: str, fetch: Callable[[], dict[str, Any]]) -> Held:
    kept = VendorToken.objects.filter(pk=row.pk)
    try:
        said, now = fetch(), clock.now()
    except BaseException:
        kept.update(claimed_until=None)
        raise
    life = _life(said.get("expires_in"))
    sealed = crypto.seal(said["access_token"], place=row.place())
    kept.update(
        sealed=sealed, credentials_digest=digest, claimed_until=None, expires_at=now + life - min(MARGIN, life / 10)
    )
    return Held(said["access_token"], row.pk, sealed)


def _life(said: Any) -> timedelta:
    if not isinstance(said, int) or isinstance(said, bool) or said < 0:
        return USUAL_LIFE
    return min(timedelta(seconds=min(said, 10**6)), LONGEST_LIFE)
