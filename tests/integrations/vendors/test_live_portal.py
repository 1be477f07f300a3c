"""A vendor that hangs under a real portal: it costs its own organisation its own calls, and nobody else anything (security.md P10)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from integrations.models import CircuitBreaker, VendorHealth
from tests.cast import Cast
from tests.integrations.vendors.stand_in import Asked, StandIn, said
from tests.processes import Portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.wire("auvious", "3.6 Outbound calls")]
TOKEN = "t0ken-of-nobody"
TIMEOUT = 3.0


class Caller:
    """A client of the cast at a portal."""

    def __init__(self, portal: Portal, cast: Cast, name: str) -> None:
        known = cast.said["clients"][name]
        self.url, self.line = portal.url, requests.Session()
        self.line.trust_env = False
        pair = (known["client_id"], known["client_secret"])
        form = {"grant_type": "client_credentials"}
        token = self.line.post(f"{portal.url}/security/oauth/token", auth=pair, data=form).json()["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def refresh(self, partner: str = "talkdesk") -> tuple[int, float]:
        """Answer the status, and how many seconds it took."""
        began = time.monotonic()
        answer = requests.post(
            f"{self.url}/security/{partner}/refresh_token", json={"refresh_token": TOKEN}, headers=self.headers, timeout=60
        )  # fmt: skip
        return answer.status_code, time.monotonic() - began


def silence(server: StandIn) -> Callable[[Asked], Iterator[bytes]]:
    def nothing(asked: Asked) -> Iterator[bytes]:
        server.over.wait(60)
        yield b""

    return nothing


def test_a_vendor_that_hangs_hangs_alone(start_portal: Callable[..., Portal], cast: Cast, stand_in: StandIn) -> None:
    stand_in.behaviour.answer = silence(stand_in)
    with_nice = StandIn()
    nice = {"issuer": with_nice.url, "token_endpoint": f"{with_nice.url}/auth/token"}
    with_nice.behaviour.answer = lambda asked: said(200, nice if asked.path.startswith("/.well-known") else {"a": 1})
    portal = start_portal(
        TALKDESK_BASE_URL=stand_in.url, NICE_BASE_URL=with_nice.url, UPSTREAM_TIMEOUT_SECONDS=str(int(TIMEOUT))
    )
    acme = Caller(portal, cast, "acme_service")

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _number: acme.refresh(), range(24)))
    assert {status for status, _took in found} == {502}
    assert (
        max(took for _status, took in found) < 3 * TIMEOUT + 3
    )  # its own time, and that of those before it in the queue

    # Both web processes know by now; nobody is asked, nobody waits.
    count = len(stand_in.asked)
    assert count < 24
    for status, took in (acme.refresh() for _number in range(8)):
        assert (status, took < TIMEOUT) == (502, True)
    assert len(stand_in.asked) == count
    assert acme.refresh("nice")[0] == 200

    assert list(CircuitBreaker.objects.values_list("organization__name", "vendor")) == [("acme", "talkdesk")]
    health = VendorHealth.objects.values_list("vendor", "last_error")
    assert set(health) == {("talkdesk", "timeout"), ("nice", "")}
    for secret in (TOKEN, "demo-talkdesk-secret", "ZGVtby10YWxrZGVz"):
        assert secret not in portal.log.read_text()
    with_nice.close()
