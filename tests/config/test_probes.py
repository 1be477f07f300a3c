"""Alive, ready, and the figures that Prometheus reads."""

from __future__ import annotations

import re

import pytest
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django.fixtures import Settings

from config import health
from config.broker import leases
from config.celery import app


def test_alive_asks_no_database(client: Client) -> None:
    answer = client.get("/healthz")  # a query would fail: the test has no database

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert "no-store" in answer.headers["Cache-Control"]


def test_ready_names_what_it_asked(client: Client, db: None) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "checks": {"database": True, "migrations": True, "broker": True}}
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_migration_that_waits_is_not_ready(client: Client, db: None) -> None:
    MigrationRecorder.Migration.objects.filter(app="config").delete()

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"database": True, "migrations": False, "broker": True}}


def test_a_database_that_does_not_answer_is_not_ready(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise DatabaseError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", gone)
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"status": "not ready", "checks": {"database": False, "migrations": False, "broker": True}}


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "amqp://guest:guest@127.0.0.1:1//"])
def test_a_broker_that_does_not_answer_is_not_ready(url: str) -> None:
    with app.connection_for_write(url) as broker:
        assert health.answers(broker) is False


# --- figures ---------------------------------------------------------------------------------------------------------
def figure(client: Client, name: str, **labels: str) -> float:
    """One number of the page; 0 when it is not there yet."""
    wanted = {f'{label}="{value}"' for label, value in labels.items()}
    for line in client.get("/metrics").content.decode().splitlines():
        found = re.fullmatch(r"(\w+)\{(.*)\} (\S+)", line)
        if found and found[1] == name and wanted <= set(found[2].split(",")):
            return float(found[3])
    return 0.0


def test_a_request_is_counted_under_its_route(client: Client, db: None) -> None:
    before = figure(client, "http_requests_total", method="GET", route="healthz", status="200")

    for _ in range(3):
        client.get("/healthz?with=something")

    assert figure(client, "http_requests_total", method="GET", route="healthz", status="200") == before + 3


def test_what_matches_nothing_is_one_route(client: Client, db: None) -> None:
    before = figure(client, "http_requests_total", method="GET", route="unmatched", status="404")

    client.get("/nowhere/1")
    client.get("/nowhere/2")

    assert figure(client, "http_requests_total", method="GET", route="unmatched", status="404") == before + 2
    assert "/nowhere" not in client.get("/metrics").content.decode()


def test_a_method_that_nobody_knows_makes_no_figure_of_its_own(client: Client, db: None) -> None:
    before = figure(client, "http_requests_total", method="other", route="healthz")

    client.generic("BREW", "/healthz")

    assert figure(client, "http_requests_total", method="other", route="healthz") == before + 1
    assert "BREW" not in client.get("/metrics").content.decode()


def test_the_embedded_broker_tells_how_much_waits_and_what_died(client: Client, db: None, settings: Settings) -> None:
    settings.IS_EMBEDDED = True
    leases.put(queue="default", tag="1", body="{}")
    leases.put(queue="default", tag="2", body="{}")
    leases.bury(tag="2")

    assert figure(client, "broker_messages", queue="default", state="waiting") == 1
    assert figure(client, "broker_messages", queue="default", state="dead") == 1


@pytest.mark.parametrize(
    ("environment", "address", "sent", "status"),
    [
        ("development", "192.0.2.1", "", 200),
        ("production", "127.0.0.1", "", 200),
        ("production", "192.0.2.1", "", 403),
        ("production", "192.0.2.1", "Bearer wrong", 403),
        ("production", "192.0.2.1", "Bearer the-token-of-the-metrics", 200),
    ],
)
def test_in_production_the_figures_are_for_loopback_and_the_token(
    client: Client, db: None, settings: Settings, environment: str, address: str, sent: str, status: int
) -> None:
    settings.PORTAL_ENV, settings.METRICS_TOKEN = environment, "the-token-of-the-metrics"

    assert client.get("/metrics", REMOTE_ADDR=address, headers={"Authorization": sent}).status_code == status


def test_without_a_token_an_empty_bearer_reads_nothing(client: Client, settings: Settings) -> None:
    settings.PORTAL_ENV, settings.METRICS_TOKEN = "production", ""

    answer = client.get("/metrics", REMOTE_ADDR="192.0.2.1", headers={"Authorization": "Bearer "})

    assert answer.status_code == 403
