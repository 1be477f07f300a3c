"""What Auvious' bodies look like: Input classes on the way in, functions on the way out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers

from identity import applications
from identity.errors import Invalid, NotAllowed
from identity.principal import Kind, Principal, Role
from integrations.edge import Input
from integrations.vendors import configs
from tickets.actions import Meaning

MASK = "********"
PROTECTED = "[PROTECTED]"
SECTIONS = configs.SECTIONS
SEES_ALL = "integrations:integration:view"
PEOPLE = frozenset({Role.AGENT, Role.SUPERVISOR, Role.ADMIN})
AUTHORITIES = {
    Role.AGENT: "ROLE_AGENT",
    Role.SUPERVISOR: "ROLE_SUPERVISOR",
    Role.ADMIN: "ROLE_ADMIN",
    Role.SERVICE: "ROLE_SERVICE",
}
# What only internal services may send (clarifications 33).
FOREIGN = ("id", "organizationId")
LONGEST_GRACE = 604_800
# What a partner would not read to its end would count as its failure.
LONGEST_TOKEN = 16_000
LONGEST_NAME = 200
TICKET_TYPES = (
    "GENESYS_SINGLE_USE_TICKET",
    "GENESYS_MULTI_USE_TICKET",
    "GENESYS_SCHEDULE_TICKET",
    "MULTI_USE_TICKET",
    "SCHEDULE_TICKET",
    "APPOINTMENTS_SCHEDULE_TICKET",
    "SINGLE_USE_TICKET",
    "SINGLE_USE_SCHEDULE_TICKET",
    "SINGLE_USE_APPOINTMENTS_SCHEDULE_TICKET",
)
CHANNELS = ("SMS", "VOICE", "EMAIL")
DESTINATIONS = ("mobile-office", "interaction-widget", "standalone", "embedded", "premise", "callback")
URL_BASE, EXPIRATION = "X-UrlBase", "X-Ticket-Expiration-Seconds"
SHORTEST_LIFE, LONGEST_LIFE = 60, 31_536_000
MOST_IN_A_LIST = 100
# yyyy-MM-ddTHH:mm:ss.SSSZ, and no other way to write it.
SCHEDULED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
IDEMPOTENCY_KEY = "Idempotency-Key"
KEY_OF_A_REQUEST = re.compile(r"[ -~]{1,255}")
# Which calendars may ask for an event is public nowhere; these are.
CALENDARS = ("google", "outlook", "office365", "yahoo", "apple", "ics")
RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?[0-9]{0,3}([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


# --- in --------------------------------------------------------------------------------------------------------------
class Text(serializers.CharField):
    """A string as it was sent; numbers are none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Optional(Text):
    """A string that may be missing; null is the same as missing."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, allow_blank=True, **kwargs)


class Integer(serializers.IntegerField):
    """A JSON integer; digits in a string are none, and true is none."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class Object(serializers.DictField):
    """A JSON object."""


class Boolean(serializers.BooleanField):
    """A JSON boolean; 1 and "true" are none."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Moment(Text):
    """A date-time of RFC 3339, 5.6, in whatever zone; answered in UTC."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            if not RFC_3339.fullmatch(text):
                raise ValueError(text)
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")


