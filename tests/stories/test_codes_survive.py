"""What was accepted goes out once, whatever dies meanwhile: workers, the broker, Redis, a clock (operating.md 6.3, security.md P2, P14)."""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from celery import current_app
from django.conf import settings

from config.management.commands.serve import WORKER
from identity import clock, crypto, tasks
from identity.models import OtpVerification, OutboxMessage
from tests.cast import Cast
from tests.integrations.gateways.twilio_server import SMS_URL, Answer, TwilioServer
from tests.processes import Portal, Running
from tests.stories.code_caller import OPEN, CodeCaller, code_in, texted

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

State = OutboxMessage.State
OVER = (State.SENT, State.DELIVERED, State.FAILED, State.DEAD)
BROKER = urlsplit(settings.CELERY_BROKER_URL)
# A second of a worker's clock is a second of the database's, so many seconds earlier or later.
SKEW = 600
# Celery under another time than the machine's, as on a host whose clock is off.
OFF = """
import sys, time, time_machine
time_machine.travel(time.time() + float(sys.argv.pop(1)), tick=True).start()
from celery.__main__ import main
main()
"""


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    server = TwilioServer()
    yield server
    server.close()


@pytest.fixture
def ways(twilio: TwilioServer, tmp_path: Path) -> dict[str, str]:
    """The environment of a portal or worker: texts go to Twilio, mails into a spool."""
    return {**OPEN, "SMS_URL": SMS_URL, "TWILIO_BASE_URL": twilio.url, "MESSAGE_SPOOL": str(tmp_path / "spool")}


def spooled(folder: Path) -> list[tuple[str, str]]:
    """Every mail in the spool: to whom, and the code in it."""
    letters = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return [(letter["to"], code_in(letter["body"])) for letter in letters]


def everything_is_over() -> bool:
    return not OutboxMessage.objects.exclude(state__in=OVER).exists()


def sweep_until(worker: Running, is_so: Callable[[], bool]) -> None:
    """Be beat: ask for a sweep now and then."""
    swept_at = 0.0

    def look() -> bool:
        nonlocal swept_at
        if is_so():
            return True
        if time.monotonic() > swept_at + 1:
            swept_at = time.monotonic()
            tasks.drain_outbox.delay()
        return False

    worker.wait_until(look, 90)


def let_the_leases_pass() -> None:
    """While no worker lives: as if so much time had gone by."""
    OutboxMessage.objects.filter(state=State.SENDING).update(lease_until=clock.now() - timedelta(seconds=1))


def test_each_code_arrives_once_though_workers_are_killed_before_during_and_after_its_sending(
    start_portal: Callable[..., Portal],
    start_worker: Callable[..., Running],
    cast: Cast,
    twilio: TwilioServer,
    ways: dict[str, str],
    tmp_path: Path,
) -> None:
    portal = start_portal(**ways)
    caller = CodeCaller(portal, cast)
    recipients = [f"+4670174{n:04}" if n % 3 else f"n{n}@acme.example" for n in range(60)]
    # given a Twilio that falls silent now and then, with the message or without it
    quiet = [Answer(takes=True, fault="silent"), Answer(fault="silent")]
    usual = [Answer(takes=True) for _ in range(8)]
    twilio.answers = [*usual, quiet[0], *usual, quiet[1], *usual, *quiet]

    # when workers die while codes are asked for and sent
    ids = {to: caller.ask(to) for to in recipients[:20]}
    for batch in (recipients[20:40], recipients[40:], []):
        worker, seen = start_worker(**ways), len(twilio.posts)
        ids |= {to: caller.ask(to) for to in batch}
        worker.wait_until(lambda seen=seen: len(twilio.posts) >= min(seen + 9, 28))  # type: ignore[misc]  # of this turn
        worker.kill()
        let_the_leases_pass()
    twilio.answers.clear()
    sweep_until(start_worker(**ways), everything_is_over)

    # then each has one message, with the code that opens
    arrived = texted(twilio) + spooled(tmp_path / "spool")
    assert sorted(to for to, _code in arrived) == sorted(recipients)
    assert {caller.check(ids[to], to, code) for to, code in arrived} == {204}
    assert {message.state for message in OutboxMessage.objects.all()} == {State.SENT}


def test_codes_go_out_although_the_broker_forgot_everything(
    start_portal: Callable[..., Portal],
    start_worker: Callable[..., Running],
    cast: Cast,
    twilio: TwilioServer,
    ways: dict[str, str],
) -> None:
    caller = CodeCaller(start_portal(**ways), cast)
    ids = {to: caller.ask(to) for to in (f"+4670174{n:04}" for n in range(5))}

    assert current_app.control.purge() >= 5
    sweep_until(start_worker(**ways), everything_is_over)

    assert {caller.check(ids[to], to, code) for to, code in texted(twilio)} == {204}
    assert sorted(to for to, _code in texted(twilio)) == sorted(ids)


