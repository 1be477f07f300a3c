"""Starts the portal as `make run` does, in a folder of its own, and measures what a request costs it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Programs that may stand behind a portal, by the beginning of the URL that says so.
SERVICES = {"postgres": "postgres", "redis-server": "redis"}
KINDS = {"gunicorn": "web", "worker": "worker", "beat": "beat"}
TICKS = os.sysconf("SC_CLK_TCK")
# The addresses' throttles would stop a benchmark that comes from one address.
UNTHROTTLED = {
    "THROTTLE_LOGIN_PER_ADDRESS": "100000000/min",
    "THROTTLE_REDEEM_PER_ADDRESS": "100000000/min",
    "THROTTLE_OTP_PER_ADDRESS": "100000000/hour",
    "OTP_RESEND_SECONDS": "0",
    "OTP_MAX_SENDS": "100000000",
    **{f"OTP_PER_{whom}": "100000000/day" for whom in ("ORGANISATION", "CLIENT", "PREFIX", "RECIPIENT")},
    "OTP_PREFIX_UNENTERED": "100000000/day",
}


@dataclass(frozen=True)
class Portal:
    """A running portal: its port, its folder, its demo cast, and the process at the root of its tree."""

    port: int
    data_dir: Path
    cast: dict[str, Any]
    pid: int
    env: dict[str, str]

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def manage(self, *args: str) -> str:
        """Run an operator's command against it."""
        command = [sys.executable, "manage.py", *args]
        return subprocess.run(command, cwd=ROOT, env=self.env, check=True, capture_output=True, text=True).stdout  # noqa: S603  # our own program, with words of our own

    def cpu_seconds(self) -> float:
        """Answer the CPU seconds that its processes, and the database's if it has one of its own, have used."""
        return sum(self.cpu_by_kind().values())

    def cpu_by_kind(self) -> dict[str, float]:
        """Answer the same by kind of process: web, worker, beat, supervisor, postgres, redis-server."""
        said = " ".join(self.env.get(name, "") for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"))
        used: dict[str, float] = {}
        for pid in _tree(self.pid) | _named(*(name for name, scheme in SERVICES.items() if scheme in said)):
            kind = _kind(pid)
            used[kind] = used.get(kind, 0.0) + _cpu(pid)
        return used


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent many times."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] | None = None
    status: int = 200


@contextlib.contextmanager
def running(**environment: str) -> Iterator[Portal]:
    """Start a portal in a folder that is gone afterwards; DATABASE_URL, REDIS_URL and CELERY_BROKER_URL are taken as they are."""
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        env = os.environ | UNTHROTTLED | {"DATA_DIR": folder, "PORT": str(port), "LOG_LEVEL": "ERROR"} | environment
        log = Path(folder) / "log"
        command = [sys.executable, "manage.py", "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log.open("wb"), stderr=subprocess.STDOUT)  # noqa: S603  # our own program, with words of our own
        try:
            _wait(port, process, log)
            cast = json.loads((Path(folder) / "demo.json").read_text())
            yield Portal(port, Path(folder), cast, process.pid, env)
        finally:
            process.terminate()
            process.wait(20)


def measure(
    portal: Portal, request: Request | Callable[[int], Request], *, count: int, connections: int = 8
) -> dict[str, float]:
    """Send a request many times over keep-alive connections; answers requests per second and CPU milliseconds per request.

    The CPU is that of the whole process tree, user and system, store included. A callable makes the n-th request.
    """
    make = request if callable(request) else lambda _n: request
    made = [make(n) for n in range(count)]
    shares = [made[n::connections] for n in range(connections)]
    cpu, start = portal.cpu_seconds(), time.perf_counter()
    threads = [threading.Thread(target=_send, args=(portal, share)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, used = time.perf_counter() - start, portal.cpu_seconds() - cpu
    return {"requests_per_second": round(count / wall, 1), "cpu_ms_per_request": round(used / count * 1000, 3)}


def cpu_seconds_of(root: int) -> float:
    """Answer the CPU seconds that a process and all below it have used."""
    return sum(map(_cpu, _tree(root)))


def _send(portal: Portal, requests: list[Request]) -> None:
    connection = portal.connection()
    for one in requests:
        connection.request(one.method, one.path, body=one.body, headers=one.headers or {})
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != one.status:
            raise SystemExit(f"{one.method} {one.path.split(';')[0]}: {answer.status} {said[:200]!r}")
    connection.close()


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"the portal did not start:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise SystemExit(f"the portal is not ready:\n{log.read_text()[-2000:]}")


def _tree(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _named(*names: str) -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "comm").read_text().strip() in names:
                    found.add(int(entry.name))
    return found


def _kind(pid: int) -> str:
    try:
        name = (Path("/proc") / str(pid) / "comm").read_text().strip()
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "ended"
    return name if name in SERVICES else next((kind for word, kind in KINDS.items() if word in words), "supervisor")


def _cpu(pid: int) -> float:
    """User and system time of a process and of its ended children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS
