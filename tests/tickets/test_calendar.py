"""Appointments: valid under RFC 5545 whatever a customer's properties hold."""

from __future__ import annotations

from datetime import UTC, datetime

import icalendar
import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity import clock
from identity.errors import Invalid
from tests.cast import Cast
from tests.tickets.conftest import New
from tickets import actions as tickets
from tickets import calendar
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
AT = datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC)
HOSTILE = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nATTENDEE:mailto:eve@evil.example\r\n;,\\n\x1b\u2028\x85ATTENDEE:y"


def holds(written: bytes, conference: str) -> None:
    """Check the lines of RFC 5545, 3.1, and that there is the one event with the properties that we wrote."""
    assert written.endswith(b"\r\n")
    lines = written.split(b"\r\n")
    assert all(len(line) <= 75 and not any((byte < 32 and byte != 9) or byte == 127 for byte in line) for line in lines)
    whole = icalendar.Calendar.from_ical(written)
    (one,) = whole.walk("VEVENT")
    names = ["DESCRIPTION", "DTSTAMP", "DTSTART", "SEQUENCE", "STATUS", "SUMMARY", "UID", "URL"]
    assert (sorted(one), sorted(whole)) == (names, ["METHOD", "PRODID", "VERSION"])
    assert one.decoded("DTSTART") == AT


@pytest.mark.parametrize("conference", ["c1", HOSTILE, "å" * 200, "\r", "\\", "a\tb", '"quoted"; x=y, z'])
def test_hostile_properties_add_no_line(new: New, conference: str) -> None:
    made = new(at=AT, conference=conference)
    holds(calendar.event(ticket=made.ticket, ticket_id=made.id), conference)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conference=st.text(max_size=120).filter(lambda text: "\x00" not in text))
def test_no_text_at_all_adds_a_line(cast: Cast, conference: str) -> None:
    row = Ticket(organization=cast.organization("acme"), digest="d" * 64, conference=conference, scheduled_at=AT)
    holds(calendar.event(ticket=row, ticket_id="abcdef"), conference)


def test_a_revoked_appointment_is_cancelled_under_the_same_uid(new: New, cast: Cast) -> None:
    made = new(at=AT)
    (before,) = icalendar.Calendar.from_ical(calendar.event(ticket=made.ticket, ticket_id=made.id)).walk("VEVENT")
    tickets.revoke(by=cast.principal("alice"), ticket=made.ticket)
    made.ticket.refresh_from_db()
    (after,) = icalendar.Calendar.from_ical(calendar.event(ticket=made.ticket, ticket_id=made.id)).walk("VEVENT")
    assert (before["STATUS"], after["STATUS"], before["UID"]) == ("CONFIRMED", "CANCELLED", after["UID"])
    assert str(before["SUMMARY"]) == "Meeting with Acme"


def test_a_ticket_without_a_time_has_no_appointment(new: New) -> None:
    made = new()
    with pytest.raises(Invalid), translation.override("en"):
        calendar.event(ticket=made.ticket, ticket_id=made.id)


def test_an_organisation_without_a_title_goes_by_its_name(cast: Cast) -> None:
    acme = cast.organization("acme")
    acme.title = ""
    row = Ticket(organization=acme, digest="d" * 64, scheduled_at=clock.now())
    assert b"SUMMARY:Meeting with acme\r\n" in calendar.event(ticket=row, ticket_id="abcdef")
