"""A stage for measures of messages: a fresh folder and database, a Twilio on loopback, and workers that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from bench.admin_100k import on_server

ROOT = Path(__file__).resolve().parents[1]
# So many messages are put into the outbox by one transaction.
TOGETHER = 500


def in_child(script: str, *arguments: str, postgres: str = "", broker: str = "", **environment: str) -> Any:
    """Run a script, which takes `--measure`, on a folder and a database of its own, both gone afterwards; answers the JSON that it printed.

    The settings read the environment once, so that every stage needs a process of its own.
    """
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder, database(postgres) as url:
        given = {
            **os.environ, "DATA_DIR": folder, "DATABASE_URL": url, "CELERY_BROKER_URL": broker or "embedded://database",
            "DJANGO_SETTINGS_MODULE": "config.settings.base", **environment,
        }  # fmt: skip
        command = [sys.executable, script, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=given, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    return json.loads(done.stdout.splitlines()[-1])


@contextlib.contextmanager
def database(server: str) -> Iterator[str]:
    """Make a database on a PostgreSQL server, answer its URL, and drop it; without a server the answer is empty: SQLite."""
    if not server:
        yield ""
        return
    name = f"switchboard_bench_{os.getpid()}"
    on_server(server, f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def set_up() -> None:
    """Make the tables, and empty the queues of a broker that was used before."""
    import django  # noqa: PLC0415  # settings read the environment that the parent has chosen

    django.setup()
    from celery import current_app  # noqa: PLC0415  # only once the settings are chosen
    from django.core.management import call_command  # noqa: PLC0415  # only once the settings are chosen

    call_command("migrate", verbosity=0)
    current_app.control.purge()


def queued(messages: int, *, channels: tuple[str, ...] = ("EMAIL", "SMS")) -> set[str]:
    """Put so many messages into the outbox, each to somebody else; answers to whom."""
    from django.db import transaction  # noqa: PLC0415  # only once the settings are chosen

    from identity import outbox  # noqa: PLC0415  # only once the settings are chosen

    words = {
        "code": "000000",
        "text": "000000 is your code.",
        "subject": "Your code",
        "language": "en",
        "direction": "ltr",
    }
    chosen = [(n, channels[n % len(channels)]) for n in range(messages)]
    recipients = [(f"n{n}@acme.example" if channel == "EMAIL" else f"+4670{n:07}", channel) for n, channel in chosen]
    for begin in range(0, messages, TOGETHER):
        with transaction.atomic():
            for to, channel in recipients[begin : begin + TOGETHER]:
                outbox.put(channel=channel, to=to, template="otp", locale="en", is_urgent=True, context=words)
    return {to for to, _channel in recipients}


class Process:
    """A worker or beat, in a process group of its own, with a log of its own."""

    def __init__(self, command: tuple[str, ...], log: Path, **more: str) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603  # our own program, with words of our own
                command, cwd=ROOT, env=os.environ | more, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def is_ready(self) -> bool:
        return " ready." in self.log.read_text()

    def kill(self) -> None:
        """SIGKILL to the whole group, as when a machine loses power."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def processes(folder: Path) -> Iterator[Callable[..., Process]]:
    """Answer a function that starts a worker, or another command; whatever it started is gone afterwards."""
    from config.management.commands.serve import WORKER  # noqa: PLC0415  # only once the settings are chosen

    started: list[Process] = []

    def start(*options: str, command: tuple[str, ...] = WORKER, **more: str) -> Process:
        name = ("--hostname", f"bench-{os.getpid()}-{len(started)}@%h") if command is WORKER else ()
        started.append(Process((*command, *name, *options), folder / f"process-{len(started)}.log", **more))
        return started[-1]

    try:
        yield start
    except SystemExit:
        for one in started:
            sys.stderr.write(one.log.read_text()[-2000:])
        raise
    finally:
        for one in started:
            one.kill()


def wait_until(is_so: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {what}")
        time.sleep(0.05)
