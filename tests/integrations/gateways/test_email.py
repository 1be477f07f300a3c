"""Mail leaves over SMTP, and every way in which a mail server can fail has its meaning (clarifications 37, operating.md 6.3)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from identity import outbox
from identity.outbox import DeliveryFailed, DeliveryUnknown, Receipt
from integrations.gateways.email import SmtpGateway
from integrations.vendors import transport
from tests.cast import Cast
from tests.integrations.gateways.letters import letter
from tests.integrations.gateways.mail_server import Behaviour, MailServer


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    server = MailServer()
    settings.EMAIL_URL, settings.EMAIL_FROM, settings.PUBLIC_URL = (
        server.url(),
        "portal@id.example",
        "https://id.example",
    )
    settings.UPSTREAM_TIMEOUT_SECONDS = 2
    yield server
    server.close()


def test_a_mail_has_both_faces_and_a_message_id_of_its_own(server: MailServer) -> None:
    sent = letter()

    said = SmtpGateway().send(sent)

    assert said == Receipt(f"<{sent.id}@id.example>")
    (mail,) = server.messages
    kept = ("Message-ID", "From", "To", "Subject", "Date", "Content-Language", "Auto-Submitted")
    assert {name: str(mail[name]) for name in kept} == {
        "Message-ID": f"<{sent.id}@id.example>", "From": "portal@id.example", "To": "bob@acme.example",
        "Subject": "Välj ett nytt lösenord", "Date": "Sat, 21 Nov 2026 10:00:00 +0000", "Content-Language": "sv",
        "Auto-Submitted": "auto-generated",
    }  # fmt: skip
    plain, html = (mail.get_body((face,)) for face in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == "Hej Bob,\n\nhttps://id.example/reset/?token=abc\n"
    assert html.get_content().strip() == "<p>Hej Bob</p>"


def test_a_mail_without_html_is_plain_text(server: MailServer) -> None:
    SmtpGateway().send(letter(html=None))

    assert [mail.get_content_type() for mail in server.messages] == ["text/plain"]


def test_a_second_copy_has_the_same_message_id(server: MailServer) -> None:
    sent = letter()

    ids = [SmtpGateway().send(sent), SmtpGateway().send(sent)]

    assert ids[0] == ids[1]
    assert len({str(mail["Message-ID"]) for mail in server.messages}) == 1


def test_a_mail_server_cannot_be_asked_what_it_has(server: MailServer) -> None:
    assert SmtpGateway().was_sent(letter()) is None  # type: ignore[func-returns-value]


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(("code", "is_permanent"), [(421, False), (450, False), (550, True), (554, True)])
def test_a_5xx_is_final_and_a_4xx_is_not(server: MailServer, step: str, code: int, is_permanent: bool) -> None:
    server.behaviour.replies[step] = f"{code} bob@acme.example is not wanted"

    with pytest.raises(DeliveryFailed) as refusal:
        SmtpGateway().send(letter())

    assert (refusal.value.reason, refusal.value.permanent) == (f"the mail server said {code}", is_permanent)
    assert server.messages == []


@pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT"])
def test_a_connection_lost_before_the_message_is_a_failure(server: MailServer, step: str) -> None:
    server.behaviour.hangs_up_at = step

    with pytest.raises(DeliveryFailed) as refusal:
        SmtpGateway().send(letter())

    assert refusal.value.permanent is False


def test_a_connection_lost_in_the_middle_of_the_message_leaves_it_in_doubt(server: MailServer) -> None:
    server.behaviour.hangs_up_at = "354"

    with pytest.raises(DeliveryUnknown):
        SmtpGateway().send(letter(body="x" * 5_000_000))

    assert server.messages == []


@pytest.mark.parametrize("fault", ["drips_at", "is_silent_at"])
@pytest.mark.parametrize("place", ["greeting", "EHLO", "MAIL", "RCPT", "."])
def test_a_server_that_drips_or_says_nothing_holds_nobody_up(
    server: MailServer, settings: Any, fault: str, place: str
) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = 1
    setattr(server.behaviour, fault, place)
    began = time.monotonic()

    with pytest.raises(DeliveryUnknown if place == "." else DeliveryFailed):
        SmtpGateway().send(letter())

    assert time.monotonic() - began < 2


def test_a_goodbye_that_drips_holds_nobody_up(server: MailServer, settings: Any) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = 1
    server.behaviour.drips_at = "QUIT"
    began = time.monotonic()

    SmtpGateway().send(letter())

    assert time.monotonic() - began < 2
    assert len(server.messages) == 1


def test_an_address_that_smtp_cannot_spell_is_final(server: MailServer) -> None:
    with pytest.raises(DeliveryFailed) as refusal:
        SmtpGateway().send(letter(to="åsa@acme.example"))

    assert (refusal.value.reason, refusal.value.permanent) == ("the address cannot be said to a mail server", True)


@pytest.mark.parametrize(
    ("fault", "place", "reply"),
    [("replies", "RCPT", "450 greylisted, come back"), ("replies", "greeting", "421 too busy"), ("hangs_up_at", "354", ""), ("hangs_up_at", ".", "")],
)  # fmt: skip
def test_what_a_mail_server_did_not_take_goes_out_again_under_the_same_message_id(
    server: MailServer, settings: Any, cast: Cast, fault: str, place: str, reply: str
) -> None:
    settings.GATEWAYS = {"EMAIL": "integrations.gateways.email.SmtpGateway"}
    message = outbox.put(
        channel="EMAIL", to="bob@acme.example", template="password_reset", locale="en", organization=cast.organization("acme"),
        context={"link": "https://id.example/reset/?token=a", "name": "Bob", "username": "bob", "minutes": 30},
    )  # fmt: skip
    if fault == "replies":
        server.behaviour.replies[place] = reply
    else:
        server.behaviour.hangs_up_at = place
    assert outbox.drain() == 0

    server.behaviour = Behaviour()
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=5)):
        assert outbox.drain() == 1

    assert [str(mail["Message-ID"]) for mail in server.messages] == [f"<{message.pk}@id.example>"]


@pytest.mark.parametrize("fault", ["hangs_up_at", "is_silent_at"])
def test_a_connection_lost_after_the_message_leaves_it_in_doubt(server: MailServer, fault: str) -> None:
    setattr(server.behaviour, fault, ".")

    with pytest.raises(DeliveryUnknown):
        SmtpGateway().send(letter())


def test_nobody_listening_is_tried_again(settings: Any, server: MailServer) -> None:
    server.close()

    with pytest.raises(DeliveryFailed) as refusal:
        SmtpGateway().send(letter())

    assert (refusal.value.reason, refusal.value.permanent) == (
        "the mail server cannot be used: ConnectionRefusedError",
        False,
    )


@pytest.mark.parametrize("is_right", [True, False])
def test_the_login_of_the_address_is_used_and_a_refused_one_is_no_fault_of_the_message(
    server: MailServer, settings: Any, is_right: bool
) -> None:
    server.behaviour.wants_login = ("portal", "p@ss/w%rd" if is_right else "another")
    settings.EMAIL_URL = server.url("portal:p%40ss%2Fw%25rd@")

    if is_right:
        SmtpGateway().send(letter())
        assert len(server.messages) == 1
    else:
        with pytest.raises(DeliveryFailed) as refusal:
            SmtpGateway().send(letter())
        assert (refusal.value.reason, refusal.value.permanent) == (
            "the mail server cannot be used: SMTPAuthenticationError",
            False,
        )


@pytest.mark.parametrize(("query", "at_once"), [("?tls=1", False), ("?tls=implicit", True)])
def test_tls_is_spoken_when_the_address_says_so(
    server: MailServer, settings: Any, tls: ssl.SSLContext, query: str, at_once: bool
) -> None:
    server.behaviour.tls, server.behaviour.is_tls_at_once = tls, at_once
    settings.EMAIL_URL = server.url(query=query)

    SmtpGateway().send(letter())

    assert len(server.messages) == 1
    assert ("STARTTLS" in server.seen) is not at_once


def test_a_certificate_of_nobody_known_gets_no_message(
    server: MailServer, settings: Any, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    transport.trust.cache_clear()
    server.behaviour.tls = tls
    settings.EMAIL_URL = server.url(query="?tls=1")

    with pytest.raises(DeliveryFailed) as refusal:
        SmtpGateway().send(letter())

    assert refusal.value.reason == "the mail server cannot be used: SSLCertVerificationError"
    assert server.messages == []


def test_a_server_without_tls_gets_no_message_where_tls_is_asked_for(server: MailServer, settings: Any) -> None:
    settings.EMAIL_URL = server.url(query="?tls=1")

    with pytest.raises(DeliveryFailed):
        SmtpGateway().send(letter())

    assert server.messages == []


@pytest.mark.parametrize("goodbye", [None, "221 " + "bye " * 3000])
def test_a_server_that_takes_the_message_and_forgets_its_manners_has_it(
    server: MailServer, goodbye: str | None
) -> None:
    if goodbye is None:
        server.behaviour.hangs_up_at = "QUIT"
    else:
        server.behaviour.replies["QUIT"] = goodbye

    SmtpGateway().send(letter())

    assert len(server.messages) == 1
