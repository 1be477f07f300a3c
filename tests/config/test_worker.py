"""A real worker on the suite's own broker, and what the embedded broker does when it dies."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction
from kombu import Connection

from config.broker.models import QueuedMessage
from identity import clock
from tests.config import deeds
from tests.processes import Running

EMBEDDED = "embedded://database"
DEEDS = ("--include", "tests.config.deeds")


def notes(folder: Path) -> dict[str, list[str]]:
    """Who began and who is done, by name."""
    return {path.name: path.read_text().split() for path in folder.iterdir()}


def publish(*arguments: Any) -> None:
    """Hands a note over to the embedded broker, whatever broker the suite runs with."""
    with Connection(EMBEDDED) as connection:
        note: Any = deeds.note  # the types of Celery do not know `connection`
        note.apply_async(arguments, connection=connection)


def embedded_worker(start_worker: Callable[..., Running]) -> Running:
    return start_worker(*DEEDS, CELERY_BROKER_URL=EMBEDDED)


def test_a_task_is_done_by_the_worker_of_this_suite(start_worker: Callable[..., Running], tmp_path: Path) -> None:
    (folder := tmp_path / "notes").mkdir()
    worker = start_worker(*DEEDS)

    deeds.note.delay(str(folder), "one")
    deeds.note.apply_async((str(folder), "two"), queue="urgent")

    worker.wait_until(lambda: notes(folder) == {"one": ["begun", "done"], "two": ["begun", "done"]}, 20)


def test_a_task_waits_until_there_is_a_worker(start_worker: Callable[..., Running], tmp_path: Path) -> None:
    (folder := tmp_path / "notes").mkdir()
    with transaction.atomic():
        publish(str(folder), "one")

    worker = embedded_worker(start_worker)

    worker.wait_until(lambda: notes(folder) == {"one": ["begun", "done"]}, 20)
    worker.wait_until(lambda: not QueuedMessage.objects.exists(), 20)


def test_what_a_killed_worker_did_not_finish_is_done_by_the_next_one(
    start_worker: Callable[..., Running], tmp_path: Path
) -> None:
    (folder := tmp_path / "notes").mkdir()
    first = embedded_worker(start_worker)
    publish(str(folder), "long", 60)
    first.wait_until(lambda: notes(folder) == {"long": ["begun"]}, 20)

    first.kill()
    assert QueuedMessage.objects.get().leased_until > clock.now()  # nobody else has it before the lease has passed
    QueuedMessage.objects.update(leased_until=clock.now())
    second = embedded_worker(start_worker)

    second.wait_until(lambda: notes(folder) == {"long": ["begun", "begun"]}, 20)


def test_a_worker_that_is_asked_to_stop_finishes_what_it_has_begun(
    start_worker: Callable[..., Running], tmp_path: Path
) -> None:
    (folder := tmp_path / "notes").mkdir()
    worker = embedded_worker(start_worker)
    publish(str(folder), "one", 2)
    worker.wait_until(lambda: notes(folder) == {"one": ["begun"]}, 20)

    worker.stop()

    assert notes(folder) == {"one": ["begun", "done"]}
    assert not QueuedMessage.objects.exists()


def test_two_workers_share_the_work_and_do_nothing_twice(start_worker: Callable[..., Running], tmp_path: Path) -> None:
    (folder := tmp_path / "notes").mkdir()
    workers = [embedded_worker(start_worker) for _ in range(2)]

    for number in range(60):
        publish(str(folder), str(number))

    workers[0].wait_until(lambda: not QueuedMessage.objects.exists(), 40)
    time.sleep(0.3)  # a second run of something would begin now
    assert notes(folder) == {str(number): ["begun", "done"] for number in range(60)}
