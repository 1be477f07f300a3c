"""Sends text messages and calls through Twilio, and asks it what it has before anything goes out twice (clarifications 37)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

from django.conf import settings

from identity import clock
from identity.models import OutboxMessage
from identity.outbox import FIRST_PAUSE, LONGEST_PAUSE, DeliveryFailed, DeliveryUnknown, Letter, Receipt
from integrations.vendors import client, transport

HOME = "https://api.twilio.com"
VERSION = "2010-04-01"
LARGEST = 65_536
SMS, VOICE = OutboxMessage.Channel.SMS, OutboxMessage.Channel.VOICE
RESOURCES = {SMS: "Messages", VOICE: "Calls"}
SID = re.compile(r"[A-Za-z0-9]{1,64}")
# The newest of one recipient; more would not fit into LARGEST, and nobody is sent as many.
PAGE = 20
# How far Twilio's clock may be behind ours.
SKEW = timedelta(minutes=5)

# By which <Say> chooses a voice: a tag for each language of codes.
VOICES = {
    "af": "af-ZA", "ar": "ar-XA", "ca": "ca-ES", "cs": "cs-CZ", "da": "da-DK", "de": "de-DE", "el": "el-GR", "en": "en-US",
    "en-GB": "en-GB", "es": "es-ES", "fi": "fi-FI", "fr": "fr-FR", "he": "he-IL", "hi": "hi-IN", "hr": "hr-HR", "hu": "hu-HU",
    "id": "id-ID", "it": "it-IT", "ja": "ja-JP", "ko": "ko-KR", "ms": "ms-MY", "nb": "nb-NO", "nl": "nl-NL", "pl": "pl-PL",
    "pt": "pt-PT", "pt-BR": "pt-BR", "ro": "ro-RO", "ru": "ru-RU", "sv": "sv-SE", "th": "th-TH", "tl": "fil-PH", "tr": "tr-TR",
    "vi": "vi-VN", "zh": "zh-CN", "zh-CN": "zh-CN", "zh-HK": "zh-HK",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """Whose messages they are, and from which number."""

    sid: str
    token: str = field(repr=False)
    sender: str


def account() -> Account | None:
    """Answer what SMS_URL says, or None where there is none."""
    return _account(settings.SMS_URL) if settings.SMS_URL else None


def status_url(message_id: Any) -> str:
    """Answer where Twilio reports what became of a message: an id and nothing of what it says."""
    return f"{settings.PUBLIC_URL}/gateways/twilio/status/{message_id}"


class TwilioGateway:
    """Text messages and calls from the one account and number that SMS_URL names; TWILIO_BASE_URL puts another Twilio there."""

    def send(self, letter: Letter) -> Receipt:
        """Hand the message over, once; Twilio's SID is its id.

        Raises DeliveryFailed: for now when nothing was sent yet, and after 429, 5xx or a redirect, which is not followed; for
        good after any other 4xx. Raises DeliveryUnknown when the request had left and there is no answer that names a SID.
        """
        sender = _known_account().sender
        form = {"To": letter.to, "From": sender, **_words(letter), **_callback(letter)}
        try:
            response = _exchange("POST", letter, form)
        except transport.Failed as failure:
            if failure.is_begun:
                raise DeliveryUnknown(f"Twilio did not answer: {failure.word}") from failure
            raise DeliveryFailed(f"Twilio cannot be reached: {failure.word}") from failure
        if not 200 <= response.status < 300:
            raise _refusal(response)
        receipt = _receipt(_object(response))
        if receipt is None:
            raise DeliveryUnknown("Twilio took it, or not: its answer cannot be read")
        return receipt

    def was_sent(self, letter: Letter) -> Receipt | bool:
        """Look for the message among the newest ones to its recipient.

        A text message is known by its words. The list of calls does not say what was spoken: any call from our number to the
        recipient since the message was written, which is no other message's, is taken for it, because a call too few can be
        asked for again and a call too many cannot be taken back. Raises DeliveryFailed when Twilio did not say.
        """
        try:
            response = _exchange(
                "GET", letter, {"To": letter.to, "From": _known_account().sender, "PageSize": str(PAGE)}
            )
        except transport.Failed as failure:
            raise DeliveryFailed(f"Twilio cannot be asked: {failure.word}") from failure
        answer = _object(response) if response.status == 200 else {}
        found = answer.get(RESOURCES[_channel(letter)].lower())
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise DeliveryFailed(f"Twilio cannot be asked: it said {response.status}")
        since = letter.created_at - SKEW
        receipts = [receipt for one in found if _may_be(letter, one, since=since) and (receipt := _receipt(one))]
        others = set(
            OutboxMessage.objects.filter(provider_id__in=[receipt.id for receipt in receipts])
            .exclude(pk=letter.id)
            .values_list("provider_id", flat=True)
        )
        ours = [receipt for receipt in receipts if receipt.id not in others]
        if ours:
            return ours[0]
        if answer.get("next_page_uri") and not any((at := _created_at(one)) and at < since for one in found):
            raise DeliveryFailed("Twilio cannot be asked: too many messages went there")
        return False


@cache
def _account(url: str) -> Account:
    parts = urlsplit(url)
    # Split by hand: in a form's query a plus is a space, and here it begins a number.
    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    sender = next((unquote(value) for name, _, value in pairs if name == "from"), "")
    return Account(unquote(parts.username or ""), unquote(parts.password or ""), sender)


def _known_account() -> Account:
    known = account()
    if known is None or not (SID.fullmatch(known.sid) and known.token and known.sender):
        raise DeliveryFailed("SMS_URL does not name an account, its token and a sender")
    return known


def _channel(letter: Letter) -> OutboxMessage.Channel:
    return OutboxMessage.Channel(letter.channel)


def _exchange(method: str, letter: Letter, fields: Mapping[str, str]) -> transport.Response:
    """Ask Twilio once, within one time-out; a POST carries the fields as a form, a GET as its query. Raises transport.Failed."""
    whose = _known_account()
    base = urlsplit(settings.TWILIO_BASE_URL or HOME)
    origin = transport.Origin(
        base.scheme,
        base.hostname or "",
        base.port or transport.USUAL_PORTS[base.scheme],
        is_operators=bool(settings.TWILIO_BASE_URL),
    )
    target = f"{base.path}/{VERSION}/Accounts/{whose.sid}/{RESOURCES[_channel(letter)]}.json"
    said = urlencode(fields)
    headers = {"Authorization": client.basic(whose.sid, whose.token), "User-Agent": "Switchboard"}
    if method == "POST":
        headers["Content-Type"] = client.FORM
    return transport.exchange(
        method=method,
        origin=origin,
        target=target if method == "POST" else f"{target}?{said}",
        headers=headers,
        body=said.encode() if method == "POST" else b"",
        deadline=client.deadline(),
        largest=LARGEST,
    )


def _words(letter: Letter) -> dict[str, str]:
    if letter.channel == SMS:
        return {"Body": letter.body}
    says = f"<Say language={quoteattr(VOICES[letter.locale])}>"
    spoken = (f"{says}{escape(line)}</Say>" for line in letter.body.splitlines() if line.strip())
    return {"Twiml": f"<Response>{'<Pause/>'.join(spoken)}</Response>"}


def _callback(letter: Letter) -> dict[str, str]:
    """Ask for reports where they can arrive: Twilio refuses a message whose reports are to go to a laptop."""
    can_arrive = settings.PUBLIC_URL.startswith("https:") or settings.TWILIO_BASE_URL
    return {"StatusCallback": status_url(letter.id)} if can_arrive else {}


def _refusal(response: transport.Response) -> DeliveryFailed:
    """Answer what a status means. Of the body only Twilio's number for the error is kept: its words repeat the recipient."""
    code = _object(response).get("code")
    reason = f"Twilio said {response.status}" + (f" ({code})" if isinstance(code, int) else "")
    is_final = 400 <= response.status < 500 and response.status != 429
    return DeliveryFailed(reason, permanent=is_final, retry_after=None if is_final else _retry_after(response))


