"""The probes: alive asks nothing, ready asks the database, its migrations and the broker."""

from __future__ import annotations

from celery import current_app
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from kombu import Connection


@never_cache
def alive(request: HttpRequest) -> JsonResponse:
    """200 while the process answers; touches nothing outside of it."""
    return JsonResponse({"status": "alive"})


@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 when a request could be served, else 503 with what is missing."""
    checks = {"database": database_answers(), "migrations": migrations_applied(), "broker": broker_answers()}
    is_ready = all(checks.values())
    return JsonResponse(
        {"status": "ready" if is_ready else "not ready", "checks": checks}, status=200 if is_ready else 503
    )


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def migrations_applied() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


def broker_answers() -> bool:
    with current_app.connection_for_write() as broker:
        return answers(broker)


def answers(broker: Connection) -> bool:
    """Whether a task could be handed over now: one attempt, bounded by the time-outs of the settings."""
    transport = broker.transport
    refusals: tuple[type[BaseException], ...] = (OSError, *transport.connection_errors, *transport.channel_errors)
    try:
        transport.close_connection(transport.establish_connection())
    except refusals:
        return False
    return True