class Reader(Input):
    """An Input in which null is the same as missing, where a field may be missing."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in attrs.items() if value is not None}


class Client(Reader):
    description = Optional(max_length=500)
    roles = serializers.ListField(
        child=serializers.ChoiceField([role.value for role in Role]), required=False, allow_null=True
    )


class Rotation(Reader):
    graceSeconds = Integer(required=False, allow_null=True, min_value=0, max_value=LONGEST_GRACE, source="grace")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {name: timedelta(seconds=value) for name, value in super().validate(attrs).items()}


class TypeOfApplication(Reader):
    type = serializers.ChoiceField(list(configs.SCHEMAS), source="type_")


class CreateApplication(Reader):
    config = Object()
    organizationId = Optional(source="organization_id")
    id = serializers.RegexField(r"^[A-Za-z0-9._~-]{1,64}\Z", required=False, allow_null=True)


class UpdateApplication(TypeOfApplication):
    config = Object()


class CreateKey(Reader):
    type = serializers.ChoiceField(["SSH_RSA"], source="type_")
    organizationId = Optional(source="organization_id")
    privateKey = Optional(source="private_key")
    publicKey = Optional(source="public_key")
    key = Optional()
    comment = Optional()

    def validate_key(self, key: str | None) -> None:
        if key is not None:
            raise serializers.ValidationError("Symmetric types only.")


class CreateTicket(Reader):
    type = serializers.ChoiceField(list(TICKET_TYPES), source="type_")
    properties = Object()
    organizationId = Optional(source="organization_id")
    length = Integer(required=False, allow_null=True, min_value=6, max_value=32)
    ttl = Integer(required=False, allow_null=True, min_value=60, max_value=31_536_000)
    disabled = Boolean(required=False, allow_null=True, source="is_disabled")


class UpdateTicket(Reader):
    properties = Object()
    organizationId = Optional(source="organization_id")


class CalendarOfChoice(Reader):
    """Which calendar asks; all of them get the same."""

    calendar = serializers.ChoiceField(list(CALENDARS), required=False)


class RequestOtp(Reader):
    to = Text()
    # UNKNOWN is among the answers of their document and refused here (dialects.md 3.2 OTP).
    channel = serializers.ChoiceField(list(CHANNELS), required=False, allow_null=True)
    customName = Optional(source="name")
    locale = Optional()
    organizationId = Optional(source="organization_id")


class VerifyOtp(Reader):
    to = Text()
    code = Text()
    verificationId = Text(source="verification_id")
    organizationId = Optional(source="organization_id")


def key_of(said: str | None) -> str:
    """Answer the key by which a caller marks a request that may come again, empty without one. Raises Invalid naming the header."""
    if said is None:
        return ""
    if not KEY_OF_A_REQUEST.fullmatch(said):
        raise Invalid(IDEMPOTENCY_KEY, fields={IDEMPOTENCY_KEY: ["1 to 255 printable ASCII characters."]})
    return said


class ScheduledTime(Text):
    """A time as Genesys writes it; answered as it was sent, which is how it goes on."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            if not SCHEDULED.fullmatch(text):
                raise ValueError(text)
            datetime.fromisoformat(text)
        except ValueError:
            raise serializers.ValidationError("A time such as 2026-05-06T07:08:09.000Z.") from None
        return text


class CreateRoom(Reader):
    applicationId = Text(source="application_id")
    urlBase = Text(source="base")
    organizationId = Optional(source="organization_id")
    customerId = Optional(source="customer", max_length=LONGEST_NAME)
    interactionId = Optional(source="interaction", max_length=LONGEST_NAME)
    cdestination = serializers.ChoiceField(list(DESTINATIONS), required=False, allow_null=True, source="destination")
    ticketExpirationSeconds = Integer(
        required=False, allow_null=True, min_value=SHORTEST_LIFE, max_value=LONGEST_LIFE, source="ttl"
    )
    ticketLength = Integer(required=False, allow_null=True, min_value=6, max_value=32, source="length")


class Strings(serializers.ListField):
    """An array of strings."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Text(max_length=100), max_length=MOST_IN_A_LIST, **kwargs)


class RoutingData(Reader):
    queueId = Optional(max_length=LONGEST_NAME)
    queueName = Optional(max_length=LONGEST_NAME)
    languageId = Optional()
    priority = Integer(required=False, allow_null=True, min_value=-(2**31), max_value=2**31 - 1)
    skillIds = Strings(required=False, allow_null=True)
    preferredAgentIds = Strings(required=False, allow_null=True)


class CreateCallback(Reader):
    """A CreateGenesysCallbackCommand: checked, and kept in its own words, for it goes on to Genesys."""

    callbackUserName = Text(max_length=500)
    callbackNumbers = Strings(allow_empty=False)
    queueId = Optional(max_length=LONGEST_NAME)
    queueName = Optional(max_length=LONGEST_NAME)
    routingData = RoutingData(required=False, allow_null=True)
    callbackScheduledTime = ScheduledTime(required=False, allow_null=True)
    scriptId = Optional()
    countryCode = Optional()
    validateCallbackNumbers = Boolean(required=False, allow_null=True)
    data = serializers.DictField(  # type: ignore[assignment]  # theirs; the metaclass takes it off the class
        child=Text(allow_blank=True), required=False, allow_null=True
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        said = super().validate(attrs)
        places = (said, said.get("routingData", {}))
        if not any(place.get(word) for place in places for word in ("queueId", "queueName")):
            known = "queueId, queueName, routingData.queueId, routingData.queueName"
            raise serializers.ValidationError({"queueId": f"One of {known} is needed."})
        return said


class RefreshToken(Reader):
    refresh_token = Text(max_length=LONGEST_TOKEN)
    organizationId = Optional(source="organization_id")


def scheduled_at(command: dict[str, Any]) -> datetime | None:
    """Answer the time for which a callback is asked, if it is for later."""
    said = command.get("callbackScheduledTime")
    return None if said is None else datetime.fromisoformat(said)


def seconds_of(said: str | None) -> int | None:
    """Answer the seconds that a callback's ticket lives, None without a word of it. Raises Invalid naming the header."""
    if not said:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 10 and SHORTEST_LIFE <= int(said) <= LONGEST_LIFE):
        raise Invalid(EXPIRATION, fields={EXPIRATION: [f"An integer from {SHORTEST_LIFE} to {LONGEST_LIFE}."]})
    return int(said)


