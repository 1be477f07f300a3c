"""Sends e-mails over SMTP, each under a Message-ID of its own, so that a second copy is known as one (RFC 5321, 5322)."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from identity.outbox import DeliveryFailed, DeliveryUnknown, Letter, Receipt

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
    host = urlsplit(settings.PUBLIC_URL).hostname or "localhost"
    headers = {
        "Message-ID": f"<{letter.id}@{host}>",
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


@contextmanager
def _connected() -> Iterator[smtplib.SMTP]:
    """Open a connection, with TLS and a login as EMAIL_URL says. Raises DeliveryFailed, never permanent: that is no fault of the message."""
    backend = _backend()
    try:
        try:
            backend.open()
        except (OSError, smtplib.SMTPException) as refusal:
            raise DeliveryFailed(f"the mail server cannot be used: {type(refusal).__name__}") from refusal
        assert backend.connection is not None  # noqa: S101 - `open` raises or connects
        yield backend.connection
    finally:
        _hang_up(backend)


def _backend() -> EmailBackend:
    url = urlsplit(settings.EMAIL_URL)
    tls = parse_qs(url.query).get("tls", [""])[-1]
    return EmailBackend(
        host=url.hostname,
        port=url.port or USUAL_PORTS.get(tls, 25),
        username=unquote(url.username or ""),
        password=unquote(url.password or ""),
        use_tls=tls == STARTTLS,
        use_ssl=tls == IMPLICIT,
        timeout=settings.UPSTREAM_TIMEOUT_SECONDS,
    )


def _envelope(smtp: smtplib.SMTP, message: EmailMultiAlternatives) -> None:
    """Say from whom and to whom. Nothing was handed over yet, so that a lost connection is plainly a failure."""
    try:
        smtp.ehlo_or_helo_if_needed()
        steps = (smtp.mail(message.from_email), smtp.rcpt(message.to[0]))
    except (OSError, smtplib.SMTPException) as lost:
        raise DeliveryFailed(f"the connection was lost: {type(lost).__name__}") from lost
    for code, _words in steps:
        if code not in (250, 251):
            raise _failure(code)


def _failure(code: int) -> DeliveryFailed:
    """Answer what a reply code means; the server's words may repeat the address, so they are not kept (RFC 5321, 4.2.1)."""
    return DeliveryFailed(f"the mail server said {code}", permanent=code >= 500)


def _hang_up(backend: EmailBackend) -> None:
    """Say goodbye; a server that is gone already has the message all the same."""
    try:
        backend.close()
    except (OSError, smtplib.SMTPException):
        return
