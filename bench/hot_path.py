"""Measures the hot paths under the server that `make run` uses and prints one JSON object.

Usage: `make bench`, or `.venv/bin/python bench/hot_path.py [--count 500] [--rounds 3] [--only word]`; DATABASE_URL, REDIS_URL and
CELERY_BROKER_URL choose what stands behind the portal. Of several rounds the quietest counts. The figure to compare is the CPU time
of a request: requests per second follow whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.paths import PATHS
from bench.portal import Portal, Request, measure, running


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=400, help="requests of one round")
    options.add_argument("--rounds", type=int, default=3, help="rounds, of which the quietest counts")
    options.add_argument("--only", default="", help="measure only paths whose name holds this word")
    said = options.parse_args()
    with running() as portal:
        chosen = {name: prepare for name, prepare in PATHS.items() if said.only in name}
        figures = {name: _quietest(portal, prepare(portal), said) for name, prepare in chosen.items()}
    report = {
        "database": urlsplit(os.environ.get("DATABASE_URL", "sqlite://")).scheme,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "count": said.count,
        "connections": 8,
        "paths": figures,
    }
    print(json.dumps(report, indent=2))  # noqa: T201  # the answer of this program


def _quietest(
    portal: Portal, request: Request | Callable[[int], Request], said: argparse.Namespace
) -> dict[str, float]:
    measure(portal, request, count=max(16, said.count // 10))
    rounds = [measure(portal, request, count=said.count) for _ in range(said.rounds)]
    return min(rounds, key=lambda figures: figures["cpu_ms_per_request"])


if __name__ == "__main__":
    main()