def serves_once(type_: str) -> bool:
    """Say whether a ticket of this type is gone after its first use (dialects.md 3.2, Types)."""
    return "SINGLE_USE" in type_


def meaning(type_: str, properties: dict[str, Any]) -> Meaning:
    """Answer what a ticket's properties mean for the house. Raises Invalid naming the property."""
    scheduled_at = None
    if "SCHEDULE" in type_:
        try:
            scheduled_at = Moment().run_validation(properties.get("scheduled_date"))
        except serializers.ValidationError as e:
            said = "A date-time as of RFC 3339 is needed, such as 2026-05-06T07:08:09Z."
            raise Invalid("scheduled_date", fields={"scheduled_date": [said]}) from e
    return Meaning(
        conference=_named(properties, "conference_id"), customer=_named(properties, "customer_id"),
        interaction=_named(properties, "interaction_id"), scheduled_at=scheduled_at,
    )  # fmt: skip


def written(application: Any, meant: Meaning, serves_once: bool) -> tuple[str, dict[str, Any]]:
    """Answer the type and the properties of a ticket of an application: what `meaning` reads again."""
    family = "GENESYS_" if application.type == "GENESYS" else ""
    if meant.scheduled_at is None:
        type_ = f"{family}SINGLE_USE_TICKET" if serves_once else f"{family}MULTI_USE_TICKET"
    else:
        # There is no type of theirs that is Genesys', scheduled and serves once.
        type_ = "SINGLE_USE_SCHEDULE_TICKET" if serves_once else f"{family}SCHEDULE_TICKET"
    said = {
        "conference_id": meant.conference, "customer_id": meant.customer, "interaction_id": meant.interaction,
        "scheduled_date": moment(meant.scheduled_at),
    }  # fmt: skip
    return type_, {"applicationId": application.pk, **{name: value for name, value in said.items() if value}}


def _named(properties: dict[str, Any], name: str) -> str:
    said = properties.get(name)
    if said is None:
        return ""
    if not isinstance(said, str) or len(said) > LONGEST_NAME:
        raise Invalid(name, fields={name: [f"A string of at most {LONGEST_NAME} characters."]})
    return said


def forbid_foreign(by: Principal, body: dict[str, Any], reader: type[Input]) -> None:
    """Go on only if nothing is sent that internal services alone may send, where the operation knows it at all (clarifications 69).

    Raises NotAllowed.
    """
    if not by.is_internal and any(body.get(name) is not None for name in FOREIGN if name in reader().fields):
        raise NotAllowed("internal services only")


def organization_of(by: Principal, asked: dict[str, Any]) -> Any:
    """Take the organisation that something is made in out of what was asked: named by an internal service, else the caller's own.

    Raises Invalid naming `organizationId`.
    """
    named = asked.pop("organization_id", None)
    if by.is_internal and not named:
        raise Invalid("organizationId", fields={"organizationId": ["An internal service has to say for whom."]})
    return named if by.is_internal else by.organization_id


@contextmanager
def in_their_words(reader: type[Input], **headers: str) -> Iterator[None]:
    """Name the fields of a refusal as the body does, or the header in which one came: our word, then theirs."""
    try:
        yield
    except Invalid as e:
        theirs = {field.source: name for name, field in reader().fields.items()} | headers
        raise Invalid(e.message, fields={theirs.get(ours, ours): said for ours, said in e.fields.items()}) from e


