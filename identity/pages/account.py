"""The account page: one's password, sessions, personal tokens, and who worked as one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from identity import clock, login_as, personal_tokens, second_factor, sessions, sign_in
from identity.errors import Invalid, WrongCredentials
from identity.models import Session, User
from identity.pages.forms import NewToken, PasswordChange
from identity.pages.guards import methods, own_path, signed_in
from identity.pages.middleware import PortalRequest, via_of
from identity.principal import Principal

ACCOUNT = "/account/"
ROWS = 50


def whereabouts(by: Principal) -> dict[str, Any]:
    """Answer what pages show of a person's open sessions and of who worked as them, for whoever decides on the page."""
    at = clock.now()
    person: User = person_of(by)
    found = sessions.live(user=person, at=at).filter(is_personal_token=False)[: 2 * ROWS]
    return {
        "sessions": [session for session in found if session.is_open(at=at)][:ROWS],
        "current_session_id": by.session_id,
        "worked_as_me": login_as.history(subject=person)[:ROWS],
        "may_change": by.acting is None,
    }


def person_of(by: Principal) -> User:
    """Answer the person behind a page: who is worked as, or oneself."""
    session: Session = by.session
    person = session.login_as.subject if session.login_as else session.user
    assert person is not None, "a browser's session is always a person's"  # noqa: S101 - says it to the type checker
    return person


@methods("GET")
@signed_in
def account(request: PortalRequest, by: Principal) -> HttpResponse:
    """Show everything that people look after themselves."""
    return _page(request, by)


@methods("POST")
@signed_in
def password(request: PortalRequest, by: Principal) -> HttpResponse:
    """Set a new password with the old one; every other session ends."""
    form = PasswordChange(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        try:
            sign_in.change_own_password(
                by=by, user=person_of(by), old=said["old_password"], new=said["password"], via=via_of(request)
            )
        except WrongCredentials:
            form.add_error("old_password", _("This is not your password."))
        except Invalid as error:
            form.blame(error)
        else:
            messages.success(request, _("Your password is changed, and your other sessions have ended."))
            return HttpResponseRedirect(ACCOUNT)
    return _page(request, by, password_form=form, status=400)


@methods("POST")
@signed_in
def end_session(request: PortalRequest, by: Principal, session_id: UUID) -> HttpResponse:
    """End one of one's own sessions."""
    sessions.close_own(by=by, session_id=session_id)
    messages.success(request, _("The session has ended."))
    return HttpResponseRedirect(own_path(request.POST.get("next", ""), otherwise=ACCOUNT))


@methods("POST")
@signed_in
def end_other_sessions(request: PortalRequest, by: Principal) -> HttpResponse:
    """End all of one's sessions but this one."""
    ended = sessions.close_others(by=by, user=person_of(by))
    words = ngettext("%(number)d session has ended.", "%(number)d sessions have ended.", ended)
    messages.success(request, words % {"number": ended})
    return HttpResponseRedirect(ACCOUNT)


@methods("POST")
@signed_in
def make_token(request: PortalRequest, by: Principal) -> HttpResponse:
    """Make a personal token and show it, now and never again."""
    form = NewToken(request.POST)
    if form.is_valid():
        said = form.cleaned_data
        try:
            issued = personal_tokens.create(
                by=by, user=person_of(by), domain=said["domain"], label=said["label"], lifetime=timedelta(days=said["lifetime"])
            )  # fmt: skip
        except Invalid as error:
            form.blame(error)
        else:
            context = {"token": issued.text, "label": said["label"], "expires_at": issued.expires_at}
            return render(request, "pages/token_made.html", context)
    return _page(request, by, token_form=form, status=400)


@methods("POST")
@signed_in
def revoke_token(request: PortalRequest, by: Principal, session_id: UUID) -> HttpResponse:
    """Revoke one of one's own personal tokens."""
    personal_tokens.revoke(by=by, session=personal_tokens.of_person(by=by, session_id=session_id))
    messages.success(request, _("The token is revoked."))
    return HttpResponseRedirect(ACCOUNT)


def _page(
    request: PortalRequest, by: Principal, *, password_form: PasswordChange | None = None, token_form: NewToken | None = None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    person = person_of(by)
    organization = by.session.organization
    context = whereabouts(by) | {
        "person": person,
        "password_form": password_form or PasswordChange(),
        "backup_codes_left": second_factor.backup_codes_left(person),
        "personal_tokens": personal_tokens.of_user(person)[:ROWS],
        "token_form": token_form or NewToken(initial={"domain": organization.domain if organization else ""}),
    }
    return render(request, "pages/account.html", context, status=status)
