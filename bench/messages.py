"""Measures how fast accepted messages leave, and prints one JSON object.

    .venv/bin/python bench/messages.py [--count 200] [--messages 2000] [--postgres postgres://postgres@127.0.0.1:5432/postgres] [--redis redis://127.0.0.1:6379/15]

For each pair of database and broker: milliseconds from the answer 200 to a request for a code until the gateway, the spool, has
begun to write it (p50, p95; a portal as of `make run`, one request at a time, each a tenth of a second after the one before it),
and the messages that one worker sends per second to the spool and to a Twilio on loopback, when so many wait for it. SQLite with
the embedded broker always; what is given besides is measured too: the database is made and dropped, the queues are emptied.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.paths import code_for, service_bearer  # found only now
from bench.portal import cpu_seconds_of, running  # found only now
from bench.stage import database, in_child, processes, queued, set_up, wait_until  # found only now

PAUSE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="requests for a code, of which the latency is measured")
    parser.add_argument("--messages", type=int, default=2000, help="messages that one worker has to send")
    parser.add_argument("--postgres", metavar="URL", help="a server on which a database may be made, and dropped again")
    parser.add_argument("--redis", metavar="URL", help="a broker whose queues may be emptied")
    parser.add_argument("--measure", default="", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(sent_by_one_worker(said.messages, said.measure)))  # noqa: T201  # the answer of this program
        return
    servers, brokers = ["", *filter(None, [said.postgres])], ["embedded://database", *filter(None, [said.redis])]
    results = [measured(said, server, broker) for server, broker in product(servers, brokers)]
    print(json.dumps({"cores": os.cpu_count(), "results": results}, indent=2))  # noqa: T201  # the answer of this program


def measured(said: argparse.Namespace, server: str, broker: str) -> dict[str, Any]:
    rates = {}
    for gateway in ("spool", "twilio"):
        arguments = (f"--measure={gateway}", f"--messages={said.messages}")
        rates[gateway] = in_child(__file__, *arguments, postgres=server, broker=broker)
    return {
        "database": "postgresql" if server else "sqlite",
        "broker": broker.partition(":")[0],
        "ms_from_answer_to_gateway": latency(said.count, server, broker),
        "one_worker": rates,
    }


def latency(count: int, server: str, broker: str) -> dict[str, float]:
    """Ask for codes over HTTP, one after the other, and look when the gateway began to write each."""
    with database(server) as url, running(DATABASE_URL=url, CELERY_BROKER_URL=broker, LOG_LEVEL="INFO") as portal:
        headers, answered = service_bearer(portal), {}
        connection = portal.connection()
        spool = portal.data_dir / "messages"
        for n in range(-5, count):
            if n == 0:  # the first ones find a worker that has just started
                wait_until(lambda: len(list(spool.glob("*.json"))) == 5, seconds=60, what="a worker")
            asked = code_for(portal, headers, n + 5)
            connection.request(asked.method, asked.path, asked.body, asked.headers or {})
            answer = connection.getresponse()
            if answer.status != asked.status:
                raise SystemExit(f"{answer.status} {answer.read()[:200]!r}")
            if n >= 0:
                answered[json.loads(asked.body or b"")["to"]] = time.time()
            answer.read()
            time.sleep(PAUSE)
        wait_until(lambda: len(list(spool.glob("*.json"))) == count + 5, seconds=60, what="all codes in the spool")
        took = []
        for path in spool.glob("*.json"):
            to = json.loads(path.read_text())["to"]
            if to in answered:
                # Written in an instant, and synchronised and renamed after it.
                took.append(max(0.0, path.stat().st_mtime - answered[to]) * 1000)
    centiles = statistics.quantiles(took, n=100)
    return {"p50": round(centiles[49], 1), "p95": round(centiles[94], 1), "longest": round(max(took), 1)}


def sent_by_one_worker(messages: int, gateway: str) -> dict[str, float]:
    """Let messages wait, start one worker, and answer how many it sent per second from the first to the last, and its CPU."""
    from tests.integrations.gateways.twilio_server import SMS_URL, TwilioServer  # noqa: PLC0415  # only in the child

    twilio = TwilioServer()
    os.environ |= {"SMS_URL": SMS_URL, "TWILIO_BASE_URL": twilio.url}
    set_up()
    from django.conf import settings  # noqa: PLC0415  # only once they are chosen

    from identity.models import OutboxMessage  # noqa: PLC0415  # only once the settings are chosen

    queued(messages, channels=("EMAIL",) if gateway == "spool" else ("SMS",))
    sent = OutboxMessage.objects.filter(state=OutboxMessage.State.SENT)
    with processes(settings.DATA_DIR) as start:
        worker = start()
        wait_until(lambda: sent.count() > 0, seconds=60, what="a worker")
        cpu, before = cpu_seconds_of(worker.process.pid), sent.count()
        wait_until(lambda: sent.count() == messages, seconds=1200, what="all messages sent")
        cpu = cpu_seconds_of(worker.process.pid) - cpu
    moments: list[datetime] = sorted(sent.values_list("sent_at", flat=True))
    return {
        "messages_per_second": round((messages - 1) / (moments[-1] - moments[0]).total_seconds(), 1),
        "cpu_ms_per_message": round(cpu / (messages - before) * 1000, 1),
    }


if __name__ == "__main__":
    main()