def _retry_after(response: transport.Response) -> timedelta | None:
    """Answer the pause that was asked for, in seconds or until a date (RFC 9110, 10.2.3), from a second to a minute."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        # Cut before it is a number: nobody waits longer, whatever it says.
        pause = timedelta(seconds=int(said[:9]))
    elif (until := _date(said)) is not None:
        pause = until - clock.now()
    else:
        return None
    return min(max(pause, FIRST_PAUSE), LONGEST_PAUSE)


def _object(response: transport.Response) -> dict[str, Any]:
    """Answer the object in a body; an empty one when there is none."""
    try:
        said = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _receipt(said: Mapping[str, Any]) -> Receipt | None:
    sid, word = said.get("sid"), said.get("status")
    if not (isinstance(sid, str) and SID.fullmatch(sid)):
        return None
    return Receipt(sid, word if isinstance(word, str) and word.isascii() and word.isprintable() else "")


def _may_be(letter: Letter, said: Mapping[str, Any], *, since: datetime) -> bool:
    """Say whether a message that Twilio has could be this one; what it does not say of itself speaks for it."""
    if said.get("to", letter.to) != letter.to or said.get("direction", "outbound-api") != "outbound-api":
        return False
    at = _created_at(said)
    if at is not None and at < since:
        return False
    # Contained, not equal: an account on trial puts a sentence of its own in front.
    return letter.channel == VOICE or letter.body in str(said.get("body", ""))


def _created_at(said: Mapping[str, Any]) -> datetime | None:
    return _date(str(said.get("date_created") or ""))


def _date(said: str) -> datetime | None:
    """Read a date of RFC 5322; None for what is none."""
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    # Without a zone it would not compare.
    return at if at.tzinfo else None
