"""The second factor: setting it up with a picture, its backup codes, taking it away."""

from __future__ import annotations

import segno
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from identity import second_factor, sign_in
from identity.errors import Invalid, WrongCredentials
from identity.pages.account import ACCOUNT, person_of
from identity.pages.forms import Enrolment, FactorRemoval
from identity.pages.guards import methods, signed_in
from identity.pages.middleware import PortalRequest, via_of
from identity.principal import Principal


@methods("GET", "POST")
@signed_in
def enrol(request: PortalRequest, by: Principal) -> HttpResponse:
    """Show the secret as a picture and as text, and take the first code; the backup codes are the answer, shown once."""
    person = person_of(by)
    if person.has_second_factor and by.acting is None:
        return HttpResponseRedirect(ACCOUNT)
    form = Enrolment(request.POST or None)
    if form.is_valid():
        try:
            codes = second_factor.confirm(by=by, user=person, code=form.cleaned_data["otp"])
        except Invalid as error:
            form.blame(error)
        else:
            return render(request, "pages/backup_codes.html", {"codes": codes})
    enrolment = second_factor.begin(by=by, user=person)
    organization = by.session.organization
    context = {
        "qr": segno.make(enrolment.address, error="m").svg_data_uri(scale=4, border=4, light="#fff"),
        "secret": " ".join(enrolment.secret[at : at + 4] for at in range(0, len(enrolment.secret), 4)),
        "form": form,
        "is_required": bool(organization and organization.requires_second_factor),
    }
    return render(request, "pages/second_factor.html", context, status=400 if form.errors else 200)


@methods("POST")
@signed_in
def new_backup_codes(request: PortalRequest, by: Principal) -> HttpResponse:
    """Replace the backup codes and show the new ones, once."""
    codes = second_factor.new_backup_codes(by=by, user=person_of(by))
    return render(request, "pages/backup_codes.html", {"codes": codes})


@methods("GET", "POST")
@signed_in
def remove(request: PortalRequest, by: Principal) -> HttpResponse:
    """Take the second factor away, with the password and a last code."""
    person = person_of(by)
    if not person.has_second_factor:
        return HttpResponseRedirect(ACCOUNT)
    form = FactorRemoval(request.POST or None)
    if form.is_valid():
        said = form.cleaned_data
        try:
            sign_in.remove_own_second_factor(
                by=by, user=person, clear=said["password"], otp=said["otp"], via=via_of(request)
            )
        except WrongCredentials:
            form.add_error(None, _("Password or code do not fit. Check them and try again."))
        else:
            messages.success(request, _("Your second factor is removed."))
            return HttpResponseRedirect(ACCOUNT)
    return render(request, "pages/second_factor_remove.html", {"form": form}, status=400 if form.errors else 200)
