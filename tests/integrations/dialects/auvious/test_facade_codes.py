"""Callbacks by customers with a code: one pair, one callback, to its own number (clarifications 38)."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as portal
from django.test import Client

from identity import clock, crypto, organizations, otp
from identity.models import AuditEvent, OtpVerification
from identity.principal import at_the_console
from integrations.models import Callback
from tests.integrations.dialects.auvious.conftest import Caller, Callers, refused
from tests.integrations.dialects.auvious.facades import (
    BASE,
    NUMBER,
    OTHER,
    Asker,
    application,
    ask,
    command,
    elsewhere,
    genesys,
    open_tickets,
    redeem,
    room_for,
    service,
)
from tests.integrations.stories.genesys_cloud import CALLBACKS, GenesysCloud
from tests.integrations.vendors.stand_in import Asked

__all__ = ["application", "ask", "genesys", "service"]  # the fixtures
pytestmark = pytest.mark.wire("auvious", "3.2 Facades")
AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


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
