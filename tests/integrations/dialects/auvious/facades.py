"""What the tests of the facades share: Genesys on loopback, an application of it, and who asks for callbacks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from identity import applications, organizations
from identity.principal import at_the_console
from integrations.models import Callback
from tests.integrations.dialects.auvious.conftest import Caller, Callers
from tests.integrations.dialects.oauth.conftest import CUSTOMER
from tests.integrations.stories.genesys_cloud import GenesysCloud, open_genesys
from tickets.models import Ticket

State = Callback.State

BASE = "https://auvious.video"
NUMBER, OTHER = "+46701740605", "+46701740606"
UNAVAILABLE = {"error": "upstream unavailable"}


@pytest.fixture(autouse=True)
def genesys(settings: Any) -> Iterator[GenesysCloud]:
    settings.OTP_RESEND_SECONDS = 0
    settings.UPSTREAM_TIMEOUT_SECONDS = 3
    with open_genesys(settings) as cloud:
        yield cloud


@pytest.fixture
def service(callers: Callers) -> Caller:
    return callers.client("acme_service")


@pytest.fixture
def application(callers: Callers) -> str:
    return str(callers.cast.said["applications"]["genesys"])


def redeem(callers: Callers, ticket_id: str) -> Any:
    return callers.endpoint.ask({"grant_type": "password", "username": ticket_id, "password": ""}, by=CUSTOMER)


def query_of(link: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(link).query)


def open_tickets() -> list[Ticket]:
    return list(Ticket.objects.filter(deleted_at=None))


def elsewhere(callers: Callers) -> str:
    """Connect an application of another organisation."""
    config = {"organizationId": "o", "pcEnvironment": "mypurecloud.ie", "serviceParameters": {"clientId": "a", "clientSecret": "b"}}  # fmt: skip
    owner = callers.cast.organization("globex")
    return str(applications.create(by=at_the_console(), organization=owner, type_="GENESYS", config=config).pk)


def change(callers: Callers, **settings_of_it: Any) -> None:
    organizations.change(by=at_the_console(), organization=callers.cast.organization("acme"), **settings_of_it)


def room_for(application: str, **fields: Any) -> dict[str, Any]:
    return {"applicationId": application, "urlBase": BASE, **fields}


def command(**fields: Any) -> dict[str, Any]:
    made = {"callbackUserName": "Åsa Öberg", "callbackNumbers": [NUMBER], "queueId": "q-7", **fields}
    return {name: said for name, said in made.items() if said is not None}


def later(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class Asker:
    """Asks for callbacks; the headers are sent each time."""

    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, body: Any, *, path: str = "/facades/callback", **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        sent |= self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client().post(f"/security{path}", raw, content_type="application/json", headers=sent)


@pytest.fixture
def ask(service: Caller, application: str) -> Asker:
    return Asker(service.token, {"X-ApplicationId": application})
