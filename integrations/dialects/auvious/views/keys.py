"""Key pairs that an organisation keeps here (dialects.md 3.2, Keys)."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import keys, organizations
from integrations.dialects.auvious import shapes
from integrations.dialects.auvious.answers import CreateKeyCommand, Key, KeyCreated, answers
from integrations.dialects.auvious.views.base import AuviousViewSet


class Keys(AuviousViewSet):
    """Key pairs, for Admins and services; private parts for services only."""

    @extend_schema(request=CreateKeyCommand, responses=answers(KeyCreated, 400, 403, 404))
    def create(self, request: Request) -> Response:
        by, body = self.caller, self.body()
        keys.require_keeper(by)
        shapes.forbid_foreign(by, body, shapes.CreateKey)
        asked = shapes.CreateKey.of(body)
        organization_id = shapes.organization_of(by, asked)
        with shapes.in_their_words(shapes.CreateKey):
            row = keys.create(by=by, organization=organizations.find(pk=organization_id), **asked)
        return Response({"id": str(row.pk), "publicKey": row.public_key, "key": None})

    @extend_schema(responses=answers(Key, 403, 404))
    def one(self, request: Request, key_id: str) -> Response:
        found = keys.read(by=self.caller, key_id=key_id)
        return Response(shapes.key(found.row, private_pem=found.private_pem))
