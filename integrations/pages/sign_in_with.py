"""The pages of signing in with an application: away, back, the second factor, and out."""

from __future__ import annotations

import re
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from identity.errors import NotFound, UpstreamUnavailable, WrongCredentials
from identity.pages import cookies, entrance
from identity.pages.forms import SecondFactor
from identity.pages.guards import methods, own_path
from identity.pages.middleware import PortalRequest, via_of
from identity.sign_in import SecondFactorMissing
from integrations.providers.proof import SignInRefused, Why
from integrations.stories import sign_in_with
from integrations.stories.sign_in_with import DOOR, LIFETIME, Arrived

COOKIE, COOKIE_PATH = "switchboard_with", "/login/with/"
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")
PARAMETERS = ("state", "code", "error", "iss")
LONGEST_PARAMETER = 4000


@methods("GET")
def begin(request: PortalRequest, application_id: str) -> HttpResponse:
    """Send the browser to the provider; another site's link opens no new session in the place of one that is open."""
    if request.own and request.headers.get("Sec-Fetch-Site") == "cross-site":
        return HttpResponseRedirect(settings.LOGIN_URL)
    target = own_path(request.GET.get("next", ""), otherwise="")
    try:
        begun = sign_in_with.begin(
            application_id=application_id,
            next_path=target,
            browser=_browser(request),
            via=via_of(request, door=DOOR),
            wants_fresh_proof="again" in request.GET,
        )
    except (SignInRefused, UpstreamUnavailable) as e:
        return _refused(request, application_id, e)
    response = HttpResponseRedirect(begun.address)
    cookies.keep(response, COOKIE, begun.browser, path=COOKIE_PATH, seconds=int(LIFETIME.total_seconds()))
    return response


@methods("GET")
def callback(request: PortalRequest, application_id: str) -> HttpResponse:
    """Take what the provider sent the browser back with, and let it in or say what to do."""
    try:
        arrived = sign_in_with.finish(
            application_id=application_id, answer=_answer(request), browser=_browser(request), via=via_of(request, door=DOOR)
        )  # fmt: skip
    except SecondFactorMissing:
        return HttpResponseRedirect(f"{COOKIE_PATH}{application_id}/code/")
    except (SignInRefused, UpstreamUnavailable) as e:
        return _refused(request, application_id, e)
    return _in(request, application_id, arrived)


@methods("GET", "POST")
def code(request: PortalRequest, application_id: str) -> HttpResponse:
    """Ask whoever has a second factor here for a code of it."""
    name = sign_in_with.name_of(application_id=application_id)
    form = SecondFactor(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                arrived = sign_in_with.confirm(
                    application_id=application_id, otp=form.cleaned_data["otp"], browser=_browser(request), via=via_of(request, door=DOOR)
                )  # fmt: skip
                return _in(request, application_id, arrived)
            except WrongCredentials:
                status = 401
                form.add_error("otp", _("This code is wrong, or was used already."))
            except SignInRefused as e:
                return _refused(request, application_id, e)
    return render(request, "pages/sign_in_with_code.html", {"form": form, "name": name}, status=status)


@methods("GET")
def left(request: PortalRequest, sign_in_id: UUID) -> HttpResponse:
    """Lead a browser that logged out here on to the provider's logout; by a page, for a form may lead to no other site."""
    try:
        address = sign_in_with.leave(sign_in_id=sign_in_id)
    except NotFound:
        return HttpResponseRedirect(settings.LOGIN_URL)
    response = render(request, "pages/sign_in_with_left.html", {"address": address})
    response.headers["Refresh"] = f"0; url={address}"
    return response


def _in(request: PortalRequest, application_id: str, arrived: Arrived) -> HttpResponse:
    opened = entrance.open_session(
        request, arrived.proven, came_by=via_of(request, door=DOOR), application=application_id
    )
    try:
        sign_in_with.keep(arrived=arrived, session=opened.session)
    except SignInRefused as e:
        return _refused(request, application_id, e)
    response = entrance.lead_on(request, arrived.proven, opened, target=arrived.next_path)
    cookies.forget(response, COOKIE, path=COOKIE_PATH)
    return response


def _refused(request: PortalRequest, application_id: str, error: SignInRefused | UpstreamUnavailable) -> HttpResponse:
    """Answer the page that says what happened and what to do; 502 where it is the provider that failed (clarifications 6)."""
    why = error.why if isinstance(error, SignInRefused) else Why.UNREACHABLE
    context = {
        "why": why.value,
        "name": sign_in_with.name_of(application_id=application_id),
        "application": application_id,
    }
    return render(request, "pages/sign_in_with_refused.html", context, status=502 if why is Why.UNREACHABLE else 403)


def _browser(request: PortalRequest) -> str:
    """Answer the secret of this browser's sign-ins under way, or nothing."""
    kept = request.COOKIES.get(COOKIE, "")
    return kept if SECRET.fullmatch(kept) else ""


def _answer(request: PortalRequest) -> dict[str, str]:
    """Answer the parameters of a provider's answer; one that comes twice is none (RFC 6749, 3.1)."""
    said = {name: request.GET.getlist(name) for name in PARAMETERS}
    return {
        name: found[0] for name, found in said.items() if len(found) == 1 and 0 < len(found[0]) <= LONGEST_PARAMETER
    }
