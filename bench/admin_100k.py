"""Measures the admin's lists and searches with 100,000 agents, on SQLite and PostgreSQL, and prints JSON.

    .venv/bin/python bench/admin_100k.py                       # SQLite in a folder of its own
    .venv/bin/python bench/admin_100k.py --postgres postgres://postgres@127.0.0.1:5432/postgres

Everything is made in a folder, and in a database, that are gone afterwards. A number is the time of one request in this
process, from the middleware to the rendered page; `cpu_ms` is what this process burnt of it, for a machine that is not idle.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

ROOT = Path(__file__).resolve().parents[1]
TARGET_MS = 300
BATCH = 5000
ROUNDS = 9


def main() -> None:
    """Run the measurement once per database, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--postgres", metavar="URL", help="a server on which a database may be made, and dropped again")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.measure:
        print(json.dumps(measured(said.rows)))  # noqa: T201  # the answer of this program
        return
    servers = [server for server in ("", said.postgres) if server is not None]
    results = [in_child(__file__, said.rows, server) for server in servers]
    print(json.dumps({"rows": said.rows, "target_ms": TARGET_MS, "results": results}, indent=2))  # noqa: T201  # the answer of this program
    sys.exit(any(page["median_ms"] >= TARGET_MS for result in results for page in result["pages"].values()))


def in_child(program: str, rows: int, server: str) -> dict[str, Any]:
    """Run a program's `--measure` on a fresh folder and a fresh database, and take both away; answers what it printed last."""
    with tempfile.TemporaryDirectory(prefix="switchboard-bench-") as folder:
        name = f"switchboard_bench_{os.getpid()}"
        url = urlunsplit(urlsplit(server)._replace(path=f"/{name}")) if server else ""
        environment = {
            **os.environ,
            "DATA_DIR": folder,
            "DATABASE_URL": url,
            "DJANGO_SETTINGS_MODULE": "config.settings.base",
        }
        if server:
            on_server(server, f'CREATE DATABASE "{name}"')
        try:
            command = [sys.executable, program, "--measure", "--rows", str(rows)]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
        finally:
            if server:
                on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]  # the child prints an object


def on_server(server: str, statement: str) -> None:
    """Say something to a server outside a transaction."""
    import psycopg  # noqa: PLC0415  # without a server it need not be there

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def measured(rows: int) -> dict[str, Any]:
    """Make the rows and answer the milliseconds and queries of each page."""
    sys.path.insert(0, str(ROOT))
    import django  # noqa: PLC0415  # settings read the environment that the parent has chosen

    django.setup()
    from django.conf import settings  # noqa: PLC0415  # only once the settings are chosen
    from django.core.management import call_command  # noqa: PLC0415  # only once the settings are chosen
    from django.db import connection  # noqa: PLC0415  # only once the settings are chosen

    call_command("migrate", verbosity=0)
    started = time.perf_counter()
    secrets = seed(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    seeded = time.perf_counter() - started
    settings.ALLOWED_HOSTS = ["testserver"]
    pages = {f"{who} {path}": timed(path, secret) for who, secret in secrets.items() for path in PAGES}
    return {"database": connection.vendor, "seed_seconds": round(seeded, 1), "pages": pages}


PAGES = (
    "/admin/agents/agent/",
    "/admin/agents/agent/?p=1000",
    "/admin/agents/agent/?q=0801234",
    "/admin/agents/agent/?q=agent4711",
    "/admin/agents/agent/?q=nobody",
    "/admin/agents/agent/?available=no",
    "/admin/identity/user/",
    "/admin/identity/user/?p=1000",
    "/admin/identity/user/?q=0801234",
    "/admin/identity/user/?q=agent4711",
    "/admin/identity/user/?q=agent4711@big",
    "/admin/identity/user/?q=nobody",
    "/admin/identity/user/?role=Admin",
    "/admin/identity/session/",
    "/admin/search/?q=agent4711",
)


def seed(rows: int) -> dict[str, str]:
    """Make one organisation with so many agents, each with a session, and answer who looks: an admin and an operator."""
    from agents.models import Agent  # noqa: PLC0415  # only once the settings are chosen
    from identity import organizations, sessions, users  # noqa: PLC0415  # only once the settings are chosen
    from identity.models import Membership, Organization, Session, User  # noqa: PLC0415  # only once the settings are chosen
    from identity.principal import Role, Via, at_the_console  # noqa: PLC0415  # only once the settings are chosen

    by, via = at_the_console(), Via(door="portal", address="127.0.0.1")
    big = organizations.create(by=by, name="big", domain="big.example", title="Big")
    Organization.objects.create(name="small", domain="small.example")
    chief = users.create(by=by, username="chief", email="chief@big.example", organization=big, roles=[Role.ADMIN]).user
    olle = User.objects.create_superuser(username="olle", email="olle@operator.example", password=None)
    week = timedelta(days=7)
    for start in range(0, rows, BATCH):
        numbers = range(start, min(start + BATCH, rows))
        people = User.objects.bulk_create(
            User(
                username=f"agent{n}", username_key=f"agent{n}", email=f"agent{n}@big.example", email_key=f"agent{n}@big.example",
                first_name=f"First{n % 977}", last_name=f"Last{n % 1999}", default_organization=big, password="!",  # noqa: S106  # nothing fits it: nobody signs in
            )
            for n in numbers
        )  # fmt: skip
        Membership.objects.bulk_create(Membership(user=p, organization=big, is_agent=True) for p in people)
        Agent.objects.bulk_create(
            Agent(user=p, organization=big, extension=f"08{n:07}", is_available=n % 10 > 0)
            for n, p in zip(numbers, people, strict=True)
        )
        ends = chief.created_at + week
        Session.objects.bulk_create(
            Session(user=p, organization=big, door="portal", digest=f"{p.pk:064}", expires_at=ends) for p in people
        )
    opened = sessions.open_(via=via, user=chief, organization=big, lifetime=week)
    return {"admin": opened.secret, "operator": sessions.open_(via=via, user=olle, lifetime=week).secret}


def timed(path: str, secret: str) -> dict[str, Any]:
    """Answer how long a page takes and how many queries it costs."""
    from django.conf import settings  # noqa: PLC0415  # only once the settings are chosen
    from django.db import connection  # noqa: PLC0415  # only once the settings are chosen
    from django.test import Client  # noqa: PLC0415  # only once the settings are chosen

    client = Client()
    client.cookies[settings.PORTAL_COOKIE] = secret
    queries: list[str] = []

    def count(run: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return run(sql, *rest)

    with connection.execute_wrapper(count):
        answer = client.get(path)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answered {answer.status_code}")
    times, cpu = [], []
    for _round in range(ROUNDS):
        started, burnt = time.perf_counter(), time.process_time()
        client.get(path)
        times.append((time.perf_counter() - started) * 1000)
        cpu.append((time.process_time() - burnt) * 1000)
    median, longest = statistics.median(times), max(times)
    return {
        "median_ms": round(median, 1), "max_ms": round(longest, 1), "cpu_ms": round(statistics.median(cpu), 1), "queries": len(queries),
    }  # fmt: skip


if __name__ == "__main__":
    main()