# --- out -------------------------------------------------------------------------------------------------------------
def moment(at: datetime | None) -> str | None:
    """Answer a time as RFC 3339 in UTC, to the millisecond."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def client(row: Any, *, secret: str = MASK) -> dict[str, Any]:
    """Answer a ClientResponseValue; without a secret that was just made, a constant stands in its place."""
    return {"clientId": row.pk, "clientSecret": secret, "description": row.description, "roles": row.roles}


def application(row: Any, *, viewer: Principal) -> dict[str, Any]:
    """Answer an Application with the sections of its configuration that this caller may see."""
    hidden = set(SECTIONS) - sections_of(viewer)
    return {
        "version": row.version,
        "id": row.pk,
        "organizationId": str(row.organization_id),
        "type": row.type,
        "config": {name: value for name, value in applications.config_of(row).items() if name not in hidden},
        "createdAt": moment(row.created_at),
        "visible": row.is_visible,
        "expiresAt": moment(row.expires_at),
    }


def sections_of(viewer: Principal) -> set[str]:
    """Answer the sections that a caller sees; a caller of no known class sees none (dialects.md 3.6)."""
    if SEES_ALL in viewer.grants:
        return set(SECTIONS)
    if viewer.kind is Kind.CUSTOMER:
        return {"customerParameters"}
    if Role.SERVICE in viewer.roles:
        return {"serviceParameters"}
    return {"agentParameters"} if viewer.roles & PEOPLE else set()


def ticket(row: Any, *, ticket_id: str, at: datetime) -> dict[str, Any]:
    """Answer a Ticket; its id is known to whoever asked for it by its id, and to whoever just made it."""
    return {
        "id": ticket_id,
        "userId": row.creator,
        "organizationId": str(row.organization_id),
        "type": row.type,
        "properties": row.properties,
        "disabled": moment(row.disabled_at),
        "revoked": moment(row.revoked_at),
        "createdAt": moment(row.created_at),
        "expiresAt": moment(row.expires_at),
        "version": row.version,
        "expired": row.is_expired(at=at),
    }


def room(made: Any) -> dict[str, Any]:
    """Answer a CreateRoomResult."""
    return {"agentUrl": made.agent_link, "ticketUrl": made.ticket_link, "recordingUrl": made.recording_link}


def callback(made: Any) -> dict[str, Any]:
    """Answer a CallbackResult: the room, and what Genesys made of the callback."""
    return {
        "conferenceId": made.room.conference,
        "ticketId": made.room.ticket_id,
        "agentUrl": made.room.agent_link,
        "ticketUrl": made.room.ticket_link,
        "genesys": {"conversation": made.accepted.conversation, "callbackIdentifiers": made.accepted.identifiers},
    }


def key(row: Any, *, private_pem: str | None) -> dict[str, Any]:
    """Answer a Key; the private part is a constant for whoever may not read it."""
    return {
        "id": str(row.pk),
        "userId": row.created_by,
        "organizationId": str(row.organization_id),
        "type": row.type,
        "keySize": row.size,
        "privateKey": private_pem or MASK,
        "publicKey": row.public_key,
        "key": None,
        "comment": row.comment or None,
        "createdAt": moment(row.created_at),
    }


def user(person: Any, membership: Any, *, at: datetime) -> dict[str, Any]:
    """Answer a User with what it is in its own organisation; what is derived is derived from state and dates."""
    roles, grants = (membership.roles, sorted(membership.grants)) if membership else ([], [])
    return {
        "id": str(person.pk),
        "password": PROTECTED,
        "expiresAt": moment(person.expires_at),
        "locked": person.locked_at is not None,
        "credentialsExpireAt": None,
        "disabled": not person.is_active,
        "roles": [role.value for role in roles],
        "createdAt": moment(person.created_at),
        "lastSeenAt": moment(person.last_seen_at),
        "personalDataEntityId": None,
        "version": 0,
        "enabled": person.is_active,
        "authorities": [{"authority": name} for name in [*(AUTHORITIES[role] for role in roles), *grants]],
        "username": person.username,
        "accountNonExpired": not person.is_expired(at=at),
        "accountNonLocked": person.locked_at is None,
        "credentialsNonExpired": True,
    }
