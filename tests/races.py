"""Many at once: real threads, each with a connection of its own, released together."""

from __future__ import annotations

import fcntl
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

LOCK = Path(tempfile.gettempdir()) / "switchboard-races.lock"


@pytest.fixture
def at_once(transactional_db: None) -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Answer a function that calls another one n times at the same moment, and answers what each call answered."""

    def run(n: int, deed: Callable[[int], Any]) -> list[Any]:
        with LOCK.open("w") as lock:
            # One race at a time on this machine: two of 64 would want more connections than a database gives.
            fcntl.flock(lock, fcntl.LOCK_EX)
            return race(n, deed)

    def race(n: int, deed: Callable[[int], Any]) -> list[Any]:
        gate = threading.Barrier(n)

        def one(number: int) -> Any:
            gate.wait()
            try:
                return deed(number)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(n) as pool:
            return list(pool.map(one, range(n)))

    return run
