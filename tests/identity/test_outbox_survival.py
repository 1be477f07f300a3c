"""A message survives the death of whoever was to send it: real workers, a real mail server, a Twilio on loopback, the suite's own broker."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as running
from django.db import transaction
from django.db.models import F

from identity import clock, outbox, tasks
from identity.models import OutboxMessage
from integrations.gateways.spool import SpoolGateway
from tests.cast import Cast
from tests.identity.broken_line import BrokenLine
from tests.integrations.gateways.mail_server import MailServer
from tests.integrations.gateways.twilio_server import SMS_URL, Answer, TwilioServer
from tests.processes import Portal, Running

State = OutboxMessage.State
LINK = "https://id.example/reset/?token=swr_Tr0ub4dor"


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    server = TwilioServer()
    yield server
    server.close()


@pytest.fixture
def line() -> Iterator[BrokenLine]:
    line = BrokenLine(running.CELERY_BROKER_URL)
    yield line
    line.close()


def put(cast: Cast, **more: Any) -> OutboxMessage:
    usual: dict[str, Any] = {
        "channel": "EMAIL", "to": "bob@acme.example", "template": "password_reset", "locale": "en", "organization": cast.organization("acme"),
        "context": {"link": LINK, "name": "Bob", "username": "bob", "minutes": 30},
    }  # fmt: skip
    return outbox.put(**(usual | more))


def put_sms(cast: Cast, to: str = "+46701740605", **more: Any) -> OutboxMessage:
    return put(cast, channel="SMS", to=to, **more)


def at(server: TwilioServer, **more: str) -> dict[str, str]:
    """What makes a worker send by this server."""
    return {"SMS_URL": SMS_URL, "TWILIO_BASE_URL": server.url, **more}


def state(message: OutboxMessage) -> str:
    message.refresh_from_db()
    return message.state


def let_the_lease_pass(message: OutboxMessage) -> None:
    assert OutboxMessage.objects.filter(pk=message.pk, state=State.SENDING).update(lease_until=clock.now()) == 1


@pytest.mark.parametrize("step", ["MAIL", "."])
def test_a_message_outlives_a_worker_that_is_killed_while_sending(
    transactional_db: None, cast: Cast, server: MailServer, start_worker: Callable[..., Running], step: str
) -> None:
    server.behaviour.is_silent_at = step
    first = start_worker(EMAIL_URL=server.url())
    message = put(cast)
    first.wait_until(server.began_to_send.is_set)
    first.kill()
    assert (state(message), server.messages) == (State.SENDING, [])

    server.behaviour.is_silent_at = ""
    second = start_worker(EMAIL_URL=server.url())
    let_the_lease_pass(message)
    tasks.drain_outbox.delay()
    second.wait_until(lambda: state(message) == State.SENT)

    (mail,) = server.messages
    assert str(mail["Message-ID"]) == f"<{message.pk}@127.0.0.1>"
    assert LINK in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert (message.attempts, message.context_sealed) == (2, "")
    assert "swr_Tr0ub4dor" not in first.log.read_text() + second.log.read_text()


def test_a_message_that_was_written_and_not_marked_is_not_written_twice(
    cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.MESSAGE_SPOOL = tmp_path / "messages"
    message = put(cast)
    SpoolGateway().send(outbox.render(message))
    OutboxMessage.objects.filter(pk=message.pk).update(state=State.SENDING, attempts=1, lease_until=clock.now())

    outbox.drain()

    assert state(message) == State.SENT
    assert [path.name for path in settings.MESSAGE_SPOOL.glob("*.json")] == [f"0001-{message.pk}.json"]


def test_many_workers_at_once_send_a_message_once(
    cast: Cast, at_once: Callable[..., list[Any]], settings: Any, tmp_path: Path
) -> None:
    settings.MESSAGE_SPOOL = tmp_path / "messages"
    message = put(cast)

    states = at_once(16, lambda number: outbox.deliver(message_id=str(message.pk)))

    assert sorted(states, key=str) == [None] * 15 + [State.SENT]
    assert len(list(settings.MESSAGE_SPOOL.glob("*.json"))) == 1


@pytest.mark.parametrize("broker", ["amqp://guest:guest@127.0.0.1:1//", "redis://127.0.0.1:1/0"])
def test_without_a_broker_requests_answer_and_messages_wait_and_go_out_later(
    transactional_db: None, cast: Cast, start_portal: Callable[..., Portal], settings: Any, tmp_path: Path, broker: str
) -> None:
    settings.MESSAGE_SPOOL = tmp_path / "messages"
    portal = start_portal(CELERY_BROKER_URL=broker)
    body = json.dumps({"email": "bob@acme.example"}).encode()

    answer = portal.say(
        b"POST /v1/auth/reset_email HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )

    assert answer.startswith(b"HTTP/1.1 200 ")
    message = OutboxMessage.objects.get()
    assert message.state == State.PENDING
    assert outbox.drain() == 1
    (path,) = settings.MESSAGE_SPOOL.glob("*.json")
    token = re.search(r"\?token=(\S+)", json.loads(path.read_text())["body"])
    assert token is not None
    assert token[1] not in portal.log.read_text()


@pytest.mark.parametrize("takes", [True, False], ids=["it has it", "it has it not"])
def test_a_worker_that_is_killed_while_twilio_answers_leaves_one_message_there(
    transactional_db: None, cast: Cast, twilio: TwilioServer, start_worker: Callable[..., Running], takes: bool
) -> None:
    twilio.answers = [Answer(fault="silent", takes=takes)]
    first = start_worker(**at(twilio))
    message = put_sms(cast)
    first.wait_until(twilio.began_to_send.is_set)
    first.kill()

    second = start_worker(**at(twilio))
    let_the_lease_pass(message)
    tasks.drain_outbox.delay()
    second.wait_until(lambda: state(message) == State.SENT)

    assert [kept["sid"] for kept in twilio.kept["Messages"]] == [message.provider_id]
    assert (message.attempts, message.context_sealed) == (1 if takes else 2, "")
    assert "swr_Tr0ub4dor" not in first.log.read_text() + second.log.read_text()


def test_a_worker_that_is_killed_before_it_could_ask_leaves_the_message_to_the_next_one(
    transactional_db: None, cast: Cast, twilio: TwilioServer, start_worker: Callable[..., Running]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes the connection and never shakes hands
        first = start_worker(**at(twilio, TWILIO_BASE_URL=f"https://127.0.0.1:{mute.getsockname()[1]}"))
        message = put_sms(cast)
        mute.settimeout(30)
        with mute.accept()[0]:
            first.kill()

    second = start_worker(**at(twilio))
    let_the_lease_pass(message)
    tasks.drain_outbox.delay()
    second.wait_until(lambda: state(message) == State.SENT)

    assert [request.method for request in twilio.requests] == ["GET", "POST"]
    assert len(twilio.kept["Messages"]) == 1


def test_a_worker_that_is_killed_before_it_could_write_down_the_answer_leaves_one_message_there(
    transactional_db: None, cast: Cast, twilio: TwilioServer, start_worker: Callable[..., Running]
) -> None:
    twilio.answers = [Answer(fault="silent", takes=True)]
    first = start_worker(**at(twilio))
    message = put_sms(cast)
    first.wait_until(twilio.began_to_send.is_set)
    with transaction.atomic():
        # Whoever wants to write this row waits for us.
        OutboxMessage.objects.filter(pk=message.pk).update(attempts=F("attempts"))
        twilio.may_go_on.set()
        first.wait_until(twilio.has_answered.is_set)
        first.kill()

    second = start_worker(**at(twilio))
    # PostgreSQL may still carry out what the dead worker had asked for; then nothing is left to do.
    OutboxMessage.objects.filter(pk=message.pk, state=State.SENDING).update(lease_until=clock.now())
    tasks.drain_outbox.delay()
    second.wait_until(lambda: state(message) == State.SENT)

    assert [kept["sid"] for kept in twilio.kept["Messages"]] == [message.provider_id]
    assert len(twilio.posts) == 1


FAULTS = {
    "500": Answer(500),
    "429": Answer(429, headers={"Retry-After": "1"}),
    "redirect": Answer(307, headers={"Location": "http://127.0.0.1:1/"}),
    "garbage, taken": Answer(201, b"<html>", takes=True),
    "garbage": Answer(201, b"<html>"),
    "half, taken": Answer(fault="half", takes=True),
    "half": Answer(fault="half"),
    "nothing, taken": Answer(fault="hangs_up", takes=True),
    "nothing": Answer(fault="hangs_up"),
    "silence, taken": Answer(fault="silent", takes=True),
    "a drip": Answer(fault="drips"),
}


def test_whatever_twilio_answers_first_every_message_is_there_once_in_the_end(
    transactional_db: None, cast: Cast, twilio: TwilioServer, start_worker: Callable[..., Running]
) -> None:
    numbers = {f"+467017406{n:02d}": fault for n, fault in enumerate(FAULTS.values())}
    twilio.answers_to = {to: [fault] for to, fault in numbers.items()}
    worker = start_worker(**at(twilio, UPSTREAM_TIMEOUT_SECONDS="1"))
    for to in numbers:
        put_sms(cast, to)

    def is_all_sent() -> bool:
        # As beat does, only without the waiting.
        OutboxMessage.objects.filter(state=State.UNKNOWN).update(next_at=clock.now() - timedelta(seconds=1))
        tasks.drain_outbox.delay()
        return not OutboxMessage.objects.exclude(state=State.SENT).exists()

    worker.wait_until(is_all_sent)

    assert sorted(kept["to"] for kept in twilio.kept["Messages"]) == sorted(numbers)
    sids = {kept["to"]: kept["sid"] for kept in twilio.kept["Messages"]}
    assert {message.to: message.provider_id for message in OutboxMessage.objects.all()} == sids


def test_a_worker_whose_broker_goes_away_sends_what_was_accepted_when_it_comes_back(
    transactional_db: None, cast: Cast, twilio: TwilioServer, start_worker: Callable[..., Running], line: BrokenLine
) -> None:
    worker = start_worker(**at(twilio, CELERY_BROKER_URL=line.url))
    before = put_sms(cast)
    worker.wait_until(lambda: state(before) == State.SENT)

    line.cut()
    meanwhile = put_sms(cast, "+46701740606")
    line.mend()

    worker.wait_until(lambda: state(meanwhile) == State.SENT)
    assert [kept["to"] for kept in twilio.kept["Messages"]] == [before.to, meanwhile.to]


@pytest.mark.parametrize("minutes", [-10, 10])
def test_a_worker_whose_clock_is_off_sends_in_time_and_tries_again_in_time(
    transactional_db: None, cast: Cast, twilio: TwilioServer, start_worker: Callable[..., Running], tmp_path: Path, minutes: int
) -> None:  # fmt: skip
    (tmp_path / "sitecustomize.py").write_text(
        "import datetime, time_machine\n"
        f"time_machine.travel(datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes={minutes})).start()\n"
    )
    twilio.answers = [Answer(503), Answer(503)]
    worker = start_worker(**at(twilio, PYTHONPATH=str(tmp_path)))
    message = put_sms(cast, is_urgent=True, useful_for=timedelta(minutes=5))

    def is_sent() -> bool:
        tasks.drain_outbox.delay()
        return state(message) == State.SENT

    worker.wait_until(is_sent)

    assert len(twilio.kept["Messages"]) == 1
    assert message.sent_at is not None
    assert abs(message.sent_at - clock.now()) < timedelta(minutes=1)
