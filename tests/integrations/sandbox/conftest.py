"""The sandbox, serving over real HTTP, and the operator's word that the vendors are there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from integrations.sandbox import server
from integrations.sandbox.server import STAND_INS, Sandbox
from integrations.vendors import nice


@pytest.fixture
def sandbox(settings: Any) -> Iterator[Sandbox]:
    """All four stand-ins, for the portal of the tests."""
    listening = server.listening_socket(0)
    running = Sandbox(listening, STAND_INS, portal=settings.PUBLIC_URL)
    for vendor, base in running.bases.items():
        setattr(settings, f"{vendor.upper()}_BASE_URL", base)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    cache.clear()
    nice._known.clear()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()
    cache.clear()
    nice._known.clear()
