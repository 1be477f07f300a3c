"""Puts messages into the outbox and delivers them; nothing else in the house sends (house.md 7)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, NullIf
from django.template.exceptions import TemplateDoesNotExist
from django.template.loader import render_to_string, select_template
from django.utils import translation
from django.utils.module_loading import import_string
from kombu.exceptions import OperationalError

from identity import audit, clock, crypto, policy
from identity.errors import NotFound
from identity.models import Organization, OutboxMessage, User
from identity.principal import Kind, Principal, Via

logger = logging.getLogger(__name__)

State = OutboxMessage.State
# What a gateway said last of a message, and every state in which nothing is left to do for it.
# Why a message was given up that nobody needs any more: no failure.
WITHDRAWN = "no longer needed"
REPORTED = (State.DELIVERED, State.FAILED)
OVER = (State.SENT, *REPORTED)
LEASE = timedelta(seconds=30)
# A gateway may take three times the time-out of one call (a mail server has many questions); a lease outlives that.
LEASE_IN_CALLS = 4
FIRST_PAUSE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=60)
# A gateway lists what it took a moment later: asked too early it would say that it has nothing.
FIRST_QUESTION = timedelta(seconds=4)
ROOM = timedelta(seconds=15)
# A message that was given up can be repeated for a week.
WIPED, FORGOTTEN = timedelta(days=7), timedelta(days=90)
BROKER_REST = timedelta(seconds=5)
_broker_rests_until = 0.0
# Nobody waits longer than this for a message without a shorter use of its own.
USEFUL = timedelta(days=2)


class DeliveryFailed(Exception):
    """A gateway did not take a message; for good, or for now with a pause that the gateway asked for."""

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.reason, self.permanent, self.retry_after = reason, permanent, retry_after


class DeliveryUnknown(Exception):
    """The connection broke after the message may have been taken."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as a gateway gets it: rendered, in one language, to one recipient."""

    id: str
    channel: str
    to: str
    locale: str
    template: str
    subject: str | None
    body: str
    html: str | None
    organization: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway says when it has a message: its own id of it, and its word for how far it is."""

    id: str
    word: str = ""


class Gateway(Protocol):
    """A way out of the house for one channel."""

    def send(self, letter: Letter) -> Receipt:
        """Send one message. Raises DeliveryFailed, or DeliveryUnknown when nobody can say whether it was taken."""
        ...

    def was_sent(self, letter: Letter) -> Receipt | bool | None:
        """Say whether the gateway has this message already, with its receipt where it is known; None: it has no such question.

        Raises DeliveryFailed when there was no answer to go by.
        """
        ...


def put(
    *,
    channel: str,
    to: str,
    template: str,
    context: dict[str, Any],
    locale: str,
    organization: Organization | None = None,
    user: User | None = None,
    about: str = "",
    useful_for: timedelta = USEFUL,
    is_urgent: bool = False,
    country: str = "",
    price: Decimal | None = None,
) -> OutboxMessage:
    """Store a message in the transaction that causes it; a worker is woken when that commits.

    `context` holds plain JSON values for the templates messages/<template>.*; it is sealed here and wiped after sending.
    `about` groups messages of one matter (a verification's id); `country` and `price` are for the figures.
    """
    at = clock.now()
    message = OutboxMessage(
        channel=channel, to=to, template=template, locale=locale, organization=organization, user=user, subject_key=about,
        is_urgent=is_urgent, country=country, price=price, created_at=at, next_at=at, useful_until=at + useful_for,
    )  # fmt: skip
    message.context_sealed = crypto.seal(json.dumps(context), place=message.place())
    message.save(force_insert=True)
    transaction.on_commit(lambda: wake(message))
    return message


def wake(message: OutboxMessage, *, after: timedelta = timedelta(0)) -> None:
    """Tell a worker by task name, at once or after a pause.

    A broker that is gone costs the first request two seconds and those of the next moments nothing: nobody asks it again
    until then, and beat sweeps for what was missed.
    """
    global _broker_rests_until
    if time.monotonic() < _broker_rests_until:
        return
    try:
        current_app.send_task(
            "identity.tasks.deliver",
            kwargs={"message_id": str(message.pk)},
            queue="urgent" if message.is_urgent else "default",
            countdown=after.total_seconds() or None,
            ignore_result=True,
            retry=False,
        )
    except (OperationalError, OSError):
        _broker_rests_until = time.monotonic() + BROKER_REST.total_seconds()
        logger.warning("broker unreachable, the sweep will send", extra={"outbox": str(message.pk)})


def deliver(*, message_id: str) -> str | None:
    """Claim a message, send it, and mark what became of it; answers its state, or None when another worker has it."""
    at = clock.now()
    claimed = OutboxMessage.objects.filter(pk=message_id, state=State.PENDING, next_at__lte=at).update(
        state=State.SENDING, lease_until=at + _lease(), attempts=F("attempts") + 1
    )
    if claimed != 1:
        _wake_in_time(message_id, at=at)
        return None
    message = OutboxMessage.objects.select_related("organization").get(pk=message_id)
    if message.useful_until <= at:
        return _give_up(message, "no longer useful", is_useless=True)
    try:
        letter = render(message)
    except Exception as e:
        return _unreadable(message, e)
    try:
        receipt = gateway_of(message.channel).send(letter)
    except DeliveryFailed as e:
        return _give_up(message, e.reason) if e.permanent else _postpone(message, e)
    except Exception as e:
        # Whatever broke, nobody knows whether the message left before: it is asked, never guessed (security.md P2).
        return _doubt(message, e)
    return _sent(message, receipt)


def drain(*, limit: int = 200) -> int:
    """Do what was missed: settle messages in doubt, then send what is due; answers how many were sent.

    Stops when its room is used up, well before a worker's time limit: the next sweep goes on.
    """
    at = clock.now()
    _expire_leases()
    doubtful = OutboxMessage.objects.filter(state=State.UNKNOWN, next_at__lte=clock.now()).select_related(
        "organization"
    )
    for message in list(doubtful.order_by("next_at")[:limit]):
        # Half of the room: a gateway that hangs when it is asked holds up nothing that waits for another one.
        if clock.now() - at > ROOM / 2:
            break
        settle(message)
    due = OutboxMessage.objects.filter(state=State.PENDING, next_at__lte=clock.now())
    sent = 0
    for pk in list(due.order_by("-is_urgent", "next_at").values_list("pk", flat=True)[:limit]):
        if clock.now() - at > ROOM:
            break
        sent += deliver(message_id=str(pk)) == State.SENT
    return sent


def purge(*, batch: int = 200) -> int:
    """Forget old messages and wipe what given-up ones say, a batch at a time; answers how many were touched.

    A code that opens nothing any more is wiped at once, everything else after a week.
    """
    at = clock.now()
    over = OutboxMessage.objects.filter(state__in=(*OVER, State.DEAD), created_at__lt=at - FORGOTTEN)
    old = list(over.values_list("pk", flat=True)[:batch])
    forgotten = int(over.filter(pk__in=old).delete()[0])
    is_worn = Q(created_at__lt=at - WIPED) | Q(is_urgent=True, useful_until__lte=at)
    dead = OutboxMessage.objects.filter(is_worn, state=State.DEAD).exclude(context_sealed="")
    worn = list(dead.values_list("pk", flat=True)[:batch])
    return forgotten + dead.filter(pk__in=worn).update(context_sealed="")


def settle(message: OutboxMessage) -> str:
    """Find out what became of a message in doubt: ask the gateway, and send again only if it never had it.

    A gateway that cannot be asked (SMTP) gets it again under the same Message-ID: at least once (operating.md 6.3).
    """
    at = clock.now()
    claimed = OutboxMessage.objects.filter(pk=message.pk, state=State.UNKNOWN, next_at__lte=at).update(
        next_at=at + _lease()
    )
    if claimed != 1:
        return message.state
    try:
        was_sent = gateway_of(message.channel).was_sent(render(message))
    except crypto.SealBroken as e:
        return _unreadable(message, e)
    except Exception as e:
        # Also one that cannot be rendered right now: it stays in doubt, or it would go out unasked once it can.
        if message.useful_until <= at:
            return _give_up(message, "in doubt, and no longer useful", is_useless=True)
        return _doubt(message, e)
    if was_sent:
        return _sent(message, was_sent if isinstance(was_sent, Receipt) else Receipt(message.provider_id))
    return _mark(message, State.PENDING, next_at=at, lease_until=None)


def reported(
    *,
    message_id: UUID | str,
    provider_id: str,
    word: str,
    outcome: OutboxMessage.State | None = None,
    error: str = "",
    after: Collection[str] = (),
) -> bool:
    """Note what a gateway says of a message; answers whether that was the news that it did not arrive.

    `word` is the gateway's own, `outcome` DELIVERED or FAILED where the word is its last one; a word that is not counts only
    behind none or one of `after`, so that reports that overtake each other take nothing back. Any report proves that the
    gateway has the message, whatever we believed: it is not sent again. Raises NotFound for no message of ours, or one that
    the gateway knows by another id.
    """
    at = clock.now()
    mine = OutboxMessage.objects.filter(Q(provider_id="") | Q(provider_id=provider_id), pk=message_id)
    if not mine.exists():
        raise NotFound("no such message")
    known = {
        "provider_id": provider_id, "provider_status": word, "reported_at": at, "sent_at": Coalesce("sent_at", Value(at)),
        "context_sealed": "", "lease_until": None, "last_error": error[:300],
    }  # fmt: skip
    is_open = mine.exclude(state__in=REPORTED)
    if outcome is None:
        is_open.filter(provider_status__in=("", *after)).update(state=State.SENT, **known)
        return False
    return is_open.update(state=outcome, **known) == 1 and outcome == State.FAILED


def withdraw(*, about: str) -> int:
    """Give up, and wipe, what still waits of a matter that is settled without it; answers how many messages.

    What is being sent right now is not stopped, but is useless from here on: it is not tried a second time.
    """
    at = clock.now()
    of_it = OutboxMessage.objects.filter(subject_key=about)
    of_it.filter(state=State.SENDING).update(useful_until=at)
    return of_it.filter(state__in=(State.PENDING, State.UNKNOWN)).update(
        state=State.DEAD, last_error=WITHDRAWN, context_sealed="", lease_until=None
    )


def can_repeat(message: OutboxMessage) -> bool:
    """Say whether a message was given up and may be sent again: its content is there, and a code still opens something."""
    is_useful = not message.is_urgent or message.useful_until > clock.now()
    return message.state == State.DEAD and bool(message.context_sealed) and is_useful


def repeat(*, by: Principal, message: OutboxMessage) -> None:
    """Send a given-up message again; its content must still be there (it is kept until the message is purged).

    An urgent one, a code, is repeated only while it is useful. Raises NotAllowed, NotFound.
    """
    at = clock.now()
    if by.kind is not Kind.SYSTEM:
        policy.forbid_while_acting(by)
        policy.require(by, policy.Permission.MESSAGES_MANAGE)
        if by.organization_id is not None and by.organization_id != message.organization_id:
            raise NotFound("no such message")
    longer = Case(When(is_urgent=True, then=F("useful_until")), default=Value(at + USEFUL))
    with transaction.atomic():
        changed = (
            OutboxMessage.objects.filter(Q(is_urgent=False) | Q(useful_until__gt=at), pk=message.pk, state=State.DEAD)
            .exclude(context_sealed="")
            .update(state=State.PENDING, next_at=at, lease_until=None, useful_until=longer, last_error="")
        )
        if changed:
            audit.record("message.repeated", by=by, subject=str(message.pk), organization=message.organization)
            transaction.on_commit(lambda: wake(message))


def render(message: OutboxMessage) -> Letter:
    """Open a message's context and render its templates in its language."""
    context = json.loads(crypto.open_sealed(message.context_sealed, place=message.place()))
    context.setdefault("organization", str(message.organization or ""))
    name = f"messages/{message.template}"
    is_mail = message.channel == OutboxMessage.Channel.EMAIL
    with translation.override(message.locale):
        subject = " ".join(render_to_string(f"{name}.subject.txt", context).split()) if is_mail else None
        body = select_template([f"{name}.{message.channel.lower()}.txt", f"{name}.txt"]).render(context).strip() + "\n"
        html = _html(name, context) if is_mail else None
    return Letter(
        id=str(message.pk), channel=message.channel, to=message.to, locale=message.locale, template=message.template,
        subject=subject, body=body if is_mail else body.strip(), html=html,
        organization=message.organization.name if message.organization else "", created_at=message.created_at,
    )  # fmt: skip


def gateway_of(channel: str) -> Gateway:
    """Answer the gateway that the settings name for a channel; found by name, so that identity imports nothing uphill."""
    gateway: Gateway = import_string(settings.GATEWAYS[channel])()
    return gateway


def _html(name: str, context: dict[str, Any]) -> str | None:
    try:
        return render_to_string(f"{name}.html", context)
    except TemplateDoesNotExist:
        return None


def _expire_leases() -> None:
    """A worker that died while sending leaves a message of which nobody knows whether it went out."""
    at = clock.now()
    OutboxMessage.objects.filter(Q(lease_until__lt=at), state=State.SENDING).update(
        state=State.UNKNOWN, next_at=at, last_error="the worker died while sending"
    )


def _wake_in_time(message_id: str, *, at: datetime) -> None:
    """Wake a worker again for a message that is not due yet: who was woken too early has a clock that is fast."""
    early = OutboxMessage.objects.filter(pk=message_id, state=State.PENDING, next_at__gt=at).first()
    if early is not None:
        wake(early, after=min(early.next_at - at, LONGEST_PAUSE))


def _lease() -> timedelta:
    return max(LEASE, LEASE_IN_CALLS * timedelta(seconds=settings.UPSTREAM_TIMEOUT_SECONDS))


def _mine(message: OutboxMessage) -> QuerySet[OutboxMessage]:
    """Answer the row for as long as it is this attempt's.

    The number of the attempt fences: a worker that wakes up after its lease, when another one has sent the message, the
    gateway has reported it or it was taken back, must not put it back.
    """
    return OutboxMessage.objects.filter(pk=message.pk, attempts=message.attempts).exclude(state__in=(*OVER, State.DEAD))


def _mark(message: OutboxMessage, state: OutboxMessage.State, **changes: Any) -> str:
    """Write what became of this attempt."""
    _mine(message).update(state=state, **changes)
    return state


def _sent(message: OutboxMessage, receipt: Receipt) -> str:
    # Whoever's attempt it was, it has left: only what the gateway reported meanwhile stands above this.
    OutboxMessage.objects.filter(pk=message.pk).exclude(state__in=REPORTED).update(
        state=State.SENT, sent_at=clock.now(), provider_id=receipt.id[:100], context_sealed="", lease_until=None, last_error="",
        provider_status=Coalesce(NullIf("provider_status", Value("")), Value(receipt.word[:40])),
    )  # fmt: skip
    return State.SENT


def _postpone(message: OutboxMessage, failure: DeliveryFailed) -> str:
    pause = failure.retry_after or _pause(message)
    at = clock.now()
    if at + pause >= message.useful_until:
        return _give_up(message, failure.reason, is_useless=True)
    state = _mark(message, State.PENDING, next_at=at + pause, lease_until=None, last_error=failure.reason[:300])
    # The longest pause is shorter than any broker's visibility time-out, so the wake-up cannot be delivered twice.
    wake(message, after=min(pause, LONGEST_PAUSE))
    return state


def _doubt(message: OutboxMessage, error: Exception) -> str:
    """Nobody knows whether the message went out; the sweep asks after a pause that grows with the attempts."""
    said = str(error) if isinstance(error, (DeliveryFailed, DeliveryUnknown)) else type(error).__name__
    logger.warning("message in doubt", extra={"outbox": str(message.pk), "error": said})
    next_at = clock.now() + max(FIRST_QUESTION, _pause(message))
    return _mark(message, State.UNKNOWN, last_error=said[:300], next_at=next_at, lease_until=None)


def _pause(message: OutboxMessage) -> timedelta:
    """From a second, doubling with each attempt to a minute (clarifications 37)."""
    pause: timedelta = FIRST_PAUSE * 2 ** min(message.attempts - 1, 10)
    return min(LONGEST_PAUSE, pause)


def _unreadable(message: OutboxMessage, error: Exception) -> str:
    """One message that cannot be rendered must not stop the sweep for all others; its content is never logged."""
    if isinstance(error, crypto.SealBroken):
        return _give_up(message, "its content cannot be opened: the encryption key is gone")
    logger.error("message cannot be rendered", extra={"outbox": str(message.pk), "error": type(error).__name__})
    return _postpone(message, DeliveryFailed(f"cannot be rendered: {type(error).__name__}"))


def _give_up(message: OutboxMessage, reason: str, *, is_useless: bool = False) -> str:
    """Try no more. What became useless is wiped at once; the rest stays for a while, for somebody who repeats it."""
    wiped = {"context_sealed": ""} if is_useless else {}
    with transaction.atomic():
        if _mine(message).update(state=State.DEAD, last_error=reason[:300], lease_until=None, **wiped):
            audit.record(
                "message.given_up",
                via=Via(door="outbox"),
                actor_name="switchboard",
                subject=str(message.pk),
                organization=message.organization,
            )
    return State.DEAD
