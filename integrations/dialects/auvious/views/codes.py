"""Codes that prove whose a telephone or a mailbox is (dialects.md 3.2, OTP; clarifications 36)."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from identity import organizations, otp, policy
from integrations import edge
from integrations.dialects.auvious import credentials, shapes
from integrations.dialects.auvious.answers import OtpRequested, RequestOtpCommand, VerifyOtpCommand, answers
from integrations.dialects.auvious.views.base import AuviousViewSet

ONCE = [
    OpenApiParameter(
        shapes.IDEMPOTENCY_KEY, str, OpenApiParameter.HEADER,
        description="A request repeated under one key within 24 hours gets the first one's answer, and sends nothing.",
    )
]  # fmt: skip


class Codes(AuviousViewSet):
    """Codes that prove whose a telephone or a mailbox is."""

    authentication_classes = [credentials.Bearer, credentials.OpenApplication]

    @extend_schema(parameters=ONCE, request=RequestOtpCommand, responses=answers(OtpRequested, 400, 403, 404, 429))
    def send(self, request: Request) -> Response:
        asked = self._asked(shapes.RequestOtp)
        key = shapes.key_of(request.headers.get(shapes.IDEMPOTENCY_KEY))
        with shapes.in_their_words(shapes.RequestOtp, key=shapes.IDEMPOTENCY_KEY):
            return Response({"id": otp.request(key=key, **asked)})

    @extend_schema(request=VerifyOtpCommand, responses=answers(None, 400, 403, 404, 429, status=204))
    def verify(self, request: Request) -> Response:
        asked = self._asked(shapes.VerifyOtp)
        with shapes.in_their_words(shapes.VerifyOtp):
            otp.check(**asked)
        return edge.empty()

    def _asked(self, reader: type[edge.Input]) -> dict[str, Any]:
        """Answer who asks, for which organisation, and what. Raises NotAllowed, Invalid, NotFound."""
        by = self.caller
        policy.require(by, policy.Permission.CODES)
        body = self.body()
        shapes.forbid_foreign(by, body, reader)
        asked = reader.of(body)
        return {"by": by, "organization": organizations.find(pk=shapes.organization_of(by, asked)), **asked}
