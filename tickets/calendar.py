"""Writes the appointment of a scheduled ticket as an iCalendar object (RFC 5545)."""

from __future__ import annotations

import re
from datetime import UTC
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from icalendar import Calendar, Event, vText

from identity import clock
from identity.errors import Invalid
from tickets.models import Ticket

MEDIA_TYPE = "text/calendar; charset=utf-8"
PRODUCT = "-//Switchboard//Tickets//EN"
# RFC 5545, 3.1: no control characters in a text but the tab; line ends are escaped by the library.
LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def link_of(ticket_id: str, *, base: str = "") -> str:
    """Answer the address of a customer's page."""
    return f"{base or settings.PUBLIC_URL}/t/{ticket_id}"


def event(*, ticket: Ticket, ticket_id: str) -> bytes:
    """Answer the appointment: one VEVENT from the scheduled time, whose UID stays and whose SEQUENCE follows every change.

    Nothing that a customer's properties hold can add a line. Raises Invalid for a ticket without a scheduled time.
    """
    at = clock.now()
    if ticket.scheduled_at is None:
        raise Invalid("type", fields={"type": [_("Only a scheduled ticket has an appointment.")]})
    link, organization = link_of(ticket_id), ticket.organization
    said = [_("Open this link at the time of the meeting: %s") % link]
    if ticket.conference:
        said.append(_("Conference: %s") % ticket.conference)
    one = Event()
    # Of the digest and not of the id: calendars are shared, and the id opens the door.
    one.add("uid", f"{ticket.digest[:32]}@{urlsplit(settings.PUBLIC_URL).hostname}")
    one.add("dtstamp", at.astimezone(UTC).replace(microsecond=0))
    one.add("dtstart", ticket.scheduled_at.astimezone(UTC).replace(microsecond=0))
    one.add("summary", _plain(_("Meeting with %s") % (organization.title or organization.name)))
    one.add("description", _plain("\n".join(said)))
    one.add("url", link)
    one.add("sequence", ticket.version)
    one.add("status", "CANCELLED" if ticket.revoked_at else "CONFIRMED")
    whole = Calendar()
    whole.add("prodid", PRODUCT)
    whole.add("version", "2.0")
    whole.add("method", "PUBLISH")
    whole.add_component(one)
    written: bytes = whole.to_ical()
    return written


def _plain(text: str) -> vText:
    return vText(CONTROLS.sub("", LINE_ENDS.sub("\n", text)))
