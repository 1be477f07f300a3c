"""Says who is behind a browser's request: two cookies, one for oneself and one for whom one works as (clarifications 46)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from identity import clock, login_as, sessions
from identity.errors import Unauthenticated
from identity.models import LoginAs, User
from identity.principal import Principal, Via

DOOR = "portal"
ACTING_DOOR = "portal-acting"
OWN_COOKIE_PREFIXES = ("/admin/", "/login-as/")
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
IDLE = timedelta(minutes=30)
ADMIN_IDLE = timedelta(minutes=15)
LIFETIME = timedelta(hours=12)


def via_of(request: HttpRequest, *, door: str = DOOR) -> Via:
    """Answer by which way a browser came."""
    return Via(
        door=door,
        address=getattr(request, "client_address", "") or "",
        user_agent=request.headers.get("User-Agent", "")[:300],
        request_id=getattr(request, "request_id", ""),
    )


class PortalAuthentication(AuthenticationMiddleware):
    """Sets `request.principal`, `request.own` (the real person), `request.acting` and `request.user`, each looked up at first use.

    While somebody works as another, look-only mode refuses every unsafe method here, before any page sees it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)

    def process_request(self, request: HttpRequest) -> None:
        request.own = SimpleLazyObject(lambda: _proven(request, settings.PORTAL_COOKIE, DOOR))
        request.acting_principal = SimpleLazyObject(lambda: _proven(request, settings.ACTING_COOKIE, ACTING_DOOR))
        request.principal = SimpleLazyObject(lambda: _deciding(request))
        request.acting = SimpleLazyObject(lambda: _banner(request))
        request.user = SimpleLazyObject(lambda: _user(request))

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if (
            request.method in SAFE_METHODS
            or request.path.startswith(OWN_COOKIE_PREFIXES)
            or settings.ACTING_COOKIE not in request.COOKIES
        ):
            return None
        principal: Principal | None = request.principal or None
        if principal and principal.acting and principal.acting.mode == LoginAs.Mode.LOOK and not _is_public_api(view):
            said = _("You are looking only. Stop, and start again with “act”, if you have to change something.")
            return render(request, "403.html", {"message": said}, status=403)
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if settings.PORTAL_COOKIE in request.COOKIES or settings.ACTING_COOKIE in request.COOKIES:
            response.headers.setdefault("Cache-Control", "no-store")
        return response


def _proven(request: HttpRequest, cookie: str, door: str) -> Principal | None:
    secret = request.COOKIES.get(cookie)
    if not secret:
        return None
    try:
        principal = sessions.by_secret(secret, doors=(door,), via=via_of(request))
    except Unauthenticated:
        return None
    sessions.touch(principal.session, at=clock.now())
    return principal


def _deciding(request: HttpRequest) -> Principal | None:
    """The acting cookie decides on every page but /admin/ and /login-as/*, where the own one does."""
    if not request.path.startswith(OWN_COOKIE_PREFIXES):
        acting = request.acting_principal
        if acting:
            sessions.touch(acting.session.login_as.actor_session, at=clock.now())
            return acting
    return request.own or None


def _banner(request: HttpRequest) -> dict[str, Any] | None:
    acting = request.acting_principal
    if not acting:
        return None
    return login_as.details_of(acting.session.login_as, actor_name=acting.acting.actor_name, at=clock.now())


def _user(request: HttpRequest) -> User | AnonymousUser:
    principal = request.principal
    if not principal:
        return AnonymousUser()
    session = principal.session
    return session.login_as.subject if session.login_as else session.user


def _is_public_api(view: Any) -> bool:
    """Dialects prove their callers by their own credentials and never by the portal's cookies."""
    return bool(getattr(view, "csrf_exempt", False))
