"""One command serves everything, survives the death of its parts, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import requests
from django.conf import settings
from django.core.management.base import CommandError

from config import stand_ins
from config.management.commands.serve import bound_socket
from config.supervisor import Child, Supervisor
from tests.processes import Portal

SANDBOX = "integrations.sandbox"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Served:
    """`manage.py serve` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.port, self.data, self.log_file = free_port(), folder / "var", folder / "log"
        self.process = self.start(PORT=str(self.port))

    def start(self, **more: str) -> subprocess.Popen[bytes]:
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                env={**clean, "DATA_DIR": str(self.data), "WEB_PROCESSES": "1", **more},
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def log(self) -> str:
        return self.log_file.read_text()

    def status(self, path: str) -> int:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except (URLError, OSError):
            return 0

    def wait_until(self, is_so: Callable[[], bool], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def family(self) -> dict[str, int]:
        """The pids of the children by what they are: web, worker, beat, and what stands in for the vendors."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == self.process.pid:
                name = next((word for word in ("gunicorn", "worker", "beat", SANDBOX) if word in words), "other")
                found[name] = int(folder.name)
        return found

    def stragglers(self) -> list[str]:
        """Command lines of processes that still know this data folder."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"DATA_DIR={self.data}\0".encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text().replace("\0", " "))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    running = Served(tmp_path_factory.mktemp("serve"))
    running.wait_until(lambda: running.status("/readyz") == 200)
    running.wait_until(lambda: set(running.family()) == {"gunicorn", "worker", "beat", SANDBOX})
    yield running
    if running.process.poll() is None:
        os.killpg(running.process.pid, signal.SIGKILL)


def test_it_says_where_to_go_and_where_the_passwords_are(served: Served) -> None:
    cast = json.loads((served.data / "demo.json").read_text())

    for address in ("/admin/", "/login/", "/desk/"):
        assert f"http://127.0.0.1:{served.port}{address}" in served.log()
    assert str(served.data / "demo.json") in served.log()
    assert [person for person in cast["users"].values() if person["password"] in served.log()] == []


def stand_in_of(served: Served, name: str) -> str:
    """Where a stand-in is, as it was said at the start."""
    found = re.search(r"Stand-ins for (.*) answer at (http://127\.0\.0\.1:[0-9]+)/$", served.log(), re.MULTILINE)
    assert found is not None
    assert name in found[1]
    return found[2]


def test_a_newcomer_has_a_token_refreshed_by_a_stand_in(served: Served) -> None:
    cast, sandbox = json.loads((served.data / "demo.json").read_text()), stand_in_of(served, "Talkdesk")
    portal, client = f"http://127.0.0.1:{served.port}", cast["clients"]["acme_service"]
    with requests.Session() as line:
        bearer = line.post(
            f"{portal}/security/oauth/token", data={"grant_type": "client_credentials"}, timeout=30,
            auth=(client["client_id"], client["client_secret"]),
        ).json()["access_token"]  # fmt: skip
        first = line.post(f"{sandbox}/talkdesk/refresh-token", timeout=30).json()["refresh_token"]

        def refresh(token: str) -> requests.Response:
            headers = {"Authorization": f"Bearer {bearer}"}
            return line.post(f"{portal}/security/talkdesk/refresh_token", json={"refresh_token": token}, headers=headers, timeout=30)  # fmt: skip

        second = refresh(first)
        assert (second.status_code, set(second.json())) == (
            200, {"access_token", "token_type", "expires_in", "refresh_token"},
        )  # fmt: skip
        assert second.json()["refresh_token"] != first
        assert (refresh(first).status_code, refresh(first).json()) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, "Genesys Cloud, Talkdesk, NICE CXone, an OpenID provider"),
        ({"GENESYS_BASE_URL": "http://127.0.0.1:9", "OPENID_BASE_URL": "http://127.0.0.1:9"}, "Talkdesk, NICE CXone"),
    ],
    ids=["none named", "two named"],
)
def test_a_vendor_that_the_operator_names_has_no_stand_in(settings: Any, more: dict[str, str], named: str) -> None:
    for name, value in more.items():
        setattr(settings, name, value)
    settings.PORT = free_port() - 1000

    with stand_ins.prepared(stand_ins.wanted()) as sandbox:
        assert sandbox is not None
        assert sandbox.names == named
        assert sandbox.environment.keys() & more.keys() == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_ENV", "production"),
        ("PUBLIC_URL", "https://portal.example"),
        ("BIND", "0.0.0.0"),  # noqa: S104  # a setting that nobody binds here
    ],
    ids=["production", "known to others", "open to others"],
)
def test_in_production_and_where_others_reach_the_portal_nothing_stands_in(
    settings: Any, name: str, value: str
) -> None:
    setattr(settings, name, value)

    with stand_ins.prepared(stand_ins.wanted()) as sandbox:
        assert sandbox is None


def test_everything_it_writes_is_for_its_owner_only(served: Served) -> None:
    open_to_others = [path.name for path in served.data.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]

    assert open_to_others == []


