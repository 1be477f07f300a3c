"""What lets a customer in (dialects.md 3.2, Tickets)."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import clock, organizations
from identity.errors import Invalid, NotFound, Spent
from integrations import edge
from integrations.dialects.auvious import shapes
from integrations.dialects.auvious.answers import (
    CreateTicketWebCommand,
    Ticket,
    UpdateTicketWebCommand,
    answers,
)
from integrations.dialects.auvious.views.base import AuviousViewSet
from tickets import actions as tickets
from tickets import calendar

CALENDAR = [
    OpenApiParameter("calendar", str, enum=list(shapes.CALENDARS), description="Which one asks; all get the same.")
]


class Tickets(AuviousViewSet):
    """What lets a customer in."""

    @extend_schema(request=CreateTicketWebCommand, responses=answers(Ticket, 400, 403, 404))
    def create(self, request: Request) -> Response:
        by, body = self.caller, self.body()
        tickets.require_issuer(by)
        shapes.forbid_foreign(by, body, shapes.CreateTicket)
        asked = shapes.CreateTicket.of(body)
        organization = organizations.find(pk=shapes.organization_of(by, asked))
        made = tickets.issue(
            by=by, organization=organization, read=shapes.meaning, is_single_use=shapes.serves_once(asked["type_"]), **asked
        )  # fmt: skip
        return self._shown(made.ticket, made.id)

    @extend_schema(responses=answers(Ticket, 403, 404))
    def one(self, request: Request, ticket_id: str) -> Response:
        return self._shown(tickets.find(by=self.caller, ticket_id=ticket_id), ticket_id)

    @extend_schema(request=UpdateTicketWebCommand, responses=answers(Ticket, 400, 403, 404))
    def change(self, request: Request, ticket_id: str) -> Response:
        by, row, body = self.caller, self._mine(ticket_id), self.body()
        shapes.forbid_foreign(by, body, shapes.UpdateTicket)
        asked = shapes.UpdateTicket.of(body)
        if asked.get("organization_id", str(row.organization_id)) != str(row.organization_id):
            raise NotFound("not a ticket of that organisation")
        changed = tickets.change(by=by, ticket=row, properties=asked["properties"], read=shapes.meaning)
        return self._shown(changed, ticket_id)

    @extend_schema(responses=answers(None, 403, 404))
    def delete(self, request: Request, ticket_id: str) -> Response:
        tickets.delete(by=self.caller, ticket=self._mine(ticket_id))
        return edge.empty(status=200)

    @extend_schema(request=None, responses=answers(None, 403, 404, status=204))
    def revoke(self, request: Request, ticket_id: str) -> Response:
        tickets.revoke(by=self.caller, ticket=self._mine(ticket_id))
        return edge.empty()

    @extend_schema(request=None, responses=answers(None, 403, 404, status=204))
    def disable(self, request: Request, ticket_id: str) -> Response:
        tickets.disable(by=self.caller, ticket=self._mine(ticket_id))
        return edge.empty()

    @extend_schema(request=None, responses=answers(None, 400, 403, 404, status=204))
    def enable(self, request: Request, ticket_id: str) -> Response:
        try:
            tickets.enable(by=self.caller, ticket=self._mine(ticket_id))
        except Spent as e:
            raise Invalid(e.reason, fields={"": [e.reason.upper()]}) from e
        return edge.empty()

    @extend_schema(
        parameters=CALENDAR,
        responses=answers(None, 400, 403, 404)
        | {200: OpenApiResponse(OpenApiTypes.STR, "an iCalendar file, text/calendar")},
    )
    def event(self, request: Request, ticket_id: str) -> HttpResponse:
        row = tickets.find(by=self.caller, ticket_id=ticket_id)
        shapes.CalendarOfChoice.of(request.query_params)
        written = calendar.event(ticket=row, ticket_id=ticket_id)
        attached = {"Content-Disposition": f'attachment; filename="{ticket_id}.ics"'}
        return HttpResponse(written, content_type=calendar.MEDIA_TYPE, headers=attached)

    def _mine(self, ticket_id: str) -> Any:
        return tickets.find_to_change(by=self.caller, ticket_id=ticket_id)

    def _shown(self, row: Any, ticket_id: str) -> Response:
        return Response(shapes.ticket(row, ticket_id=ticket_id, at=clock.now()))
