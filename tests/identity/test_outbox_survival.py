"""A message survives the death of whoever was to send it: real workers, a real mail server, the suite's own broker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from identity import clock, outbox, tasks
from identity.models import OutboxMessage
from integrations.gateways.spool import SpoolGateway
from tests.cast import Cast
from tests.integrations.gateways.mail_server import MailServer
from tests.processes import Portal, Running

State = OutboxMessage.State
LINK = "https://id.example/reset/?token=swr_Tr0ub4dor"


@pytest.fixture
def server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def put(cast: Cast) -> OutboxMessage:
    return outbox.put(
        channel="EMAIL", to="bob@acme.example", template="password_reset", locale="en", organization=cast.organization("acme"),
        context={"link": LINK, "name": "Bob", "username": "bob", "minutes": 30},
    )  # fmt: skip


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
