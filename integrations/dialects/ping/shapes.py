"""What Ping's bodies look like: Extension and Calls on the way out, dates and reports on the way in (dialects.md 2.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from agents.calls import Direction, LineStatus
from integrations import edge
from integrations.edge import Input

OK = {"message": "OK"}
NO_END = "0000-00-00 00:00:00"
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Utf8Json(JSONRenderer):
    """JSON that says its charset, as the vendor's pages promise."""

    charset = "utf-8"


# --- in --------------------------------------------------------------------------------------------------------------
class Text(serializers.CharField):
    """A string as it was sent; numbers are none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class Day(serializers.Field[date, str, str, Any]):
    """A day that exists, as `YYYY-MM-DD` in full."""

    default_error_messages = {"invalid": "Not a day."}

    def to_internal_value(self, data: str) -> date:
        try:
            return date.fromisoformat(data if DAY.fullmatch(data) else "")
        except ValueError:
            self.fail("invalid")


class Days(Input):
    """The days between which calls are asked for, both of them counted in."""

    fromDate = Day(required=False, source="since")
    toDate = Day(required=False, source="until")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "since" in attrs and "until" in attrs and attrs["since"] > attrs["until"]:
            raise serializers.ValidationError("The first day is after the last.")
        return attrs

    @classmethod
    def asked(cls, request: Request) -> dict[str, Any]:
        """Read the days from the address. Raises Invalid, Malformed."""
        return cls.of(edge.read_query(request))


class CallReport(Input):
    callerid = Text(source="number", max_length=50, allow_blank=True, trim_whitespace=False)
    direction = serializers.ChoiceField(Direction.values)
    linestatus = serializers.ChoiceField(LineStatus.values, source="line_status")


# --- out -------------------------------------------------------------------------------------------------------------
class Said(serializers.Serializer[dict[str, Any]]):
    """It went well, or why not."""

    message = serializers.CharField()


class Profile(serializers.Serializer[dict[str, Any]]):
    """What somebody is doing, and until when."""

    available = serializers.BooleanField()
    name = serializers.CharField()
    until = serializers.CharField(help_text=f"YYYY-MM-DD HH:MM:SS in UTC; {NO_END}: no end.")
    message = serializers.CharField(allow_null=True)


class OngoingCall(serializers.Serializer[dict[str, Any]]):
    """A call on an extension that is not over."""

    callerid = serializers.CharField()
    linestatus = serializers.ChoiceField(LineStatus.values)
    direction = serializers.ChoiceField(Direction.values)


class Extension(serializers.Serializer[dict[str, Any]]):
    """One colleague."""

    extension = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    mobile = serializers.CharField()
    profile = Profile(allow_null=True)
    calls = OngoingCall(many=True)
    keyWords = serializers.ListField(child=serializers.CharField())


class EndedCall(serializers.Serializer[dict[str, Any]]):
    """A call that is over."""

    callId = serializers.CharField()
    number = serializers.CharField()
    datetime = serializers.CharField(help_text="YYYY-MM-DD HH:MM:SS in UTC.")
    duration = serializers.IntegerField(help_text="Seconds.")


class Calls(serializers.Serializer[dict[str, Any]]):
    """The caller's last calls."""

    incoming = EndedCall(many=True)
    outgoing = EndedCall(many=True)
    missed = EndedCall(many=True)


def extension(agent: Any) -> dict[str, Any]:
    """Answer the Extension object of an agent that came with its ongoing calls."""
    return {
        "extension": agent.extension,
        "name": agent.user.get_full_name(),
        "email": agent.user.email,
        "mobile": agent.user.mobile,
        "profile": profile(agent) if agent.has_profile else None,
        "calls": [
            {"callerid": call.number, "linestatus": call.line_status, "direction": call.direction}
            for call in agent.ongoing
        ],
        "keyWords": agent.key_words,
    }


def profile(agent: Any) -> dict[str, Any]:
    """Answer the profile object of an agent who shows one."""
    return {
        "available": agent.is_available,
        "name": agent.profile_name,
        "until": _moment(agent.profile_until) if agent.profile_until else NO_END,
        "message": agent.profile_message or None,
    }


def calls(ended: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    """Answer the three lists of calls that are over, in the order in which they come; unknown directions count as incoming."""
    lists: dict[str, list[dict[str, Any]]] = {"incoming": [], "outgoing": [], "missed": []}
    for call in ended:
        answered = "outgoing" if call.direction == Direction.OUT else "incoming"
        lists["missed" if call.is_missed() else answered].append(
            {
                "callId": call.call_id,
                "number": call.number,
                "datetime": _moment(call.started_at),
                "duration": call.seconds(),
            }
        )
    return lists


def _moment(at: datetime) -> str:
    """`isoformat`, not `strftime`, which leaves the zeros of early years out."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
