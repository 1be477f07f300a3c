"""Callbacks beside the wire: processes that die on the way, what is forgotten when, and what an admin sees."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.urls import reverse

from identity import clock, crypto, otp
from identity.errors import CredentialRevoked, Unavailable, UpstreamRefused, WrongCredentials
from identity.models import Application, AuditEvent, OtpVerification
from identity.principal import Via
from integrations import tasks
from integrations.dialects.auvious.views.facades import WORDS
from integrations.models import Callback
from integrations.stories import callbacks
from tests.cast import Cast
from tests.identity.admin.conftest import admin_of
from tests.integrations.stories.genesys_cloud import CALLBACKS, QUEUES, GenesysCloud, open_genesys
from tests.integrations.vendors.stand_in import Asked
from tests.processes import Portal
from tickets import redemptions
from tickets.models import Ticket

__all__ = ["admin_of"]  # the fixture
pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of
State = Callback.State

NUMBER = "+46701740605"
VIA = Via(door="test", address="127.0.0.1")
COMMAND = {"callbackUserName": "Åsa", "callbackNumbers": [NUMBER], "queueId": "q-7"}
LIST = "/admin/integrations/callback/"


@pytest.fixture(autouse=True)
def genesys(settings: Any) -> Iterator[GenesysCloud]:
    settings.OTP_RESEND_SECONDS = 0
    with open_genesys(settings) as cloud:
        yield cloud


@pytest.fixture
def application(cast: Cast) -> Application:
    return Application.objects.select_related("organization").get(pk=cast.said["applications"]["genesys"])


@pytest.fixture
def pair(cast: Cast) -> tuple[str, str]:
    """A verification and its code."""
    id_ = otp.request(by=cast.principal("bob"), organization=cast.organization("acme"), to=NUMBER)
    row = OtpVerification.objects.get(pk=id_)
    return id_, crypto.open_sealed(row.code_sealed, place=row.place())


def hold(pair: tuple[str, str]) -> OtpVerification:
    return callbacks.hold(verification_id=pair[0], code=pair[1], via=VIA)


def request(application: Application, held: OtpVerification, **more: Any) -> callbacks.Made:
    return callbacks.request(
        by=callbacks.holder(held, via=VIA), verification=held, application=application, words=WORDS, **{"command": COMMAND, **more}
    )  # fmt: skip


class Killed(BaseException):
    """What the end of a process looks like from inside."""


def rows() -> list[tuple[str, str]]:
    return list(Callback.objects.order_by("created_at").values_list("state", "error"))


# --- processes that die ----------------------------------------------------------------------------------------------
def test_what_a_killed_process_left_is_swept_and_the_pair_is_good_again(
    cast: Cast,
    application: Application,
    pair: tuple[str, str],
    genesys: GenesysCloud,
    start_portal: Callable[..., Portal],
) -> None:
    def silence(_asked: Asked) -> list[bytes]:
        genesys.server.over.wait(60)
        return []

    genesys.instead[CALLBACKS] = silence
    portal = start_portal(GENESYS_BASE_URL=genesys.url, UPSTREAM_TIMEOUT_SECONDS="60")
    headers = f"X-ApplicationId: {application.pk}\r\nX-OtpVerificationId: {pair[0]}\r\nX-OtpCode: {pair[1]}\r\n"
    body = json.dumps(COMMAND)
    line = socket.create_connection(portal.address)
    line.sendall(
        f"POST /security/facades/callback HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    portal.wait_until(lambda: len(genesys.asked(CALLBACKS)) == 1)

    portal.kill()
    line.close()

    genesys.instead.clear()
    (ticket,) = Ticket.objects.all()
    assert (rows(), ticket.deleted_at) == ([("requested", "")], None)
    with pytest.raises(CredentialRevoked):
        hold(pair)
    with time_machine.travel(clock.now() + timedelta(minutes=4)):
        assert callbacks.sweep() == 0
    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        tasks.sweep_callbacks()
        ticket.refresh_from_db()
        assert (rows(), ticket.deleted_at is not None) == ([("unavailable", "interrupted")], True)
        assert callbacks.sweep() == 0
        assert request(application, hold(pair)).room.ticket.deleted_at is None
    deeds = AuditEvent.objects.filter(subject=ticket.name).order_by("id").values_list("event", "door")
    assert list(deeds) == [("ticket.created", "auvious"), ("ticket.deleted", "callbacks")]


def test_a_process_that_is_told_to_end_takes_the_ticket_with_it(
    application: Application, pair: tuple[str, str], genesys: GenesysCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_args: Any, **_said: Any) -> Any:
        raise Killed

    monkeypatch.setattr(callbacks.genesys_callbacks, "request", end)

    with pytest.raises(Killed):
        request(application, hold(pair))

    (ticket,) = Ticket.objects.all()
    assert (rows(), ticket.deleted_at is not None) == ([("unavailable", "Killed")], True)


def test_an_answer_that_comes_after_the_sweep_revives_nothing(
    transactional_db: None, application: Application, pair: tuple[str, str], genesys: GenesysCloud
) -> None:
    def late(asked: Asked) -> Any:
        Callback.objects.update(created_at=clock.now() - timedelta(minutes=6))
        assert callbacks.sweep() == 1
        del genesys.instead[CALLBACKS]
        return genesys.answer(asked)

    genesys.instead[CALLBACKS] = late
    held = hold(pair)

    with pytest.raises(Unavailable):
        request(application, held)

    (ticket,) = Ticket.objects.all()
    held.refresh_from_db()
    assert (rows(), ticket.deleted_at is not None) == ([("unavailable", "interrupted")], True)
    assert held.consumed_at is None


def test_a_queue_that_is_found_after_the_sweep_gets_no_ticket(
    transactional_db: None, application: Application, pair: tuple[str, str], genesys: GenesysCloud
) -> None:
    def late(asked: Asked) -> Any:
        Callback.objects.update(created_at=clock.now() - timedelta(minutes=6))
        assert callbacks.sweep() == 1
        del genesys.instead[QUEUES]
        return genesys.answer(asked)

    genesys.instead[QUEUES] = late

    with pytest.raises(Unavailable):
        request(application, hold(pair), command={**COMMAND, "queueId": "", "queueName": "Kundtjänst"})

    assert (rows(), Ticket.objects.count(), genesys.commands()) == ([("unavailable", "interrupted")], 0, [])


def test_a_database_that_fails_on_the_way_back_leaves_the_rest_to_the_sweep(
    application: Application, pair: tuple[str, str], genesys: GenesysCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_said: Any) -> None:
        raise OperationalError("the connection is gone")

    genesys.fail(CALLBACKS, 422, {"code": "no.such.skill"})
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.tickets, "delete", fail)
        with pytest.raises(UpstreamRefused, match=r"no\.such\.skill"):
            request(application, hold(pair))
    assert rows() == [("requested", "")]

    with time_machine.travel(clock.now() + timedelta(minutes=6)):
        assert callbacks.sweep() == 1

    assert [one.deleted_at is not None for one in Ticket.objects.all()] == [True]


def test_a_pair_that_was_used_up_meanwhile_leaves_no_ticket(
    transactional_db: None, application: Application, pair: tuple[str, str], genesys: GenesysCloud
) -> None:
    held = hold(pair)

    def steal(asked: Asked) -> Any:
        OtpVerification.objects.update(consumed_at=clock.now())
        del genesys.instead[CALLBACKS]
        return genesys.answer(asked)

    genesys.instead[CALLBACKS] = steal

    with pytest.raises(WrongCredentials):
        request(application, held)

    assert [one.deleted_at is not None for one in Ticket.objects.all()] == [True]
    assert rows() == [("unavailable", "used already")]


def test_a_ticket_that_somebody_deleted_meanwhile_stays_deleted(
    transactional_db: None, application: Application, pair: tuple[str, str], genesys: GenesysCloud
) -> None:
    def delete(_asked: Asked) -> Any:
        Ticket.objects.update(deleted_at=clock.now())
        return b""

    genesys.instead[CALLBACKS] = delete

    with pytest.raises(Exception, match="genesys"):
        request(application, hold(pair))

    assert [state for state, _error in rows()] == ["unavailable"]


# --- forgetting ------------------------------------------------------------------------------------------------------
def test_callbacks_are_forgotten_when_they_are_long_over(cast: Cast) -> None:
    now, acme = clock.now(), cast.organization("acme")
    made = {
        name: Callback.objects.create(
            organization=acme, queue=name, requested_by="crm", state=state, created_at=now - timedelta(days=age),
            scheduled_at=None if scheduled is None else now + timedelta(days=scheduled),
        )
        for name, age, scheduled, state in [
            ("new", 1, None, State.ACCEPTED), ("old", 91, None, State.ACCEPTED), ("old, later", 91, 3, State.ACCEPTED),
            ("old, just over", 91, -3, State.ACCEPTED), ("old, long over", 200, -100, State.REFUSED), ("open", 91, None, State.REQUESTED),
        ]
    }  # fmt: skip

    tasks.purge()

    left = set(Callback.objects.values_list("queue", flat=True))
    assert left == made.keys() - {"old", "old, long over"}


def test_a_callback_outlives_its_ticket_and_its_application(application: Application, pair: tuple[str, str]) -> None:
    request(application, hold(pair))

    with time_machine.travel(clock.now() + timedelta(days=40)):
        assert redemptions.purge(before=clock.now() - timedelta(days=30)) > 0
    application.delete()

    row = Callback.objects.get()
    assert (row.state, row.ticket, row.application, row.conversation) == (State.ACCEPTED, None, None, "conv-1")


# --- what an admin sees ----------------------------------------------------------------------------------------------
def test_a_scheduled_callback_shows_in_the_admin_with_its_state_and_a_link_to_its_ticket(
    application: Application, pair: tuple[str, str], admin_of: Admin
) -> None:
    scheduled_at = clock.now().replace(microsecond=0) + timedelta(days=2)
    made = request(application, hold(pair), scheduled_at=scheduled_at)
    row, alice = Callback.objects.get(), admin_of("alice")
    ticket = reverse("admin:tickets_ticket_change", args=[made.room.ticket.pk])

    listed, page = alice.get(LIST).content.decode(), alice.get(f"{LIST}{row.pk}/change/").content.decode()

    for shown in (listed, page):
        assert f'href="{ticket}"' in shown
        assert ">accepted<" in shown
        assert "q-7" in shown
        assert f"GENESYS {application.pk}" in shown
        assert scheduled_at.strftime("%Y") in shown
        assert made.room.ticket_id not in shown
        assert NUMBER not in shown
    assert "conv-1" in page
    assert made.room.ticket_id not in repr(made)
    assert alice.get(ticket).status_code == 200
    assert alice.get(f"{LIST}{row.pk}/history/").headers["Location"].endswith(made.room.ticket.name.replace(" ", "+"))


@pytest.mark.parametrize(("status", "state"), [(422, "refused"), (503, "unavailable")], ids=["refused", "unavailable"])
def test_a_callback_that_came_to_nothing_shows_why_and_links_to_no_ticket(
    application: Application, pair: tuple[str, str], genesys: GenesysCloud, admin_of: Admin, status: int, state: str
) -> None:
    genesys.fail(CALLBACKS, status, {"code": "no.such.skill"})
    with pytest.raises(Exception, match=r"no\.such\.skill|genesys: status 503"):
        request(application, hold(pair))
    row, alice = Callback.objects.get(), admin_of("alice")

    listed, page = alice.get(LIST).content.decode(), alice.get(f"{LIST}{row.pk}/change/").content.decode()

    assert f">{state}<" in listed
    assert "/admin/tickets/ticket/" not in listed.partition('id="result_list"')[2]
    assert ("no.such.skill" if status == 422 else "genesys: status 503") in page


def test_the_list_asks_the_same_few_queries_however_many_there_are(
    cast: Cast, application: Application, admin_of: Admin, django_assert_num_queries: Any
) -> None:
    def make(number: int) -> None:
        ticket = Ticket.objects.create(
            digest=str(number), organization=application.organization, type="T", ttl_seconds=60, expires_at=clock.now()
        )
        Callback.objects.create(
            organization=application.organization, application=application, ticket=ticket, queue=f"q-{number}", requested_by="crm"
        )  # fmt: skip

    alice = admin_of("alice")
    make(0)
    with django_assert_num_queries(4):
        assert len(alice.get(LIST).context["cl"].result_list) == 1
    for number in range(1, 6):
        make(number)
    with django_assert_num_queries(4):
        assert len(alice.get(LIST).context["cl"].result_list) == 6
    assert [row.queue for row in alice.get(LIST, {"q": "q-3"}).context["cl"].result_list] == ["q-3"]
    assert [row.queue for row in alice.get(LIST, {"state__exact": "refused"}).context["cl"].result_list] == []
