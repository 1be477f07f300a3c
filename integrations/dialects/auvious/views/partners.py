"""The tokens of people at Talkdesk and NICE, refreshed with the organisation's own client there (dialects.md 3.2)."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from identity import organizations
from integrations.dialects.auvious import shapes
from integrations.dialects.auvious.answers import PartnerTokens, answers
from integrations.dialects.auvious.views.base import AuviousViewSet
from integrations.vendors import partner_tokens


class Partners(AuviousViewSet):
    """Tokens at partners, for everybody with a role."""

    @extend_schema(request=shapes.RefreshToken, responses=answers(PartnerTokens, 400, 403, 404, 502))
    def talkdesk(self, request: Request) -> HttpResponse:
        return self._refreshed("TALKDESK_OPENID")

    @extend_schema(request=shapes.RefreshToken, responses=answers(PartnerTokens, 400, 403, 404, 502))
    def nice(self, request: Request) -> HttpResponse:
        return self._refreshed("NICE_CXONE_OPENID")

    def _refreshed(self, type_: str) -> HttpResponse:
        by, body = self.caller, self.body()
        partner_tokens.require_refresher(by)
        shapes.forbid_foreign(by, body, shapes.RefreshToken)
        asked = shapes.RefreshToken.of(body)
        organization = organizations.find(pk=shapes.organization_of(by, asked))
        said = partner_tokens.refresh(by=by, organization=organization, type_=type_, **asked)
        # As the partner wrote it: what we do not know of it may matter to whoever asked.
        return HttpResponse(said, content_type="application/json")
