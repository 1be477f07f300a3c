"""Says who is behind a browser's request: two cookies, one for oneself and one for whom one works as (clarifications 46)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from identity import clock, crypto, login_as, sessions
from identity.errors import DomainError, NotAllowedWhileActing, Unauthenticated
from identity.models import LoginAs, Session, User
from identity.pages import cookies, refusals
from identity.principal import Principal, Via

DOOR = "portal"
ACTING_DOOR = "portal-acting"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# Where the own cookie decides also while somebody works as another.
OWN_COOKIE_PREFIXES = ("/admin/", "/login-as/")
# What look-only mode leaves to everybody: the ways out.
WAYS_OUT = (*OWN_COOKIE_PREFIXES, "/logout/")
ENROLMENT = "/account/second-factor/"
# What waits until a second factor is enrolled, where the organisation asks everybody for one.
BEHIND_ENROLMENT = ("/desk/", "/wall/", "/account/", "/admin/", "/login-as/", "/oauth/")

T = TypeVar("T")


class PortalRequest(HttpRequest):
    """A request as PortalAuthentication hands it on. Each of these is looked up at first use, and falsy when there is nobody.

    `own` is the real person, `acting_principal` the person worked as, `principal` whichever of them decides on this page;
    `acting` is what the banner shows (login_as.details_of).
    """

    own: Principal | None
    acting_principal: Principal | None
    principal: Principal | None
    acting: dict[str, Any] | None
    client_address: str
    id: str
    dead_cookies: set[str]


def via_of(request: HttpRequest, *, door: str = DOOR) -> Via:
    """Answer by which way a browser came."""
    return Via(
        door=door,
        address=getattr(request, "client_address", ""),
        user_agent=request.headers.get("User-Agent", "")[:300],
        request_id=getattr(request, "id", ""),
    )


class PortalAuthentication(AuthenticationMiddleware):
    """Sets what PortalRequest promises, and `request.user`, which Django's admin asks for.

    While somebody only looks as another, every unsafe method is refused here, before any page sees it.
    """

    def process_request(self, request: HttpRequest) -> None:
        asked = cast(PortalRequest, request)
        asked.dead_cookies = set()
        asked.own = _lazily(lambda: _own(asked))
        asked.acting_principal = _lazily(lambda: _acting(asked))
        asked.principal = _lazily(lambda: _deciding(asked))
        asked.acting = _lazily(lambda: _banner(asked))
        asked.user = _lazily(lambda: _user(asked))

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        asked = cast(PortalRequest, request)
        # Dialects prove their callers by their own credentials and never by these cookies.
        if getattr(view, "csrf_exempt", False):
            return None
        if _only_looks(asked):
            words = _("You are looking only. Stop, and start again with “act”, if you have to change something.")
            return refusals.answer(request, NotAllowedWhileActing(), said=words)
        if _must_enrol(asked):
            return HttpResponseRedirect(ENROLMENT)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refusals.answer(request, exception) if isinstance(exception, DomainError) else None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        asked = cast(PortalRequest, request)
        if cookies.PORTAL in asked.COOKIES or cookies.ACTING in asked.COOKIES:
            response.headers.setdefault("Cache-Control", "no-store")
        # Missing when a middleware in front refused the request before anybody was looked up.
        for name in getattr(asked, "dead_cookies", ()):
            if name not in response.cookies:
                cookies.forget(response, name)
        return response


def _lazily(find: Callable[[], T]) -> T:
    return cast(T, SimpleLazyObject(find))


def _own(request: PortalRequest) -> Principal | None:
    principal = _proven(request, cookies.PORTAL, DOOR)
    if principal:
        sessions.touch(principal.session, at=clock.now())
    return principal


def _acting(request: PortalRequest) -> Principal | None:
    """The person worked as. The acting cookie alone opens nothing: it serves beside the own cookie that it was made for."""
    principal = _proven(request, cookies.ACTING, ACTING_DOOR)
    if principal is None or principal.acting is None:
        if request.COOKIES.get(cookies.ACTING) and request.own:
            words = _("Working as somebody else is over. You are yourself again.")
            messages.warning(request, words, fail_silently=True)
        return None
    actor_session: Session = principal.session.login_as.actor_session
    own_secret = request.COOKIES.get(cookies.PORTAL, "")
    if actor_session.digest not in crypto.digests(own_secret, purpose=sessions.PURPOSE):
        request.dead_cookies.add(cookies.ACTING)
        return None
    at = clock.now()
    sessions.touch(principal.session, at=at)
    sessions.touch(actor_session, at=at)
    return principal


def _proven(request: PortalRequest, cookie: str, door: str) -> Principal | None:
    secret = request.COOKIES.get(cookie)
    if not secret:
        return None
    try:
        return sessions.by_secret(secret, doors=(door,), via=via_of(request))
    except Unauthenticated:
        request.dead_cookies.add(cookie)
        return None


def _deciding(request: PortalRequest) -> Principal | None:
    """The acting cookie decides on every page but /admin/ and /login-as/*, where the own one does."""
    if not request.path.startswith(OWN_COOKIE_PREFIXES) and request.acting_principal:
        return request.acting_principal
    return request.own or None


def _banner(request: PortalRequest) -> dict[str, Any] | None:
    principal = request.acting_principal
    if not principal or principal.acting is None:
        return None
    row: LoginAs = principal.session.login_as
    return login_as.details_of(row, actor_name=principal.acting.actor_name, at=clock.now())


def _user(request: PortalRequest) -> User | AnonymousUser:
    principal = request.principal
    if not principal:
        return AnonymousUser()
    session: Session = principal.session
    user = session.login_as.subject if session.login_as else session.user
    return user or AnonymousUser()


def _only_looks(request: PortalRequest) -> bool:
    if request.method in SAFE_METHODS or request.path.startswith(WAYS_OUT) or cookies.ACTING not in request.COOKIES:
        return False
    principal = request.acting_principal
    return bool(principal and principal.acting and principal.acting.mode == LoginAs.Mode.LOOK)


def _must_enrol(request: PortalRequest) -> bool:
    """Say whether the organisation asks everybody for a second factor and this person has none (clarifications 45)."""
    if cookies.PORTAL not in request.COOKIES or not request.path.startswith(BEHIND_ENROLMENT):
        return False
    principal = request.principal
    if request.path in (ENROLMENT, "/login-as/stop/") or not principal or _has_second_factor(principal):
        return False
    organization = principal.session.organization
    return bool(organization and organization.requires_second_factor)


def _has_second_factor(principal: Principal) -> bool:
    """One of ours, or one of the provider's that an administrator takes its word for."""
    return principal.has_second_factor or principal.passed_second_factor
