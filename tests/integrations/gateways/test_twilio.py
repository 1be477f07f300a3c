"""Text messages and calls leave through Twilio, and every way in which it can fail has its meaning (clarifications 37)."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import time_machine

from identity import otp_texts, outbox
from identity.models import OutboxMessage
from identity.outbox import DeliveryFailed, DeliveryUnknown, Letter, Receipt
from integrations.gateways.twilio import LARGEST, VOICES, TwilioGateway, account
from integrations.vendors import transport
from tests.cast import Cast
from tests.integrations.gateways.letters import letter
from tests.integrations.gateways.twilio_server import SENDER, SID, SMS_URL, TOKEN, Answer, TwilioServer

TO = "+46701740605"
SECONDS = 1
FIRST_SID = "SM" + f"{1:032x}"


@pytest.fixture
def server(settings: Any) -> Iterator[TwilioServer]:
    server = TwilioServer()
    settings.SMS_URL, settings.TWILIO_BASE_URL, settings.PUBLIC_URL = SMS_URL, server.url, "https://id.example"
    settings.UPSTREAM_TIMEOUT_SECONDS = SECONDS
    yield server
    server.close()


def sms(**more: Any) -> Letter:
    usual: dict[str, Any] = {
        "channel": "SMS", "to": TO, "template": "otp", "subject": None, "body": "Din kod från Åsas Bank & Co är 123456.", "html": None,
        "created_at": datetime.now(UTC),
    }  # fmt: skip
    return letter(**(usual | more))


def call(**more: Any) -> Letter:
    return sms(**({"channel": "VOICE", "body": "Din kod: 1, 2 & 3.\nDin kod: 1, 2 & 3."} | more))


def refusal(given: Letter) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        TwilioGateway().send(given)
    return caught.value


# --- what is sent ----------------------------------------------------------------------------------------------------
def test_a_text_message_is_one_form(server: TwilioServer) -> None:
    sent = sms()

    receipt = TwilioGateway().send(sent)

    assert receipt == Receipt(FIRST_SID, "queued")
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", f"/2010-04-01/Accounts/{SID}/Messages.json")
    assert request.fields == {
        "To": TO, "From": SENDER, "Body": sent.body, "StatusCallback": f"https://id.example/gateways/twilio/status/{sent.id}",
    }  # fmt: skip
    assert request.headers["authorization"] == "Basic QUMwMTIzOnQwa2VuL29mOmFjbWU="
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_a_call_says_every_line_in_the_right_voice_with_a_pause_between(server: TwilioServer) -> None:
    sent = call()

    TwilioGateway().send(sent)

    (request,) = server.requests
    says = '<Say language="sv-SE">Din kod: 1, 2 &amp; 3.</Say>'
    assert request.path == f"/2010-04-01/Accounts/{SID}/Calls.json"
    assert request.fields == {
        "To": TO, "From": SENDER, "Twiml": f"<Response>{says}<Pause/>{says}</Response>",
        "StatusCallback": f"https://id.example/gateways/twilio/status/{sent.id}",
    }  # fmt: skip


def test_a_name_cannot_leave_its_sentence(server: TwilioServer) -> None:
    TwilioGateway().send(call(body="</Say><Dial>+4790000000</Dial>"))

    assert server.requests[0].fields["Twiml"] == (
        '<Response><Say language="sv-SE">&lt;/Say&gt;&lt;Dial&gt;+4790000000&lt;/Dial&gt;</Say></Response>'
    )


@pytest.mark.parametrize(
    ("locale", "language"), [("el", "el-GR"), ("tl", "fil-PH"), ("pt-BR", "pt-BR"), ("en", "en-US")]
)
def test_a_voice_speaks_the_language_of_the_message(server: TwilioServer, locale: str, language: str) -> None:
    TwilioGateway().send(call(locale=locale))

    assert f'<Say language="{language}">' in server.requests[0].fields["Twiml"]


@pytest.mark.parametrize(("public", "is_asked"), [("https://id.example", True), ("http://127.0.0.1:8000", False)])
def test_twilio_is_at_home_over_tls_and_reports_where_its_reports_can_arrive(
    settings: Any, monkeypatch: pytest.MonkeyPatch, public: str, is_asked: bool
) -> None:
    settings.SMS_URL, settings.TWILIO_BASE_URL, settings.PUBLIC_URL = SMS_URL, "", public
    asked: list[dict[str, Any]] = []

    def exchange(**how: Any) -> transport.Response:  # in the place of the world
        asked.append(how)
        return transport.Response(201, {}, b'{"sid": "SM1"}')

    monkeypatch.setattr(transport, "exchange", exchange)

    assert TwilioGateway().send(sms()) == Receipt("SM1")

    (how,) = asked
    assert how["origin"] == transport.Origin("https", "api.twilio.com", 443, is_operators=False)
    assert (b"StatusCallback=https" in how["body"]) is is_asked


def test_a_portal_on_a_laptop_is_told_by_a_twilio_beside_it(server: TwilioServer, settings: Any) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"

    TwilioGateway().send(sms(id="7"))

    assert server.requests[0].fields["StatusCallback"] == "http://127.0.0.1:8000/gateways/twilio/status/7"


@pytest.mark.parametrize(("query", "sender"), [("from=+46700000000", "+46700000000"), ("from=%2B46700000000", "+46700000000"), ("x=1&from=Acme%20AB", "Acme AB")])  # fmt: skip
def test_a_plus_in_the_sender_is_a_plus(settings: Any, query: str, sender: str) -> None:
    settings.SMS_URL = f"twilio://AC1:to%2Fken@default/?{query}"

    known = account()

    assert known is not None
    assert (known.sid, known.token, known.sender) == ("AC1", "to/ken", sender)
    assert "to/ken" not in repr(known)


@pytest.mark.parametrize("url", ["twilio://AC1:token@default/", "twilio://AC1@default/?from=+46700000000", "twilio://default/?from=+4670", "twilio://AC1%2F..:t@default/?from=+4670"])  # fmt: skip
def test_an_address_that_names_no_account_waits_for_the_operator(server: TwilioServer, settings: Any, url: str) -> None:
    settings.SMS_URL = url

    failure = refusal(sms())

    assert (failure.reason, failure.permanent) == ("SMS_URL does not name an account, its token and a sender", False)
    assert server.requests == []


# --- what comes back -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_gateway_is_tried_again(server: TwilioServer, status: int) -> None:
    server.answers = [Answer(status)]

    failure = refusal(sms())

    assert (failure.reason, failure.permanent, failure.retry_after) == (f"Twilio said {status}", False, None)


def in_seconds(seconds: int) -> str:
    return format_datetime(datetime(2026, 11, 22, 6, 0, tzinfo=UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7), ("0", 1), ("3600", 60), ("9" * 4000, 60), ("-5", None), ("soon", None), ("", None), ("²", None),
        (in_seconds(30), 30), (in_seconds(-30), 1), (in_seconds(99999), 60), ("Sun, 22 Nov 2026 06:00:00", None),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_that_is_asked_for_is_kept_within_a_minute(
    server: TwilioServer, status: int, said: str, seconds: int | None
) -> None:
    server.answers = [Answer(status, headers={"Retry-After": said.encode().decode("latin-1")})]

    with time_machine.travel(datetime(2026, 11, 22, 6, 0, tzinfo=UTC), tick=False):
        failure = refusal(sms(created_at=datetime(2026, 11, 22, 6, 0, tzinfo=UTC)))

    assert (failure.permanent, failure.retry_after) == (False, None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_any_other_4xx_is_final_and_keeps_twilios_number_for_it_and_none_of_its_words(
    server: TwilioServer, status: int
) -> None:
    said = {"code": 21614, "message": f"{TO} is not a mobile number", "status": status}
    server.answers = [Answer(status, json.dumps(said).encode())]

    failure = refusal(sms())

    assert (failure.reason, failure.permanent, failure.retry_after) == (f"Twilio said {status} (21614)", True, None)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code": "+46701740605"}', b'{"code": null}'])
def test_a_refusal_without_a_number_is_one_all_the_same(server: TwilioServer, body: bytes) -> None:
    server.answers = [Answer(400, body)]

    assert refusal(sms()).reason == "Twilio said 400"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_never_followed(server: TwilioServer, status: int) -> None:
    other = TwilioServer()
    server.answers = [Answer(status, headers={"Location": f"{other.url}/2010-04-01/Accounts/{SID}/Messages.json"})]

    failure = refusal(sms())

    other.close()
    assert (failure.reason, failure.permanent, other.requests) == (f"Twilio said {status}", False, [])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"taken!", b"{", b"[]", b"null", b"{}", b'{"sid": 7}', b'{"sid": ""}', b'{"sid": "S M"}', b"\xff\xfe", b"[" * 50_000,
        b'{"sid": "SM1", "x": "' + b"x" * LARGEST + b'"}',
    ],
    ids=["nothing", "words", "a-brace", "list", "null", "empty", "number", "blank", "space", "bytes", "deep", "large"],
)  # fmt: skip
def test_a_success_that_names_no_message_leaves_it_in_doubt(server: TwilioServer, body: bytes) -> None:
    server.answers = [Answer(201, body)]

    with pytest.raises(DeliveryUnknown):
        TwilioGateway().send(sms())


@pytest.mark.parametrize("fault", ["silent", "hangs_up", "resets", "half", "drips", "drips_headers"])
@pytest.mark.parametrize("make", [sms, call], ids=["sms", "voice"])
def test_a_line_that_breaks_after_the_request_leaves_it_in_doubt_within_the_time_out(
    server: TwilioServer, fault: str, make: Any
) -> None:
    server.answers = [Answer(fault=fault)]
    began = time.monotonic()

    with pytest.raises(DeliveryUnknown):
        TwilioGateway().send(make())

    assert time.monotonic() - began < SECONDS + 1
    assert len(server.requests) == 1


def test_nobody_listening_is_tried_again(server: TwilioServer) -> None:
    server.close()

    failure = refusal(sms())

    assert (failure.reason, failure.permanent) == ("Twilio cannot be reached: connection", False)


def test_a_certificate_of_nobody_known_gets_no_message(
    server: TwilioServer, settings: Any, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    transport.trust.cache_clear()
    secured = TwilioServer(tls)
    settings.TWILIO_BASE_URL = secured.url

    failure = refusal(sms())

    secured.close()
    assert (failure.reason, failure.permanent, secured.requests) == ("Twilio cannot be reached: tls", False, [])


def test_nothing_secret_is_logged_or_shown(server: TwilioServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.answers = [Answer(400, json.dumps({"code": 1, "message": f"{TO} 123456"}).encode()), Answer(fault="half")]
    failure = refusal(sms())
    with pytest.raises(DeliveryUnknown) as doubt:
        TwilioGateway().send(sms())

    said = caplog.text + str(failure) + str(doubt.value)
    assert not [secret for secret in ("123456", TO, TOKEN, "QUMwMTIz") if secret in said]


# --- what it has -----------------------------------------------------------------------------------------------------
def has(given: Letter) -> Receipt | bool:
    return TwilioGateway().was_sent(given)


@pytest.mark.parametrize("make", [sms, call], ids=["sms", "voice"])
def test_a_message_that_twilio_took_before_the_line_broke_is_found(server: TwilioServer, db: None, make: Any) -> None:
    server.answers = [Answer(takes=True, fault="hangs_up")]
    lost = make()
    with pytest.raises(DeliveryUnknown):
        TwilioGateway().send(lost)

    receipt = has(lost)

    (kept,) = server.kept["Messages" if lost.channel == "SMS" else "Calls"]
    assert receipt == Receipt(kept["sid"], "queued")
    question = server.requests[-1]
    assert (question.method, question.path) == ("GET", server.requests[0].path)
    assert question.fields == {"To": TO, "From": SENDER, "PageSize": "20"}
    assert question.headers["authorization"] == server.requests[0].headers["authorization"]


@pytest.mark.parametrize("make", [sms, call], ids=["sms", "voice"])
def test_a_message_that_twilio_never_took_is_not_found(server: TwilioServer, db: None, make: Any) -> None:
    server.answers = [Answer(takes=False, fault="hangs_up")]
    lost = make()
    with pytest.raises(DeliveryUnknown):
        TwilioGateway().send(lost)

    assert has(lost) is False


def test_another_text_to_the_same_number_is_not_taken_for_it(server: TwilioServer, db: None) -> None:
    TwilioGateway().send(sms(body="Din kod är 654321."))

    assert has(sms()) is False


def test_an_account_on_trial_puts_a_sentence_in_front(server: TwilioServer, db: None) -> None:
    lost = sms()
    server.keep("Messages", {"To": TO, "From": SENDER, "Body": f"Sent from your Twilio trial account - {lost.body}"})

    assert has(lost) == Receipt(FIRST_SID, "queued")


@pytest.mark.parametrize("make", [sms, call], ids=["sms", "voice"])
def test_the_same_words_sent_before_as_another_message_are_not_taken_for_it(
    server: TwilioServer, cast: Cast, make: Any
) -> None:
    first = make()
    receipt = TwilioGateway().send(first)
    OutboxMessage.objects.create(
        id=first.id, channel=first.channel, to=TO, locale="sv", template="otp", provider_id=receipt.id,
        state=OutboxMessage.State.SENT, useful_until=first.created_at,
    )  # fmt: skip

    assert has(make()) is False
    assert has(first) == receipt


@pytest.mark.parametrize(("more", "is_it"), [({"direction": "inbound"}, False), ({"status": "failed"}, True), ({"date_created": None}, True), ({"date_created": "yesterday"}, True), ({"date_created": format_datetime(datetime.now(UTC) - timedelta(hours=1))}, False), ({"sid": None}, False)], ids=["inbound", "failed", "no-date", "bad-date", "old", "no-sid"])  # fmt: skip
@pytest.mark.parametrize("make", [sms, call], ids=["sms", "voice"])
def test_what_is_old_or_came_in_is_not_taken_for_it(
    server: TwilioServer, db: None, make: Any, more: dict[str, Any], is_it: bool
) -> None:
    lost = make()
    server.keep("Messages" if lost.channel == "SMS" else "Calls", {"To": TO, "From": SENDER, "Body": lost.body}, **more)

    assert bool(has(lost)) is is_it


def test_when_the_list_does_not_reach_back_far_enough_nothing_is_guessed(server: TwilioServer, db: None) -> None:
    for number in range(21):
        server.keep("Messages", {"To": TO, "From": SENDER, "Body": f"{number}"})

    with pytest.raises(DeliveryFailed, match="too many messages went there"):
        has(sms())


def test_a_long_list_that_reaches_back_far_enough_is_enough(server: TwilioServer, db: None) -> None:
    long_ago = format_datetime(datetime.now(UTC) - timedelta(days=1))
    for number in range(30):
        server.keep("Messages", {"To": TO, "From": SENDER, "Body": f"{number}"}, date_created=long_ago)

    assert has(sms()) is False


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404, b'{"message": "no such path"}'), Answer(401), Answer(429), Answer(500), Answer(302), Answer(200, b"{}"), Answer(200, b"["),
        Answer(201, b'{"messages": []}'), Answer(200, b'{"messages": [7]}'), Answer(200, fault="silent"), Answer(200, fault="half"),
        Answer(200, fault="drips"), Answer(200, b'{"messages": []' + b" " * LARGEST + b"}"),
    ],
    ids=["404", "401", "429", "500", "302", "empty", "garbage", "201", "numbers", "silent", "half", "drips", "large"],
)  # fmt: skip
def test_an_answer_that_says_nothing_is_never_taken_for_a_no(server: TwilioServer, db: None, answer: Answer) -> None:
    server.questions = [answer]
    began = time.monotonic()

    with pytest.raises(DeliveryFailed, match="Twilio cannot be asked"):
        has(sms())

    assert time.monotonic() - began < SECONDS + 1


# --- with the outbox -------------------------------------------------------------------------------------------------
@pytest.fixture
def message(cast: Cast, server: TwilioServer, settings: Any) -> OutboxMessage:
    settings.GATEWAYS = {"SMS": "integrations.gateways.twilio.TwilioGateway"}
    return outbox.put(
        channel="SMS", to=TO, template="password_reset", locale="en", organization=cast.organization("acme"),
        context={"link": "https://id.example/reset/?token=a", "name": "Bob", "username": "bob", "minutes": 30},
    )  # fmt: skip


def later(seconds: int) -> int:
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds)):
        return outbox.drain()


@pytest.mark.parametrize("takes", [True, False], ids=["it has it", "it has it not"])
def test_a_message_in_doubt_is_at_twilio_exactly_once_in_the_end(
    server: TwilioServer, message: OutboxMessage, takes: bool
) -> None:
    server.answers = [Answer(takes=takes, fault="hangs_up")]
    outbox.drain()

    later(6)

    message.refresh_from_db()
    assert (message.state, message.provider_id, message.provider_status) == ("sent", FIRST_SID, "queued")
    assert len(server.kept["Messages"]) == 1


def test_while_twilio_cannot_be_asked_the_message_waits_in_doubt(server: TwilioServer, message: OutboxMessage) -> None:
    server.answers = [Answer(takes=True, fault="hangs_up")]
    server.questions = [Answer(404), Answer(500)]
    outbox.drain()

    later(6)
    message.refresh_from_db()
    assert (message.state, message.last_error) == ("unknown", "Twilio cannot be asked: it said 404")
    later(15)
    later(30)

    message.refresh_from_db()
    assert (message.state, len(server.posts), len(server.kept["Messages"])) == ("sent", 1, 1)


def test_what_twilio_refuses_for_now_goes_out_when_it_may(server: TwilioServer, message: OutboxMessage) -> None:
    server.answers = [Answer(429, headers={"Retry-After": "30"}), Answer(503), Answer(302)]

    sent = [outbox.drain(), later(29), later(31), later(33), later(38)]

    message.refresh_from_db()
    assert (sent, message.state, message.attempts, len(server.kept["Messages"])) == ([0, 0, 0, 0, 1], "sent", 4, 1)


def test_every_language_of_codes_has_a_voice() -> None:
    assert set(VOICES) == set(otp_texts.LANGUAGES)
    assert [VOICES[name] for name in ("sv", "el", "tl", "zh-HK", "pt-BR")] == [
        "sv-SE", "el-GR", "fil-PH", "zh-HK", "pt-BR",
    ]  # fmt: skip
