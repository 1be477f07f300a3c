"""Auvious' operations: read, one call into the house, render."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from identity import applications
from identity.errors import NotAllowed
from identity.principal import Principal
from integrations import edge
from integrations.dialects.auvious import credentials, errors, paging, shapes

SORTABLE = {
    "id": "pk",
    "type": "type",
    "createdAt": "created_at",
    "version": "version",
    "organizationId": "organization_id",
    "visible": "is_visible",
    "expiresAt": "expires_at",
}


class AuviousViewSet(edge.DialectViewSet):
    """A resource of Auvious: JSON, an access token as bearer."""

    voice = errors
    door = credentials.DOOR
    authentication_classes = [credentials.Bearer]
    parser_classes = [edge.StrictJson]

    def prove(self, request: Request) -> Principal | None:
        principal = super().prove(request)
        if principal is not None and not shapes.may_call(principal):
            raise NotAllowed("the client holds no role")
        return principal


class Applications(AuviousViewSet):
    """What an organisation has connected."""

    def all(self, request: Request) -> Response:
        found = applications.visible_to(by=request.auth)
        page = paging.page_of(found, request.query_params, sortable=SORTABLE)
        return Response([shapes.application(row, viewer=request.auth) for row in page])

    def one(self, request: Request, application_id: str) -> Response:
        row = applications.find_for(by=request.auth, application_id=application_id)
        return Response(shapes.application(row, viewer=request.auth))
