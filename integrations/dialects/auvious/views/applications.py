"""What an organisation has connected (dialects.md 3.2, Applications)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import applications, organizations
from identity.errors import Invalid
from integrations import edge
from integrations.dialects.auvious import paging, shapes
from integrations.dialects.auvious.answers import Application, CreateApplicationCommand, Created, answers
from integrations.dialects.auvious.views.base import AuviousViewSet
from integrations.stories import external_people
from integrations.vendors import configs

SORTABLE = {
    "id": "pk",
    "type": "type",
    "createdAt": "created_at",
    "version": "version",
    "organizationId": "organization_id",
    "visible": "is_visible",
    "expiresAt": "expires_at",
}
GUARDED = "GENESYS"
PAGING = [
    OpenApiParameter("page", int, description="From 0."),
    OpenApiParameter("size", int, description="From 1 to 100; 20 if it is not said."),
    OpenApiParameter("sort", str, many=True, description="A property, then `,asc` or `,desc`."),
    OpenApiParameter("pageable", str, description="All three in one: `page,0,size,20,sort,createdAt`."),
]


class Applications(AuviousViewSet):
    """What an organisation has connected."""

    @extend_schema(parameters=PAGING, responses=answers(Application(many=True), 400, 403))
    def all(self, request: Request) -> Response:
        found = applications.visible_to(by=self.caller)
        page = paging.page_of(found, request.query_params, sortable=SORTABLE)
        return Response([shapes.application(row, viewer=self.caller) for row in page])

    @extend_schema(responses=answers(Application, 403, 404))
    def one(self, request: Request, application_id: str) -> Response:
        row = applications.find_for(by=self.caller, application_id=application_id)
        return Response(shapes.application(row, viewer=self.caller))

    @extend_schema(request=CreateApplicationCommand, responses=answers(Created, 400, 403, 404))
    def create(self, request: Request) -> Response:
        by, body = self._writer("add"), self.body()
        shapes.forbid_foreign(by, body, shapes.CreateApplication)
        type_ = shapes.TypeOfApplication.of(body)["type_"]
        grant = configs.grant_of(type_, "add")
        applications.require_writer(by, grant=grant)
        asked = shapes.CreateApplication.of(body)
        organization_id = shapes.organization_of(by, asked)
        configs.require_decider(by=by, type_=type_, config=asked["config"])
        configs.check(type_, asked["config"])
        row = applications.create(
            by=by, organization=organizations.find(pk=organization_id), type_=type_, config=asked["config"],
            application_id=asked.get("id"), grant=grant,
        )  # fmt: skip
        return Response({"id": row.pk})

    @extend_schema(request=shapes.UpdateApplication, responses=answers(None, 400, 403, 404, status=204))
    def change(self, request: Request, application_id: str) -> Response:
        by = self._writer("edit")
        row = applications.find_for(by=by, application_id=application_id)
        grant = configs.grant_of(row.type, "edit")
        applications.require_writer(by, grant=grant)
        asked = shapes.UpdateApplication.of(self.body())
        if asked["type_"] != row.type and GUARDED in (asked["type_"], row.type):
            raise Invalid("type", fields={"type": ["It cannot be changed."]})
        configs.require_decider(by=by, type_=asked["type_"], config=asked["config"], application=row)
        configs.check(asked["type_"], asked["config"])
        applications.change(by=by, application=row, grant=grant, **asked)
        return edge.empty()

    @extend_schema(responses=answers(None, 403, 404, status=204))
    def delete(self, request: Request, application_id: str) -> Response:
        by = self._writer("delete")
        row = applications.find_for(by=by, application_id=application_id)
        external_people.disconnect(by=by, application=row, grant=configs.grant_of(row.type, "delete"))
        return edge.empty()

    def _writer(self, verb: str) -> Any:
        """Refuse whoever may write no type at all, before anything is looked up (dialects.md 3.3)."""
        applications.require_some_writer(self.caller, grant=configs.grant_of(GUARDED, verb))
        return self.caller
