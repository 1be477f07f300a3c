"""People, as internal services see them (dialects.md 3.2, Users)."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import clock, organizations, users
from identity.errors import NotAllowed
from integrations.dialects.auvious import shapes
from integrations.dialects.auvious.answers import User, answers
from integrations.dialects.auvious.views.base import AuviousViewSet


class Users(AuviousViewSet):
    """People, for internal services only."""

    @extend_schema(responses=answers(User, 403, 404))
    def one(self, request: Request, user_id: str) -> Response:
        if not self.caller.is_internal:
            raise NotAllowed("internal services only")
        person = users.get(user_id=user_id)
        membership = organizations.membership(user=person, organization_id=person.default_organization_id)
        return Response(shapes.user(person, membership, at=clock.now()))
