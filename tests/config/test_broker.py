"""The embedded broker: nothing is lost, nothing runs twice without need, urgent goes first, poison is set aside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from queue import Empty
from typing import Any

import pytest
import time_machine
from celery import shared_task
from django.db import transaction
from kombu import Connection

from config import tasks
from config.broker import leases
from config.broker.models import QueuedMessage
from config.celery import app
from identity import clock

EMBEDDED = "embedded://database"


@shared_task
def does_nothing(number: int) -> None:
    """Never runs here: the tests look at the message."""


a_task: Any = does_nothing  # the types of Celery do not know `connection`


@pytest.fixture
def channel(db: None) -> Iterator[Any]:
    """A worker's view of the broker."""
    with Connection(EMBEDDED) as connection:
        yield connection.channel()


@pytest.fixture
def publish(db: None) -> Callable[..., None]:
    """A function that hands a task over to the embedded broker, whatever broker the suite runs with."""

    def run(number: int, **options: Any) -> None:
        with Connection(EMBEDDED) as connection:
            a_task.apply_async((number,), connection=connection, **options)

    return run


def put(*tags: str, queue: str = "default") -> None:
    for tag in tags:
        leases.put(queue=queue, tag=tag, body="{}")


def taken(*queues: str) -> list[str]:
    """The tags of everything that is free, in the order in which it is handed out."""
    found = []
    while row := leases.take(queues=queues or ("default",)):
        found.append(row.tag)
    return found


# --- handing out -----------------------------------------------------------------------------------------------------
def test_what_came_first_is_handed_out_first_and_once(db: None) -> None:
    put("1", "2", "3")

    assert taken() == ["1", "2", "3"]
    assert taken() == []


def test_urgent_goes_before_everything_else(db: None) -> None:
    put("notice")
    put("code", queue="urgent")

    assert taken("urgent", "default") == ["code", "notice"]


def test_other_queues_are_left_alone(db: None) -> None:
    put("foreign", queue="elsewhere")

    assert taken("urgent", "default") == []


