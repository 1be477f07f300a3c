"""A message that was accepted leaves the house, and what became of it is known (operating.md 6.3, security.md P2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from celery import Celery, current_app
from django.db import connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from config.celery import app
from identity import audit, clock, crypto, outbox
from identity.errors import NotAllowed, NotFound
from identity.models import AuditEvent, OutboxMessage
from identity.outbox import DeliveryFailed, DeliveryUnknown, Receipt
from identity.principal import Principal
from tests.cast import Cast
from tests.identity.gates import Gate

State = OutboxMessage.State
LINK = "https://id.example/reset/?token=swr_Tr0ub4dor"


@pytest.fixture(autouse=True)
def gate(settings: Any) -> Iterator[type[Gate]]:
    Gate.open()
    settings.GATEWAYS = dict.fromkeys(("EMAIL", "SMS", "VOICE"), "tests.identity.gates.Gate")
    yield Gate
    Gate.open()


@pytest.fixture
def message(cast: Cast) -> OutboxMessage:
    return put(cast)


def put(cast: Cast, **more: Any) -> OutboxMessage:
    usual: dict[str, Any] = {
        "channel": "EMAIL", "to": "bob@acme.example", "template": "password_reset", "locale": "en", "organization": cast.organization("acme"),
        "user": cast.user("bob"), "context": {"link": LINK, "name": "Bob & Co", "username": "bob", "minutes": 30},
    }  # fmt: skip
    return outbox.put(**(usual | more))


def deliver(message: OutboxMessage) -> str | None:
    return outbox.deliver(message_id=str(message.pk))


def now(message: OutboxMessage) -> OutboxMessage:
    message.refresh_from_db()
    return message


def test_a_message_goes_out_rendered_in_its_language(message: OutboxMessage) -> None:
    assert deliver(message) == State.SENT

    (letter,) = Gate.sent
    assert (letter.id, letter.to, letter.subject) == (
        str(message.pk),
        "bob@acme.example",
        "Set a new password for Acme",
    )
    assert (letter.template, letter.organization, letter.channel) == ("password_reset", "acme", "EMAIL")
    assert letter.body == (
        "Hello Bob & Co,\n\nsomebody asked for a new password for the account bob. Set it here:\n\n"
        f"{LINK}\n\n"
        "The link serves once, within 30 minutes. If it was not you, do nothing: your password stays as it is.\n\nAcme\n"
    )
    assert letter.html is not None
    assert f'<a href="{LINK}">' in letter.html
    assert "Bob &amp; Co" in letter.html


@pytest.mark.parametrize("template", ["password_reset", "welcome", "login_as"])
def test_every_template_has_a_subject_a_text_and_html_without_a_style(cast: Cast, template: str) -> None:
    context = {
        "link": LINK, "name": "Bob", "username": "bob", "minutes": 1, "actor": "Alice", "reason": "His queue is stuck", "mode": "look",
        "started_at": "2026-11-21 10:00 UTC", "ended_at": "2026-11-21 10:20 UTC",
    }  # fmt: skip

    letter = outbox.render(put(cast, template=template, context=context))

    assert letter.subject
    assert "\n" not in letter.subject
    assert LINK in letter.body
    assert letter.html is not None
    assert "style" not in letter.html
    assert "<script" not in letter.html


def test_a_sent_message_keeps_nothing_of_what_it_said(message: OutboxMessage) -> None:
    deliver(message)

    assert (now(message).state, message.context_sealed, message.provider_id, message.provider_status, message.last_error) == (
        State.SENT, "", "gate-1", "queued", "",
    )  # fmt: skip
    assert message.sent_at is not None


def test_the_database_never_holds_the_link_in_the_clear(message: OutboxMessage) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM identity_outboxmessage")
        stored = repr(cursor.fetchall())

    assert "swr_Tr0ub4dor" not in stored
    assert message.context_sealed != ""


def test_a_message_is_claimed_by_one_worker_only(message: OutboxMessage) -> None:
    assert [deliver(message), deliver(message)] == [State.SENT, None]
    assert len(Gate.sent) == 1


def test_a_message_of_a_transaction_that_fails_never_was(cast: Cast) -> None:
    with transaction.atomic():
        put(cast)
        transaction.set_rollback(True)

    assert not OutboxMessage.objects.exists()


def test_a_refusal_for_now_is_tried_again_after_a_pause_that_doubles_to_a_minute(message: OutboxMessage) -> None:
    pauses = []
    for _attempt in range(9):
        Gate.answers = [DeliveryFailed("the mail server said 450")]
        before = clock.now()
        with time_machine.travel(now(message).next_at, tick=False):
            before = clock.now()
            assert deliver(message) == State.PENDING
        pauses.append(round((now(message).next_at - before).total_seconds()))

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (message.attempts, message.last_error, message.lease_until) == (9, "the mail server said 450", None)


def test_a_message_that_waits_is_not_sent_before_its_time(message: OutboxMessage) -> None:
    Gate.answers = [DeliveryFailed("busy", retry_after=timedelta(seconds=40))]
    deliver(message)

    assert deliver(message) is None
    with time_machine.travel(clock.now() + timedelta(seconds=39)):
        assert outbox.drain() == 0
    with time_machine.travel(clock.now() + timedelta(seconds=41)):
        assert outbox.drain() == 1


def test_two_days_of_refusals_end_in_giving_up_and_not_in_a_crash(message: OutboxMessage) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(attempts=3000)
    Gate.answers = [DeliveryFailed("busy")]

    with time_machine.travel(message.useful_until - timedelta(seconds=30)):
        assert deliver(message) == State.DEAD

    assert (now(message).last_error, message.context_sealed) == ("busy", "")


def test_a_final_refusal_is_given_up_and_audited(message: OutboxMessage) -> None:
    Gate.answers = [DeliveryFailed("the mail server said 550", permanent=True)]

    assert deliver(message) == State.DEAD

    assert (now(message).state, message.last_error) == (State.DEAD, "the mail server said 550")
    row = AuditEvent.objects.get(event="message.given_up")
    assert (row.subject, row.actor, row.organization_name) == (str(message.pk), "switchboard", "acme")


def test_a_message_that_is_useless_by_now_is_not_sent(message: OutboxMessage) -> None:
    with time_machine.travel(message.useful_until):
        assert deliver(message) == State.DEAD

    assert (Gate.sent, now(message).last_error, message.context_sealed) == ([], "no longer useful", "")


@pytest.mark.parametrize("error", [DeliveryUnknown("the line broke"), TimeoutError("soft"), ZeroDivisionError()])
def test_what_broke_while_sending_leaves_the_message_in_doubt_and_not_guessed(
    message: OutboxMessage, error: Exception
) -> None:
    Gate.answers = [error]

    assert deliver(message) == State.UNKNOWN

    assert now(message).state == State.UNKNOWN
    assert outbox.drain() == 0, "it is asked after a pause"


@pytest.mark.parametrize(("has", "sent_again"), [(True, 0), (False, 1), (None, 1)])
def test_a_message_in_doubt_is_sent_again_only_if_the_gateway_does_not_have_it(
    message: OutboxMessage, has: bool | None, sent_again: int
) -> None:
    Gate.answers = [DeliveryUnknown("the line broke")]
    deliver(message)
    Gate.has = has

    with time_machine.travel(clock.now() + timedelta(seconds=5)):
        assert outbox.drain() == sent_again

    assert (now(message).state, len(Gate.sent), Gate.asked) == (State.SENT, sent_again, [str(message.pk)])
    assert message.context_sealed == ""


def test_a_gateway_that_cannot_answer_is_asked_again_until_the_message_is_useless(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    Gate.answers = [DeliveryUnknown("the line broke")]
    deliver(message)

    def silent(self: Gate, letter: object) -> bool:
        raise DeliveryFailed("the gateway is down")

    monkeypatch.setattr(Gate, "was_sent", silent)
    with time_machine.travel(clock.now() + timedelta(seconds=5)):
        outbox.drain()
        assert (now(message).state, message.last_error) == (State.UNKNOWN, "the gateway is down")
    with time_machine.travel(message.useful_until):
        outbox.drain()

    assert (now(message).state, message.last_error, message.context_sealed) == (
        State.DEAD, "in doubt, and no longer useful", "",
    )  # fmt: skip


def test_a_worker_that_died_while_sending_leaves_a_message_in_doubt(message: OutboxMessage) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(
        state=State.SENDING, attempts=1, lease_until=clock.now() + outbox.LEASE
    )
    assert outbox.drain() == 0

    with time_machine.travel(clock.now() + outbox.LEASE + timedelta(seconds=1)):
        assert outbox.drain() == 1

    assert (now(message).state, message.attempts) == (State.SENT, 2)


def test_a_worker_that_wakes_up_after_its_lease_does_not_put_a_sent_message_back(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtaken(self: Gate, letter: outbox.Letter) -> str:
        monkeypatch.undo()
        OutboxMessage.objects.filter(pk=letter.id).update(state=State.PENDING)
        assert outbox.deliver(message_id=letter.id) == State.SENT
        raise DeliveryFailed("too late")

    monkeypatch.setattr(Gate, "send", overtaken)
    with monkeypatch.context() as patched:
        patched.setattr("django.conf.settings.GATEWAYS", dict.fromkeys(("EMAIL",), "tests.identity.gates.Gate"))
        deliver(message)

    assert (now(message).state, message.context_sealed, message.attempts) == (State.SENT, "", 2)


def test_one_message_that_cannot_be_rendered_does_not_stop_the_others(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = put(cast, template="there_is_none"), put(cast)

    assert outbox.drain() == 1

    assert (now(broken).state, broken.last_error) == (State.PENDING, "cannot be rendered: TemplateDoesNotExist")
    assert now(whole).state == State.SENT
    assert "swr_Tr0ub4dor" not in caplog.text


@pytest.mark.parametrize("state", [State.PENDING, State.UNKNOWN])
def test_a_message_whose_key_is_gone_is_given_up(message: OutboxMessage, settings: Any, state: str) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=state)
    settings.ENCRYPTION_KEYS = ["another key, of more than thirty-two characters"]

    outbox.drain()

    assert now(message).state == State.DEAD
    assert message.last_error == "its content cannot be opened: the encryption key is gone"


def test_urgent_messages_overtake(cast: Cast) -> None:
    put(cast, to="slow@acme.example")
    put(cast, to="fast@acme.example", is_urgent=True)

    outbox.drain()

    assert [letter.to for letter in Gate.sent] == ["fast@acme.example", "slow@acme.example"]


def test_a_sweep_stops_when_its_room_is_used_up(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for _each in range(3):
        put(cast)
    with time_machine.travel(clock.now(), tick=False) as traveller:

        def slow(self: Gate, letter: outbox.Letter) -> outbox.Receipt:
            traveller.shift(outbox.ROOM + timedelta(seconds=1))
            return Receipt("slow")

        monkeypatch.setattr(Gate, "send", slow)

        assert outbox.drain() == 1

    assert OutboxMessage.objects.filter(state=State.PENDING).count() == 2


def test_a_gateway_that_hangs_over_what_is_in_doubt_holds_nothing_else_up(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    due, *doubtful = [put(cast) for _number in range(5)]
    in_doubt = OutboxMessage.objects.filter(pk__in=[message.pk for message in doubtful])
    in_doubt.update(state=State.UNKNOWN, attempts=1)
    with time_machine.travel(clock.now() + timedelta(seconds=1), tick=False) as traveller:

        def hang(self: Gate, letter: outbox.Letter) -> None:
            traveller.shift(timedelta(seconds=5))
            raise DeliveryFailed("it cannot be asked")

        monkeypatch.setattr(Gate, "was_sent", hang)

        assert outbox.drain() == 1

    assert now(due).state == State.SENT
    assert in_doubt.filter(last_error="it cannot be asked").count() == 2


def test_a_given_up_message_can_be_sent_again_by_an_admin_of_its_organisation(
    cast: Cast, message: OutboxMessage
) -> None:
    Gate.answers = [DeliveryFailed("gone", permanent=True)]
    deliver(message)

    outbox.repeat(by=cast.principal("alice"), message=message)

    assert outbox.drain() == 1
    assert now(message).state == State.SENT
    assert AuditEvent.objects.get(event="message.repeated").actor == "alice"


@pytest.mark.parametrize(("name", "refusal"), [("bob", NotAllowed), ("carol", NotAllowed), ("frank", NotFound)])
def test_nobody_else_repeats_it(cast: Cast, message: OutboxMessage, name: str, refusal: type[Exception]) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=State.DEAD)

    with pytest.raises(refusal):
        outbox.repeat(by=cast.principal(name), message=message)

    assert now(message).state == State.DEAD


@pytest.mark.parametrize("state", [State.SENT, State.PENDING, State.SENDING, State.UNKNOWN])
def test_only_what_was_given_up_is_repeated(message: OutboxMessage, console: Principal, state: str) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=state)

    outbox.repeat(by=console, message=message)

    assert now(message).state == state
    assert not AuditEvent.objects.filter(event="message.repeated").exists()


def test_what_a_given_up_message_said_is_wiped_after_a_week_and_the_row_forgotten_later(message: OutboxMessage) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=State.DEAD)

    outbox.purge()
    assert now(message).context_sealed != ""
    with time_machine.travel(clock.now() + outbox.WIPED + timedelta(minutes=1)):
        assert (outbox.purge(), outbox.purge()) == (1, 0)
    assert now(message).context_sealed == ""
    with time_machine.travel(clock.now() + outbox.FORGOTTEN + timedelta(minutes=1)):
        assert (outbox.purge(), outbox.purge()) == (1, 0)


def test_a_given_up_code_is_wiped_when_it_opens_nothing_any_more(cast: Cast) -> None:
    code = put(cast, is_urgent=True, useful_for=timedelta(minutes=10))
    Gate.answers = [DeliveryFailed("no such number", permanent=True)]
    assert deliver(code) == State.DEAD

    assert outbox.purge() == 0
    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        assert (outbox.purge(), outbox.purge()) == (1, 0)

    assert now(code).context_sealed == ""


def test_the_task_that_wakes_a_worker_carries_an_id_and_nothing_else(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    said: list[tuple[Any, ...]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **how: said.append((name, how["kwargs"], how["queue"])))

    with django_capture_on_commit_callbacks(execute=True):
        slow, fast = put(cast), put(cast, is_urgent=True)

    assert said == [
        ("identity.tasks.deliver", {"message_id": str(slow.pk)}, "default"),
        ("identity.tasks.deliver", {"message_id": str(fast.pk)}, "urgent"),
    ]


def test_a_broker_that_is_gone_keeps_nobody_from_working_and_is_not_asked_again_at_once(
    cast: Cast,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "_broker_rests_until", 0.0)  # and what it is afterwards is forgotten again
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery would take it for its own before any other
    Celery(broker="redis://127.0.0.1:1/0", set_as_current=True).conf.broker_connection_timeout = 1
    try:
        with django_capture_on_commit_callbacks(execute=True):
            messages = [put(cast), put(cast)]
    finally:
        app.set_current()

    assert [now(message).state for message in messages] == [State.PENDING, State.PENDING]
    assert caplog.text.count("broker unreachable, the sweep will send") == 1


def test_a_message_in_doubt_is_settled_by_one_sweep_only(message: OutboxMessage) -> None:
    OutboxMessage.objects.filter(pk=message.pk).update(state=State.UNKNOWN, attempts=1)
    message.refresh_from_db()

    assert [outbox.settle(message), outbox.settle(message)] == [State.PENDING, State.UNKNOWN]
    assert Gate.asked == [str(message.pk)]


def test_a_text_for_phones_has_a_template_of_its_own_and_no_subject(cast: Cast, settings: Any) -> None:
    texts = {
        "messages/hail.txt": "long",
        "messages/hail.sms.txt": "short \n",
        "messages/hail.subject.txt": "two\nlines",
    }
    loaders = [("django.template.loaders.locmem.Loader", texts)]
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "APP_DIRS": False, "OPTIONS": {"loaders": loaders}}]

    sms = outbox.render(put(cast, template="hail", channel="SMS", to="+46701234567"))
    mail = outbox.render(put(cast, template="hail"))

    assert (sms.subject, sms.body, sms.html) == (None, "short", None)
    assert (mail.subject, mail.body, mail.html) == ("two lines", "long\n", None)


def test_the_audit_trail_of_a_message_names_no_link(message: OutboxMessage) -> None:
    Gate.answers = [DeliveryFailed("no", permanent=True)]
    deliver(message)

    assert "swr_Tr0ub4dor" not in json.dumps([audit.as_dict(row) for row in AuditEvent.objects.all()])


def test_the_context_opens_only_for_its_own_row(cast: Cast) -> None:
    one, other = put(cast), put(cast)

    with pytest.raises(crypto.SealBroken):
        crypto.open_sealed(one.context_sealed, place=other.place())


def test_a_gateway_that_knows_its_own_id_of_a_message_in_doubt_is_believed(message: OutboxMessage) -> None:
    Gate.answers = [DeliveryUnknown("the line broke")]
    deliver(message)
    Gate.has = Receipt("gate-77", "delivered")

    with time_machine.travel(clock.now() + timedelta(seconds=5)):
        assert outbox.drain() == 0

    assert (now(message).state, message.provider_id, message.provider_status) == (State.SENT, "gate-77", "delivered")


def test_a_gateway_is_not_asked_so_soon_that_it_could_not_know(message: OutboxMessage) -> None:
    Gate.answers = [DeliveryUnknown("the line broke")]
    deliver(message)

    with time_machine.travel(clock.now() + timedelta(seconds=3)):
        outbox.drain()

    assert Gate.asked == []


@pytest.mark.parametrize(("seconds", "lease"), [(5, 30), (60, 240)])
def test_a_lease_outlives_the_slowest_gateway(
    message: OutboxMessage, settings: Any, monkeypatch: pytest.MonkeyPatch, seconds: int, lease: int
) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = seconds
    given = []

    def send(self: Gate, letter: outbox.Letter) -> Receipt:
        given.append(OutboxMessage.objects.get().lease_until)
        return Receipt("slow")

    monkeypatch.setattr(Gate, "send", send)
    with time_machine.travel(clock.now(), tick=False):
        deliver(message)
        assert given == [clock.now() + timedelta(seconds=lease)]


def test_a_worker_that_was_woken_too_early_is_woken_again_in_time(
    message: OutboxMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    countdowns = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **how: countdowns.append(how["countdown"]))
    with time_machine.travel(clock.now(), tick=False):
        OutboxMessage.objects.filter(pk=message.pk).update(next_at=clock.now() + timedelta(seconds=7))
        assert deliver(message) is None
    for state in (State.SENDING, State.SENT, State.DEAD, State.UNKNOWN):
        OutboxMessage.objects.filter(pk=message.pk).update(state=state)
        assert deliver(message) is None

    assert countdowns == [7.0]


def test_a_message_in_doubt_that_cannot_be_rendered_stays_in_doubt(cast: Cast) -> None:
    broken = put(cast, template="there_is_none")
    OutboxMessage.objects.filter(pk=broken.pk).update(state=State.UNKNOWN)

    outbox.drain()

    assert (now(broken).state, broken.last_error, Gate.sent) == (State.UNKNOWN, "TemplateDoesNotExist", [])
    with time_machine.travel(broken.useful_until):
        outbox.drain()
    assert (now(broken).state, broken.last_error) == (State.DEAD, "in doubt, and no longer useful")
