"""A code is nowhere but in its message: not in the tables, the broker, the logs, nor a file (clarifications 36, security.md P1)."""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from django.db import connection

from config.management.commands.serve import BEAT
from identity import clock, crypto, otp, tasks
from identity.models import OtpVerification, OutboxMessage
from identity.principal import Via
from tests.cast import Cast
from tests.integrations.gateways.mail_server import MailServer
from tests.integrations.gateways.twilio_server import SMS_URL, Answer, TwilioServer
from tests.processes import Portal, Running
from tests.stories.code_caller import OPEN, CodeCaller, code_in, mailed, texted

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

State = OutboxMessage.State
OVER = (State.SENT, State.DELIVERED, State.FAILED, State.DEAD)
# The fractions of moments are six digits, too.
MOMENT = re.compile(r"\d{2}:\d{2}:\d{2}[.,]\d+")
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")


@pytest.fixture
def twilio() -> Iterator[TwilioServer]:
    server = TwilioServer()
    yield server
    server.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def traces(codes: set[str], places: dict[str, str]) -> list[tuple[str, str]]:
    """Where a code stands, as it is or digit by digit, in the clear or in base64."""
    spoken = "|".join(r"[\s,.\-]{0,2}".join(code) for code in codes)
    pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{spoken})(?![0-9A-Za-z])")
    found = []
    for place, text in places.items():
        plain = MOMENT.sub("", text)
        opened = " ".join(map(opened_base64, BASE64.findall(plain)))
        found += [(place, code) for code in pattern.findall(f"{plain} {opened}")]
    return found


def opened_base64(text: str) -> str:
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("latin-1")
    except binascii.Error:
        return ""


def everywhere(*logs: Path) -> dict[str, str]:
    return {**tables(), **brokers(), **files(settings.DATA_DIR), **{log.name: log.read_text() for log in logs}}


def tables() -> dict[str, str]:
    """Every table, the embedded broker's among them."""
    quoted = connection.ops.quote_name
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {quoted(table)}")  # noqa: S608  # names that the database itself says
            found[table] = "\n".join(" | ".join(map(shown, row)) for row in cursor.fetchall())
    return found


def shown(value: Any) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, (bytes, memoryview)) else str(value)


def brokers() -> dict[str, str]:
    """Every key of the Redis that is broker or cache."""
    urls = {url for url in (settings.CELERY_BROKER_URL, settings.REDIS_URL) if urlsplit(url).scheme == "redis"}
    found = {}
    for url in urls:
        with redis.Redis.from_url(url) as line:
            for key in line.scan_iter():
                # Of any kind: a dump holds the values as they are, and is compressed only where they are long.
                found[shown(key)] = shown(key) + " " + content(line, key)
    return found


def content(line: Any, key: bytes) -> str:
    match line.type(key):
        case b"string":
            values = [line.get(key)]
        case b"list":
            values = line.lrange(key, 0, -1)
        case b"hash":
            values = [part for pair in line.hgetall(key).items() for part in pair]
        case b"zset":
            values = line.zrange(key, 0, -1)
        case _:
            values = line.smembers(key)
    return " ".join(shown(value) for value in values if value is not None)


def files(folder: Path) -> dict[str, str]:
    """Everything that is written at run time: the database's pages, beat's notes, counters.

    Read by another process: one that opens SQLite's file by itself and closes it loses all of its locks on it (POSIX), and then
    the log that another process needs is taken away.
    """
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and settings.MESSAGE_SPOOL not in path.parents:
            pages = subprocess.run(["cat", str(path)], check=False, capture_output=True).stdout  # our own files
            found[str(path.relative_to(folder))] = pages.decode("latin-1")
    return found


def tasks_that_wait() -> int:
    """How many messages the broker of this suite holds."""
    if urlsplit(settings.CELERY_BROKER_URL).scheme == "embedded":
        return int(tables()["config_queuedmessage"].count("identity.tasks.deliver"))
    return sum(text.count("identity.tasks.deliver") for text in brokers().values())


@pytest.mark.parametrize(
    "said",
    ["code 042137", '{"x": "042137"}', "0 4 2 1 3 7", "0, 4, 2, 1, 3, 7", base64.b64encode(b'[{"text": "042137"}]').decode(), "is.042137"],
    ids=["bare", "json", "spoken", "listed", "base64", "behind-a-dot"],
)  # fmt: skip
def test_the_search_finds_a_code_where_one_is(said: str) -> None:
    assert [
        place for place, _found in traces({"042137"}, {"here": said, "there": "10:20:30.042137 a042137 1042137"})
    ] == ["here"]


