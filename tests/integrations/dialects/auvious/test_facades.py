"""Rooms: a conference, a ticket and three links in one request, for clients (dialects.md 3.2, Facades)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as portal

from identity import clock
from identity.models import Application
from tests.integrations.dialects.auvious.conftest import Caller, Callers, refused
from tests.integrations.dialects.auvious.facades import (
    BASE,
    application,
    change,
    elsewhere,
    genesys,
    open_tickets,
    query_of,
    redeem,
    room_for,
    service,
)
from tickets.models import Ticket

__all__ = ["application", "genesys", "service"]  # the fixtures
pytestmark = pytest.mark.wire("auvious", "3.2 Facades")


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
    for unknown in ("nobody", foreign, "a\x01b", "x" * 500):
        refused(service.post("/facades/room", room_for(unknown)), 404)
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
