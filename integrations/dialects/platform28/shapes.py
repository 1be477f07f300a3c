"""What Platform28's bodies look like: Input classes on the way in, the LoginSession on the way out (dialects.md 1.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from identity.errors import Invalid
from identity.sessions import Opened
from integrations import edge
from integrations.edge import Input

BODY = "body"
DIGEST = re.compile(r"[0-9a-f]{64}")


class BareJson(edge.AnyJson):
    """Reads a body that may be a bare scalar, under any media type, and keeps "no body" apart from an empty object."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        raw = stream.read()
        return {BODY: edge.read_json(raw, content_type=media_type or "")} if raw.strip() else {}


def body_of(request: Request, default: Any) -> Any:
    """Answer what BareJson read, or the default where there was no body."""
    return cast(dict[str, Any], request.data).get(BODY, default)


# --- in --------------------------------------------------------------------------------------------------------------
class Text(serializers.CharField):
    """A string as it was sent; numbers are none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Said(Text):
    """A string that may be left out, be null or be empty: all the same."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default="", allow_blank=True, allow_null=True, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> str:
        return str(super().run_validation(data) or "")


class Id(Text):
    """An id as a string, or as the number that it looks like."""

    def to_internal_value(self, data: Any) -> str:
        return str(data) if isinstance(data, int) and not isinstance(data, bool) else super().to_internal_value(data)


class SaidId(Said, Id):
    """An id that may be left out."""


class Digest(Text):
    """The lower-case hex SHA-256 of a password: itself a password, never echoed (dialects.md 0.3)."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not DIGEST.fullmatch(text):
            self.fail("invalid")
        return text


class SignIn(Input):
    passwordHash = Digest(source="password_sha256")
    orgId = Said(source="organization_id")
    otp = Said()


class Bare(Input):
    """An object, or the bare value of its one telling field (dialects.md 1.2, rows 5 and 7)."""

    bare: ClassVar[str]

    @classmethod
    def read(cls, request: Request, **context: Any) -> dict[str, Any]:
        said = body_of(request, None)
        return cls.of(said if isinstance(said, dict) else {cls.bare: said}, **context)


class EffectiveUser(Bare):
    bare = "userId"
    userId = Id(source="subject_id")
    reason = Said()


class EffectiveOrg(Bare):
    bare = "orgId"
    orgId = Id(source="organization_id")


class ResetRequest(Input):
    userId = SaidId(source="user_id")
    email = Said()
    phone = Said()
    mobile = Said()
    template = Said()
    resetPageUrl = Said(source="page")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One person is named, and the alias's address names nobody else than the body."""
        in_path = self.context.get("user_id", "")
        if in_path and attrs["user_id"] not in ("", in_path):
            raise serializers.ValidationError({"userId": "not the one of the address"})
        attrs["user_id"] = in_path or attrs["user_id"]
        if not (attrs["user_id"] or attrs["email"]):
            raise serializers.ValidationError({"userId": "missing"})
        return attrs


class ResetWithToken(Input):
    token = Text()
    username = Text()
    newPasswordHash = Digest(source="password_sha256")


class PasswordChange(Input):
    oldPasswordHash = Digest(source="old", required=False)
    newPasswordHash = Digest(source="new")
    adminPasswordHash = Digest(source="admin", required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Exactly one of the two proofs (dialects.md 1.3)."""
        if ("old" in attrs) == ("admin" in attrs):
            raise serializers.ValidationError("one of oldPasswordHash and adminPasswordHash")
        return attrs


def read_everywhere(request: Request) -> bool:
    """Answer row 4's bare boolean: all sessions of this user? No body is a no. Raises Invalid for anything else."""
    said = body_of(request, False)
    if not isinstance(said, bool):
        raise Invalid("not a boolean")
    return said


# --- out -------------------------------------------------------------------------------------------------------------
@extend_schema_field(OpenApiTypes.DATETIME)
class Moment(serializers.Field[datetime, Any, str, Any]):
    """RFC 3339 in UTC, to the millisecond."""

    def to_representation(self, value: datetime) -> str:
        return moment(value)


class LoginSession(serializers.Serializer[Any]):
    """A session by its public handle; the real person and organisation never change."""

    id = serializers.CharField(source="pk")
    userId = serializers.CharField(source="user_id")
    username = serializers.CharField(source="user.username")
    orgId = serializers.CharField(source="organization_id")
    effectiveUserId = serializers.SerializerMethodField()
    effectiveOrgId = serializers.SerializerMethodField()
    assumedIdentity = serializers.SerializerMethodField()
    clonedFrom = serializers.CharField(source="cloned_from_id", allow_null=True)
    createdAt = Moment(source="created_at")
    lastAccessedAt = Moment(source="last_seen_at")
    expiresAt = serializers.SerializerMethodField()

    def get_effectiveUserId(self, session: Any) -> str:
        return str(session.login_as.subject_id if session.login_as else session.user_id)

    def get_effectiveOrgId(self, session: Any) -> str:
        return str(session.effective_organization_id or session.organization_id)

    def get_assumedIdentity(self, session: Any) -> bool:
        return bool(session.login_as or session.effective_organization_id)

    def get_expiresAt(self, session: Any) -> str:
        """While acting, the deadline (clarifications 14)."""
        return moment(min(session.expires_at, session.login_as.deadline_at) if session.login_as else session.expires_at)


class NewLoginSession(LoginSession):
    """A session that was just made, with its secret: told here and never again."""

    lsid = serializers.CharField()


class Said200(serializers.Serializer[Any]):
    """A sentence that says it went well."""

    status = serializers.IntegerField()
    message = serializers.CharField()


class BlockStatus(serializers.Serializer[Any]):
    """Whether a name may try to sign in."""

    username = serializers.CharField()
    blocked = serializers.BooleanField()
    blockedUntil = serializers.CharField(allow_null=True)


def login_session(session: Any) -> dict[str, Any]:
    """Answer a session without its secret."""
    return dict(LoginSession(session).data)


def new_login_session(opened: Opened) -> dict[str, Any]:
    """Answer a new session with its secret."""
    return {**login_session(opened.session), "lsid": opened.secret}


def block_status(username: str, until: datetime | None) -> dict[str, Any]:
    """Answer whether a name is blocked; the name is the one that was asked for, whether or not it is anybody's."""
    return {"username": username, "blocked": until is not None, "blockedUntil": until and moment(until)}


def sentence(message: str) -> dict[str, Any]:
    """Answer a success that is only a sentence."""
    return {"status": 200, "message": message}


def moment(at: datetime) -> str:
    """Answer a moment as RFC 3339 in UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
