"""What a gateway reports of a message later on, what is taken back, and what may be repeated (operating.md 6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from identity import clock, outbox
from identity.errors import NotFound
from identity.models import AuditEvent, OutboxMessage
from identity.outbox import DeliveryFailed, Receipt
from identity.principal import Principal
from tests.cast import Cast
from tests.identity.gates import Gate

State = OutboxMessage.State
OPEN = [State.PENDING, State.SENDING, State.UNKNOWN, State.SENT, State.DEAD]


@pytest.fixture(autouse=True)
def gate(settings: Any) -> Iterator[None]:
    Gate.open()
    settings.GATEWAYS = dict.fromkeys(("EMAIL", "SMS", "VOICE"), "tests.identity.gates.Gate")
    yield
    Gate.open()


@pytest.fixture
def message(cast: Cast) -> OutboxMessage:
    return put(cast)


def put(cast: Cast, **more: Any) -> OutboxMessage:
    usual: dict[str, Any] = {
        "channel": "SMS", "to": "+46701740605", "template": "password_reset", "locale": "en", "organization": cast.organization("acme"),
        "context": {"link": "https://id.example/reset/?token=a", "name": "Bob", "username": "bob", "minutes": 30}, "about": "a matter",
    }  # fmt: skip
    return outbox.put(**(usual | more))


def report(message: OutboxMessage, word: str, **more: Any) -> bool:
    return outbox.reported(message_id=message.pk, provider_id="SM1", word=word, **more)


def now(message: OutboxMessage) -> OutboxMessage:
    message.refresh_from_db()
    return message


def left(message: OutboxMessage) -> tuple[str, str, str, str, str]:
    now(message)
    return message.state, message.provider_id, message.provider_status, message.last_error, message.context_sealed


@pytest.mark.parametrize("state", OPEN)
def test_a_report_proves_that_the_gateway_has_a_message_whatever_we_believed(
    message: OutboxMessage, state: str
) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=state, lease_until=clock.now())

    assert report(message, "sent") is False

    assert left(message) == (State.SENT, "SM1", "sent", "", "")
    assert (message.lease_until, message.sent_at) == (None, message.reported_at)
    assert outbox.drain() == 0
    assert Gate.sent == []


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize(("outcome", "error", "is_news"), [(State.DELIVERED, "", False), (State.FAILED, "30003", True)])
def test_a_last_report_ends_a_message(
    message: OutboxMessage, state: str, outcome: State, error: str, is_news: bool
) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=state)

    assert report(message, "over", outcome=outcome, error=error) is is_news

    assert left(message) == (outcome, "SM1", "over", error, "")


@pytest.mark.parametrize("first", [State.DELIVERED, State.FAILED])
@pytest.mark.parametrize("second", [State.DELIVERED, State.FAILED, None])
def test_nothing_is_taken_back_of_a_last_report(message: OutboxMessage, first: State, second: State | None) -> None:
    report(message, "first", outcome=first, error="1")
    before = left(message)

    assert report(message, "second", outcome=second, error="2", after=["first"]) is False

    assert left(message) == before


def test_a_report_that_was_overtaken_counts_for_nothing(message: OutboxMessage) -> None:
    report(message, "queued")
    report(message, "sent", after=["queued", "sending"])

    report(message, "sending", after=["queued"])
    report(message, "queued")

    assert left(message)[2] == "sent"


def test_a_report_that_comes_before_the_gateway_s_own_answer_stands(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(self: Gate, letter: outbox.Letter) -> Receipt:
        report(message, "delivered", outcome=State.DELIVERED)
        return Receipt("SM1", "queued")

    monkeypatch.setattr(Gate, "send", slow)
    outbox.deliver(message_id=str(message.pk))

    assert left(message) == (State.DELIVERED, "SM1", "delivered", "", "")


@pytest.mark.parametrize(
    "answer", [DeliveryFailed("no", permanent=True), DeliveryFailed("busy"), TimeoutError()], ids=repr
)
def test_a_report_that_comes_before_a_failure_to_send_stands_and_nothing_is_given_up(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch, answer: Exception
) -> None:
    def lost(self: Gate, letter: outbox.Letter) -> Receipt:
        report(message, "sent")
        raise answer

    monkeypatch.setattr(Gate, "send", lost)
    outbox.deliver(message_id=str(message.pk))

    assert left(message) == (State.SENT, "SM1", "sent", "", "")
    assert not AuditEvent.objects.filter(event="message.given_up").exists()


def test_a_report_about_no_message_of_ours_is_refused(message: OutboxMessage) -> None:
    report(message, "sent")

    with pytest.raises(NotFound):
        outbox.reported(message_id=uuid4(), provider_id="SM1", word="delivered", outcome=State.DELIVERED)
    with pytest.raises(NotFound):
        outbox.reported(message_id=message.pk, provider_id="SM2", word="delivered", outcome=State.DELIVERED)

    assert left(message)[0] == State.SENT


@pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.SENT, State.DEAD])
def test_what_is_over_is_forgotten_in_the_end(message: OutboxMessage, state: str) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=state)

    with time_machine.travel(clock.now() + outbox.FORGOTTEN + timedelta(minutes=1)):
        assert outbox.purge() == 1


def test_what_waits_of_a_matter_is_taken_back_and_wiped(cast: Cast, message: OutboxMessage) -> None:
    in_doubt, other, sent = put(cast), put(cast, about="another matter"), put(cast)
    OutboxMessage.objects.filter(pk=in_doubt.pk).update(state=State.UNKNOWN)
    outbox.deliver(message_id=str(sent.pk))

    assert outbox.withdraw(about="a matter") == 2

    for one in (message, in_doubt):
        assert left(one) == (State.DEAD, "", "", "no longer needed", "")
    assert (now(other).state, now(sent).state) == (State.PENDING, State.SENT)
    assert not AuditEvent.objects.filter(event="message.given_up").exists()


def test_what_is_being_sent_when_it_is_taken_back_is_not_tried_again(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: Gate, letter: outbox.Letter) -> Receipt:
        assert outbox.withdraw(about="a matter") == 0
        raise DeliveryFailed("busy")

    with monkeypatch.context() as patched:
        patched.setattr(Gate, "send", busy)
        outbox.deliver(message_id=str(message.pk))
    with time_machine.travel(clock.now() + timedelta(seconds=5)):
        outbox.drain()

    assert (left(message), Gate.sent) == ((State.DEAD, "", "", "no longer useful", ""), [])


def test_what_is_taken_back_while_its_gateway_is_asked_is_not_put_back(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=State.UNKNOWN)

    def has_not(self: Gate, letter: outbox.Letter) -> bool:
        outbox.withdraw(about="a matter")
        return False

    monkeypatch.setattr(Gate, "was_sent", has_not)
    outbox.drain()

    assert (left(message), Gate.sent) == ((State.DEAD, "", "", "no longer needed", ""), [])


@pytest.mark.parametrize(("minutes", "goes_out"), [(9, 1), (10, 0)])
def test_a_code_that_was_given_up_is_repeated_only_while_it_opens_something(
    cast: Cast, console: Principal, minutes: int, goes_out: int
) -> None:
    code = put(cast, is_urgent=True, useful_for=timedelta(minutes=10))
    Gate.answers = [DeliveryFailed("no", permanent=True)]
    outbox.deliver(message_id=str(code.pk))
    until = now(code).useful_until

    with time_machine.travel(code.created_at + timedelta(minutes=minutes), tick=False):
        assert outbox.can_repeat(code) is bool(goes_out)
        outbox.repeat(by=console, message=code)
        assert now(code).useful_until == until
        assert outbox.drain() == goes_out


def test_other_messages_are_repeated_and_get_new_time(message: OutboxMessage, console: Principal) -> None:
    Gate.answers = [DeliveryFailed("no", permanent=True)]
    outbox.deliver(message_id=str(message.pk))

    with time_machine.travel(message.useful_until + timedelta(hours=1)):
        assert outbox.can_repeat(now(message)) is True
        outbox.repeat(by=console, message=message)
        assert outbox.drain() == 1


@pytest.mark.parametrize(
    "state", [State.PENDING, State.SENDING, State.UNKNOWN, State.SENT, State.DELIVERED, State.FAILED]
)
def test_only_what_was_given_up_can_be_repeated(message: OutboxMessage, state: str) -> None:
    message.state = state

    assert outbox.can_repeat(message) is False
