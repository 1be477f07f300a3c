"""The portal's own door to working as somebody else, and the way out of it (clarifications 21 and 46)."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from identity import login_as, policy
from identity.errors import CredentialMissing, Invalid
from identity.models import LoginAs as Row
from identity.pages import cookies
from identity.pages.forms import LoginAs
from identity.pages.guards import methods, own_path, signed_in
from identity.pages.middleware import ACTING_DOOR, PortalRequest, via_of
from identity.policy import Permission
from identity.principal import Principal


@methods("POST")
@signed_in
def start(request: PortalRequest, own: Principal) -> HttpResponse:
    """Begin to work as a person, with a reason; the own session stays as it is.

    Who works as somebody already is asked as such, so that the policy can refuse to nest. Raises what login_as.start raises.
    """
    form = LoginAs(request.POST)
    if not form.is_valid():
        raise Invalid("form", fields={name: [str(said) for said in errors] for name, errors in form.errors.items()})
    said = form.cleaned_data
    row = login_as.start(
        by=request.acting_principal or own, subject_id=said["user_id"], via=via_of(request), reason=said["reason"],
        mode=said["mode"] or Row.Mode.LOOK, needs_reason=True,
    )  # fmt: skip
    opened = login_as.open_session(by=own, login_as=row, via=via_of(request, door=ACTING_DOOR))
    response = HttpResponseRedirect(own_path(said["next"], otherwise=settings.LOGIN_REDIRECT_URL))
    cookies.keep(response, cookies.ACTING, opened.secret)
    return response


@methods("POST")
def stop(request: PortalRequest) -> HttpResponse:
    """Stop working as somebody: only the acting cookie goes. Raises CredentialMissing for strangers."""
    if request.acting_principal:
        login_as.stop(by=request.acting_principal)
        messages.success(request, _("You are yourself again."))
    if not request.own:
        raise CredentialMissing("nobody is signed in")
    response = HttpResponseRedirect(
        "/admin/" if policy.may(request.own, Permission.PEOPLE_READ) else settings.LOGIN_REDIRECT_URL
    )
    cookies.forget(response, cookies.ACTING)
    return response
