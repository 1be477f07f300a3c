"""What the OpenAPI page says that Auvious' operations answer."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from identity import otp_texts
from identity.principal import Role
from integrations.dialects.auvious.shapes import (
    CHANNELS,
    TICKET_TYPES,
    CreateApplication,
    CreateCallback,
    CreateKey,
    CreateRoom,
    CreateTicket,
    TypeOfApplication,
    UpdateTicket,
    VerifyOtp,
)
from integrations.vendors import configs


class Error(serializers.Serializer[Any]):
    error = serializers.CharField()


class ClientResponseValue(serializers.Serializer[Any]):
    clientId = serializers.CharField()
    clientSecret = serializers.CharField(help_text="Real after create and rotate, a constant otherwise.")
    description = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField([role.value for role in Role]))


class CreateApplicationCommand(TypeOfApplication, CreateApplication):
    """What is sent to connect an application."""


class Created(serializers.Serializer[Any]):
    id = serializers.CharField()


class Application(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    id = serializers.CharField()
    organizationId = serializers.CharField()
    type = serializers.ChoiceField(list(configs.SCHEMAS))
    config = serializers.DictField(help_text="Of the three sections, the one for this class of caller.")
    createdAt = serializers.DateTimeField()
    visible = serializers.BooleanField()
    expiresAt = serializers.DateTimeField(allow_null=True)


class CreateTicketWebCommand(CreateTicket):
    """What is sent to let a customer in."""


class UpdateTicketWebCommand(UpdateTicket):
    """What is merged into a ticket's properties; null removes one."""


class Ticket(serializers.Serializer[Any]):
    id = serializers.CharField()
    userId = serializers.CharField(help_text="Who made it.")
    organizationId = serializers.CharField()
    type = serializers.ChoiceField(list(TICKET_TYPES))
    properties = serializers.DictField()
    disabled = serializers.DateTimeField(allow_null=True)
    revoked = serializers.DateTimeField(allow_null=True)
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField()
    version = serializers.IntegerField()
    expired = serializers.BooleanField()


class CreateKeyCommand(CreateKey):
    """What is sent to keep a key."""


class KeyCreated(serializers.Serializer[Any]):
    id = serializers.CharField()
    publicKey = serializers.CharField()
    key = serializers.CharField(allow_null=True)


class Key(serializers.Serializer[Any]):
    id = serializers.CharField()
    userId = serializers.CharField()
    organizationId = serializers.CharField()
    type = serializers.ChoiceField(["SSH_RSA"])
    keySize = serializers.IntegerField()
    privateKey = serializers.CharField(help_text="A constant, if the caller is no service.")
    publicKey = serializers.CharField()
    key = serializers.CharField(allow_null=True)
    comment = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()


class RequestOtpCommand(serializers.Serializer[Any]):
    """What is sent to have a code sent."""

    to = serializers.CharField(help_text="An E.164 number such as +46701234567, or an e-mail address.")
    channel = serializers.ChoiceField(
        list(CHANNELS),
        required=False,
        allow_null=True,
        help_text="SMS to numbers and EMAIL to addresses, if it is not said.",
    )
    customName = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=otp_texts.LONGEST_NAME,
        help_text="Who it is that asks; stands in the message.",
    )
    locale = serializers.ChoiceField(
        list(otp_texts.LOCALES),
        required=False,
        allow_null=True,
        help_text="The number's country decides, if it is not said.",
    )
    organizationId = serializers.CharField(required=False, allow_null=True, help_text="From internal services only, and needed there.")  # fmt: skip


class OtpRequested(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="The verification's; the same while a code is sent again.")


class VerifyOtpCommand(VerifyOtp):
    """What comes back from whoever read the code."""


class PartnerTokens(serializers.Serializer[Any]):
    """The partner's own token answer, unchanged; among it what RFC 6749, 5.1, knows."""

    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(required=False)
    refresh_token = serializers.CharField(required=False)


class CreateRoomWebCommand(CreateRoom):
    """What is sent to open a room."""


class CreateRoomResult(serializers.Serializer[Any]):
    agentUrl = serializers.CharField()
    ticketUrl = serializers.CharField(help_text="The customer's; whoever holds it is let in.")
    recordingUrl = serializers.CharField()


class CreateGenesysCallbackCommand(CreateCallback):
    """What is sent to have somebody called back: Genesys' own command, in which a queue may stand by its name."""


class GenesysConversation(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(allow_null=True)
    selfUri = serializers.CharField(allow_null=True)


class GenesysCallbackIdentifier(serializers.Serializer[Any]):
    type = serializers.CharField(allow_null=True, help_text="ACD or EXTERNAL.")
    id = serializers.CharField(allow_null=True)


class GenesysCallback(serializers.Serializer[Any]):
    conversation = GenesysConversation()
    callbackIdentifiers = GenesysCallbackIdentifier(many=True)


class CallbackResult(serializers.Serializer[Any]):
    conferenceId = serializers.CharField()
    ticketId = serializers.CharField()
    agentUrl = serializers.CharField()
    ticketUrl = serializers.CharField()
    genesys = GenesysCallback()


class Authority(serializers.Serializer[Any]):
    authority = serializers.CharField()


class User(serializers.Serializer[Any]):
    id = serializers.CharField()
    password = serializers.CharField(help_text="Always a constant.")
    expiresAt = serializers.DateTimeField(allow_null=True)
    locked = serializers.BooleanField()
    credentialsExpireAt = serializers.DateTimeField(allow_null=True)
    disabled = serializers.BooleanField()
    roles = serializers.ListField(child=serializers.CharField())
    createdAt = serializers.DateTimeField()
    lastSeenAt = serializers.DateTimeField(allow_null=True)
    personalDataEntityId = serializers.CharField(allow_null=True)
    version = serializers.IntegerField()
    enabled = serializers.BooleanField()
    authorities = Authority(many=True)
    username = serializers.CharField()
    accountNonExpired = serializers.BooleanField()
    accountNonLocked = serializers.BooleanField()
    credentialsNonExpired = serializers.BooleanField()


def answers(shape: Any, *refusals: int, status: int = 200) -> dict[int, Any]:
    """Answer what an operation answers; 401 is always among it, and every refusal looks alike."""
    return {status: shape, **dict.fromkeys((401, *refusals), Error)}
