"""The supervisor's wall: a page for a big screen, and the part of it that the page asks for again every few seconds."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from agents import wall
from identity.pages.guards import methods, signed_in
from identity.pages.middleware import PortalRequest
from identity.principal import Principal

SECONDS = 5


@methods("GET")
@signed_in
def page(request: PortalRequest, by: Principal) -> HttpResponse:
    """Show the whole wall."""
    return render(request, "pages/wall.html", {"wall": wall.look(by=by), "seconds": SECONDS})


@methods("GET")
@signed_in
def now(request: PortalRequest, by: Principal) -> HttpResponse:
    """Answer what has to be drawn anew: the numbers and the tiles."""
    return render(request, "pages/_wall.html", {"wall": wall.look(by=by)})
