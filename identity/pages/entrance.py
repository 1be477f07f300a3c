"""Coming and going: the front door, signing in, signing out, and the language of the pages."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.shortcuts import render
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _

from identity import clients, sessions, sign_in, users
from identity.errors import NotFound, WrongCredentials
from identity.pages import cookies
from identity.pages.forms import Company, Language, SignIn
from identity.pages.guards import methods, own_path
from identity.pages.middleware import PortalRequest, via_of
from identity.pages.ways import Way, ways
from identity.principal import Principal, Role, Via
from identity.sessions import Opened
from identity.sign_in import Proven, SecondFactorMissing

LIFETIME = timedelta(hours=12)
IDLE = timedelta(minutes=30)
# Whoever can work as others loses an unattended browser sooner.
ADMIN_IDLE = timedelta(minutes=15)
LANGUAGE_COOKIE_DAYS = 365
# Nothing but an origin may get into a header: a semicolon in an address would begin a directive of its own.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[A-Za-z0-9.-]+(:[0-9]+)?")


@methods("GET")
def home(request: PortalRequest) -> HttpResponse:
    """Lead to the desk, operators to the admin, and strangers to the sign-in."""
    return HttpResponseRedirect(_home_of(request.principal) if request.principal else settings.LOGIN_URL)


@methods("GET", "POST")
def login(request: PortalRequest) -> HttpResponse:
    """Sign somebody in (clarifications 21 and 52): the same words for every reason why not."""
    if request.method == "POST":
        return _signed_in(request)
    target = request.GET.get("next", "")
    # `again`: a client wants a fresh proof of who sits here (OpenID Connect Core, 3.1.2.1), so being signed in is not enough.
    is_done = request.own and (request.own.passed_second_factor or not request.own.has_second_factor)
    if request.own and is_done and "again" not in request.GET:
        return HttpResponseRedirect(own_path(target, otherwise=_home_of(request.own)))
    form = SignIn(initial={"next": target})
    if request.own:
        form.ask_for_code()
    return _login_page(request, form)


@methods("POST")
def company(request: PortalRequest) -> HttpResponse:
    """Show the ways in that the company of an e-mail address has; whether the address is anybody's is not looked at."""
    form = Company(request.POST)
    page = SignIn(initial={"next": request.POST.get("next", "")})
    return _login_page(request, page, company=form, status=200 if form.is_valid() else 400)


@methods("POST")
def logout(request: PortalRequest) -> HttpResponse:
    """End the own session, and with it whatever works as others out of it; both cookies go (clarifications 46)."""
    goes_on = ""
    if request.own and request.own.session_id:
        goes_on = ways().way_out(session_id=request.own.session_id)
        sessions.close(request.own.session_id, reason="logout", by=request.own)
    response = HttpResponseRedirect(goes_on or settings.LOGIN_URL)
    cookies.forget(response, cookies.PORTAL)
    cookies.forget(response, cookies.ACTING)
    rotate_token(request)
    return response


@methods("POST")
def language(request: PortalRequest) -> HttpResponse:
    """Set the language of the pages, and of somebody's own mails; never of somebody who is only worked as."""
    form = Language(request.POST)
    form.is_valid()
    code = form.cleaned_data.get("language", "")
    response = HttpResponseRedirect(own_path(form.cleaned_data.get("next", ""), otherwise="/"))
    if code not in dict(settings.LANGUAGES) or not check_for_language(code):
        return response
    _speak(response, code)
    if request.own and not request.acting_principal:
        users.change(by=request.own, user=request.own.session.user, language=code)
    return response


def _signed_in(request: PortalRequest) -> HttpResponse:
    form = SignIn(request.POST)
    if "otp" in request.POST:
        form.ask_for_code()
    if not form.is_valid():
        return _login_page(request, form, status=400)
    said, via = form.cleaned_data, via_of(request)
    try:
        proven = sign_in.prove(name=said["username"], clear=said["password"], otp=said.get("otp", ""), via=via)
    except SecondFactorMissing:
        form.ask_for_code()
        form.add_error(None, _("One step more: enter your password again, and the code of your authenticator app."))
        return _login_page(request, form, status=401)
    except WrongCredentials:
        form.add_error(None, _("Name, password or code do not fit. Check them and try again."))
        return _login_page(request, form, status=401)
    return lead_on(request, proven, open_session(request, proven), target=said["next"])


