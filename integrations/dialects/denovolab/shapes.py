"""What Denovolab's bodies look like: Input classes on the way in, serializers on the way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers

from identity import clock, sessions
from identity.principal import Principal, Role
from integrations.dialects.denovolab import credentials
from integrations.edge import Input

MASK = "********"
LONGEST_MINUTES = 1440
# Somebody seen this recently counts as online.
ONLINE = timedelta(minutes=5)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
MISSING = {"required": "Missing data for required field.", "null": "Field may not be null."}


# --- in --------------------------------------------------------------------------------------------------------------
class Text(serializers.CharField):
    """A string as it was sent; numbers are none."""

    default_error_messages = {**MISSING, "invalid": "Not a valid string."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, allow_blank=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Integer(serializers.IntegerField):
    """An integer, or its digits in a string as in the seed's curl; 64 bits at most."""

    default_error_messages = {**MISSING, "invalid": "Not a valid integer."}

    def to_internal_value(self, data: Any) -> int:
        is_digits = isinstance(data, str) and data.isascii() and data.isdigit() and len(data) <= 19
        if isinstance(data, bool) or not (isinstance(data, int) or is_digits) or not -(2**63) <= int(data) < 2**63:
            self.fail("invalid")
        return int(data)


class SignIn(Input):
    email_or_name = Text(source="name")
    password = Text(source="clear")
    expire_after_minutes = Integer(required=False, source="minutes")
    otp = Text(required=False)

    def validate_expire_after_minutes(self, minutes: int) -> int:
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise serializers.ValidationError("Must be greater than or equal to 1 and less than or equal to 1440.")
        return minutes


class AsAgent(Input):
    agent_id = Integer()
    reason = Text(required=False)


class AsClient(Input):
    client_id = Integer()


class Password(Input):
    password = Text(source="clear")


class Email(Input):
    email = Text(source="name")


# --- out -------------------------------------------------------------------------------------------------------------
class UserOut(serializers.Serializer[dict[str, Any]]):
    """The User object; a field with a default is a constant of the seed's example (clarifications 53)."""

    login_ip = serializers.CharField()
    first_name = serializers.CharField()
    fullname = serializers.CharField()
    create_time = serializers.CharField()
    passwd = serializers.CharField(default=MASK)
    report_count = serializers.CharField(default="1 Hour")
    is_online = serializers.IntegerField()
    last_name = serializers.CharField()
    role_name = serializers.CharField()
    client_id = serializers.IntegerField(allow_null=True, default=None)
    cdr_api_token = serializers.CharField()
    user_id = serializers.IntegerField()
    all_termination = serializers.BooleanField(default=True)
    show_carrier_trunk_drop_only = serializers.BooleanField(default=True)
    default_mod = serializers.CharField(default="0")
    user_type = serializers.ChoiceField(["admin", "client", "agent", "viewer"])
    client_limits = serializers.ListField(child=serializers.DictField(child=serializers.IntegerField()), default=list)
    role_id = serializers.IntegerField()
    last_login_time = serializers.CharField()
    reseller_id = serializers.IntegerField(default=0)
    cdr_expire = serializers.CharField()
    outbound_report = serializers.BooleanField(default=True)
    email = serializers.CharField()
    carrier_name = serializers.CharField(allow_null=True, default=None)
    default_mod2 = serializers.CharField(default="0")
    active = serializers.BooleanField()
    landing_page = serializers.CharField()
    create_user_id = serializers.IntegerField(allow_null=True)
    card_id = serializers.IntegerField(default=0)
    name = serializers.CharField()
    client = serializers.CharField(allow_null=True, default=None)
    report_group = serializers.BooleanField(default=True)
    last_seen = serializers.CharField()
    report_fields = serializers.CharField(default="111")
    is_preload = serializers.BooleanField(default=True)
    default_billing_decimal = serializers.IntegerField(default=0)
    avatar_id = serializers.IntegerField()
    auth_ip = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    agent = serializers.CharField(allow_null=True, default=None)


