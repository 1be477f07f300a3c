"""Rooms and callbacks with all that belongs to them, in one request each (dialects.md 3.2, Facades; clarifications 38)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import applications, organizations
from identity.errors import Invalid
from integrations.dialects.auvious import credentials, shapes
from integrations.dialects.auvious.answers import (
    CallbackResult,
    CreateGenesysCallbackCommand,
    CreateRoomResult,
    CreateRoomWebCommand,
    answers,
)
from integrations.dialects.auvious.views.base import AuviousViewSet
from integrations.stories import callbacks, rooms

WORDS = rooms.Words(write=shapes.written, read=shapes.meaning)
HEADERS = [
    OpenApiParameter(credentials.APPLICATION_ID, str, OpenApiParameter.HEADER, required=True, description="A GENESYS application."),
    OpenApiParameter(credentials.VERIFICATION_ID, str, OpenApiParameter.HEADER, description="Of a verified number, in a token's stead."),
    OpenApiParameter(shapes.URL_BASE, str, OpenApiParameter.HEADER, description="What the links begin with; the portal itself unless said."),
    OpenApiParameter(shapes.EXPIRATION, int, OpenApiParameter.HEADER, description="Seconds that the ticket lives from the scheduled time."),
]  # fmt: skip
IN_HEADERS = {
    "application": credentials.APPLICATION_ID,
    "base": shapes.URL_BASE,
    "scheduled_at": "callbackScheduledTime",
}


class Rooms(AuviousViewSet):
    """A conference, its ticket and the links to it, for clients."""

    @extend_schema(request=CreateRoomWebCommand, responses=answers(CreateRoomResult, 400, 403, 404))
    def create(self, request: Request) -> Response:
        by, body = self.caller, self.body()
        rooms.require_opener(by)
        shapes.forbid_foreign(by, body, shapes.CreateRoom)
        asked = shapes.CreateRoom.of(body)
        organization = organizations.find(pk=shapes.organization_of(by, asked))
        with shapes.in_their_words(shapes.CreateRoom):
            return Response(shapes.room(rooms.open_(by=by, organization=organization, words=WORDS, **asked)))


class OlderRooms(Rooms):
    """The same, where older documents have it."""


class Callbacks(AuviousViewSet):
    """A callback by Genesys with its room, for clients, and for customers with a code."""

    authentication_classes = [credentials.VerifiedNumber, credentials.Bearer]

    @extend_schema(
        parameters=HEADERS,
        request=CreateGenesysCallbackCommand,
        responses=answers(CallbackResult, 400, 403, 404, 502),
    )
    def create(self, request: Request) -> Response:
        by, verification = self.caller, self._verification
        callbacks.require_requester(by, verification)
        application = applications.find_for(by=by, application_id=self._application_id)
        body = self.body()
        callbacks.require_own_number(verification, body.get("callbackNumbers"))
        command, ttl = shapes.CreateCallback.of(body), shapes.seconds_of(request.headers.get(shapes.EXPIRATION))
        with shapes.in_their_words(shapes.CreateCallback, **IN_HEADERS):
            made = callbacks.request(
                by=by, application=application, command=command, words=WORDS, verification=verification, ttl=ttl,
                scheduled_at=shapes.scheduled_at(command), base=request.headers.get(shapes.URL_BASE, ""),
            )  # fmt: skip
        return Response(shapes.callback(made))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Give a pair back that opened nothing, whatever was answered."""
        final = super().finalize_response(request, response, *args, **kwargs)
        verification = getattr(request, "verification", None)
        if verification is not None:
            callbacks.let_go(verification)
        return final

    @property
    def _verification(self) -> Any:
        """Answer the held pair by which a customer came, or None."""
        return getattr(self.request, "verification", None)

    @property
    def _application_id(self) -> str:
        said = self.request.headers.get(credentials.APPLICATION_ID)
        if not said:
            raise Invalid("application", fields={credentials.APPLICATION_ID: ["Missing data for required header."]})
        return said


class OlderCallbacks(Callbacks):
    """The same, where older documents have it."""
