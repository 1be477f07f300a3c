"""What Genesys' bodies look like: three kinds of POST on the way in, the User on the way out (dialects.md 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from rest_framework import serializers

from identity.errors import Invalid
from identity.principal import Principal, Role
from integrations import edge
from integrations.dialects.genesys.errors import OK, ParameterMissing
from integrations.edge import Input

BODY = "body"
OPERATION = "operationName"
BEGIN, END = "StartContactCenterSession", "EndContactCenterSession"
MOST_DEVICES = 50
ROLES = {Role.AGENT: "ROLE_AGENT", Role.SUPERVISOR: "ROLE_SUPERVISOR", Role.ADMIN: "ROLE_ADMIN"}
DONE = {"statusCode": OK}


class ArrayOrObject(edge.AnyJson):
    """Reads JSON under any media type, and keeps "no body" apart from an empty object."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        raw = stream.read()
        return {BODY: edge.read_json(raw, content_type=media_type or "")} if raw.strip() else {}


# --- in --------------------------------------------------------------------------------------------------------------
class Text(serializers.CharField):
    """A string as it was sent; numbers are none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=kwargs.pop("max_length", 100), **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class HttpsAddress(Text):
    """The address of a server: kept, and never asked anything (dialects.md 4.4)."""

    default_error_messages = {"https": "Not an https address."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            parts = urlsplit(text)
            is_one = parts.scheme == "https" and bool(parts.hostname) and not parts.username and parts.port != 0
        except ValueError:
            is_one = False
        if not is_one or not text.isprintable() or " " in text:
            self.fail("https")
        return text


class Device(Input):
    dn = Text()
    switch = Text()


class Configuration(Input):
    """What a login may say about the workstation; everything is optional."""

    server = HttpsAddress(required=False, max_length=500)
    peer_server = HttpsAddress(required=False, max_length=500)
    place = Text(required=False, allow_blank=True)
    devices = serializers.ListField(child=Device(), required=False, max_length=MOST_DEVICES)


class Begin(Input):
    """What the Web Services' own login operation says."""

    place = Text(required=False, allow_blank=True)
    channels = serializers.ListField(child=Text(), required=False, max_length=20)


def configuration_of(request: Any) -> dict[str, Any] | None:
    """Answer the configuration that a POST logs in with, which may be empty; None for a logout (dialects.md 4.1).

    Raises ParameterMissing, Invalid.
    """
    said = request.data.get(BODY, [])
    if isinstance(said, list):
        return Configuration.of(_by_name(said))
    if not isinstance(said, dict):
        raise Invalid("neither an array nor an object")
    if OPERATION not in said:
        raise ParameterMissing(OPERATION)
    if said[OPERATION] == BEGIN:
        return Begin.of(said)
    if said[OPERATION] != END:
        raise Invalid(OPERATION)
    return None


def _by_name(entries: list[Any]) -> dict[str, Any]:
    """Turn `[{"name", "value"}]` into a mapping; a name that nobody knows or that comes twice is refused."""
    found: dict[str, Any] = {}
    for entry in entries:
        if not isinstance(entry, dict) or "value" not in entry:
            raise Invalid("an entry has a name and a value")
        name = entry.get("name")
        if not isinstance(name, str) or name in found or name not in Configuration().fields:
            raise Invalid("a name is unknown, or comes twice")
        found[name] = entry["value"]
    return found


# --- out -------------------------------------------------------------------------------------------------------------
class User(serializers.Serializer[dict[str, Any]]):
    """Who is signed in."""

    id = serializers.CharField(help_text="32 hexadecimal digits.")
    userName = serializers.CharField()
    firstName = serializers.CharField()
    lastName = serializers.CharField()
    emailAddress = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(list(ROLES.values())))
    enabled = serializers.BooleanField()
    changePasswordOnFirstLogin = serializers.BooleanField()
    contactCenterId = serializers.CharField()
    uri = serializers.CharField()
    path = serializers.CharField()


class SignedIn(serializers.Serializer[dict[str, Any]]):
    """The answer of a login."""

    statusCode = serializers.IntegerField()
    user = User()


class Done(serializers.Serializer[dict[str, Any]]):
    """It went well."""

    statusCode = serializers.IntegerField()


class Refused(serializers.Serializer[dict[str, Any]]):
    """It did not, and why."""

    statusCode = serializers.IntegerField()
    statusMessage = serializers.CharField()


class Version(serializers.Serializer[dict[str, Any]]):
    """Which version the portal stands in for."""

    version = serializers.CharField()


def signed_in(person: Any, principal: Principal) -> dict[str, Any]:
    """Answer the body of a login: the User object, without the empty `password` of the vendor's page."""
    handle = f"{person.pk:032x}"
    path = f"/users/{handle}"
    return {
        "statusCode": OK,
        "user": {
            "id": handle,
            "userName": person.username,
            "firstName": person.first_name,
            "lastName": person.last_name,
            "emailAddress": person.email,
            "roles": [word for role, word in ROLES.items() if role in principal.roles],
            "enabled": person.is_active,
            "changePasswordOnFirstLogin": False,
            "contactCenterId": str(principal.organization_id),
            "uri": f"{settings.PUBLIC_URL}/api/v2{path}",
            "path": path,
        },
    }
