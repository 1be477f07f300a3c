"""The facades: rooms, and callbacks by Genesys, for clients and for customers with a code (dialects.md 3.2; clarifications 38)."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import time_machine
from django.conf import settings as portal
from django.test import Client

from identity import applications, clock, crypto, organizations, otp
from identity.models import Application, AuditEvent, OtpVerification
from identity.principal import at_the_console
from integrations.models import Callback
from tests.integrations.dialects.auvious.conftest import Caller, Callers, refused
from tests.integrations.dialects.oauth.conftest import CUSTOMER
from tests.integrations.stories.genesys_cloud import CALLBACKS, QUEUES, TAKEN, TOKEN, GenesysCloud, open_genesys
from tests.integrations.vendors.stand_in import Asked
from tests.integrations.vendors.stand_in import said as answered
from tickets.models import Ticket

pytestmark = pytest.mark.wire("auvious", "3.2 Facades")

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]
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


# --- rooms -----------------------------------------------------------------------------------------------------------
def room_for(application: str, **fields: Any) -> dict[str, Any]:
    return {"applicationId": application, "urlBase": BASE, **fields}


@pytest.mark.parametrize("path", ["/facades/room", "/genesys/room"])
def test_a_room_is_a_conference_a_ticket_and_three_links(
    callers: Callers, service: Caller, application: str, path: str
) -> None:
    asked = room_for(
        application, customerId="kund-7", interactionId="int-1", cdestination="standalone", ticketLength=9, ticketExpirationSeconds=600
    )  # fmt: skip

    answer = service.post(path, asked)

    assert answer.status_code == 200, answer.content
    links = answer.json()
    (ticket,) = Ticket.objects.all()
    ticket_id = links["ticketUrl"].removeprefix(f"{BASE}/t/")
    conference = query_of(links["agentUrl"])["roomId"][0]
    assert UUID(conference)
    assert links == {
        "agentUrl": f"{BASE}/a?aid={application}&roomId={conference}&cdestination=standalone&corigin=https%3A%2F%2Fauvious.video",
        "ticketUrl": f"{BASE}/t/{ticket_id}",
        "recordingUrl": f"{BASE}/r/{conference}",
    }
    assert len(ticket_id) == 9
    shown = service.get(f"/ticket/{ticket_id}").json()
    assert (shown["type"], shown["userId"]) == ("GENESYS_MULTI_USE_TICKET", callers.id_of("acme_service"))
    assert shown["properties"] == {
        "applicationId": application, "conference_id": conference, "customer_id": "kund-7", "interaction_id": "int-1",
    }  # fmt: skip
    assert (ticket.conference, ticket.customer, ticket.interaction) == (conference, "kund-7", "int-1")
    assert ticket.expires_at - ticket.created_at == timedelta(seconds=600)
    redeemed = redeem(callers, ticket_id).json()
    assert (redeemed["conference_id"], redeemed["sub"]) == (conference, "kund-7")
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("named", "serves_once", "type_"),
    [
        ("genesys", False, "GENESYS_MULTI_USE_TICKET"),
        ("genesys", True, "GENESYS_SINGLE_USE_TICKET"),
        ("openid", False, "MULTI_USE_TICKET"),
        ("openid", True, "SINGLE_USE_TICKET"),
    ],
)
def test_what_is_not_said_the_organization_decides(
    callers: Callers, service: Caller, named: str, serves_once: bool, type_: str
) -> None:
    change(callers, ticket_length=12, tickets_are_single_use=serves_once)
    application = callers.cast.said["applications"][named]

    links = service.post("/facades/room", room_for(application)).json()

    ticket_id = links["ticketUrl"].removeprefix(f"{BASE}/t/")
    (ticket,) = Ticket.objects.all()
    assert len(ticket_id) == 12
    assert "cdestination" not in links["agentUrl"]
    assert (ticket.type, ticket.is_single_use) == (type_, serves_once)
    assert ticket.expires_at - ticket.created_at == timedelta(hours=4)
    assert redeem(callers, ticket_id).status_code == 200
    assert redeem(callers, ticket_id).status_code == (400 if serves_once else 200)


def test_every_room_is_another_one(service: Caller, application: str) -> None:
    first, second = (service.post("/facades/room", room_for(application)).json() for _ in range(2))

    assert not set(first.values()) & set(second.values())


def test_rooms_are_for_clients_that_are_services_or_admins(callers: Callers, application: str) -> None:
    asked = room_for(application)
    ticket_id = (
        callers.client("acme_service").post("/ticket", {"type": "MULTI_USE_TICKET", "properties": {}}).json()["id"]
    )
    customer = Caller(redeem(callers, ticket_id).json()["access_token"])
    verdicts = {
        name: callers.client(name).post("/facades/room", asked).status_code for name in ("acme_service", "acme_admin")
    }

    assert verdicts == {"acme_service": 200, "acme_admin": 200}
    refused(callers.stranger.post("/facades/room", asked), 401)
    refused(Caller("dead").post("/facades/room", asked), 401)
    for somebody in (
        *(callers.person(name) for name in ("alice", "bob", "carol")),
        callers.client("acme_agent"),
        customer,
    ):
        refused(somebody.post("/facades/room", asked), 403)
        refused(somebody.post("/facades/room", {}), 403)
    refused(callers.client("acme_agent").post("/facades/room", b"{"), 400)


@pytest.mark.parametrize(
    "base",
    [
        "", "https://evil.example", "http://auvious.video", "https://auvious.video@evil.example", "https://auvious.video.evil.example",
        "https://evil.example/auvious.video", "https://AUVIOUS.video", "https://auvious.video:8443", "https://auvious.video/x",
        "https://auvious.video?x", "https://auvious.video#x", "https://auvious.video\\", " https://auvious.video", "https://auvious.video//",
        "https://аuvious.video", "//auvious.video", "https://auvious.video\t", "javascript:alert(1)",
    ],
)  # fmt: skip
def test_links_begin_with_one_of_the_organizations_bases_and_with_nothing_like_it(
    service: Caller, application: str, base: str
) -> None:
    refused(service.post("/facades/room", room_for(application, urlBase=base)), 400, names="urlBase")

    assert open_tickets() == []


def test_a_base_is_the_organizations_own(callers: Callers, service: Caller, application: str) -> None:
    change(callers, link_bases=["https://video.acme.example/"])

    links = service.post("/facades/room", room_for(application, urlBase="https://video.acme.example")).json()

    assert {link.split("/")[2] for link in links.values()} == {"video.acme.example"}
    assert not [link for link in links.values() if "example//" in link]
    refused(service.post("/facades/room", room_for(application)), 400, names="urlBase")


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"applicationId": None}, "applicationId"),
        ({"applicationId": 7}, "applicationId"),
        ({"urlBase": None}, "urlBase"),
        ({"urlBase": ["https://auvious.video"]}, "urlBase"),
        ({"customerId": "x" * 201}, "customerId"),
        ({"customerId": 7}, "customerId"),
        ({"interactionId": "x" * 201}, "interactionId"),
        ({"cdestination": "moon"}, "cdestination"),
        ({"cdestination": "mobile-office, standalone"}, "cdestination"),
        ({"ticketLength": 5}, "ticketLength"),
        ({"ticketLength": 33}, "ticketLength"),
        ({"ticketLength": "9"}, "ticketLength"),
        ({"ticketExpirationSeconds": 59}, "ticketExpirationSeconds"),
        ({"ticketExpirationSeconds": 31_536_001}, "ticketExpirationSeconds"),
        ({"ticketExpirationSeconds": True}, "ticketExpirationSeconds"),
    ],
)
def test_a_room_that_is_asked_for_wrongly_is_refused_by_the_fields_name(
    service: Caller, application: str, wrong: dict[str, Any], names: str
) -> None:
    refused(service.post("/facades/room", room_for(application, **wrong)), 400, names=names)

    assert open_tickets() == []


@pytest.mark.parametrize("bounds", [(6, 60), (32, 31_536_000)])
def test_the_bounds_of_a_room_are_within_them(service: Caller, application: str, bounds: tuple[int, int]) -> None:
    asked = room_for(application, ticketLength=bounds[0], ticketExpirationSeconds=bounds[1])

    assert service.post("/facades/room", asked).status_code == 200


def test_what_was_sent_is_refused_before_the_application_is_looked_for(callers: Callers, service: Caller) -> None:
    foreign = elsewhere(callers)

    refused(service.post("/facades/room", room_for("nobody", urlBase="https://evil.example")), 400, names="urlBase")
    for application in ("nobody", foreign, "a\x01b", "x" * 500):
        refused(service.post("/facades/room", room_for(application)), 404)
    Application.objects.filter(pk=callers.cast.said["applications"]["genesys"]).update(expires_at=clock.now())
    refused(service.post("/facades/room", room_for(callers.cast.said["applications"]["genesys"])), 404)


def test_an_internal_service_says_for_whom(callers: Callers, service: Caller, application: str) -> None:
    internal, acme = callers.client("internal"), str(callers.cast.organization("acme").pk)
    globex = str(callers.cast.organization("globex").pk)

    made = internal.post("/facades/room", room_for(application, organizationId=acme))

    assert made.status_code == 200, made.content
    assert [str(ticket.organization_id) for ticket in open_tickets()] == [acme]
    refused(internal.post("/facades/room", room_for(application)), 400, names="organizationId")
    refused(
        internal.post("/facades/room", room_for(application, organizationId=globex, urlBase=portal.PUBLIC_URL)), 404
    )
    refused(service.post("/facades/room", room_for(application, organizationId=acme)), 403)


# --- callbacks by clients --------------------------------------------------------------------------------------------
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


FULL = {
    "scriptId": "s-1",
    "routingData": {
        "queueId": "q-8",
        "languageId": "l-1",
        "priority": -5,
        "skillIds": ["k-1"],
        "preferredAgentIds": [],
    },
    "countryCode": "SE",
    "validateCallbackNumbers": False,
    "data": {"orderNumber": "A 1", "empty": ""},
}


@pytest.mark.parametrize("path", ["/facades/callback", "/genesys/callback"])
def test_a_callback_is_one_request_to_genesys_with_what_was_sent_and_the_links(
    callers: Callers, genesys: GenesysCloud, ask: Asker, application: str, path: str
) -> None:
    sent = command(**FULL, callbackScheduledTime=later(hours=2))

    answer = ask({**sent, "mystery": {"x": 1}, "scriptId": "s-1"}, path=path, X_UrlBase=BASE)

    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert said == {
        "conferenceId": said["conferenceId"],
        "ticketId": said["ticketId"],
        "agentUrl": f"{BASE}/a?aid={application}&roomId={said['conferenceId']}&cdestination=callback&corigin=https%3A%2F%2Fauvious.video",
        "ticketUrl": f"{BASE}/t/{said['ticketId']}",
        "genesys": TAKEN,
    }
    (request,) = genesys.asked(CALLBACKS)
    added = {name: said[name] for name in ("conferenceId", "ticketId", "agentUrl", "ticketUrl")}
    assert json.loads(request.body) == {**sent, "data": {**FULL["data"], **added}}  # type: ignore[dict-item]
    assert (request.method, request.target, request.headers["authorization"]) == (
        "POST",
        CALLBACKS,
        "Bearer genesys-token",
    )
    assert [one.form for one in genesys.asked(TOKEN)] == [{"grant_type": "client_credentials"}]
    assert genesys.asked(QUEUES) == []
    row = Callback.objects.get()
    assert (row.state, row.queue, row.conversation, row.error) == (State.ACCEPTED, "q-7", "conv-1", "")
    assert (row.application_id, row.ticket, row.requested_by) == (
        application, Ticket.objects.get(), callers.id_of("acme_service"),
    )  # fmt: skip
    assert redeem(callers, said["ticketId"]).json()["conference_id"] == said["conferenceId"]


@pytest.mark.parametrize(
    ("serves_once", "now_type", "later_type"),
    [
        (False, "GENESYS_MULTI_USE_TICKET", "GENESYS_SCHEDULE_TICKET"),
        (True, "GENESYS_SINGLE_USE_TICKET", "SINGLE_USE_SCHEDULE_TICKET"),
    ],
    ids=["many", "once"],
)
def test_a_ticket_lives_from_the_scheduled_time(
    callers: Callers, service: Caller, ask: Asker, serves_once: bool, now_type: str, later_type: str
) -> None:
    change(callers, tickets_are_single_use=serves_once)
    scheduled = later(days=3)

    now = ask(command(), X_Ticket_Expiration_Seconds="60").json()["ticketId"]
    then = ask(command(callbackScheduledTime=scheduled)).json()["ticketId"]
    much_later = ask(command(callbackScheduledTime=scheduled), X_Ticket_Expiration_Seconds="31536000").json()[
        "ticketId"
    ]

    shown = {id_: service.get(f"/ticket/{id_}").json() for id_ in (now, then, much_later)}
    lives = {
        id_: datetime.fromisoformat(one["expiresAt"]) - datetime.fromisoformat(one["properties"].get("scheduled_date", one["createdAt"]))
        for id_, one in shown.items()
    }  # fmt: skip
    assert [shown[id_]["type"] for id_ in (now, then, much_later)] == [now_type, later_type, later_type]
    assert lives == {now: timedelta(seconds=60), then: timedelta(hours=4), much_later: timedelta(days=365)}
    assert shown[then]["properties"]["scheduled_date"] == scheduled
    assert [row.scheduled_at for row in Callback.objects.order_by("created_at")][1] == datetime.fromisoformat(scheduled)


def test_the_links_of_a_callback_begin_with_the_portal_unless_something_else_is_said(ask: Asker) -> None:
    said = ask(command()).json()

    assert said["ticketUrl"] == f"{portal.PUBLIC_URL}/t/{said['ticketId']}"
    assert said["agentUrl"].startswith(f"{portal.PUBLIC_URL}/a?")
    refused(ask(command(), X_UrlBase="https://auvious.video.evil.example"), 400, names="X-UrlBase")


@pytest.mark.parametrize(
    ("asked", "ready"),
    [
        ({"queueName": "Kundtjänst", "queueId": None}, {"queueId": "q-1"}),
        ({"queueName": "Åter*", "queueId": None}, {"queueId": "q-2"}),
        ({"queueName": "Kundtjänst", "queueId": "q-7"}, {"queueId": "q-7"}),
        ({"queueId": None, "routingData": {"queueName": "Kundtjänst", "priority": 1}}, {"routingData": {"queueId": "q-1", "priority": 1}}),
        ({"queueId": None, "routingData": {"queueName": "?", "queueId": "q-9"}}, {"routingData": {"queueId": "q-9"}}),
        ({"queueId": "", "queueName": "Kundtjänst"}, {"queueId": "q-1"}),
        ({"queueName": None, "routingData": None}, {"queueId": "q-7"}),
    ],
    ids=["name", "star", "both", "routing-name", "routing-both", "empty-id", "nulls"],
)  # fmt: skip
def test_a_queue_may_stand_by_its_name_and_goes_on_by_its_id(
    genesys: GenesysCloud, ask: Asker, asked: dict[str, Any], ready: dict[str, Any]
) -> None:
    assert ask({**command(), **asked}).status_code == 200

    (sent,) = genesys.commands()
    assert {name: said for name, said in sent.items() if name != "data"} == {**command(queueId=None), **ready}


@pytest.mark.parametrize("name", ["KUNDTJÄNST", "*", "Kundtj*", "nobody"])
def test_a_queue_that_is_called_otherwise_is_none(genesys: GenesysCloud, ask: Asker, name: str) -> None:
    refused(ask(command(queueId=None, queueName=name)), 400, names="queueName")

    assert (genesys.commands(), open_tickets()) == ([], [])
    assert [(row.state, row.queue) for row in Callback.objects.all()] == [(State.REFUSED, name)]


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        ({"callbackUserName": None}, "callbackUserName"),
        ({"callbackUserName": ""}, "callbackUserName"),
        ({"callbackUserName": 7}, "callbackUserName"),
        ({"callbackNumbers": None}, "callbackNumbers"),
        ({"callbackNumbers": []}, "callbackNumbers"),
        ({"callbackNumbers": NUMBER}, "callbackNumbers"),
        ({"callbackNumbers": [""]}, "callbackNumbers"),
        ({"callbackNumbers": [46]}, "callbackNumbers"),
        ({"callbackNumbers": {"0": NUMBER}}, "callbackNumbers"),
        ({"queueId": None}, "queueId"),
        ({"queueId": ""}, "queueId"),
        ({"queueId": None, "routingData": {"languageId": "l"}}, "queueId"),
        ({"queueId": 7}, "queueId"),
        ({"callbackScheduledTime": "2001-01-01T10:00:00.000Z"}, "callbackScheduledTime"),
        ({"callbackScheduledTime": "2037-01-01T10:00:00Z"}, "callbackScheduledTime"),
        ({"callbackScheduledTime": "2037-01-01T10:00:00.000+00:00"}, "callbackScheduledTime"),
        ({"callbackScheduledTime": "2037-02-30T10:00:00.000Z"}, "callbackScheduledTime"),
        ({"callbackScheduledTime": "9999-12-31T23:59:59.999Z"}, "callbackScheduledTime"),
        ({"callbackScheduledTime": ""}, "callbackScheduledTime"),
        ({"callbackScheduledTime": 2_000_000_000}, "callbackScheduledTime"),
        ({"scriptId": {}}, "scriptId"),
        ({"countryCode": 46}, "countryCode"),
        ({"validateCallbackNumbers": "true"}, "validateCallbackNumbers"),
        ({"data": {"x": 1}}, "data"),
        ({"data": {"x": None}}, "data"),
        ({"data": ["x"]}, "data"),
        ({"routingData": "q"}, "routingData"),
        ({"routingData": {"queueId": "q", "priority": 2**31}}, "routingData"),
        ({"routingData": {"queueId": "q", "priority": "1"}}, "routingData"),
        ({"routingData": {"queueId": "q", "skillIds": "k"}}, "routingData"),
    ],
)
def test_a_broken_command_is_refused_by_the_fields_name_before_genesys_hears_of_it(
    genesys: GenesysCloud, ask: Asker, wrong: dict[str, Any], names: str
) -> None:
    body = {name: said for name, said in {**command(), **wrong}.items() if said is not None}

    refused(ask(body), 400, names=names)

    assert (genesys.server.asked, open_tickets(), Callback.objects.count()) == ([], [], 0)


@pytest.mark.parametrize("seconds", ["59", "31536001", "-60", "1e3", "14400.0", "١٢٠", "x" * 300])
def test_a_ticket_lives_for_a_number_of_seconds(genesys: GenesysCloud, ask: Asker, seconds: str) -> None:
    header = "X-Ticket-Expiration-Seconds"

    refused(ask(command(), **{header: seconds.encode().decode("latin-1")}), 400, names=header)

    assert genesys.server.asked == []


def test_refusals_come_in_the_order_of_the_contract(callers: Callers, genesys: GenesysCloud, ask: Asker) -> None:
    agent = Asker(callers.client("acme_agent").token, ask.headers)
    foreign = {"X-ApplicationId": elsewhere(callers)}

    refused(Asker()(b"{"), 401)
    refused(Asker("dead", ask.headers)(command()), 401)
    refused(agent(b"{"), 400)
    refused(agent([], **{"X-ApplicationId": "nobody"}), 403)
    for name in ("alice", "bob", "carol"):
        refused(Asker(callers.person(name).token, ask.headers)(command()), 403)
    refused(ask([], **{"X-ApplicationId": "nobody"}), 404)
    refused(ask({}, **foreign), 404)
    refused(ask([]), 400, names="body")
    refused(Asker(ask.token)(command()), 400, names="X-ApplicationId")

    assert (genesys.server.asked, open_tickets(), Callback.objects.count()) == ([], [], 0)


def test_only_a_genesys_application_calls_genesys(callers: Callers, genesys: GenesysCloud, ask: Asker) -> None:
    other = callers.cast.said["applications"]["openid"]

    refused(ask(command(), **{"X-ApplicationId": other}), 400, names="X-ApplicationId")

    assert genesys.server.asked == []


def test_an_application_that_is_over_or_has_no_credentials_calls_nobody(
    callers: Callers, genesys: GenesysCloud, ask: Asker, application: str
) -> None:
    bare = applications.create(
        by=at_the_console(), organization=callers.cast.organization("acme"), type_="GENESYS",
        config={"organizationId": "o", "pcEnvironment": "mypurecloud.ie"},
    )  # fmt: skip
    Application.objects.filter(pk=application).update(expires_at=clock.now())

    refused(ask(command()), 404)
    refused(ask(command(), **{"X-ApplicationId": bare.pk}), 400, names="config.serviceParameters.clientId")

    assert (genesys.server.asked, open_tickets()) == ([], [])


def test_an_admin_client_and_an_internal_service_may_and_another_organization_may_not(
    callers: Callers, genesys: GenesysCloud, ask: Asker
) -> None:
    verdicts = {
        name: Asker(callers.client(name).token, ask.headers)(command()).status_code
        for name in ("acme_admin", "internal", "globex_admin")
    }

    assert verdicts == {"acme_admin": 200, "internal": 200, "globex_admin": 404}
    assert len(genesys.commands()) == 2


# --- when Genesys does not take it -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"code": "bad.request", "message": "The request is bad"}, "bad.request"),
        (422, {"message": "No agent has the skill"}, "No agent has the skill"),
        (404, {"code": 7, "message": {"x": 1}}, "invalid_request"),
        (409, b"<html>busy</html>", "invalid_request"),
        (429, {"code": "too.many.requests"}, "too.many.requests"),
        (400, {"message": "x" * 201}, "invalid_request"),
        (400, {"message": "line\nbreak"}, "invalid_request"),
        (400, {"code": "", "message": "Authorization: Bearer 0123456789abcdef0123456789abcdef"}, "invalid_request"),
    ],
    ids=["code", "message", "types", "html", "limit", "long", "lines", "opaque"],
)
def test_a_refusal_of_genesys_is_400_with_its_word_and_leaves_no_ticket(
    callers: Callers, genesys: GenesysCloud, ask: Asker, status: int, body: Any, error: str
) -> None:
    genesys.fail(CALLBACKS, status, body)

    answer = ask(command())

    assert (answer.status_code, answer.json()) == (400, {"error": error})
    assert (len(genesys.commands()), open_tickets()) == (1, [])
    assert [(row.state, row.error) for row in Callback.objects.all()] == [
        (State.REFUSED, "" if error == "invalid_request" else error)
    ]


def test_genesys_cannot_make_us_repeat_what_we_told_it(genesys: GenesysCloud, ask: Asker) -> None:
    told: list[str] = []

    def parrot(asked: Asked) -> Any:
        told.append(json.loads(asked.body)["data"]["ticketId"])
        return answered(400, {"code": f"no {told[-1]}", "message": f"not {told[-1]}, please"})

    genesys.instead[CALLBACKS] = parrot

    answer = ask(command())

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert not Callback.objects.filter(error__contains=told[0])


GARBAGE = [b"", b"<html>", b"[]", b'{"conversation": {}}', b'{"conversation": {"id": "c"}}', b'{"conversation": {"id": 7}, "callbackIdentifiers": []}', b'{"a": 1, "a": 2}', b'{"conversation": {"id": "c"}, "callbackIdentifiers": [7]}']  # fmt: skip


def hang_up(_asked: Asked) -> list[bytes]:
    return []


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        *((CALLBACKS, (status, b"{}")) for status in (401, 403, 500, 503)),
        *((CALLBACKS, (202, body)) for body in GARBAGE),
        (CALLBACKS, (302, b"")),
        (CALLBACKS, hang_up),
        *((TOKEN, (status, b'{"error": "invalid_client"}')) for status in (400, 401, 500)),
        (TOKEN, (200, b"{}")),
        *((QUEUES, (status, b"{}")) for status in (200, 401, 500)),
        (QUEUES, (200, b'{"entities": [{"name": "q"}]}')),
    ],
    ids=lambda one: one.strip("/").rpartition("/")[2] if isinstance(one, str) else (one.__name__ if callable(one) else f"{one[0]} {one[1].decode()}"),
)  # fmt: skip
def test_a_failure_of_genesys_is_502_and_leaves_no_ticket(
    genesys: GenesysCloud, ask: Asker, path: str, failure: Any
) -> None:
    if callable(failure):
        genesys.instead[path] = failure
    else:
        genesys.fail(path, failure[0], failure[1], Location=f"{genesys.url}/elsewhere")

    answer = ask(command(queueId=None, queueName="q"), X_UrlBase=BASE) if path == QUEUES else ask(command())

    assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
    assert (len(genesys.asked(path)), open_tickets()) == (1, [])
    assert [row.state for row in Callback.objects.all()] == [State.UNAVAILABLE]
    assert {one.path for one in genesys.server.asked} <= {TOKEN, QUEUES, CALLBACKS}


def test_a_silent_genesys_is_502_in_time_and_is_asked_once(settings: Any, genesys: GenesysCloud, ask: Asker) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = 1

    def silence(_asked: Asked) -> list[bytes]:
        genesys.server.over.wait(20)
        return []

    genesys.instead[CALLBACKS] = silence
    began = clock.now()

    answer = ask(command())

    assert (answer.status_code, answer.json()) == (502, UNAVAILABLE)
    assert clock.now() - began < timedelta(seconds=3)
    assert (len(genesys.commands()), open_tickets()) == (1, [])


def test_a_redeemed_ticket_of_a_callback_that_fails_ends_with_it(
    callers: Callers, genesys: GenesysCloud, ask: Asker, transactional_db: None
) -> None:
    tokens: list[str] = []

    def refuse(asked: Asked) -> Any:
        # Whoever reads the command on its way is faster than the refusal.
        redeemed = redeem(callers, json.loads(asked.body)["data"]["ticketId"])
        tokens.append(redeemed.json()["access_token"])
        return answered(503, b"{}")

    genesys.instead[CALLBACKS] = refuse

    assert ask(command()).status_code == 502

    (ticket,) = Ticket.objects.all()
    assert ticket.deleted_at is not None
    refused(Caller(tokens[0]).get("/ticket/anything"), 401)


def test_the_sixth_callback_to_a_broken_genesys_is_not_sent(genesys: GenesysCloud, ask: Asker) -> None:
    genesys.fail(CALLBACKS, 503)

    answers = [ask(command()).status_code for _ in range(7)]

    assert answers == [502] * 7
    assert (len(genesys.commands()), open_tickets()) == (5, [])


# --- callbacks by customers with a code ------------------------------------------------------------------------------
@dataclass
class Pair:
    """A verification and its code."""

    id: str
    code: str
    application: str

    @property
    def ask(self) -> Asker:
        return Asker("", {"X-ApplicationId": self.application, "X-OtpVerificationId": self.id, "X-OtpCode": self.code})

    def row(self) -> OtpVerification:
        return OtpVerification.objects.get(pk=self.id)

    def state(self) -> tuple[bool, bool, bool, int]:
        """Answer whether it is approved, consumed and held, and how many wrong codes it saw."""
        row = self.row()
        return row.approved_at is not None, row.consumed_at is not None, row.held_until is not None, row.failures


def sent_to(callers: Callers, to: str, *, by: str = "bob", **more: Any) -> tuple[str, str]:
    principal = callers.cast.principal(by)
    organization = callers.cast.user(by).default_organization
    assert organization is not None
    id_ = otp.request(by=principal, organization=organization, to=to, **more)
    row = OtpVerification.objects.get(pk=id_)
    return id_, crypto.open_sealed(row.code_sealed, place=row.place())


@pytest.fixture
def pair(callers: Callers, application: str) -> Pair:
    return Pair(*sent_to(callers, NUMBER), application)


APPROVED, USED = (True, False, False, 0), (True, True, False, 0)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_code_opens_one_callback_to_its_own_number(callers: Callers, genesys: GenesysCloud, pair: Pair) -> None:
    answer = pair.ask(command())

    assert answer.status_code == 200, answer.content
    said = answer.json()
    assert said["ticketUrl"] == f"{portal.PUBLIC_URL}/t/{said['ticketId']}"
    assert pair.state() == USED
    refused(pair.ask(command()), 401)
    refused(Asker("", {**pair.ask.headers, "X-OtpCode": wrong(pair.code)})(command()), 401)
    assert len(genesys.commands()) == 1
    assert redeem(callers, said["ticketId"]).json()["conference_id"] == said["conferenceId"]
    events = AuditEvent.objects.filter(subject=pair.id).order_by("id").values_list("event", flat=True)
    assert list(events) == ["otp.requested", "otp.approved", "otp.consumed"]
    assert Callback.objects.get().requested_by == f"code {pair.id}"


def test_a_code_that_was_verified_before_opens_it_as_well(callers: Callers, service: Caller, pair: Pair) -> None:
    body = {"to": NUMBER, "code": pair.code, "verificationId": pair.id}
    assert service.post("/otp/verify", body).status_code == 204

    assert pair.ask(command(), X_UrlBase=BASE).json()["ticketUrl"].startswith(f"{BASE}/t/")

    refused(service.post("/otp/verify", body), 404)


@pytest.mark.parametrize(
    "numbers",
    [[OTHER], [NUMBER, NUMBER], [NUMBER, OTHER], ["0701740605"], ["+46 70 174 06 05"], [f"{NUMBER} "], ["tel:" + NUMBER]],
    ids=["other", "twice", "more", "national", "spaces", "trailing", "uri"],
)  # fmt: skip
def test_a_code_opens_no_callback_to_any_other_number(genesys: GenesysCloud, pair: Pair, numbers: list[str]) -> None:
    refused(pair.ask({**command(), "callbackNumbers": numbers}), 403)

    assert (genesys.server.asked, pair.state()) == ([], APPROVED)
    assert pair.ask(command()).status_code == 200


def test_a_code_that_came_by_mail_opens_no_callback(callers: Callers, genesys: GenesysCloud, application: str) -> None:
    pair = Pair(*sent_to(callers, "kund@example.com"), application)

    refused(pair.ask(command(callbackNumbers=["kund@example.com"])), 403)
    refused(pair.ask(command()), 403)

    assert genesys.server.asked == []


@pytest.mark.parametrize(
    ("change_of_headers", "body"),
    [
        ({"X-OtpCode": None}, command()),
        ({"X-OtpVerificationId": None}, command()),
        ({"X-OtpVerificationId": "not-an-id"}, command()),
        ({"X-OtpVerificationId": "00000000-0000-4000-8000-000000000000"}, command()),
        ({"X-OtpCode": "wrong"}, command()),
        ({"X-OtpCode": "wrong"}, b"{"),
        ({"X-OtpCode": "wrong", "X-ApplicationId": "nobody"}, command()),
        ({"X-OtpCode": "wrong", "X-ApplicationId": None}, {}),
    ],
)
def test_half_a_pair_and_a_wrong_one_are_nobody(
    genesys: GenesysCloud, ask: Asker, pair: Pair, change_of_headers: dict[str, str | None], body: Any
) -> None:
    changed = {name: wrong(pair.code) if said == "wrong" else said for name, said in change_of_headers.items()}
    headers = {name: said for name, said in {**pair.ask.headers, **changed}.items() if said is not None}

    refused(Asker("", headers)(body), 401)
    refused(Asker(ask.token, headers)(body), 401)

    assert genesys.server.asked == []
    assert pair.ask(command()).status_code == 200


def test_five_wrong_codes_are_the_end_of_a_pair(genesys: GenesysCloud, pair: Pair) -> None:
    for _ in range(5):
        refused(Asker("", {**pair.ask.headers, "X-OtpCode": wrong(pair.code)})(command()), 401)

    refused(pair.ask(command()), 401)

    assert genesys.server.asked == []


def test_an_expired_code_and_one_of_a_suspended_organization_are_nobody(
    callers: Callers, genesys: GenesysCloud, pair: Pair
) -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        refused(pair.ask(command()), 401)
    organizations.suspend(by=at_the_console(), organization=callers.cast.organization("acme"))
    refused(pair.ask(command()), 401)

    assert (genesys.server.asked, pair.state()) == ([], (False, False, False, 0))


@pytest.mark.parametrize("who", ["bob", "alice", "dead"])
def test_where_a_pair_is_sent_it_alone_decides(callers: Callers, pair: Pair, who: str) -> None:
    token = "dead" if who == "dead" else callers.person(who).token

    assert Asker(token, pair.ask.headers)(command()).status_code == 200

    assert pair.state() == USED


def test_a_pair_opens_nothing_else(callers: Callers, pair: Pair, application: str) -> None:
    sent = json.dumps(room_for(application)).encode()
    for path in ("facades/room", "ticket", "otp"):
        answer = Client().post(f"/security/{path}", sent, content_type="application/json", headers={
            "X-OtpVerificationId": pair.id, "X-OtpCode": pair.code,
        })  # fmt: skip
        refused(answer, 401)

    assert pair.state() == (False, False, False, 0)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, b"{", 400),
        ({}, {}, 400),
        ({}, [], 400),
        ({}, {**command(), "callbackNumbers": []}, 400),
        ({}, {**command(), "queueId": None}, 400),
        ({}, {**command(), "queueId": None, "queueName": "nobody"}, 400),
        ({"X-UrlBase": "https://evil.example"}, command(), 400),
        ({"X-Ticket-Expiration-Seconds": "5"}, command(), 400),
        ({"X-ApplicationId": ""}, command(), 400),
        ({"X-ApplicationId": "nobody"}, command(), 404),
        ({"X-ApplicationId": "foreign"}, command(), 404),
        ({}, {**command(), "callbackNumbers": [OTHER], "queueId": None}, 403),
    ],
)
def test_what_is_refused_leaves_the_pair_as_good_as_it_was(
    callers: Callers, genesys: GenesysCloud, pair: Pair, headers: dict[str, str], body: Any, status: int
) -> None:
    named = {name: elsewhere(callers) if said == "foreign" else said for name, said in headers.items()}

    refused(pair.ask(body, **named), status)

    assert (genesys.commands(), open_tickets(), pair.state()) == ([], [], APPROVED)
    assert pair.ask(command()).status_code == 200


@pytest.mark.parametrize(
    ("status", "ours"), [(422, 400), (401, 502), (503, 502), (302, 502)], ids=["refused", "ours", "broken", "moved"]
)
def test_a_callback_that_genesys_does_not_take_does_not_use_the_pair_up(
    genesys: GenesysCloud, pair: Pair, status: int, ours: int
) -> None:
    genesys.fail(CALLBACKS, status)

    assert pair.ask(command()).status_code == ours

    assert (open_tickets(), pair.state()) == ([], APPROVED)
    genesys.instead.clear()
    assert pair.ask(command()).status_code == 200
    assert len(open_tickets()) == 1


def test_the_links_that_travel_with_the_call_are_ours_whatever_a_customer_sends(
    genesys: GenesysCloud, pair: Pair
) -> None:
    said = pair.ask(command(data={"agentUrl": "https://evil.example", "ticketUrl": "x", "order": "1"})).json()

    (sent,) = genesys.commands()
    assert sent["data"] == {
        "order": "1", **{name: said[name] for name in ("conferenceId", "ticketId", "agentUrl", "ticketUrl")},
    }  # fmt: skip


def test_of_64_callbacks_with_one_pair_one_reaches_genesys(
    callers: Callers, genesys: GenesysCloud, pair: Pair, at_once: AtOnce
) -> None:
    def slowly(asked: Asked) -> Any:
        threading.Event().wait(0.3)
        del genesys.instead[CALLBACKS]
        return genesys.answer(asked)

    genesys.instead[CALLBACKS] = slowly

    statuses = Counter(at_once(64, lambda _n: pair.ask(command()).status_code))

    assert statuses == {200: 1, 401: 63}
    assert (len(genesys.commands()), len(open_tickets()), pair.state()) == (1, 1, USED)


# --- what stays behind -----------------------------------------------------------------------------------------------
def test_nothing_that_opens_a_door_is_kept_or_logged(
    callers: Callers, genesys: GenesysCloud, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    genesys.fail(CALLBACKS, 503)
    assert pair.ask(command()).status_code == 502
    genesys.instead.clear()
    said = pair.ask(command()).json()

    kept = json.dumps([list(Callback.objects.values()), list(AuditEvent.objects.values())], default=str)
    for secret in (said["ticketId"], pair.code, "genesys-token", "demo-genesys-secret", "Åsa"):
        assert not re.search(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", kept), secret
        assert secret not in caplog.text
    assert NUMBER not in json.dumps(list(Callback.objects.values()), default=str)