def open_session(request: PortalRequest, proven: Proven, *, came_by: Via | None = None, **said: Any) -> Opened:
    """Open the browser's session of somebody who was just proven. Raises WrongCredentials as sign_in.open_session."""
    return sign_in.open_session(
        proven, via=via_of(request), lifetime=LIFETIME, idle=_idle_of(proven), came_by=came_by, **said
    )


def lead_on(request: PortalRequest, proven: Proven, opened: Opened, *, target: str) -> HttpResponse:
    """Give the browser its new session in place of the one before, and lead it to where it wanted to go."""
    if request.own and request.own.session_id:
        sessions.close(request.own.session_id, reason="signed_in_again", by=request.own)
    rotate_token(request)
    otherwise = "/admin/" if proven.organization is None else settings.LOGIN_REDIRECT_URL
    response = HttpResponseRedirect(own_path(target, otherwise=otherwise))
    cookies.keep(response, cookies.PORTAL, opened.secret)
    cookies.forget(response, cookies.ACTING)
    if proven.user.language:
        _speak(response, proven.user.language)
    return response


def _login_page(
    request: PortalRequest, form: SignIn, *, status: int = 200, company: Company | None = None
) -> HttpResponse:
    target = request.POST.get("next", "") or request.GET.get("next", "")
    again = "again" in request.GET or bool(request.POST.get("again"))
    others = ways()
    context = {
        "form": form, "cookies_need_https": not request.is_secure() and not _is_loopback(request),
        "ways": _led(others.offered(host=request.get_host()), target, again=again),
        "company": company or (Company(initial={"next": target, "again": "1" if again else ""}) if others.are_there() else None),
    }  # fmt: skip
    if company is not None and company.is_valid():
        context["company_ways"] = _led(others.offered(email=company.cleaned_data["email"]), target, again=again)
    response = render(request, "pages/login.html", context, status=status)
    # Where csp.decorators.csp_update puts it.
    response._csp_update = {"form-action": _leads_to(target)}  # type: ignore[attr-defined]
    return response


def _led(offered: list[Way], target: str, *, again: bool) -> list[Way]:
    """Answer the ways with what travels along: where to go then, and whether a fresh proof is wanted."""
    said = {"next": own_path(target, otherwise="/")} if target else {}
    query = urlencode(said | ({"again": "1"} if again else {}))
    return [Way(f"{way.address}?{query}" if query else way.address, way.label) for way in offered]


def _leads_to(target: str) -> list[str]:
    """Answer the origin that a sign-in for a client goes on to, if the client registered it (RFC 6749, 4.1.2).

    Browsers hold the redirects that follow a form to `form-action`, too: without it the client never gets its code.
    """
    said = parse_qs(urlsplit(target).query)
    redirect_uri = said.get("redirect_uri", [""])[0]
    try:
        client = clients.by_id(client_id=said.get("client_id", [""])[0])
    except NotFound:
        return []
    found = ORIGIN.match(redirect_uri) if redirect_uri in client.redirect_uris else None
    at = urlsplit(redirect_uri)
    origin = f"{at.scheme}://{at.netloc}"
    return [origin] if found and found.group() == origin else []


def _is_loopback(request: PortalRequest) -> bool:
    return ip_address(request.client_address).is_loopback


def _idle_of(proven: Proven) -> timedelta:
    is_admin = proven.membership is None or Role.ADMIN in proven.membership.roles
    return ADMIN_IDLE if is_admin else IDLE


def _home_of(principal: Principal) -> str:
    return "/admin/" if principal.is_operator else settings.LOGIN_REDIRECT_URL


def _speak(response: HttpResponse, code: str) -> None:
    cookies.keep(response, settings.LANGUAGE_COOKIE_NAME, code, seconds=LANGUAGE_COOKIE_DAYS * 86_400)