def test_no_code_is_found_outside_its_message(
    start_portal: Callable[..., Portal],
    start_worker: Callable[..., Running],
    cast: Cast,
    twilio: TwilioServer,
    mail: MailServer,
    tmp_path: Path,
) -> None:
    # given a portal that logs all it can, on a Twilio that repeats what it is told when it refuses, and a plan
    acme = cast.organization("acme")
    acme.message_fallbacks = ["VOICE 60"]
    acme.save(update_fields=["message_fallbacks"])
    ways = {
        **OPEN, "LOG_LEVEL": "DEBUG", "SMS_URL": SMS_URL, "TWILIO_BASE_URL": twilio.url, "EMAIL_URL": mail.url(),
    }  # fmt: skip
    portal = start_portal(**ways)
    beat = Running((*BEAT,), tmp_path / "beat.log", **ways)
    caller = CodeCaller(portal, cast)

    # when codes are asked for on all channels and wait for a worker
    numbers = [f"+4670174{n:04}" for n in range(4)]
    ids = {to: caller.ask(to, name="Åsas Bank", locale="sv", key=f"key of {to}") for to in numbers}
    ids |= {
        to: caller.ask(to, channel="VOICE", locale=locale)
        for to, locale in (("+4681234567", "el"), ("+4681234568", "en"))
    }
    ids |= {to: caller.ask(to) for to in ("anna@acme.example", "b@acme.example")}
    caller.ask(numbers[0])
    codes = {to: code_of(id_) for to, id_ in ids.items()}
    assert tasks_that_wait() >= 9
    assert traces(set(codes.values()), everywhere(portal.log, beat.log)) == []

    # and a worker sends them, though a gateway fails first, and says again what it was told
    twilio.answers = [
        Answer(500),
        Answer(400, json.dumps({"message": " ".join(codes.values())}).encode()),
        Answer(takes=True, fault="hangs_up"),
    ]
    mail.behaviour.replies["."] = f"451 not now: {' '.join(codes.values())}"
    worker = start_worker(**ways)
    worker.wait_until(lambda: "451" in " ".join(OutboxMessage.objects.values_list("last_error", flat=True)))
    assert traces(set(codes.values()), everywhere(portal.log, beat.log, worker.log)) == []
    mail.behaviour.replies.clear()
    worker.wait_until(lambda: not OutboxMessage.objects.exclude(state__in=OVER).exists(), 90)

    # and they are checked wrongly and rightly, used up, sent by another channel, and left to expire
    for to in list(ids)[:5]:
        assert caller.check(ids[to], to, f"{(int(codes[to]) + 1) % 10**6:06d}") == 400
        assert caller.check(ids[to], "+46701740999", codes[to]) == 400
    for to in list(ids)[1:4]:
        assert caller.check(ids[to], to, codes[to]) == 204
    via = Via(door="test", address="127.0.0.1")
    otp.consume(otp.hold(organization=acme, verification_id=ids[numbers[1]], code=codes[numbers[1]], via=via), via=via)
    OtpVerification.objects.filter(pk=ids[numbers[0]]).update(fallback_at=clock.now())
    tasks.follow_plans.delay()
    worker.wait_until(lambda: OtpVerification.objects.get(pk=ids[numbers[0]]).fallback_at is None)
    worker.wait_until(lambda: not OutboxMessage.objects.exclude(state__in=OVER).exists(), 90)
    expired = OtpVerification.objects.filter(approved_at=None)
    expired.update(expires_at=clock.now() - timedelta(seconds=1))
    for task in (tasks.purge, tasks.seal_audit):
        task.delay()
    worker.wait_until(lambda: not expired.exclude(code_sealed="").exists())
    for one in (beat, worker, portal):
        one.stop()

    # then they have arrived, and are nowhere else
    arrived = {code for _to, code in texted(twilio) + mailed(mail.messages)}
    arrived |= {code_in(request.fields["Twiml"]) for request in twilio.posts if "Twiml" in request.fields}
    assert arrived <= set(codes.values())
    assert len(arrived) >= len(set(codes.values())) - 1  # but for the one that Twilio refused for good
    places = everywhere(portal.log, beat.log, worker.log)
    assert traces(set(codes.values()), places) == []
    # SQLite keeps ids without dashes
    bare = {table: places[table].replace("-", "") for table in ("identity_otpverification", "identity_outboxmessage")}
    assert all(ids[to].replace("-", "") in rows for rows in bare.values() for to in ids)
    assert '"level": "DEBUG"' in places[portal.log.name]
    assert "identity.tasks.deliver" in places[worker.log.name]


def code_of(id_: str) -> str:
    verification = OtpVerification.objects.get(pk=id_)
    return crypto.open_sealed(verification.code_sealed, place=verification.place())
