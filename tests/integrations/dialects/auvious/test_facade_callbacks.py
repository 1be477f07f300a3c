"""Callbacks by clients: what goes to Genesys, what is refused before, and what happens when it fails (clarifications 38)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings as portal

from identity import applications, clock
from identity.models import Application
from identity.principal import at_the_console
from integrations.models import Callback
from tests.integrations.dialects.auvious.conftest import Caller, Callers, refused
from tests.integrations.dialects.auvious.facades import (
    BASE,
    NUMBER,
    UNAVAILABLE,
    Asker,
    State,
    application,
    ask,
    change,
    command,
    elsewhere,
    genesys,
    later,
    open_tickets,
    redeem,
    service,
)
from tests.integrations.stories.genesys_cloud import CALLBACKS, QUEUES, TAKEN, TOKEN, GenesysCloud
from tests.integrations.vendors.stand_in import Asked
from tests.integrations.vendors.stand_in import said as answered
from tickets.models import Ticket

__all__ = ["application", "ask", "genesys", "service"]  # the fixtures
pytestmark = pytest.mark.wire("auvious", "3.2 Facades")


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
        (
            {"queueId": None, "queueName": "Kundtjänst", "routingData": {"queueName": "Kundtjänst"}},
            {"queueId": "q-1", "routingData": {"queueId": "q-1"}},
        ),
    ],
    ids=["name", "star", "both", "routing-name", "routing-both", "empty-id", "nulls", "twice"],
)  # fmt: skip
def test_a_queue_may_stand_by_its_name_and_goes_on_by_its_id(
    genesys: GenesysCloud, ask: Asker, asked: dict[str, Any], ready: dict[str, Any]
) -> None:
    assert ask({**command(), **asked}).status_code == 200

    (sent,) = genesys.commands()
    assert {name: said for name, said in sent.items() if name != "data"} == {**command(queueId=None), **ready}
    assert len(genesys.asked(QUEUES)) == (1 if "q-7" not in str(ready) and "q-9" not in str(ready) else 0)


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
    ticket_id = (
        callers.client("acme_service").post("/ticket", {"type": "MULTI_USE_TICKET", "properties": {}}).json()["id"]
    )
    refused(Asker(redeem(callers, ticket_id).json()["access_token"], ask.headers)(command()), 403)
    refused(ask([], **{"X-ApplicationId": "nobody"}), 404)
    refused(ask({}, **foreign), 404)
    refused(ask([]), 400, names="body")
    refused(Asker(ask.token)(command()), 400, names="X-ApplicationId")

    assert (genesys.server.asked, len(open_tickets()), Callback.objects.count()) == ([], 1, 0)


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


def test_a_refused_look_for_a_queue_is_400_with_its_word(genesys: GenesysCloud, ask: Asker) -> None:
    genesys.fail(QUEUES, 429, {"code": "too.many.requests"})

    answer = ask(command(queueId=None, queueName="Kundtjänst"))

    assert (answer.status_code, answer.json()) == (400, {"error": "too.many.requests"})
    assert (genesys.commands(), open_tickets()) == ([], [])


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
