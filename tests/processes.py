"""Real processes on the test's own database and broker: a Celery worker, and the web server on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection

from config.management.commands.serve import WEB, WORKER

ROOM_TO_START_SECONDS = 60.0


def environment_of_tests(**more: str) -> dict[str, str]:
    """What a child process needs to find this test's database, broker, secrets and spool."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "TEST_DATA_DIR": str(settings.DATA_DIR),
        "DATABASE_URL": database_url(),
        **more,
    }


def database_url() -> str:
    """The address of the database that the tests made."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT'] or 5432}/{at['NAME']}"


class Running:
    """A child process with its log; it leads a process group, so that nothing of it outlives the test."""

    def __init__(self, command: tuple[str, ...], log: Path, fds: tuple[int, ...] = (), /, **more: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=environment_of_tests(**more),
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=fds,
                start_new_session=True,
            )

    def wait_until(self, is_so: Callable[[], bool], seconds: float = ROOM_TO_START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"not within {seconds} s:\n{self.log.read_text()}"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, to the whole group: nothing is cleaned up, as when a machine loses power."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """SIGTERM, and after ten seconds the end."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class Portal(Running):
    """The web server; `url` is its address."""

    def __init__(self, log: Path, **more: str) -> None:
        # The socket is bound here and handed over: nobody else's server can be the one that answers.
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            self.address: tuple[str, int] = bound.getsockname()
            self.url = f"http://127.0.0.1:{self.address[1]}"
            given = {
                "PUBLIC_URL": self.url,
                "WEB_PROCESSES": "2",
                "SWITCHBOARD_SOCKET": f"fd://{bound.fileno()}",
                **more,
            }
            super().__init__(WEB, log, (bound.fileno(),), **given)
            self.wait_until(self.answers)

    def answers(self) -> bool:
        try:
            return self.say(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n") != b""
        except OSError:
            return False

    def say(self, request: bytes) -> bytes:
        """Sends bytes as they are and hands back every byte of the answer; the request asks for `Connection: close`."""
        with socket.create_connection(self.address, timeout=30) as line:
            line.sendall(request)
            answer = b""
            while piece := line.recv(65536):
                answer += piece
        return answer


@pytest.fixture
def start_worker(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """A function that starts a Celery worker, with more options and environment names, and comes back when it works."""
    current_app.control.purge()  # a real broker still holds what earlier tests left
    running: list[Running] = []

    def start(*options: str, **more: str) -> Running:
        log = tmp_path / f"worker-{len(running)}.log"
        name = f"test-{os.getpid()}-{len(running)}@%h"
        running.append(Running((*WORKER, "--hostname", name, *options), log, **more))
        running[-1].wait_until(lambda: " ready." in log.read_text())
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def worker(start_worker: Callable[..., Running]) -> Running:
    """A Celery worker that takes tasks."""
    return start_worker()


@pytest.fixture
def start_portal(transactional_db: None, tmp_path: Path) -> Iterator[Callable[..., Portal]]:
    """A function that starts the web server with the given environment names and comes back when it answers."""
    running: list[Portal] = []

    def start(**more: str) -> Portal:
        running.append(Portal(tmp_path / f"portal-{len(running)}.log", **more))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def live_portal(start_portal: Callable[..., Portal]) -> Portal:
    """The web server on the test's database."""
    return start_portal()
