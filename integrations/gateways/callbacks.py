"""Hears from Twilio what became of a message; only what is signed with the account's token counts (clarifications 37)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from identity import otp_plans, outbox
from identity.errors import NotFound
from identity.models import OutboxMessage
from integrations.gateways import twilio

LARGEST, MOST_FIELDS = 65_536, 100
State = OutboxMessage.State
# Twilio's words for messages and calls, in the order in which they follow one another.
UNDER_WAY = ("accepted", "scheduled", "queued", "initiated", "sending", "ringing", "sent", "in-progress")
LAST = {
    **dict.fromkeys(("delivered", "read", "completed"), State.DELIVERED),
    **dict.fromkeys(("undelivered", "failed", "busy", "no-answer", "canceled"), State.FAILED),
}


@csrf_exempt
@require_POST
def status(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Take one report: 204; 403 when it is not from our account at Twilio, 404 for a message that it never got from us."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()):
        return HttpResponse(status=400)
    if int(length) > LARGEST:
        return HttpResponse(status=413)
    try:
        fields = parse_qsl(
            request.body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict"
        )
    except ValueError:
        return HttpResponse(status=400)
    if not is_signed(twilio.status_url(message_id), fields, request.headers.get("X-Twilio-Signature", "")):
        return HttpResponse(status=403)
    try:
        report(message_id, dict(fields))
    except NotFound:
        return HttpResponse(status=404)
    return HttpResponse(status=204)


def is_signed(url: str, fields: list[tuple[str, str]], signature: str) -> bool:
    """Say whether a form came from our account: HMAC-SHA1 with its token over the address and the sorted fields.

    The address is the one that we gave to Twilio, never what the Host header says; Twilio signs it with or without the port.
    """
    account = twilio.account()
    if account is None or not account.token or ("AccountSid", account.sid) not in fields:
        return False
    said = "".join(name + value for name, value in sorted(fields))
    right = (_signature(spelling + said, account.token) for spelling in _spellings(url))
    return any(hmac.compare_digest(one, signature.encode()) for one in right)


def report(message_id: UUID, fields: dict[str, str]) -> None:
    """Note what a signed form says, in Twilio's words; a word that nobody knows says nothing. Raises NotFound."""
    sid = fields.get("MessageSid") or fields.get("CallSid") or ""
    word = fields.get("MessageStatus") or fields.get("CallStatus") or ""
    if not twilio.SID.fullmatch(sid):
        raise NotFound("no such message")
    if word in LAST:
        code = fields.get("ErrorCode", "")
        why = f"Twilio: {word}" + (f" ({code})" if code.isascii() and code.isdigit() else "")
        is_bad_news = outbox.reported(
            message_id=message_id, provider_id=sid, word=word, outcome=LAST[word], error=why if LAST[word] == State.FAILED else "",
        )  # fmt: skip
        if is_bad_news:
            otp_plans.undelivered(message_id)
    elif word in UNDER_WAY:
        before = UNDER_WAY[: UNDER_WAY.index(word)]
        outbox.reported(message_id=message_id, provider_id=sid, word=word, after=before)


def _signature(text: str, token: str) -> bytes:
    # SHA-1 is Twilio's choice; as the hash of an HMAC it still holds.
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest())


def _spellings(url: str) -> list[str]:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    bare = host.removesuffix(f":{parts.port}") if parts.port else host
    usual = {"https": 443, "http": 80}[parts.scheme]
    return [parts._replace(netloc=netloc).geturl() for netloc in dict.fromkeys((host, bare, f"{bare}:{usual}"))]
