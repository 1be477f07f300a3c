"""Genesys Cloud's stand-in: OAuth for clients and for people, who somebody is and may, queues by name, and callbacks."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

from integrations.sandbox.grants import Holder
from integrations.sandbox.known import PEOPLE, QUEUES
from integrations.sandbox.openid import OpenIdStandIn
from integrations.sandbox.wire import Answer, Refused, Request, client_of, refused, said

CALLBACKS_SHOWN = 20


class GenesysStandIn(OpenIdStandIn):
    name = "Genesys Cloud"
    token_path = "/oauth/token"  # noqa: S105  # an address
    authorize_path = "/oauth/authorize"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.callbacks: deque[str] = deque(maxlen=CALLBACKS_SHOWN)

    def answer(self, request: Request) -> Answer | None:
        there = {
            ("GET", self.authorize_path): self._ask_who, ("POST", self.authorize_path): self._send_back, ("POST", self.token_path): self._token,
            ("GET", "/logout"): self._log_out, ("GET", "/api/v2/users/me"): self._me, ("GET", "/api/v2/routing/queues"): self._queues,
            ("POST", "/api/v2/conversations/callbacks"): self._call_back,
        }  # fmt: skip
        view = there.get((request.method, request.path))
        try:
            return None if view is None else view(request)
        except Refused as e:
            if not request.path.startswith("/api/"):
                return refused(e)
            return said(e.status, {"message": e.why, "code": e.error, "status": e.status})

    def _tokens(self, request: Request) -> dict[str, Any]:
        """Answer a client's own token, or a person's; neither a refresh token nor an id_token goes with it here."""
        if request.parameters.get("grant_type") == "client_credentials":
            return self._access(Holder(client_of(request, self.client)))
        tokens = super()._tokens(request)
        return {name: tokens[name] for name in ("access_token", "token_type", "expires_in")}

    def _me(self, request: Request) -> Answer:
        person = PEOPLE.get(self._holder(request).person)
        if person is None:
            raise Refused("not.authorized", "A client is nobody.", status=403)
        return said(200, {
            "id": person.subject, "name": person.name, "email": person.email, "username": person.email, "state": "active",
            "authorization": {"permissions": list(person.permissions)},
        })  # fmt: skip

    def _queues(self, request: Request) -> Answer:
        self._require_client(request)
        name = request.parameters.get("name", "*").casefold()
        # As Genesys does it: without case, and with a star for whatever it may be.
        found = [{"id": id_, "name": one} for one, id_ in QUEUES.items() if name in (one.casefold(), "*")]
        return said(200, {"entities": found, "pageSize": 25, "pageNumber": 1, "total": len(found), "pageCount": 1})

    def _call_back(self, request: Request) -> Answer:
        self._require_client(request)
        asked = request.json if isinstance(request.json, dict) else {}
        routing = asked.get("routingData") if isinstance(asked.get("routingData"), dict) else {}
        queue_id = asked.get("queueId") or (routing or {}).get("queueId")
        queue = next((name for name, id_ in QUEUES.items() if id_ == queue_id), None)
        if queue is None:
            raise Refused("queue.not.found", "There is no such queue.")
        if not asked.get("callbackNumbers"):
            raise Refused("bad.request", "Somebody has to be called.")
        conversation = secrets.token_hex(16)
        self.callbacks.appendleft(
            f"{queue}, {asked.get('callbackScheduledTime') or 'now'}: conversation {conversation}"
        )
        return said(202, {
            "conversation": {"id": conversation, "name": queue, "selfUri": f"/api/v2/conversations/{conversation}"},
            "callbackIdentifiers": [{"type": "ACD", "id": secrets.token_hex(16)}],
        })  # fmt: skip

    def _holder(self, request: Request) -> Holder:
        holder = self.grants.holder(request.bearer)
        if holder is None:
            raise Refused("bad.credentials", "Invalid login credentials.", status=401)
        return holder

    def _require_client(self, request: Request) -> None:
        if self._holder(request).person:
            raise Refused("missing.permissions", "The sandbox lets clients do this only.", status=403)
