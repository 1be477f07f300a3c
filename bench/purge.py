"""Measures how long one batch of each purge takes when very much has expired, on SQLite and PostgreSQL, and prints JSON.

    .venv/bin/python bench/purge.py [--rows 100000] [--postgres postgres://postgres@127.0.0.1:5432/postgres]

A batch is one transaction, so nobody waits behind its locks for longer than it takes: the bound is 100 ms for the longest one.
Everything is made in a folder, and in a database, that are gone afterwards.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.admin_100k import in_child  # noqa: E402  # found only now

BOUND_MS = 100
BATCH = 5000


def main() -> None:
    """Run the measurement once per database, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="expired rows of each kind")
    parser.add_argument("--postgres", metavar="URL", help="a server on which a database may be made, and dropped again")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(measured(said.rows)))  # noqa: T201  # the answer of this program
        return
    results = [in_child(__file__, said.rows, server) for server in ("", said.postgres) if server is not None]
    print(json.dumps({"rows": said.rows, "bound_ms": BOUND_MS, "results": results}, indent=2))  # noqa: T201  # the answer of this program
    sys.exit(any(kind["longest_ms"] > BOUND_MS for result in results for kind in result["batches"].values()))


def measured(rows: int) -> dict[str, Any]:
    """Make rows that are over and answer the batches of each purge."""
    import django  # noqa: PLC0415  # settings read the environment that the parent has chosen

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  # only once the settings are chosen
    from django.db import connection  # noqa: PLC0415  # only once the settings are chosen

    call_command("migrate", verbosity=0)
    purges = dict(seeded(rows))
    return {"database": connection.vendor, "batches": {name: timed(purge) for name, purge in purges.items()}}


def timed(purge: Callable[[], int]) -> dict[str, Any]:
    """Purge to the end and answer what the batches took."""
    # What the seeding left behind would be looked through again and again, in the middle of a batch.
    gc.collect()
    gc.freeze()
    took = []
    while True:
        started = time.perf_counter()
        is_done = not purge()
        took.append((time.perf_counter() - started) * 1000)
        if is_done:
            break
    return {"batches": len(took), "median_ms": round(statistics.median(took), 1), "longest_ms": round(max(took), 1)}


def seeded(rows: int) -> Iterator[tuple[str, Callable[[], int]]]:
    """Make so many rows of each kind that have been over for a year; answers how each is purged."""
    from identity import authorization_codes, clients, clock, idempotency, limits, organizations, otp, outbox, sessions  # noqa: PLC0415  # only once the settings are chosen
    from identity.models import (  # noqa: PLC0415  # only once the settings are chosen
        AuthorizationCode,
        Client,
        ClientUse,
        Counter,
        IdempotencyKey,
        OtpVerification,
        OutboxMessage,
        Session,
        User,
    )
    from identity.principal import at_the_console  # noqa: PLC0415  # only once the settings are chosen
    from tickets import redemptions  # noqa: PLC0415  # only once the settings are chosen
    from tickets.models import Ticket  # noqa: PLC0415  # only once the settings are chosen

    at = clock.now()
    old, before = at - timedelta(days=400), at - timedelta(days=30)
    acme = organizations.create(by=at_the_console(), name="acme", domain="acme.example")
    client = Client.objects.create(organization=acme, description="bench")

    def make(model: Any, row: Callable[[int], Any]) -> None:
        for start in range(0, rows, BATCH):
            model.objects.bulk_create(row(n) for n in range(start, min(start + BATCH, rows)))

    make(Counter, lambda n: Counter(key=f"bench:{n}", count=1, expires_at=old))
    yield "counters", limits.purge
    make(IdempotencyKey, lambda n: IdempotencyKey(digest=f"{n:064d}", request_digest="", expires_at=old))
    yield "idempotency keys", lambda: idempotency.purge(at=at)
    make(
        Session,
        lambda n: Session(
            door="auvious", digest=f"{n:064d}", client=client, organization=acme, expires_at=old, created_at=old
        ),
    )
    yield "sessions", lambda: sessions.purge(before=before)
    user = User.objects.create_superuser(username="olle", email="olle@operator.example", password=None)
    make(
        AuthorizationCode,
        lambda n: AuthorizationCode(digest=f"{n:064d}", client=client, user=user, organization=acme, expires_at=old),
    )
    yield "authorization codes", lambda: authorization_codes.purge(before=before)
    make(ClientUse, lambda n: ClientUse(client=client, endpoint="GET /", status=200, at=old))
    yield "uses of clients", clients.purge_uses
    make(OutboxMessage, lambda n: OutboxMessage(channel="SMS", to="+46701740605", locale="sv", template="otp", state="sent", created_at=old, useful_until=old))  # fmt: skip
    yield "messages", outbox.purge
    make(OtpVerification, lambda n: OtpVerification(organization=acme, recipient="+46701740605", recipient_key="+46701740605", code_sealed="x", created_at=old, expires_at=old))  # fmt: skip
    yield "verifications", otp.purge
    make(
        Ticket,
        lambda n: Ticket(
            organization=acme,
            digest=f"{n:064d}",
            type="MULTI_USE_TICKET",
            ttl_seconds=60,
            created_at=old,
            expires_at=old,
        ),
    )
    yield "tickets", lambda: redemptions.purge(before=before)


if __name__ == "__main__":
    main()
