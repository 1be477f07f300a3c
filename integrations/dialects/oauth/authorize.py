"""The authorization endpoint: a page that sends an agent's browser back with a code (RFC 6749, 4.1; RFC 7636; OpenID Connect Core, 3.1.2).

It stands on the portal's own session. There is no page that asks for consent: client and person are of one organisation, and
whoever works as somebody else is refused (clarifications 60).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from identity import authorization_codes, clients, clock, sessions
from identity.errors import DomainError, Invalid, NotFound
from identity.pages.guards import methods
from identity.pages.middleware import PortalRequest, via_of
from identity.principal import Principal
from integrations.dialects.oauth.credentials import DOOR

SCOPES = ("openid", "profile", "email")
PROMPTS = ("none", "login", "consent", "select_account")
# Base64url of a SHA-256 (RFC 7636, 4.2).
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
LONGEST = 200
# Names the moment after which somebody has to have signed in again; signed, so that it cannot be set back.
AGAIN = "signed_in_after"
AGAIN_SALT = "oauth.authorize.again"
AGAIN_LASTS = timedelta(hours=1)


class Denied(DomainError):
    """The client is told by an error in the address that the browser goes back to (RFC 6749, 4.1.2.1)."""

    def __init__(self, error: str, said: str) -> None:
        super().__init__(said)
        self.error = error


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for, checked."""

    scope: str
    nonce: str
    code_challenge: str
    prompts: frozenset[str]
    max_age: timedelta | None


@methods("GET")
def authorize(request: PortalRequest) -> HttpResponse:
    """Send the browser back with a code, or with why not; a stranger signs in first."""
    said = _said(request)
    client, redirect_uri = _client_of(said)
    try:
        _once(request)
        asked = _asked(said)
        principal = request.principal or None
        if principal is None or not _is_fresh(principal, asked, said):
            return _sign_in(request, asked, is_again=principal is not None)
        code = _code(request, principal, client, redirect_uri, asked)
    except Denied as denied:
        return _back(redirect_uri, said, error=denied.error, error_description=denied.message)
    return _back(redirect_uri, said, code=code)


def _said(request: HttpRequest) -> dict[str, str]:
    return {name: values[0] for name, values in request.GET.lists()}


def _once(request: HttpRequest) -> None:
    if any(len(values) > 1 for _, values in request.GET.lists()):
        raise Denied("invalid_request", "A parameter is repeated")


def _client_of(said: Mapping[str, str]) -> tuple[Any, str]:
    """Answer the client and where it wants the browser to go: an address that was registered, letter by letter.

    Anything else is told to the person on a page and never to the address (RFC 6749, 4.1.2.1; an open redirector otherwise).
    """
    redirect_uri = said.get("redirect_uri", "")
    try:
        client = clients.by_id(client_id=said.get("client_id", ""))
    except NotFound as e:
        raise Invalid("client_id", fields={"client_id": []}) from e
    if redirect_uri not in client.redirect_uris:
        raise Invalid("redirect_uri", fields={"redirect_uri": []})
    return client, redirect_uri


def _asked(said: Mapping[str, str]) -> Asked:
    if said.get("response_type") != "code":
        raise Denied("unsupported_response_type" if said.get("response_type") else "invalid_request", "Only code")
    for name in ("request", "request_uri"):
        if name in said:
            raise Denied(f"{name}_not_supported", "Parameters come one by one")
    if said.get("code_challenge_method") != "S256" or not CHALLENGE.match(said.get("code_challenge", "")):
        raise Denied("invalid_request", "A code_challenge with the method S256 is needed")
    if said.get("response_mode", "query") != "query":
        raise Denied("invalid_request", "The response_mode is query")
    prompts, max_age = frozenset(said.get("prompt", "").split()), said.get("max_age", "")
    if not prompts <= set(PROMPTS) or ("none" in prompts and len(prompts) > 1):
        raise Denied("invalid_request", "The prompt is not known")
    if max_age and not (max_age.isascii() and max_age.isdigit() and len(max_age) < 10):
        raise Denied("invalid_request", "The max_age is a number of seconds")
    nonce = said.get("nonce", "")
    if len(nonce) > LONGEST or "\0" in nonce:
        raise Denied("invalid_request", "The nonce is too long")
    wanted = said.get("scope", "").split()
    return Asked(
        scope=" ".join(one for one in SCOPES if one in wanted),
        nonce=nonce,
        code_challenge=said["code_challenge"],
        prompts=prompts,
        max_age=timedelta(seconds=int(max_age)) if max_age else None,
    )


def _is_fresh(principal: Principal, asked: Asked, said: Mapping[str, str]) -> bool:
    """Say whether the sign-in is recent enough for `max_age` and `prompt` (OpenID Connect Core, 3.1.2.1)."""
    signed_in_at: datetime = principal.session.created_at
    if asked.max_age is not None and signed_in_at >= clock.now() - asked.max_age:
        return "login" not in asked.prompts or signed_in_at >= _again_since(said)
    if asked.max_age is not None or asked.prompts & {"login", "select_account"}:
        return signed_in_at >= _again_since(said)
    return True


def _again_since(said: Mapping[str, str]) -> datetime:
    """Answer the moment that a sign-in has to follow; without one that we signed, no sign-in is recent enough."""
    try:
        text = signing.loads(said.get(AGAIN, ""), salt=AGAIN_SALT, max_age=AGAIN_LASTS)
        return datetime.fromisoformat(text)
    except signing.BadSignature:
        return clock.now() + AGAIN_LASTS


def _sign_in(request: HttpRequest, asked: Asked, *, is_again: bool) -> HttpResponse:
    if "none" in asked.prompts:
        raise Denied("login_required", "Somebody has to sign in first")
    query = request.GET.copy()
    query[AGAIN] = signing.dumps(clock.now().isoformat(), salt=AGAIN_SALT)
    to = {"next": f"{request.path}?{query.urlencode()}", **({"again": "1"} if is_again else {})}
    return HttpResponseRedirect(f"{settings.LOGIN_URL}?{urlencode(to)}")


def _code(request: HttpRequest, principal: Principal, client: Any, redirect_uri: str, asked: Asked) -> str:
    if principal.acting is not None:
        raise Denied("access_denied", "Nobody signs in elsewhere while working as somebody else")
    if principal.organization_id is None or principal.organization_id != client.organization_id:
        raise Denied("access_denied", "The person is not of the client's organisation")
    session = principal.session
    return authorization_codes.issue(
        by=principal.coming(via_of(request, door=DOOR)), user=sessions.person_of(principal), client=client,
        organization=client.organization, session=session, authenticated_at=session.created_at, redirect_uri=redirect_uri,
        code_challenge=asked.code_challenge, scope=asked.scope, nonce=asked.nonce,
    )  # fmt: skip


def _back(redirect_uri: str, said: Mapping[str, str], **more: str) -> HttpResponse:
    """Go back with `state` as it came and with our name, against a mix-up of servers (RFC 9207)."""
    if "state" in said:
        more["state"] = said["state"]
    joint = "&" if "?" in redirect_uri else "?"
    return HttpResponseRedirect(f"{redirect_uri}{joint}{urlencode({**more, 'iss': settings.PUBLIC_URL})}")
