"""Measures what codes cost, through HTTP, and prints one JSON object.

    .venv/bin/python bench/otp.py [--count 300] [--rounds 3]

CPU milliseconds by kind of process: a request for a code (with its delivery to the spool by the worker), the check that a code is
right, and one that is wrong. DATABASE_URL, REDIS_URL and CELERY_BROKER_URL choose what stands behind the portal. Of several rounds
the quietest counts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count as counting
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.paths import JSON, call, code_for, service_bearer  # found only now
from bench.portal import Portal, Request, measure, running
from bench.stage import wait_until

DIGITS = 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="requests of one round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the quietest counts")
    said = parser.parse_args()
    with running() as portal:
        headers, number = service_bearer(portal), counting()
        a_round(portal, headers, number, 16)
        rounds = [a_round(portal, headers, number, said.count) for _ in range(said.rounds)]
    report = {
        "database": urlsplit(os.environ.get("DATABASE_URL", "sqlite://")).scheme,
        "broker": urlsplit(os.environ.get("CELERY_BROKER_URL", "embedded://")).scheme,
        "cores": os.cpu_count(),
        "count": said.count,
        "cpu_ms": {deed: min((one[deed] for one in rounds), key=lambda cpu: sum(cpu.values())) for deed in rounds[0]},
    }
    print(json.dumps(report, indent=2))  # noqa: T201  # the answer of this program


def a_round(portal: Portal, headers: dict[str, str], number: counting[int], count: int) -> dict[str, dict[str, float]]:
    """Ask for so many codes, wait until they are sent, check each wrongly and rightly; answers the CPU of each deed."""
    spool = portal.data_dir / "messages"
    before = set(spool.glob("*.json"))
    asked = [code_for(portal, headers, next(number)) for _ in range(count)]

    def all_sent() -> bool:
        return len(set(spool.glob("*.json")) - before) == count

    def ask() -> None:
        measure(portal, lambda n: asked[n], count=count)
        wait_until(all_sent, seconds=300, what="all codes in the spool")

    figures = {"request and delivery": spent(portal, ask, count)}
    sent = [json.loads(path.read_text()) for path in set(spool.glob("*.json")) - before]
    # A request repeated at once is the same code under the same id: the answers of the measure itself are not kept.
    codes = {one["to"]: code_in(one["body"]) for one in sent}
    ids = {json.loads(one.body or b"")["to"]: call(portal, one)["id"] for one in asked}
    wait_until(lambda: len(set(spool.glob("*.json")) - before) == 2 * count, seconds=300, what="the repeated codes")
    pairs = [(to, codes[to], ids[to]) for to in codes]
    for deed, status, step in (("wrong code", 400, 1), ("right code", 204, 0)):
        checks = [checked(headers, *pair, step=step, status=status) for pair in pairs]
        figures[deed] = spent(portal, lambda made=checks: measure(portal, lambda n: made[n], count=count), count)  # type: ignore[misc]  # a loop's own list
    return figures


def checked(headers: dict[str, str], to: str, code: str, id_: str, *, step: int, status: int) -> Request:
    """The check of a code, or of one that is so far from it."""
    said = f"{(int(code) + step) % 10**DIGITS:0{DIGITS}d}"
    body = json.dumps({"to": to, "code": said, "verificationId": id_}).encode()
    return Request("POST", "/security/otp/verify", body, JSON | headers, status)


def code_in(text: str) -> str:
    """The code is the only group of six digits in a message."""
    return next(word for word in map(digits_of, text.split()) if len(word) == DIGITS)


def digits_of(word: str) -> str:
    return "".join(letter for letter in word if letter.isdigit())


def spent(portal: Portal, deed: Callable[[], Any], count: int) -> dict[str, float]:
    """Answer the CPU milliseconds of a deed by kind of process, divided by the number of its requests."""
    before = portal.cpu_by_kind()
    deed()
    after = Counter(portal.cpu_by_kind())
    after.subtract(before)
    return {kind: round(seconds / count * 1000, 2) for kind, seconds in sorted(after.items()) if seconds > 0}


if __name__ == "__main__":
    main()
