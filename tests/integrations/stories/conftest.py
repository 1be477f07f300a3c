"""The provider that says whatever a test wants, connected with acme."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache

from identity import applications, organizations
from identity.models import Application, Organization
from identity.principal import at_the_console
from tests.cast import Cast
from tests.integrations.stories.provider import CLIENT_ID, CLIENT_SECRET, Elsewhere, Visitor


@pytest.fixture
def elsewhere(settings: Any) -> Iterator[Elsewhere]:
    """The provider, serving, and the operator's word that it is where every application's provider is."""

    class Pages(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            status, said = provider.say(urlsplit(self.path).path, dict(self.headers), self.rfile.read(length).decode())
            body = (said if isinstance(said, str) else json.dumps(said)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *_args: Any) -> None:
            """The test tells what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    provider = Elsewhere(server)
    settings.OPENID_BASE_URL = settings.GENESYS_BASE_URL = provider.url
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    cache.clear()
    yield provider
    server.shutdown()
    thread.join()
    server.server_close()
    cache.clear()


@pytest.fixture
def unconnected(cast: Cast) -> None:
    """No organisation has an application yet; what the demo connects is for newcomers."""
    Application.objects.all().delete()
    Organization.objects.update(sign_in_domains=[], sign_in_hosts=[])


@pytest.fixture
def connect(cast: Cast, unconnected: None) -> Callable[..., Application]:
    """A function that connects acme with the provider, under what its administrator decided."""

    def made(
        *, creates_people: bool = False, type_: str = "STANDALONE_OPENID", is_public: bool = False, **decided: Any
    ) -> Application:
        by, acme = at_the_console(), cast.organization("acme")
        machine = {"clientId": CLIENT_ID} if is_public else {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
        config: dict[str, Any] = {"signIn": {"enabled": True, **decided}, "serviceParameters": machine}
        if type_ == "GENESYS":
            config |= {"organizationId": "00000000-0000-4000-8000-0000000000ac", "pcEnvironment": "mypurecloud.ie"}
        else:
            config["issuer"] = "https://id.acme.example"
        organizations.change(by=by, organization=acme, creates_people_just_in_time=creates_people)
        return applications.create(by=by, organization=acme, type_=type_, config=config)

    return made


@pytest.fixture
def visitor(elsewhere: Elsewhere, unconnected: None) -> Visitor:
    return Visitor()
