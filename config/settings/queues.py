"""What Celery is told: ids only, acknowledged late, nothing that a request could hang on, and the timetable of beat."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from kombu import Queue

from config.settings.declared import CELERY_BROKER_URL, DATA_DIR, WORKER_CONCURRENCY

SCHEME = urlsplit(CELERY_BROKER_URL).scheme
IS_EMBEDDED = SCHEME == "embedded"

CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT, CELERY_TASK_SOFT_TIME_LIMIT = 30, 20
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True

# A broker that accepts connections and never answers must not hold up the request that publishes: it fails within
# seconds, and beat's next sweep finds the row that says what is to be done.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker for ever
TRANSPORT_OPTIONS: dict[str, dict[str, Any]] = {
    # Redis hands out a message again after the visibility time: longer than a task, shorter than a code lives.
    "redis": {"socket_connect_timeout": 1, "socket_timeout": 2, "visibility_timeout": 120},
    "amqp": {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5},
}
CELERY_BROKER_TRANSPORT_OPTIONS = TRANSPORT_OPTIONS.get(SCHEME.removesuffix("s"), {})

# Embedded: threads, because a fork must not share an open SQLite file. Threads have no time limit, so every call out
# of the house brings its own.
CELERY_WORKER_POOL = "threads" if IS_EMBEDDED else "prefork"
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
# Tasks are safe to run twice; one that is cut off while sending leaves a message of which nobody knows.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False

# Consumed in this order: a code that somebody waits for overtakes everything else.
CELERY_TASK_QUEUES = (Queue("urgent", routing_key="urgent"), Queue("default", routing_key="default"))
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_DEFAULT_ROUTING_KEY = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = False

CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat")
CELERY_BEAT_SCHEDULE = {
    # `expires`: after a night without a worker one sweep is due, not five hundred.
    "drain the outbox": {"task": "identity.tasks.drain_outbox", "schedule": 15.0, "options": {"expires": 14}},
    "follow fallback plans": {"task": "identity.tasks.follow_plans", "schedule": 5.0, "options": {"expires": 4}},
    "end login-as in time": {"task": "identity.tasks.sweep_login_as", "schedule": 15.0, "options": {"expires": 14}},
    "seal the audit trail": {"task": "identity.tasks.seal_audit", "schedule": 30.0, "options": {"expires": 25}},
    "purge what has expired": {"task": "identity.tasks.purge", "schedule": 3600.0, "options": {"expires": 3000}},
    "purge tickets that are over": {"task": "tickets.tasks.purge", "schedule": 3600.0, "options": {"expires": 3000}},
    "undo lost callbacks": {"task": "integrations.tasks.sweep_callbacks", "schedule": 60.0, "options": {"expires": 50}},
    "purge old callbacks": {"task": "integrations.tasks.purge", "schedule": 3600.0, "options": {"expires": 3000}},
    "forget dead messages": {"task": "config.tasks.forget_dead_messages", "schedule": 86400.0},
}
