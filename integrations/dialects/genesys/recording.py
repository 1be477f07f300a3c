"""The sessions of the recording service: begun by a login, kept by pings, guarded by a token, ended by a logout (dialects.md 4.1)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from rest_framework.request import Request

from agents import actions as agents
from identity import crypto, sessions, sign_in
from identity.errors import CredentialExpired, Unauthenticated
from identity.principal import Principal
from identity.sessions import Opened
from identity.sign_in import Proven
from integrations.dialects.genesys import credentials
from integrations.dialects.genesys.errors import CsrfTokenWrong

DOORS = (credentials.DOOR,)
PREFIX = "swg"
LIFETIME = timedelta(hours=24)
# How long a session waits for its first ping.
UNTIL_FIRST_PING = timedelta(minutes=10)
CSRF = "csrf"
CSRF_PURPOSE = "genesys-csrf"
CSRF_SENT = "X-CSRF-Token"


def begin(by: Principal, request: Request, *, configuration: dict[str, Any]) -> Opened:
    """Open a session for somebody who has proven himself, and seat him where the configuration says."""
    opened = sign_in.open_session(
        _proven(request), via=by.via, lifetime=LIFETIME, idle=UNTIL_FIRST_PING, details=configuration, secret_prefix=PREFIX
    )  # fmt: skip
    _seat(by, opened.session, configuration)
    return opened


def guard(opened: Opened) -> str:
    """Make a token against forgery that a logout has to bring, told once and kept as a digest."""
    token = str(uuid.uuid4())
    sessions.note(opened.session, **{CSRF: crypto.digest(token, purpose=CSRF_PURPOSE)})
    return token


def configure(principal: Principal, request: Request, *, configuration: dict[str, Any]) -> None:
    """Change the configuration of the session whose cookie was sent. Raises CsrfTokenWrong."""
    if configuration:
        _require_token([principal.session], request)
        sessions.note(principal.session, **configuration)
        _seat(principal, principal.session, configuration)


def keep_alive(principal: Principal) -> None:
    """Restart the timer of the cookie's session, or of all that a person has (clarifications 26). Raises CredentialExpired."""
    found = _meant(principal)
    if not found:
        raise CredentialExpired("no session is open")
    sessions.keep_alive(found, idle=timedelta(seconds=settings.SRS_PING_SECONDS))


def end(principal: Principal, request: Request) -> None:
    """End the cookie's session; with name and password alone, all that the person has here. Raises CsrfTokenWrong."""
    if principal.session is None and request.COOKIES.get(credentials.COOKIE):
        principal = _of_cookie(principal, request) or principal
    _require_token(_meant(principal), request)
    if principal.session is not None:
        sessions.close(principal.session_id, reason="logout", by=principal)
        return
    proven = _proven(request)
    sessions.close_all(
        user=proven.user, reason="logout", by=principal, doors=DOORS, organization=proven.organization
    )  # fmt: skip


def _meant(principal: Principal) -> list[Any]:
    return [principal.session] if principal.session is not None else sessions.behind(by=principal, doors=DOORS)


def _of_cookie(principal: Principal, request: Request) -> Principal | None:
    """Answer who the cookie beside a password stands for, if that is the same person; a dead one says nothing."""
    try:
        of_cookie = credentials.by_cookie(request)
    except Unauthenticated:
        return None
    return of_cookie if of_cookie is not None and of_cookie.user_id == principal.user_id else None


def _require_token(found: list[Any], request: Request) -> None:
    """Go on only with the token of one of these sessions, if any of them has one. Raises CsrfTokenWrong."""
    digests = [session.details[CSRF] for session in found if CSRF in session.details]
    sent = request.headers.get(CSRF_SENT, "")
    if digests and not any(crypto.matches(sent, digest, purpose=CSRF_PURPOSE) for digest in digests):
        raise CsrfTokenWrong("no token, or none of these")


def _seat(by: Principal, session: Any, configuration: dict[str, Any]) -> None:
    if "place" in configuration or "devices" in configuration:
        agents.sit(
            by=by, session=session, place=configuration.get("place", ""), devices=configuration.get("devices", [])
        )


def _proven(request: Request) -> Proven:
    """Answer who was proven by name and password."""
    proven: Proven = cast(Any, request).proven
    return proven
