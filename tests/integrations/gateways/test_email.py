"""Mail leaves over SMTP, and every way in which a mail server can fail has its meaning (clarifications 37, operating.md 6.3)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from identity.outbox import DeliveryFailed, DeliveryUnknown, Receipt
from integrations.gateways.email import SmtpGateway
from integrations.vendors import transport
from tests.integrations.gateways.letters import letter
from tests.integrations.gateways.mail_server import MailServer


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
