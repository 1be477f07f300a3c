"""The admin's pages of tickets: state, uses, last use, creator, link and QR code, and the ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from identity import clock
from identity.models import AuditEvent
from identity.principal import Via, at_the_console
from tests.cast import Cast
from tests.tickets.conftest import New
from tickets import actions as tickets
from tickets import redemptions
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]
LIST = "/admin/tickets/ticket/"
VIA = Via(door="test", address="127.0.0.1")


def shown(answer: Any) -> set[int]:
    return {row.pk for row in answer.context["cl"].result_list}


def do(client: Client, ticket: Ticket, deed: str) -> Any:
    return client.post(f"{LIST}{ticket.pk}/do/{deed}/")


def test_the_list_tells_state_uses_last_use_and_creator(new: New, admin_of: Admin) -> None:
    made = new(customer="kund-7", conference="c-99", once=True)
    redemptions.redeem(ticket_id=made.id, via=VIA)
    text = admin_of("carol").get(LIST).text
    for said in ("KIND", "used", "kund-7", "c-99", "bob"):
        assert said in text
    assert made.id not in text


def test_the_list_is_read_with_few_queries(new: New, admin_of: Admin, django_assert_num_queries: Any) -> None:
    alice = admin_of("alice")
    new()
    alice.get(LIST)
    with django_assert_num_queries(4):
        alice.get(LIST)
    for _ in range(5):
        new()
    with django_assert_num_queries(4):
        alice.get(LIST)


def test_every_state_is_found_by_its_filter(new: New, admin_of: Admin) -> None:
    carol, by = admin_of("carol"), at_the_console()
    made = {name: new(once=True, ttl=60 if name == "expired" else None).ticket for name in ("valid", "revoked", "disabled", "expired")}  # fmt: skip
    used = new(once=True)
    redemptions.redeem(ticket_id=used.id, via=VIA)
    tickets.revoke(by=by, ticket=made["revoked"])
    tickets.disable(by=by, ticket=made["disabled"])
    tickets.delete(by=by, ticket=new().ticket)
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        for state, ticket in {**made, "used": used.ticket}.items():
            assert shown(carol.get(f"{LIST}?state={state}")) == {ticket.pk}, state
        assert len(shown(carol.get(LIST))) == 5


def test_tickets_are_found_by_customer_conference_and_interaction(new: New, admin_of: Admin) -> None:
    carol = admin_of("carol")
    rows = [
        new(customer="aa1").ticket,
        new(conference="aa2").ticket,
        new(interaction="aa3").ticket,
        new(customer="b").ticket,
    ]
    assert shown(carol.get(f"{LIST}?q=aa")) == {row.pk for row in rows[:3]}  # fmt: skip


def test_another_organisations_tickets_do_not_exist(new: New, admin_of: Admin) -> None:
    ticket = new().ticket
    frank = admin_of("frank")
    assert shown(frank.get(LIST)) == set()
    assert frank.get(f"{LIST}{ticket.pk}/change/").status_code == 404
    for deed in ("show", "revoke", "disable"):
        assert do(frank, ticket, deed).status_code == 404
    assert do(admin_of("bob"), ticket, "show").status_code == 403
    assert shown(admin_of("olle").get(LIST)) == {ticket.pk}


def test_link_and_picture_are_shown_to_whoever_may_and_that_is_written_down(new: New, admin_of: Admin) -> None:
    made = new()
    carol = admin_of("carol")
    assert made.id not in carol.get(f"{LIST}{made.ticket.pk}/change/").text
    answer = do(carol, made.ticket, "show")
    assert f"http://127.0.0.1:8000/t/{made.id}" in answer.text
    assert "data:image/svg+xml" in answer.text
    assert "no-store" in answer.headers["Cache-Control"]
    event = AuditEvent.objects.get(event="ticket.shown")
    assert (event.actor, event.subject) == ("carol", f"ticket {made.ticket.pk}")
    trail = admin_of("alice").get(f"{LIST}{made.ticket.pk}/history/")
    assert trail.url == f"/admin/identity/auditevent/?subject=ticket+{made.ticket.pk}"


def test_a_ticket_is_disabled_enabled_and_revoked_by_its_buttons(new: New, admin_of: Admin) -> None:
    ticket, carol = new().ticket, admin_of("carol")
    page = f"{LIST}{ticket.pk}/change/"
    buttons = []
    for deed in ("disable", "enable", "revoke", "enable"):
        buttons.append({deed.name for deed, _ in carol.get(page).context["deeds"]})
        assert do(carol, ticket, deed).status_code == 302
    assert buttons == [{"show", "disable", "revoke"}, {"show", "enable", "revoke"}, {"show", "disable", "revoke"}, {"show"}]  # fmt: skip
    ticket.refresh_from_db()
    assert (ticket.disabled_at, bool(ticket.revoked_at)) == (None, True)


def test_all_tickets_of_a_customer_are_revoked_by_a_button(new: New, admin_of: Admin, cast: Cast) -> None:
    ticket, other = new(customer="k").ticket, new(customer="k").ticket
    answer = admin_of("alice").post(f"{LIST}{ticket.pk}/do/revoke-customer/", follow=True)
    assert "2 tickets are revoked." in answer.text
    assert not Ticket.objects.filter(pk__in=[ticket.pk, other.pk], revoked_at=None).exists()
