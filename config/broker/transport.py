"""The kombu transport that Celery loads for `embedded://`: virtual queues over the lease verbs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime
from queue import Empty
from time import monotonic
from typing import Any, cast

from django.db import InterfaceError, OperationalError, connection
from kombu.transport import virtual

from config.broker import leases

RENEW_EVERY = leases.LEASE.total_seconds() / 3
POLL_SECONDS = 0.1

Payload = dict[str, Any]


class Deliveries(virtual.QoS):
    """What this worker has leased and not yet acknowledged; acknowledgements come from the threads of the pool."""

    renewed_at = 0.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.freed = threading.Event()

    def ack(self, delivery_tag: str) -> None:
        leases.end(tag=delivery_tag)
        super().ack(delivery_tag)
        self.freed.set()

    def wait_for_room(self, *, seconds: float) -> None:
        """Waits until a thread of the pool is free, at most so long.

        Polling in the dark instead would let every thread of a busy worker rest between two messages.
        """
        self.freed.clear()
        if not self.can_consume():
            self.freed.wait(seconds)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if requeue:
            leases.give_back(tag=delivery_tag, is_blameless=False)
        else:
            leases.bury(tag=delivery_tag)
        super().ack(delivery_tag)
        self.freed.set()

    def renew(self) -> None:
        """Tells the table that this worker is alive, so that only a dead worker's messages become free."""
        if monotonic() - self.renewed_at < RENEW_EVERY:
            return
        self.renewed_at = monotonic()
        if held := set(self._delivered or ()) - set(self._dirty or ()):
            leases.keep(tags=held)


class Channel(virtual.Channel):
    """One consumer's or publisher's view of the table."""

    QoS = Deliveries

    def _put(self, queue: str, message: Payload, **options: Any) -> None:
        eta = (message.get("headers") or {}).get("eta")
        leases.put(
            queue=queue,
            tag=message["properties"]["delivery_tag"],
            body=json.dumps(message),
            # A delayed task waits in the table and not in a worker's memory.
            not_before=datetime.fromisoformat(eta) if eta else None,
        )

    def _get(self, queue: str, timeout: float | None = None) -> Payload:
        return self._take([queue])[1]

    def _poll(self, cycle: object, callback: Callable[..., None], timeout: float | None = None) -> None:
        queue, payload = self._take(list(self._active_queues))
        callback(payload, queue)

    def _take(self, queues: list[str]) -> tuple[str, Payload]:
        row = leases.take(queues=queues)
        if row is None:
            raise Empty
        payload: Payload = json.loads(row.body)
        payload["redelivered"] = row.tries > 1
        return row.queue, payload

    def drain_events(self, timeout: float | None = None, callback: Callable[..., None] | None = None) -> Any:
        held = cast(Deliveries, self.qos)
        held.renew()
        held.wait_for_room(seconds=POLL_SECONDS)
        return super().drain_events(timeout=timeout, callback=callback)

    def _restore(self, message: virtual.Message) -> None:
        leases.give_back(tag=str(message.delivery_tag), is_blameless=True)

    def _size(self, queue: str) -> int:
        return leases.waiting(queue=queue)

    def _purge(self, queue: str) -> int:
        return leases.empty(queue=queue)


class Transport(virtual.Transport):
    """`embedded://`"""

    Channel = Channel
    polling_interval = POLL_SECONDS
    driver_type = "embedded"
    driver_name = "embedded"
    connection_errors = (*virtual.Transport.connection_errors, OperationalError, InterfaceError)

    def establish_connection(self) -> Transport:
        # After an error Celery connects again: the thread's database connection must be a new one then, too. Inside a
        # transaction somebody else is in the middle of his work, and publishing must not take the floor away.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        super().establish_connection()
        return self

    def driver_version(self) -> str:
        return "1"
