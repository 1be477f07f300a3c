"""The customer's page of a ticket: looking never uses it up, a button does (dialects.md 3.7)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from identity import clock
from identity.errors import NotFound, Spent, Unauthenticated
from identity.pages import cookies
from identity.pages.guards import methods
from identity.pages.middleware import PortalRequest, via_of
from tickets import calendar, redemptions
from tickets.models import State, Ticket

DOOR = "ticket"
COOKIE = "switchboard_ticket"
WAITING, IN, UNKNOWN = "waiting", "in", "unknown"
STATUS = {UNKNOWN: 404, State.DISABLED: 403, State.USED: 410, State.REVOKED: 410, State.EXPIRED: 410}


@methods("GET", "POST")
def ticket(request: PortalRequest, ticket_id: str) -> HttpResponse:
    """Show a ticket to whoever holds its link; the button lets them in, once the time has come.

    GET and HEAD change nothing: the scanners of mail programs follow every link before its reader does.
    """
    via = via_of(request, door=DOOR)
    try:
        row = redemptions.look(ticket_id=ticket_id, via=via)
    except NotFound:
        return _page(request, UNKNOWN)
    holder = redemptions.holder(ticket=row, secret=request.COOKIES.get(COOKIE, ""), door=DOOR, via=via)
    standing = IN if holder else _standing(row)
    if request.method != "POST":
        return _page(request, standing, ticket=row, holder=holder)
    response = HttpResponseRedirect(request.path)
    if standing == State.VALID:
        try:
            redeemed = redemptions.redeem(ticket_id=ticket_id, via=via)
        except (Unauthenticated, Spent):
            return response  # it ended between the look and the press: its page says how
        # For this ticket's page alone: a second link in the same browser is another visit.
        cookies.keep(response, COOKIE, redeemed.secret, path=request.path, seconds=settings.REFRESH_TOKEN_SECONDS)
    return response


@methods("GET")
def event(request: PortalRequest, ticket_id: str) -> HttpResponse:
    """Hand out the appointment of a scheduled ticket. Raises NotFound for one that is over, or has no appointment."""
    row = redemptions.look(ticket_id=ticket_id, via=via_of(request, door=DOOR))
    if row.state(at=clock.now()) is not State.VALID or row.scheduled_at is None:
        raise NotFound("no appointment")
    written = calendar.event(ticket=row, ticket_id=ticket_id)
    # Not named after the ticket: a list of downloads is read by others, too.
    attached = {"Content-Disposition": 'attachment; filename="meeting.ics"'}
    return HttpResponse(written, content_type=calendar.MEDIA_TYPE, headers=attached)


def _standing(row: Ticket) -> str:
    at = clock.now()
    state = row.state(at=at)
    return WAITING if state is State.VALID and row.is_early(at=at) else state


def _page(request: PortalRequest, standing: str, **known: Any) -> HttpResponse:
    row = known.get("ticket")
    context = {**known, "standing": str(standing), "calendar": f"{request.path}/event.ics"}
    if standing == WAITING and row is not None and row.scheduled_at is not None:
        context["seconds"] = max(1, int((row.scheduled_at - clock.now()).total_seconds()) + 1)
    return render(request, "pages/ticket.html", context, status=STATUS.get(standing, 200))
