"""Tasks that only the tests' workers know."""

from __future__ import annotations

import time
from pathlib import Path

from celery import shared_task


@shared_task
def note(folder: str, name: str, seconds: float = 0.0) -> None:
    """Writes one line when it begins and one when it ends."""
    with (Path(folder) / name).open("a") as file:
        file.write("begun\n")
        file.flush()
        time.sleep(seconds)
        file.write("done\n")