class Wire(socketserver.ThreadingTCPServer):
    """A line to a server that can be cut, and mended: what stands between is gone as when a machine loses power."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, to: tuple[str, int]) -> None:
        self.to, self.ends, self.is_cut = to, list[socket.socket](), False
        super().__init__(("127.0.0.1", 0), _Pipe)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return not self.is_cut

    def cut(self) -> None:
        self.is_cut = True
        ends, self.ends = self.ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.is_cut = False

    def url(self, url: str) -> str:
        """The same address by this line."""
        parts = urlsplit(url)
        login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{self.server_address[1]}"))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break are what this is for."""


class _Pipe(socketserver.BaseRequestHandler):
    server: Wire

    def handle(self) -> None:
        with socket.create_connection(self.server.to) as far:
            self.server.ends += [self.request, far]
            back = threading.Thread(target=self.pass_on, args=(far, self.request), daemon=True)
            back.start()
            self.pass_on(self.request, far)
            back.join()

    def pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while piece := one.recv(65536):
                other.sendall(piece)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)


if BROKER.scheme == "redis":  # the embedded broker is the database: there is no line to it that could be cut alone

    def test_codes_are_accepted_while_broker_and_redis_are_gone_and_go_out_when_they_are_back(
        start_portal: Callable[..., Portal],
        start_worker: Callable[..., Running],
        cast: Cast,
        twilio: TwilioServer,
        ways: dict[str, str],
    ) -> None:
        wire = Wire((BROKER.hostname or "127.0.0.1", BROKER.port or 6379))
        here = {**ways, "CELERY_BROKER_URL": wire.url(settings.CELERY_BROKER_URL)}
        if settings.REDIS_URL:
            here["REDIS_URL"] = wire.url(settings.REDIS_URL)
        caller, worker = CodeCaller(start_portal(**here), cast), start_worker(**here)
        numbers = [f"+4670174{n:04}" for n in range(6)]
        ids = {to: caller.ask(to) for to in numbers[:2]}
        worker.wait_until(everything_is_over)

        wire.cut()
        ids |= {to: caller.ask(to) for to in numbers[2:4]}
        assert len(texted(twilio)) == 2
        wire.mend()
        ids |= {to: caller.ask(to) for to in numbers[4:]}
        sweep_until(worker, everything_is_over)

        assert sorted(to for to, _code in texted(twilio)) == numbers
        assert {caller.check(ids[to], to, code) for to, code in texted(twilio)} == {204}
        wire.shutdown()
        wire.server_close()


@pytest.mark.parametrize("skew", [-SKEW, SKEW], ids=["slow", "fast"])
def test_a_worker_whose_clock_is_off_neither_revives_nor_prolongs_nor_ends_a_code(
    start_portal: Callable[..., Portal],
    start_worker: Callable[..., Running],
    cast: Cast,
    twilio: TwilioServer,
    ways: dict[str, str],
    tmp_path: Path,
    skew: int,
) -> None:
    # given a code that has just expired, one that lives, and an old one that any purge forgets
    short = CodeCaller(start_portal(**ways, OTP_LIFETIME_SECONDS="1"), cast)
    caller = CodeCaller(start_portal(**ways), cast)
    gone, alive = "+46701740001", "+46701740002"
    ids = {gone: short.ask(gone), alive: caller.ask(alive)}
    codes = {to: code_of(ids[to]) for to in ids}
    lives = {to: expires_at(ids[to]) for to in ids}
    old = clock.now() - timedelta(days=120)
    OtpVerification.objects.create(
        organization=cast.organization("acme"), recipient=gone, recipient_key="old", created_at=old, expires_at=old
    )
    while clock.now() < lives[gone]:
        time.sleep(0.05)

    # when a worker that is ten minutes wrong does all that workers do
    worker = Running((sys.executable, "-c", OFF, str(skew), *WORKER[3:]), tmp_path / "off.log", **ways)
    try:
        sweep_until(worker, everything_is_over)
        tasks.follow_plans.delay()
        tasks.purge.delay()
        worker.wait_until(lambda: not OtpVerification.objects.filter(recipient_key="old").exists())
    finally:
        worker.kill()

    # then the one stays dead and the other alive, each to its moment
    assert {to: expires_at(ids[to]) for to in ids} == lives
    assert caller.check(ids[gone], gone, codes[gone]) == 404
    assert caller.check(ids[alive], alive, codes[alive]) == 204
    assert texted(twilio) == [(alive, codes[alive])]


def code_of(id_: str) -> str:
    verification = OtpVerification.objects.get(pk=id_)
    return crypto.open_sealed(verification.code_sealed, place=verification.place())


def expires_at(id_: str) -> Any:
    return OtpVerification.objects.get(pk=id_).expires_at
