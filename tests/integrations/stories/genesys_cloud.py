"""Genesys Cloud on loopback: hands out tokens, knows two queues, takes callbacks, and fails on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.db import connections

from tests.integrations.vendors.stand_in import Asked, StandIn, said

TOKEN, QUEUES, CALLBACKS = "/oauth/token", "/api/v2/routing/queues", "/api/v2/conversations/callbacks"
TAKEN = {
    "conversation": {"id": "conv-1", "name": "n", "selfUri": "/api/v2/conversations/conv-1"},
    "callbackIdentifiers": [{"type": "ACD", "id": "cb-1"}],
}
Answer = Callable[[Asked], Any]


@dataclass
class GenesysCloud:
    """The server; `instead` says for a path what is answered there in the usual answer's stead."""

    server: StandIn
    instead: dict[str, Answer] = field(default_factory=dict)
    queues: dict[str, str] = field(default_factory=lambda: {"kundtjänst": "q-0", "Kundtjänst": "q-1", "Åter*": "q-2"})

    @property
    def url(self) -> str:
        return self.server.url

    def asked(self, path: str) -> list[Asked]:
        """Answer the requests to a path, oldest first."""
        return [one for one in self.server.asked if one.path == path]

    def commands(self) -> list[dict[str, Any]]:
        """Answer the callbacks that were asked for."""
        return [json.loads(one.body) for one in self.asked(CALLBACKS)]

    def fail(self, path: str, status: int, body: Any = b"{}", **more: str) -> None:
        """Answer every request to a path like this from now on."""
        self.instead[path] = lambda _asked: said(status, body, **more)

    def answer(self, asked: Asked) -> Any:
        if asked.path in self.instead:
            try:
                return self.instead[asked.path](asked)
            finally:
                connections.close_all()  # those of this thread: an answer may look into the database
        if asked.path == TOKEN:
            return said(200, {"access_token": "genesys-token", "token_type": "bearer", "expires_in": 86_400})
        if asked.path == QUEUES:
            name = parse_qs(urlsplit(asked.target).query)["name"][0].casefold()
            # As Genesys does it: without case, a star for anything.
            fitting = [
                {"id": id_, "name": one} for one, id_ in self.queues.items() if one.casefold() == name or name == "*"
            ]
            return said(200, {"entities": fitting, "total": len(fitting)})
        if asked.path == CALLBACKS:
            return said(202, TAKEN)
        return said(404, {"message": "no such path", "code": "not.found", "status": 404})


@contextmanager
def open_genesys(settings: Any) -> Iterator[GenesysCloud]:
    """Run a Genesys Cloud, and let the portal find it there."""
    server = StandIn()
    cloud = GenesysCloud(server)
    server.behaviour.answer = cloud.answer
    settings.GENESYS_BASE_URL = server.url
    try:
        yield cloud
    finally:
        server.close()
