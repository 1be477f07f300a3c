"""Setting a new password by mail: asking for the link, following it, choosing."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import get_language

from identity import password_resets, users
from identity.errors import Invalid, ResetTokenInvalid
from identity.pages import cookies
from identity.pages.forms import NewPassword, ResetRequest
from identity.pages.guards import methods
from identity.pages.middleware import PortalRequest, via_of

CHOOSE, DONE = "/reset/choose/", "/reset/done/"
# How long a followed link waits for a new password; the token itself may end sooner.
COOKIE_SECONDS = 900


@methods("GET", "POST")
def request_link(request: PortalRequest) -> HttpResponse:
    """Take an address and answer the same for each; a followed link is sent on without its token.

    The token moves into a cookie: in the address it would stay in the history, and on the shoulder-surfer's screen.
    """
    if request.method == "POST":
        return _requested(request)
    token = request.GET.get("token", "")
    if not token:
        return render(request, "pages/reset_request.html", {"form": ResetRequest()})
    response = HttpResponseRedirect(CHOOSE)
    if token.isascii() and token.isprintable() and len(token) <= 200:
        cookies.keep(response, cookies.RESET, token, path="/reset/", seconds=COOKIE_SECONDS)
    else:
        cookies.forget(response, cookies.RESET, path="/reset/")
    return response


@methods("GET", "POST")
def choose(request: PortalRequest) -> HttpResponse:
    """Set the new password; one that is refused keeps the link alive (clarifications 17)."""
    token = request.COOKIES.get(cookies.RESET, "")
    form = NewPassword(request.POST or None)
    if request.method != "POST" and not password_resets.is_usable(token):
        return _useless(request)
    if form.is_valid():
        try:
            password_resets.confirm(token=token, via=via_of(request), clear=form.cleaned_data["password"])
        except ResetTokenInvalid:
            return _useless(request)
        except Invalid as error:
            form.blame(error)
        else:
            response = HttpResponseRedirect(DONE)
            cookies.forget(response, cookies.RESET, path="/reset/")
            return response
    return render(request, "pages/reset_confirm.html", {"form": form}, status=400 if form.errors else 200)


@methods("GET")
def done(request: PortalRequest) -> HttpResponse:
    """Say that the password is changed."""
    return render(request, "pages/reset_done.html")


def _requested(request: PortalRequest) -> HttpResponse:
    form = ResetRequest(request.POST)
    if not form.is_valid():
        return render(request, "pages/reset_request.html", {"form": form}, status=400)
    user = users.find(name=form.cleaned_data["email"])
    password_resets.request(via=via_of(request), user=user, locale=get_language() or "")
    return render(request, "pages/reset_sent.html")


def _useless(request: PortalRequest) -> HttpResponse:
    response = render(request, "pages/reset_confirm.html", {"form": None}, status=410)
    cookies.forget(response, cookies.RESET, path="/reset/")
    return response
