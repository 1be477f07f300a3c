"""Turns the domain's refusals into pages: which status, which template, which words."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from identity import errors
from identity.errors import DomainError

# The first that fits serves: leaves before what they are leaves of.
STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (errors.TooManyAttempts, 429),
    (errors.WrongCredentials, 401),
    (errors.NotAllowed, 403),
    (errors.NotFound, 404),
    (errors.MethodUnknown, 405),
    (errors.ResetTokenInvalid, 410),
    (errors.Spent, 410),
    (errors.UpstreamUnavailable, 503),
    (errors.Unavailable, 503),
    (DomainError, 400),
)
# There is no page of its own for a wrong password: the forms that ask for one say it themselves.
TEMPLATE_OF = {401: "400.html"}


def status_of(error: DomainError) -> int:
    """Answer the status of a refusal."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def answer(request: HttpRequest, error: DomainError, *, said: str = "") -> HttpResponse:
    """Answer the page of a refusal, in its own words or others; whoever has to sign in first is sent to do that and comes back."""
    if isinstance(error, errors.LoginAsRefused):
        return render(request, "pages/login_as_refused.html", {"rule": error.rule}, status=403)
    if isinstance(error, errors.Unauthenticated) and not isinstance(error, errors.WrongCredentials):
        return redirect_to_login(request.get_full_path() if request.method == "GET" else "/", settings.LOGIN_URL)
    status = status_of(error)
    response = render(
        request, TEMPLATE_OF.get(status, f"{status}.html"), {"message": said or words(error)}, status=status
    )
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response


def words(error: DomainError) -> str:
    """Answer what a refusal says about this very case, or nothing; `message` itself is written for logs."""
    if isinstance(error, errors.Invalid):
        return " ".join(sentence for sentences in error.fields.values() for sentence in sentences)
    if isinstance(error, errors.NotAllowedWhileActing):
        return _("Nobody may do this while working as somebody else.")
    return ""
