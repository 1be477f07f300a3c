"""Sends e-mails over SMTP, each under a Message-ID of its own, so that a second copy is known as one (RFC 5321, 5322)."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from identity.outbox import DeliveryFailed, DeliveryUnknown, Letter, Receipt
from integrations.vendors import addresses, client, transport

STARTTLS, IMPLICIT = "1", "implicit"
USUAL_PORTS = {STARTTLS: 587, IMPLICIT: 465}


class SmtpGateway:
    """The mail server that EMAIL_URL names: `?tls=1` is STARTTLS, `?tls=implicit` TLS from the first byte.

    Certificates are verified. A mail server cannot be asked what it has: after a connection that was lost in the middle
    the message goes out again, under the same Message-ID (operating.md 6.3).
    """

    def send(self, letter: Letter) -> Receipt:
        """Hand the message over; its Message-ID is its id.

        Raises DeliveryFailed (a 5xx is permanent; a 4xx, a refused connection or a refused login is not) or
        DeliveryUnknown when the connection was lost before the server said that it has the message.
        """
        message = _mail(letter)
        content = message.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # the stubs forget Django's mixin
        with _connected() as smtp:
            _envelope(smtp, message)
            smtp.begin_step()
            try:
                said = smtp.data(content)
            except smtplib.SMTPDataError as refusal:
                raise _failure(refusal.smtp_code) from refusal
            except (OSError, smtplib.SMTPException) as lost:
                raise DeliveryUnknown(f"the connection was lost while sending: {type(lost).__name__}") from lost
            if said[0] != 250:
                raise _failure(said[0])
        return Receipt(str(message.extra_headers["Message-ID"]))

    def was_sent(self, letter: Letter) -> None:
        """SMTP has no such question."""
        return


def _mail(letter: Letter) -> EmailMultiAlternatives:
    headers = {
        "Message-ID": f"<{letter.id}@{_our_name()}>",
        "Date": letter.created_at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "Content-Language": letter.locale,
        # A holiday note in answer to a reset link helps nobody (RFC 3834, 5).
        "Auto-Submitted": "auto-generated",
    }
    message = EmailMultiAlternatives(
        letter.subject or "", letter.body, settings.EMAIL_FROM, [letter.to], headers=headers
    )
    if letter.html is not None:
        message.attach_alternative(letter.html, "text/html")
    return message


class _Talk(smtplib.SMTP):
    """A conversation in steps, each of which has one time-out, whatever drips in (clarifications 6)."""

    def __init__(self, host: str, port: int, *, is_tls: bool) -> None:
        self.origin = transport.Origin("https" if is_tls else "http", host, port, is_operators=True)
        # What names us in the greeting; without it the resolver would be asked, for as long as it likes.
        super().__init__(host, port, local_hostname=_our_name())

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        until = client.deadline()
        where = addresses.resolve(host, port, deadline=until, must_be_public=False)
        return transport.connected(self.origin, where, until)

    def begin_step(self) -> None:
        """Let the time-out begin anew."""
        if self.sock is not None:
            self.sock.deadline = client.deadline()  # type: ignore[attr-defined]  # `_get_socket` made it


@contextmanager
def _connected() -> Iterator[_Talk]:
    """Open a connection, with TLS and a login as EMAIL_URL says. Raises DeliveryFailed, never permanent: that is no fault of the message."""
    try:
        smtp = _open()
    except (OSError, smtplib.SMTPException, addresses.NoAddress) as refusal:
        raise DeliveryFailed(f"the mail server cannot be used: {type(refusal).__name__}") from refusal
    try:
        yield smtp
    finally:
        _hang_up(smtp)


def _open() -> _Talk:
    url = urlsplit(settings.EMAIL_URL)
    tls = parse_qs(url.query).get("tls", [""])[-1]
    smtp = _Talk(url.hostname or "", url.port or USUAL_PORTS.get(tls, 25), is_tls=tls == IMPLICIT)
    try:
        if tls == STARTTLS:
            smtp.starttls(context=transport.trust())
            smtp.begin_step()
        if url.username and url.password:
            smtp.login(unquote(url.username), unquote(url.password))
    except BaseException:
        smtp.close()
        raise
    return smtp


def _our_name() -> str:
    return urlsplit(settings.PUBLIC_URL).hostname or "localhost"


def _envelope(smtp: _Talk, message: EmailMultiAlternatives) -> None:
    """Say from whom and to whom. Nothing was handed over yet, so that a lost connection is plainly a failure."""
    smtp.begin_step()
    try:
        smtp.ehlo_or_helo_if_needed()
        steps = (smtp.mail(message.from_email), smtp.rcpt(message.to[0]))
    except UnicodeError as odd:
        raise DeliveryFailed("the address cannot be said to a mail server", permanent=True) from odd
    except (OSError, smtplib.SMTPException) as lost:
        raise DeliveryFailed(f"the connection was lost: {type(lost).__name__}") from lost
    for code, _words in steps:
        if code not in (250, 251):
            raise _failure(code)


def _failure(code: int) -> DeliveryFailed:
    """Answer what a reply code means; the server's words may repeat the address, so they are not kept (RFC 5321, 4.2.1)."""
    return DeliveryFailed(f"the mail server said {code}", permanent=code >= 500)


def _hang_up(smtp: smtplib.SMTP) -> None:
    """Say goodbye, in what is left of the time; a server that is gone already has the message all the same."""
    try:
        smtp.quit()
    except (OSError, smtplib.SMTPException):
        smtp.close()
