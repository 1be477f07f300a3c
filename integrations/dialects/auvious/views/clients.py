"""An organisation's OAuth clients: the secret is shown by create and rotate, once (dialects.md 3.2, Clients)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import clients
from integrations import edge
from integrations.dialects.auvious import shapes
from integrations.dialects.auvious.answers import ClientResponseValue, answers
from integrations.dialects.auvious.views.base import AuviousViewSet


class Clients(AuviousViewSet):
    """An organisation's OAuth clients, for its Admins."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        clients.require_manager(self.caller)

    @extend_schema(responses=answers(ClientResponseValue(many=True), 403))
    def all(self, request: Request) -> Response:
        return Response([shapes.client(row) for row in clients.of_organization(self.caller.organization_id)])

    @extend_schema(request=shapes.Client, responses=answers(ClientResponseValue, 400, 403))
    def create(self, request: Request) -> Response:
        by, asked = self.caller, shapes.Client.of(self.body())
        made = clients.create(by=by, organization=by.session.organization, **asked)
        return Response(shapes.client(made.row, secret=made.secret))

    @extend_schema(request=shapes.Client, responses=answers(ClientResponseValue, 400, 403, 404))
    def change(self, request: Request, client_id: str) -> Response:
        row = self._find(client_id)
        return Response(shapes.client(clients.change(by=self.caller, client=row, **shapes.Client.of(self.body()))))

    @extend_schema(responses=answers(None, 403, 404, status=204))
    def delete(self, request: Request, client_id: str) -> Response:
        clients.delete(by=self.caller, client=self._find(client_id))
        return edge.empty()

    @extend_schema(request=shapes.Rotation, responses=answers(ClientResponseValue, 400, 403, 404))
    def rotate(self, request: Request, client_id: str) -> Response:
        row = self._find(client_id)
        made = clients.rotate(by=self.caller, client=row, **shapes.Rotation.of(self.body()))
        return Response(shapes.client(made.row, secret=made.secret))

    def _find(self, client_id: str) -> Any:
        return clients.find(client_id=client_id, organization_id=self.caller.organization_id)
