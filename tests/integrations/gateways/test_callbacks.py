"""Twilio reports what became of a message; only what is signed with the account's token counts (clarifications 37)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from identity import clock, otp, otp_plans, outbox
from identity.models import OtpVerification, OutboxMessage
from tests.cast import Cast
from tests.integrations.gateways.twilio_server import SID, SMS_URL, TOKEN

State = OutboxMessage.State
PUBLIC = "https://id.example"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def twilio(settings: Any) -> None:
    settings.SMS_URL, settings.PUBLIC_URL = SMS_URL, PUBLIC


@pytest.fixture
def message(cast: Cast) -> OutboxMessage:
    message = outbox.put(
        channel="SMS", to="+46701740605", template="password_reset", locale="en", organization=cast.organization("acme"),
        context={"link": "https://id.example/reset/?token=a", "name": "Bob", "username": "bob", "minutes": 30},
    )  # fmt: skip
    OutboxMessage.objects.filter(pk=message.pk).update(
        state=State.SENT, provider_id="SM1", provider_status="queued", context_sealed=""
    )
    return message


def signature(url: str, fields: dict[str, str], token: str = TOKEN) -> str:
    """As Twilio makes it: the address, then every name and value, sorted by name."""
    said = url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), said.encode(), hashlib.sha1).digest()).decode()


def path_of(message: Any) -> str:
    return f"/gateways/twilio/status/{getattr(message, 'pk', message)}"


def form(word: str, **more: str) -> dict[str, str]:
    return {
        "AccountSid": SID,
        "MessageSid": "SM1",
        "MessageStatus": word,
        "To": "+46701740605",
        "From": "+46700000000",
        **more,
    }


def post(
    message: Any, fields: dict[str, str], *, signed: str | None = None, public: str = PUBLIC, **how: Any
) -> HttpResponse:
    signed = signature(public + path_of(message), fields) if signed is None else signed
    return Client().post(
        path_of(message), urlencode(fields), content_type=FORM, headers={"X-Twilio-Signature": signed}, **how
    )


def left(message: OutboxMessage) -> tuple[str, str, str]:
    message.refresh_from_db()
    return message.state, message.provider_status, message.last_error


@pytest.mark.parametrize(
    ("fields", "state", "error"),
    [
        (form("delivered"), State.DELIVERED, ""),
        (form("read"), State.DELIVERED, ""),
        (form("undelivered", ErrorCode="30003"), State.FAILED, "Twilio: undelivered (30003)"),
        (form("failed", ErrorCode="+46701740605"), State.FAILED, "Twilio: failed"),
        (form("canceled"), State.FAILED, "Twilio: canceled"),
        (form("sent"), State.SENT, ""),
        (form("sending"), State.SENT, ""),
        ({"AccountSid": SID, "CallSid": "SM1", "CallStatus": "completed"}, State.DELIVERED, ""),
        ({"AccountSid": SID, "CallSid": "SM1", "CallStatus": "busy"}, State.FAILED, "Twilio: busy"),
        ({"AccountSid": SID, "CallSid": "SM1", "CallStatus": "no-answer"}, State.FAILED, "Twilio: no-answer"),
        ({"AccountSid": SID, "CallSid": "SM1", "CallStatus": "ringing"}, State.SENT, ""),
    ],
    ids=lambda value: value.get("MessageStatus") or value.get("CallStatus") if isinstance(value, dict) else "",
)  # fmt: skip
def test_a_signed_report_is_written_down(
    message: OutboxMessage, fields: dict[str, str], state: str, error: str
) -> None:
    answer = post(message, fields)

    assert (answer.status_code, answer.content) == (204, b"")
    word = fields.get("MessageStatus") or fields.get("CallStatus")
    assert left(message) == (state, word, error)
    assert message.reported_at is not None


def test_reports_that_overtake_each_other_take_nothing_back(message: OutboxMessage) -> None:
    words = ["sent", "queued", "delivered", "sending", "undelivered", "delivered"]

    statuses = [post(message, form(word)).status_code for word in words]

    assert (statuses, left(message)) == ([204] * 6, (State.DELIVERED, "delivered", ""))


@pytest.mark.parametrize(("words", "last"), [(["sent", "sending", "queued"], "sent"), (["in-progress", "ringing", "initiated"], "in-progress"), (["accepted", "sending", "sent"], "sent")], ids=["message", "call", "in order"])  # fmt: skip
def test_a_word_on_the_way_that_was_overtaken_counts_for_nothing(
    message: OutboxMessage, words: list[str], last: str
) -> None:
    for word in words:
        assert post(message, form(word)).status_code == 204

    assert left(message) == (State.SENT, last, "")


def test_a_word_that_nobody_knows_says_nothing(message: OutboxMessage) -> None:
    assert post(message, form("teleported")).status_code == 204

    assert left(message) == (State.SENT, "queued", "")


def test_letters_of_every_kind_and_empty_fields_are_signed_too(message: OutboxMessage) -> None:
    fields = form("delivered", Body="Åsas & Söner = 100 % + ü", Empty="", a="small letters come last")

    assert post(message, fields).status_code == 204


@pytest.mark.parametrize(
    "signed",
    ["", "x", "ÿ", signature(PUBLIC, {}), signature("https://evil.example", form("delivered"))],
    ids=["none", "short", "no-ascii", "of-nothing", "another-host"],
)
def test_what_is_not_signed_is_refused(message: OutboxMessage, signed: str) -> None:
    answer = post(message, form("delivered"), signed=signed)

    assert (answer.status_code, answer.content) == (403, b"")
    assert left(message) == (State.SENT, "queued", "")


def test_what_is_signed_with_another_token_is_refused(message: OutboxMessage) -> None:
    fields = form("delivered")

    assert post(message, fields, signed=signature(PUBLIC + path_of(message), fields, "other")).status_code == 403


@pytest.mark.parametrize("url", ["", "twilio://AC0123@default/?from=+4670"], ids=["no gateway", "no token"])
def test_without_a_token_nobody_s_signature_is_right(message: OutboxMessage, settings: Any, url: str) -> None:
    settings.SMS_URL = url
    fields = form("delivered")

    assert post(message, fields, signed=signature(PUBLIC + path_of(message), fields, "")).status_code == 403


def test_a_report_about_one_message_says_nothing_about_another(message: OutboxMessage, cast: Cast) -> None:
    fields = form("delivered")

    assert post(message, fields, signed=signature(PUBLIC + path_of(uuid4()), fields)).status_code == 403


@pytest.mark.parametrize("change", [{"MessageStatus": "failed"}, {"Extra": "1"}, {"AccountSid": "AC9"}])
def test_what_was_changed_on_the_way_is_refused(message: OutboxMessage, change: dict[str, str]) -> None:
    fields = form("delivered")

    answer = post(message, fields | change, signed=signature(PUBLIC + path_of(message), fields))

    assert answer.status_code == 403


def test_another_account_s_report_is_refused_though_it_is_signed(message: OutboxMessage) -> None:
    assert post(message, form("delivered", AccountSid="AC9")).status_code == 403
    assert left(message) == (State.SENT, "queued", "")


def test_a_host_that_somebody_claims_makes_no_signature_right(message: OutboxMessage, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["evil.example"]
    fields = form("delivered")
    signed = signature("https://evil.example" + path_of(message), fields)

    assert post(message, fields, signed=signed, HTTP_HOST="evil.example").status_code == 403


@pytest.mark.parametrize(
    ("public", "signed_as"),
    [
        ("https://id.example:8443", "https://id.example:8443"), ("https://id.example:8443", "https://id.example"),
        ("https://id.example", "https://id.example:443"), ("http://[::1]:8000", "http://[::1]"),
    ],
)  # fmt: skip
def test_twilio_signs_the_address_with_or_without_its_port(
    message: OutboxMessage, settings: Any, public: str, signed_as: str
) -> None:
    settings.PUBLIC_URL = public

    assert post(message, form("delivered"), public=signed_as).status_code == 204


@pytest.mark.parametrize("sid", ["SM2", "", "S M", "x" * 200])
def test_a_message_that_twilio_knows_by_another_id_is_not_touched(message: OutboxMessage, sid: str) -> None:
    assert post(message, form("delivered", MessageSid=sid)).status_code == 404
    assert left(message) == (State.SENT, "queued", "")


def test_a_message_that_nobody_knows_is_not_found(message: OutboxMessage) -> None:
    assert post(uuid4(), form("delivered")).status_code == 404


@pytest.mark.parametrize(("body", "status"), [(b"a=%ff", 400), (b"\xff", 400), ("å=1".encode(), 400), (b"&".join([b"a=1"] * 101), 400), (b"a=" + b"x" * 65_535, 413), (b"a=" + b"x" * 2_000_000, 413), (b"", 403)], ids=["escape", "bytes", "utf8", "many", "large", "huge", "empty"])  # fmt: skip
def test_a_body_that_is_no_report_is_refused(message: OutboxMessage, body: bytes, status: int) -> None:
    answer = Client().post(path_of(message), body, content_type=FORM)

    assert (answer.status_code, answer.content) == (status, b"")


@pytest.mark.parametrize("length", ["x", "-1", "²"])
def test_a_length_that_is_no_number_is_refused(message: OutboxMessage, length: str) -> None:
    assert post(message, form("sent"), CONTENT_LENGTH=length).status_code == 400


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "options", "patch"])
def test_reports_are_only_posted(message: OutboxMessage, method: str) -> None:
    answer = getattr(Client(), method)(path_of(message))

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_no_cross_site_token_and_no_login_is_asked_for(message: OutboxMessage) -> None:
    fields = form("delivered")
    answer = Client(enforce_csrf_checks=True).post(
        path_of(message), urlencode(fields), content_type=FORM,
        headers={"X-Twilio-Signature": signature(PUBLIC + path_of(message), fields)},
    )  # fmt: skip

    assert answer.status_code == 204
    assert not answer.cookies


@pytest.mark.parametrize(("word", "goes_on"), [("undelivered", True), ("delivered", False), ("sent", False)])
def test_the_plan_of_a_code_that_did_not_arrive_goes_on_at_once(cast: Cast, word: str, goes_on: bool) -> None:
    acme = cast.organization("acme")
    acme.message_fallbacks = ["VOICE 300"]
    acme.save(update_fields=["message_fallbacks"])
    verification_id = otp.request(by=cast.principal("bob"), organization=acme, to="+46701740605")
    first = OutboxMessage.objects.get(subject_key=verification_id)

    assert post(first, form(word)).status_code == 204

    verification = OtpVerification.objects.get(pk=verification_id)
    assert verification.fallback_at is not None
    assert (verification.fallback_at <= clock.now()) is goes_on
    assert otp_plans.follow() == (1 if goes_on else 0)
    assert OutboxMessage.objects.filter(channel="VOICE").count() == (1 if goes_on else 0)
