"""Keeps a set of processes running: starts them again when they die, stops them all within a deadline."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

STOP_SECONDS = 10.0  # then the rest is killed: everything is gone within the 15 s that are promised
SHORT_LIFE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 30.0
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Runs in the child: asks Linux for a SIGTERM when the supervisor is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    """One supervised process; it leads a process group of its own, so that Ctrl-C reaches the supervisor alone."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    inherited: tuple[int, ...] = ()
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    short_lives: int = field(default=0)
    not_before: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603 - the command is ours
            self.command,
            env=dict(self.environment),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            pass_fds=self.inherited,
            start_new_session=True,
            preexec_fn=die_with_parent,  # safe: the supervisor has no threads
        )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def mind(self) -> None:
        """Starts the process again if it died; one that dies young waits longer each time."""
        now = time.monotonic()
        if self.process is None or self.is_running():
            return
        if not self.not_before:
            self.short_lives = self.short_lives + 1 if now - self.started < SHORT_LIFE_SECONDS else 0
            pause = min(LONGEST_PAUSE_SECONDS, 2.0 ** (self.short_lives - 1)) if self.short_lives else 0.0
            logger.error("process died", extra={"child": self.name, "status": self.process.returncode, "pause": pause})
            self.signal_group(signal.SIGKILL)  # what it left behind must not run beside its successor
            self.not_before = now + pause
        if now >= self.not_before:
            self.not_before = 0.0
            self.start()

    def signal_group(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """A list of children and the wish to stop; signals set the wish, the loop obeys it."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self.is_stopping = False

    def obey_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._wish)

    def _wish(self, number: int, frame: object) -> None:
        self.is_stopping = True

    def start(self, child: Child) -> None:
        self.children.append(child)
        child.start()

    def run(self) -> None:
        """Minds the children until somebody wishes to stop."""
        while not self.is_stopping:
            for child in self.children:
                child.mind()
            time.sleep(0.2)

    def stop(self) -> None:
        """Asks every child to finish what it is doing, and kills what is left at the deadline."""
        for child in self.children:
            if child.is_running() and child.process is not None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and any(child.is_running() for child in self.children):
            time.sleep(0.05)
        for child in self.children:
            child.signal_group(signal.SIGKILL)
            if child.process is not None:
                child.process.wait()