def test_the_figures_of_all_processes_are_summed(served: Served) -> None:
    with urlopen(f"http://127.0.0.1:{served.port}/metrics", timeout=5) as answer:
        page = answer.read().decode()

    assert re.search(r'http_requests_total\{method="GET",route="readyz",status="200"\} [1-9]', page)


def test_a_taken_port_is_named_and_leaves_no_process(served: Served) -> None:
    done = served.start(PORT=str(served.port), DATA_DIR=str(served.data) + "-second")

    assert done.wait(60) != 0
    assert f"PORT {served.port} cannot be used" in served.log()
    assert served.status("/healthz") == 200


def test_of_two_starts_at_once_only_one_gets_the_port() -> None:
    port = free_port()
    with bound_socket("127.0.0.1", port), pytest.raises(CommandError, match=f"PORT {port} cannot be used"):
        bound_socket("127.0.0.1", port)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "none"), ("BIND", "no.such.host.invalid"), ("OTP_MAX_CHECKS", "0")]
)
def test_a_senseless_setting_is_named_and_leaves_no_process(served: Served, name: str, value: str) -> None:
    done = served.start(**{"PORT": str(free_port()), "DATA_DIR": str(served.data) + "-third", name: value})

    assert done.wait(60) != 0
    assert re.search(rf"^(switchboard: |CommandError: ){name} ", served.log(), re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "value"), [("DATABASE_URL", "postgres://u:hush@127.0.0.1:1/x"), ("DATA_DIR", "/dev/null/x")]
)
def test_a_place_that_cannot_be_used_is_named_without_a_traceback(served: Served, name: str, value: str) -> None:
    before = len(served.log())
    done = served.start(**{"PORT": str(free_port()), "DATA_DIR": str(served.data) + "-fourth", name: value})

    assert done.wait(60) != 0
    said = served.log()[before:]
    assert name in said
    assert "Traceback" not in said
    assert "hush" not in said


def test_parts_that_are_killed_come_back(served: Served) -> None:
    before = served.family()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    served.wait_until(
        lambda: set(served.family()) == set(before) and not set(served.family().values()) & set(before.values())
    )
    served.wait_until(lambda: served.status("/readyz") == 200)


def test_when_it_is_asked_to_stop_everything_is_gone_in_time(served: Served) -> None:
    asked = time.monotonic()
    served.process.send_signal(signal.SIGTERM)

    assert served.process.wait(15) == 0
    assert served.stragglers() == []
    assert time.monotonic() - asked < 15


# --- the supervisor --------------------------------------------------------------------------------------------------
def stubborn(folder: Path) -> Child:
    """A process that ignores a polite request, with a child of its own."""
    script = "trap '' TERM; sleep 60 & echo $! > inner; echo > ready; while :; do sleep 0.1; done"
    return Child("stubborn", ("/bin/sh", "-c", script), os.environ, str(folder))


def test_what_does_not_stop_when_asked_is_killed_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.supervisor.STOP_SECONDS", 0.5)
    supervisor = Supervisor()
    supervisor.start(stubborn(tmp_path))
    while not (tmp_path / "ready").exists():
        time.sleep(0.05)

    supervisor.stop()

    assert not supervisor.children[0].is_running()
    inner = Path("/proc") / (tmp_path / "inner").read_text().strip() / "cmdline"
    deadline = time.monotonic() + 5  # what was killed may take a moment to be gone
    while (is_alive := inner.exists() and inner.read_bytes() != b"") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive


def test_a_process_that_dies_young_waits_longer_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("config.supervisor.time.monotonic", lambda: now[0])
    child = Child("short", ("/bin/false",), os.environ, str(tmp_path))
    child.start()
    pauses = []
    for _ in range(7):
        assert child.process is not None
        child.process.wait()
        child.mind()
        pauses.append(child.not_before - now[0])
        now[0] = child.not_before
        child.mind()
    last = child.process
    assert last is not None
    last.wait()

    assert pauses == [1, 2, 4, 8, 16, 30, 30]


# --- bytes on the wire -----------------------------------------------------------------------------------------------
def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_the_server_refuses_what_two_servers_could_read_differently(live_portal: Portal) -> None:
    head = b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    refused = {
        "two lengths": head + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "length and chunks": head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "folded header": head + b"X: a\r\n b\r\n\r\n",
        "broken chunk": head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        "long line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "foreign host": b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    }

    assert {name: status(live_portal.say(request)) // 100 for name, request in refused.items()} == dict.fromkeys(
        refused, 4
    )


def test_a_header_spelled_with_an_underscore_is_nobodys(live_portal: Portal) -> None:
    answer = live_portal.say(
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX_Forwarded_Proto: https\r\n\r\n"
    )

    assert status(answer) == 200


def test_the_scheme_is_not_taken_from_anybody(live_portal: Portal) -> None:
    answer = live_portal.say(
        b"GET /admin/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: evil.example\r\n\r\n"
    )

    assert b"https://" not in answer
    assert b"evil.example" not in answer
