"""Measures whether a request costs more when there are a million tokens, tickets and users than when there are a thousand.

Usage: `DATABASE_URL=postgres://… .venv/bin/python bench/growth.py [--sizes 1000,100000,1000000] [--count 400] [--rounds 3]`, on an empty
PostgreSQL database of its own. Each size is seeded in bulk on top of the one before; the table, and after it the same as JSON, shows
CPU milliseconds per request and how much that is of the smallest size's. The bound is 1.3 times.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.paths import auvious_bearer, oauth_client_credentials, oauth_introspect, ticket_of, ticket_redemption
from bench.portal import Portal, Request, measure, running

BOUND = 1.3
# Rows are made by the database itself, which is the fastest that a million can be. Their digests are of nobody's secret.
SEED = """
from django.db import connection
from identity.models import Client, Organization, Session, User
from tickets.models import Ticket

first, last = {first}, {last}
acme = Organization.objects.get(name="acme")
client = Client.objects.get(pk="{client_id}")
series = f"generate_series({{first}}, {{last}}) AS n"


def copies(model, template, **changed):
    # Every column as in a row that the product made, but for those that differ.
    names = [field.column for field in model._meta.concrete_fields if changed.get(field.column) != "-"]
    said = ", ".join(changed.get(name, f't."{{name}}"') for name in names)
    into = ", ".join(f'"{{name}}"' for name in names)
    table, key = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        # A million rows take longer than any request may.
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            f'INSERT INTO "{{table}}" ({{into}}) SELECT {{said}} FROM "{{table}}" t, {{series}} WHERE t."{{key}}" = %s', [template.pk]
        )
        cursor.execute(f'ANALYZE "{{table}}"')


bob = User.objects.get(username="bob")
copies(User, bob, id="-", username="'grown' || n", username_key="'grown' || n",
       email="'grown' || n || '@acme.example'", email_key="'grown' || n || '@acme.example'")
session = Session.objects.filter(client=client).latest("created_at")
copies(Session, session, id="gen_random_uuid()", digest="md5('s' || n) || md5(n || 's')")
ticket = Ticket.objects.filter(organization=acme).earliest("created_at")
unlike = {{"digest": "md5('t' || n) || md5(n || 't')", "customer": "'customer-' || n"}}
if Ticket._meta.pk.get_internal_type() == "UUIDField":
    unlike["id"] = "gen_random_uuid()"
else:
    unlike["id"] = "-"
copies(Ticket, ticket, **unlike)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", default="1000,100000,1000000", help="rows of each kind, ascending")
    options.add_argument("--count", type=int, default=400, help="requests of one round")
    options.add_argument("--rounds", type=int, default=3, help="rounds, of which the quietest counts")
    said = options.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        raise SystemExit("DATABASE_URL names an empty PostgreSQL database")
    figures: dict[str, dict[int, float]] = {}
    with running() as portal:
        present = 0
        ticket_of(portal)
        for size in map(int, said.sizes.split(",")):
            seed(portal, first=present + 1, last=size)
            present = size
            for name, prepare in PATHS.items():
                figures.setdefault(name, {})[size] = quietest(portal, prepare, said)
    show(figures)


def seed(portal: Portal, *, first: int, last: int) -> None:
    """Fill up to `last` sessions, tickets and users."""
    client_id = portal.cast["clients"]["acme_service"]["client_id"]
    script = SEED.format(first=first, last=last, client_id=client_id)
    portal.manage("shell", "--verbosity", "0", "--command", script)


def quietest(portal: Portal, prepare: Callable[[Portal], Request], said: argparse.Namespace) -> float:
    """Answer the CPU milliseconds of the quietest round."""
    request = prepare(portal)
    measure(portal, request, count=max(16, said.count // 10))
    return min(measure(portal, request, count=said.count)["cpu_ms_per_request"] for _ in range(said.rounds))


def show(figures: dict[str, dict[int, float]]) -> None:
    """Print the table and the JSON."""
    for line in lines(figures):
        print(line)  # noqa: T201  # the answer of this program
    print(json.dumps({"cpu_ms_per_request": figures, "bound": BOUND}, indent=2))  # noqa: T201  # the answer of this program


def lines(figures: dict[str, dict[int, float]]) -> Iterator[str]:
    """Answer the table, a path a line."""
    for name, by_size in figures.items():
        smallest = next(iter(by_size.values()))
        cells = (f"{size:>9,}: {ms:7.2f} ms {ms / smallest:5.2f} x" for size, ms in by_size.items())
        yield f"{name:<28}" + "  ".join(cells)


PATHS: dict[str, Callable[[Portal], Request]] = {
    "auvious bearer": auvious_bearer,
    "oauth introspect": oauth_introspect,
    "oauth client_credentials": oauth_client_credentials,
    "ticket redemption": ticket_redemption,
}

if __name__ == "__main__":
    main()