class Payload(serializers.Serializer[dict[str, Any]]):
    """What a sign-in hands over."""

    cdr_api_token_expiration = serializers.CharField(help_text="Seconds since 1970, as digits.")
    user = UserOut()
    token = serializers.CharField()
    cdr_api_token = serializers.CharField()


class AuthToken(serializers.Serializer[dict[str, Any]]):
    """The answer of every operation that hands out a token."""

    success = serializers.BooleanField(default=True)
    payload = Payload()


class UserInfo(serializers.Serializer[dict[str, Any]]):
    """Whom a token stands for."""

    success = serializers.BooleanField(default=True)
    payload = UserOut()


class Success(serializers.Serializer[dict[str, Any]]):
    """It went well."""

    success = serializers.BooleanField(default=True)


class Reason(serializers.Serializer[dict[str, Any]]):
    """Why a token, or an operation, was refused."""

    message = serializers.CharField()
    code = serializers.IntegerField()
    reason = serializers.CharField()


class Refused(serializers.Serializer[dict[str, Any]]):
    """A refused token or operation."""

    error_type = serializers.ChoiceField(["unauthenticated_error", "operation_error"])
    success = serializers.BooleanField(default=False)
    error = Reason()


class Incorrect(serializers.Serializer[dict[str, Any]]):
    """A refused body: one object per field."""

    error_type = serializers.ChoiceField(["validation_error"])
    success = serializers.BooleanField(default=False)
    errors = serializers.ListField(  # type: ignore[assignment]  # the wire's word is also a property of Serializer
        child=serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    )


class Missing(serializers.Serializer[dict[str, Any]]):
    """It is not there."""

    error_type = serializers.ChoiceField(["Object not found error"])
    success = serializers.BooleanField(default=False)


# Strongest first: the first role that is held names the person's part.
PARTS = (
    (Role.ADMIN, ("admin", 1, "Admin")),
    (Role.SUPERVISOR, ("viewer", 2, "Supervisor")),
    (Role.AGENT, ("agent", 0, "Agent")),
)
NO_PART = ("viewer", 2, "Viewer")
_USER = UserOut()


def user(principal: Principal, claims: dict[str, Any]) -> dict[str, Any]:
    """Answer the User object of whoever a token stands for. Times are ISO 8601 in UTC; 1970 stands for never."""
    at = clock.now()
    person = sessions.person_of(principal)
    type_, role_id, role_name = next((part for role, part in PARTS if role in principal.roles), NO_PART)
    return _USER.to_representation(
        {
            "user_id": person.pk,
            "name": person.username,
            "fullname": person.get_full_name(),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "email": person.email,
            "user_type": type_,
            "role_id": role_id,
            "role_name": role_name,
            "active": person.is_active,
            "is_online": int(person.last_seen_at is not None and person.last_seen_at > at - ONLINE),
            "login_ip": person.last_login_address,
            "create_time": person.created_at.isoformat(),
            "last_login_time": (person.last_login_at or NEVER).isoformat(),
            "last_seen": (person.last_seen_at or NEVER).isoformat(),
            "cdr_expire": datetime.fromtimestamp(claims["exp"], tz=UTC).isoformat(),
            "cdr_api_token": credentials.cdr_api_token(claims),
            "create_user_id": person.created_by_id,
            "avatar_id": person.avatar_id,
            "auth_ip": [entry if isinstance(entry, dict) else {"ip": entry} for entry in person.auth_ip],
            "landing_page": person.landing_page,
        }
    )


def auth_token(principal: Principal, claims: dict[str, Any], text: str) -> dict[str, Any]:
    """Answer the AuthToken object: the token inside `payload`, as in the seed's example."""
    return {
        "success": True,
        "payload": {
            "cdr_api_token_expiration": str(claims["exp"]),
            "user": user(principal, claims),
            "token": text,
            "cdr_api_token": credentials.cdr_api_token(claims),
        },
    }


def success(payload: dict[str, Any] | None = None) -> dict[str, Any]:
    """Answer the envelope of everything else that went well."""
    return {"success": True} if payload is None else {"success": True, "payload": payload}
