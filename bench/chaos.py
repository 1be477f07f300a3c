"""Drains very many messages while workers are killed at random, asks the gateways what they have, and prints one JSON object.

    .venv/bin/python bench/chaos.py [--messages 10000] [--workers 2] [--postgres postgres://postgres@127.0.0.1:5432/postgres --redis redis://127.0.0.1:6379/15]

One half of the messages goes to the spool, the other to a Twilio on loopback that lists what it has. Workers die by SIGKILL, a
moment after they began to work, and are started again, until everything is over. Ends with status 1 if a message was lost or sent
twice. SQLite with the embedded broker always; PostgreSQL with Redis too where both are given: the database is made and dropped, the
queues in that Redis are emptied.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random  # noqa: TID251  # moments that can be repeated, no secrets
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.stage import in_child, processes, queued, set_up, wait_until  # found only now

# A worker may work for so many seconds between its start and its death.
LIVES = (0.2, 10.0)
# Leases, and the questions to gateways, are a matter of seconds; what is not over by then is lost.
LONGEST_SECONDS = 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2, help="so many at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which workers die")
    parser.add_argument("--postgres", metavar="URL", help="a server on which a database may be made, and dropped again")
    parser.add_argument("--redis", metavar="URL", help="a broker whose queues may be emptied")
    parser.add_argument("--only-services", action="store_true", help="leave SQLite out")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(drained(said)))  # noqa: T201  # the answer of this program
        return
    stages = [] if said.only_services else [("", "")]
    if said.postgres and said.redis:
        stages.append((said.postgres, said.redis))
    passed_on = ["--measure"] + [f"--{name}={getattr(said, name)}" for name in ("messages", "workers", "seed")]
    results = [in_child(__file__, *passed_on, postgres=server, broker=broker) for server, broker in stages]
    print(json.dumps({"cores": os.cpu_count(), "results": results}, indent=2))  # noqa: T201  # the answer of this program
    sys.exit(any(result["lost"] or result["sent_twice"] for result in results))


def drained(said: argparse.Namespace) -> dict[str, Any]:
    """Queue the messages, let workers live and die, and count what the gateways have."""
    from tests.integrations.gateways.twilio_server import SMS_URL, TwilioServer  # noqa: PLC0415  # only in the child

    twilio = TwilioServer()
    os.environ |= {"SMS_URL": SMS_URL, "TWILIO_BASE_URL": twilio.url}
    set_up()
    from django.conf import settings  # noqa: PLC0415  # only once they are chosen
    from django.db import connection  # noqa: PLC0415  # only once the settings are chosen

    from config.management.commands.serve import BEAT  # noqa: PLC0415  # only once the settings are chosen
    from identity.models import OutboxMessage  # noqa: PLC0415  # only once the settings are chosen

    State = OutboxMessage.State
    expected = queued(said.messages)
    unfinished = OutboxMessage.objects.filter(state__in=(State.PENDING, State.SENDING, State.UNKNOWN))
    chance, kills, started = Random(said.seed), 0, time.monotonic()  # noqa: S311  # moments, no secrets
    with processes(settings.DATA_DIR) as start:
        start(command=BEAT)
        workers = [(start(), 0.0) for _ in range(said.workers)]
        while unfinished.exists():
            if time.monotonic() - started > LONGEST_SECONDS:
                break
            time.sleep(0.1)
            for place, (worker, dies_at) in enumerate(workers):
                if not dies_at and worker.is_ready():
                    workers[place] = (worker, time.monotonic() + chance.uniform(*LIVES))
                elif dies_at and time.monotonic() > dies_at:
                    worker.kill()
                    kills += 1
                    workers[place] = (start(), 0.0)
        seconds = time.monotonic() - started
        wait_until(lambda: all(worker.is_ready() for worker, _ in workers), seconds=60, what="a last worker")
        time.sleep(5)  # a second sending of something would come now
    arrived = Counter(json.loads(path.read_text())["to"] for path in settings.MESSAGE_SPOOL.glob("*.json"))
    arrived += Counter(kept["to"] for kept in twilio.kept["Messages"])
    return {
        "database": connection.vendor,
        "broker": settings.CELERY_BROKER_URL.partition(":")[0],
        "messages": said.messages,
        "workers": said.workers,
        "workers_killed": kills,
        "seconds": round(seconds, 1),
        "messages_per_second": round(said.messages / seconds, 1),
        "attempts": dict(sorted(Counter(OutboxMessage.objects.values_list("attempts", flat=True)).items())),
        "twilio_was_asked": sum(request.method == "GET" for request in twilio.requests),
        "states": Counter(OutboxMessage.objects.values_list("state", flat=True)),
        "lost": len(expected - arrived.keys()),
        "sent_twice": sum(number > 1 for number in arrived.values()),
        "unknown": len(arrived.keys() - expected),
    }


if __name__ == "__main__":
    main()
