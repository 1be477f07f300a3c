"""What all resources of Auvious share: a bearer, JSON, a client's own limit, and the trace that a client leaves."""

from __future__ import annotations

from typing import Any, cast

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from identity import clients, clock
from identity.errors import Invalid, NotAllowed
from identity.principal import Kind, Principal
from integrations import edge
from integrations.dialects.auvious import credentials, errors


class AuviousViewSet(edge.DialectViewSet):
    """A resource of Auvious: JSON, an access token as bearer."""

    voice = errors
    door = credentials.DOOR
    authentication_classes = [credentials.Bearer]
    parser_classes = [edge.StrictJson]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse, after a body that cannot be read, a client that asks too often or holds no role (clarifications 2 and 32)."""
        super().initial(request, *args, **kwargs)
        principal = request.auth
        if isinstance(principal, Principal) and principal.kind is Kind.CLIENT:
            clients.admit(client=principal.session.client, at=clock.now())
            if not principal.permissions:
                raise NotAllowed("the client holds no role")

    @property
    def caller(self) -> Principal:
        """Answer who was proven."""
        return cast(Principal, self.request.auth)

    def body(self) -> dict[str, Any]:
        """Answer the body, which must be an object. Raises Invalid."""
        data = self.request.data
        if isinstance(data, QueryDict):  # how DRF hands over an empty body that calls itself a form
            return {}
        if not isinstance(data, dict):
            raise Invalid("body", fields={"body": ["An object is expected."]})
        return data

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        # As the authenticator left it: asking `request.auth` here would prove a refused caller once more.
        principal = getattr(request, "_auth", None)
        if isinstance(principal, Principal) and principal.client_id and final.status_code < 500:
            match = request.resolver_match
            clients.note_use(
                client_id=principal.client_id,
                endpoint=f"{request.method} /{match.route if match else ''}",
                status=final.status_code,
                address=principal.via.address,
            )
        return final
