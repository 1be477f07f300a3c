"""Writes messages into a folder instead of sending them: the gateway of laptops and tests (operating.md 4)."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from django.conf import settings

from identity.outbox import DeliveryFailed, Letter, Receipt

LOCK = ".lock"


class SpoolGateway:
    """Writes `NNNN-<id>.json`, numbered in the order of sending; can be asked, so a message is there exactly once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or settings.MESSAGE_SPOOL

    def send(self, letter: Letter) -> Receipt:
        """Write the message, unless it is there; its number is its id. Raises DeliveryFailed in production."""
        if settings.PORTAL_ENV == "production":
            raise DeliveryFailed("the message spool is for laptops; set EMAIL_URL and SMS_URL")
        with self._alone():
            numbers = self._numbers()
            if letter.id not in numbers:
                numbers[letter.id] = max(numbers.values(), default=0) + 1
                self._write(letter, numbers[letter.id])
        return Receipt(str(numbers[letter.id]))

    def was_sent(self, letter: Letter) -> bool:
        """Say whether the message is in the folder."""
        return letter.id in self._numbers()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one process at a time number its message; the kernel frees the lock of one that dies."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(self.folder / LOCK, "a", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _numbers(self) -> dict[str, int]:
        """Answer the number of each message in the folder, by its id."""
        if not self.folder.is_dir():
            return {}
        names = (name.removesuffix(".json") for name in os.listdir(self.folder) if name.endswith(".json"))
        split = (name.partition("-") for name in names if not name.startswith("."))
        return {id_: int(number) for number, _dash, id_ in split if number.isdigit()}

    def _write(self, letter: Letter, number: int) -> None:
        name = f"{number:04d}-{letter.id}.json"
        # Written aside, then renamed: whoever watches the folder never reads half a message.
        aside = self.folder / f".{name}.new"
        with open(aside, "w", encoding="utf-8", opener=_private) as file:
            json.dump(_wire(letter), file, ensure_ascii=False, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self.folder / name)


def _wire(letter: Letter) -> dict[str, str | None]:
    """Answer the file's content; `created_at` is UTC in whole seconds."""
    return asdict(letter) | {"created_at": letter.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _private(path: str, flags: int) -> int:
    # Messages hold live links and codes: nobody else on the machine reads them.
    return os.open(path, flags, 0o600)