def test_nothing_to_do_costs_one_read(db: None, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert leases.take(queues=["urgent", "default"]) is None


def test_a_message_of_a_dead_worker_is_free_when_its_lease_has_passed(db: None) -> None:
    put("1")
    assert taken() == ["1"]

    with time_machine.travel(clock.now() + leases.LEASE + timedelta(seconds=1)):
        assert taken() == ["1"]


def test_a_living_worker_keeps_what_it_works_on(db: None) -> None:
    put("1")
    start = clock.now()
    assert taken() == ["1"]

    for minute in range(1, 5):
        with time_machine.travel(start + timedelta(seconds=20 * minute)):
            leases.keep(tags=["1"])
            assert taken() == []


def test_what_is_done_is_gone(db: None) -> None:
    put("1")
    taken()

    leases.end(tag="1")

    assert not QueuedMessage.objects.exists()


def test_what_kills_its_worker_every_time_is_set_aside(db: None) -> None:
    put("poison", "good")
    now = clock.now()
    handed_out = []
    for attempt in range(leases.MAX_TRIES + 2):
        with time_machine.travel(now + attempt * (leases.LEASE + timedelta(seconds=1))):
            handed_out.append([tag for tag in taken() if tag == "poison"])
            leases.end(tag="good")

    assert handed_out == [["poison"]] * leases.MAX_TRIES + [[], []]
    assert QueuedMessage.objects.get().dead_at is not None


def test_poison_does_not_hold_up_what_stands_behind_it(db: None) -> None:
    put("poison", "good")
    QueuedMessage.objects.filter(tag="poison").update(tries=leases.MAX_TRIES)

    assert leases.take(queues=["default"]) is None
    assert taken() == ["good"]


def test_a_worker_that_shuts_down_gives_back_the_try(db: None) -> None:
    put("1")
    for _ in range(leases.MAX_TRIES * 2):
        assert taken() == ["1"]
        leases.give_back(tag="1", is_blameless=True)

    assert QueuedMessage.objects.get().tries == 0


def test_the_dead_are_forgotten_in_time(db: None) -> None:
    put("old", "new", "alive")
    now = clock.now()
    leases.bury(tag="old")
    with time_machine.travel(now + leases.DEAD_ARE_KEPT):
        leases.bury(tag="new")
    with time_machine.travel(now + leases.DEAD_ARE_KEPT + timedelta(minutes=1)):
        tasks.forget_dead_messages()

    assert set(QueuedMessage.objects.values_list("tag", flat=True)) == {"new", "alive"}


def test_many_workers_at_once_get_each_message_once(at_once: Callable[..., list[Any]]) -> None:
    put(*map(str, range(40)))

    def work(_: int) -> list[str]:
        return taken()

    shares = at_once(8, work)

    assert sorted((tag for share in shares for tag in share), key=int) == [str(number) for number in range(40)]


# --- Celery's side ---------------------------------------------------------------------------------------------------
def test_a_task_that_is_handed_over_waits_in_the_table(publish: Callable[..., None], channel: Any) -> None:
    publish(7)

    message = channel.basic_get("default")
    assert message is not None
    assert message.headers["task"] == a_task.name
    assert message.decode()[0] == [7]


def test_a_task_of_a_transaction_that_was_rolled_back_was_never_handed_over(publish: Callable[..., None]) -> None:
    with transaction.atomic():
        publish(7)
        transaction.set_rollback(True)

    assert not QueuedMessage.objects.exists()


def test_a_delayed_task_waits_in_the_table(publish: Callable[..., None]) -> None:
    publish(7, countdown=60)

    assert leases.take(queues=["default"]) is None
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert leases.take(queues=["default"]) is not None


def test_an_acknowledged_message_is_gone(publish: Callable[..., None], channel: Any) -> None:
    publish(7)
    message = channel.basic_get("default")

    message.ack()

    assert not QueuedMessage.objects.exists()


def test_a_message_that_goes_back_is_free_at_once_and_known_to_be_old(
    publish: Callable[..., None], channel: Any
) -> None:
    publish(7)
    channel.basic_get("default").requeue()

    row = QueuedMessage.objects.get()
    assert (row.tries, row.dead_at) == (1, None)
    assert channel.basic_get("default").decode()[0] == [7]


def test_a_message_that_nobody_can_run_is_set_aside(publish: Callable[..., None], channel: Any) -> None:
    publish(7)

    channel.basic_get("default").reject()

    assert QueuedMessage.objects.get().dead_at is not None
    assert channel.basic_get("default") is None


def test_a_worker_that_closes_gives_back_what_it_has_not_done(publish: Callable[..., None]) -> None:
    publish(7)
    with Connection(EMBEDDED) as connection:
        worker: Any = connection.channel()
        worker.basic_get("default")
        assert QueuedMessage.objects.get().tries == 1

    assert QueuedMessage.objects.get().tries == 0
    assert taken() == [QueuedMessage.objects.get().tag]


def test_a_worker_renews_its_leases_while_it_waits_for_more(publish: Callable[..., None], channel: Any) -> None:
    publish(7)
    channel.basic_get("default")
    QueuedMessage.objects.update(leased_until=clock.now())

    with pytest.raises(Empty):
        channel.drain_events()

    assert QueuedMessage.objects.get().leased_until > clock.now() + leases.LEASE / 2


def test_leases_are_renewed_now_and_then_and_not_at_every_look(
    publish: Callable[..., None], channel: Any, django_assert_num_queries: Any
) -> None:
    publish(7)
    channel.basic_get("default")
    with django_assert_num_queries(1):
        for _ in range(10):
            with pytest.raises(Empty):
                channel.drain_events()


def test_a_worker_whose_threads_are_all_busy_goes_on_as_soon_as_one_is_done(
    publish: Callable[..., None], channel: Any
) -> None:
    waits = threading.Event()

    class Freed(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.set()
            return super().wait(timeout)

    publish(7)
    message = channel.basic_get("default")
    channel.qos.prefetch_count, channel.qos.freed = 1, Freed()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(channel.qos.wait_for_room, seconds=60)
        assert waits.wait(10)
        message.ack()

        assert waiting.result(10) is None


def test_consumers_are_served_urgent_first(publish: Callable[..., None], channel: Any) -> None:
    publish(1, queue="default")
    publish(2, queue="urgent")
    served: list[int] = []
    for number, queue in enumerate(("urgent", "default")):
        channel.basic_consume(queue, False, lambda message: served.append(message.decode()[0][0]), f"tag-{number}")

    channel.connection.drain_events(channel.connection)
    channel.connection.drain_events(channel.connection)

    assert served == [2, 1]


def test_a_queue_is_counted_and_emptied_but_for_what_runs(publish: Callable[..., None], channel: Any) -> None:
    for number in range(3):
        publish(number)
    channel.basic_get("default")

    assert channel.queue_declare("default").message_count == 3
    assert channel.queue_purge("default") == 2
    assert QueuedMessage.objects.count() == 1


def test_the_transport_says_what_it_is() -> None:
    with Connection(EMBEDDED) as connection:
        assert (connection.transport.driver_type, connection.transport.driver_version()) == ("embedded", "1")


def test_the_two_queues_are_consumed_urgent_first() -> None:
    assert [queue.name for queue in app.conf.task_queues] == ["urgent", "default"]


def test_every_task_of_the_timetable_exists() -> None:
    app.loader.import_default_modules()

    assert [entry["task"] for entry in app.conf.beat_schedule.values() if entry["task"] not in app.tasks] == []
