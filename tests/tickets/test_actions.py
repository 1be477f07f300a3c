"""The rules of tickets that no dialect reaches: races, sets, the console, what is purged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError

from identity import clock, crypto
from identity.errors import CredentialInvalid, Invalid, NotAllowed, NotFound, TooManyAttempts
from identity.models import AuditEvent, Session
from identity.principal import Via, at_the_console
from tests.cast import Cast
from tests.tickets.conftest import New
from tickets import actions as tickets
from tickets import redemptions
from tickets.actions import Meaning
from tickets.models import Redemption, Ticket
from tickets.tasks import purge

pytestmark = pytest.mark.django_db
VIA = Via(door="test", address="127.0.0.1")
CONSOLE = at_the_console()


def read(type_: str, properties: dict[str, Any]) -> Meaning:
    return Meaning(**properties)


def test_a_ticket_is_made_for_ones_own_organisation(cast: Cast) -> None:
    globex = cast.organization("globex")
    with pytest.raises(NotFound):
        tickets.issue(
            by=cast.principal("bob"), organization=globex, type_="KIND", properties={}, read=read, is_single_use=True
        )
    made = tickets.issue(by=CONSOLE, organization=globex, type_="KIND", properties={}, read=read, is_single_use=True)
    assert made.ticket.creator_name == CONSOLE.name  # fmt: skip


def test_an_id_that_is_taken_is_made_anew_and_at_last_refused(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter(["aaaaaa", "aaaaaa", "bbbbbb"])
    monkeypatch.setattr(crypto, "make_readable", lambda length: next(ids))
    assert [new().id, new().id] == ["aaaaaa", "bbbbbb"]
    monkeypatch.setattr(crypto, "make_readable", lambda length: "bbbbbb")
    with pytest.raises(Invalid) as refusal:
        new()
    assert list(refusal.value.fields) == ["length"]


def test_no_secret_is_in_a_representation(new: New) -> None:
    made = new(once=True)
    redeemed = redemptions.redeem(ticket_id=made.id, via=VIA)
    assert (repr(made), repr(redeemed)) == (f"Issued({made.ticket.pk})", f"Redeemed({made.ticket.pk})")
    assert str(made.ticket) == f"KIND {str(made.ticket.pk)[:8]}"
    assert str(Redemption.objects.get()).startswith("redemption ")


def test_a_foreign_ticket_is_not_found_and_anothers_is_not_allowed(cast: Cast, new: New) -> None:
    ticket = new().ticket
    for verb in (tickets.revoke, tickets.disable, tickets.enable, tickets.delete, tickets.show):
        with pytest.raises(NotFound):
            verb(by=cast.principal("frank"), ticket=ticket)
        with pytest.raises(NotAllowed):
            verb(by=cast.principal("ivan"), ticket=ticket)
    tickets.require_keeper(cast.principal("bob"), ticket)


def test_a_ticket_deleted_meanwhile_is_neither_changed_nor_deleted(new: New) -> None:
    ticket = new().ticket
    tickets.delete(by=CONSOLE, ticket=ticket)
    with pytest.raises(NotFound):
        tickets.change(by=CONSOLE, ticket=ticket, properties={}, read=read)
    with pytest.raises(NotFound):
        tickets.delete(by=CONSOLE, ticket=ticket)


def test_a_merge_that_is_overtaken_every_time_gives_up(new: New) -> None:
    ticket = new().ticket

    def overtaken(type_: str, properties: dict[str, Any]) -> Meaning:
        Ticket.objects.filter(pk=ticket.pk).update(version=Ticket.objects.get().version + 1)
        return Meaning()

    with pytest.raises(NotFound):
        tickets.change(by=CONSOLE, ticket=ticket, properties={"conference": "c"}, read=overtaken)
    assert Ticket.objects.get().properties == {}


@pytest.mark.parametrize("party", tickets.PARTIES)
def test_everything_of_a_customer_a_conference_or_an_interaction_is_revoked_at_once(
    cast: Cast, new: New, party: str, django_assert_max_num_queries: Any
) -> None:
    once, many, other, foreign = (
        new(**{party: "same"}, once=True), new(**{party: "same"}), new(**{party: "other"}), new(by="frank", **{party: "same"}),
    )  # fmt: skip
    sessions = [
        redemptions.redeem(ticket_id=made.id, via=VIA).session.pk for made in (once, many, many, other, foreign)
    ]

    with django_assert_max_num_queries(12):
        revoked = tickets.revoke_all(by=cast.principal("carol"), ticket=many.ticket, party=party)

    assert revoked == 2
    assert set(Ticket.objects.filter(revoked_at=None)) == {other.ticket, foreign.ticket}
    assert set(Session.objects.filter(pk__in=sessions, ended_at=None).values_list("pk", flat=True)) == set(sessions[3:])
    event = AuditEvent.objects.get(event="ticket.revoked")
    assert event.details == {
        "party": party,
        "named": "same",
        "tickets": sorted(str(made.ticket.pk) for made in (once, many)),
    }


def test_a_set_needs_a_name_in_common_and_the_right_to_every_ticket(cast: Cast, new: New) -> None:
    ticket = new(customer="k").ticket
    for party in ("conference", "creator"):
        with pytest.raises(NotFound):
            tickets.revoke_all(by=cast.principal("alice"), ticket=ticket, party=party)
    with pytest.raises(NotAllowed):
        tickets.revoke_all(by=cast.principal("bob"), ticket=ticket, party="customer")


def test_looking_uses_nothing_up_and_a_wrong_id_is_counted(new: New, settings: Any) -> None:
    settings.THROTTLE_REDEEM_PER_ADDRESS = (2, 60)
    made = new(once=True)
    for _ in range(4):
        assert redemptions.look(ticket_id=made.id, via=VIA).uses == 0
    for _ in range(2):
        with pytest.raises(NotFound):
            redemptions.look(ticket_id="zzzzzz", via=VIA)
    with pytest.raises(TooManyAttempts):
        redemptions.look(ticket_id=made.id, via=VIA)
    with pytest.raises(TooManyAttempts):
        redemptions.redeem(ticket_id=made.id, via=VIA)
    assert redemptions.redeem(ticket_id=made.id, via=Via(door="test", address="127.0.0.2")).ticket.pk == made.ticket.pk


def test_a_ticket_that_ends_between_the_look_and_the_claim_is_refused(
    new: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new(once=True)

    def overtaken(ticket: Ticket, *, at: datetime) -> bool:
        Ticket.objects.filter(pk=ticket.pk).update(redeemed_at=at)
        return claim(ticket, at=at)

    claim = redemptions._claim
    monkeypatch.setattr(redemptions, "_claim", overtaken)
    with pytest.raises(CredentialInvalid):
        redemptions.redeem(ticket_id=made.id, via=VIA)
    assert not Redemption.objects.exists()
    assert AuditEvent.objects.get(event="ticket.refused").rule == "used"


def test_a_ticket_is_used_up_only_together_with_its_session(new: New, monkeypatch: pytest.MonkeyPatch) -> None:
    made = new(once=True)
    begin = redemptions.refresh.begin
    monkeypatch.setattr(redemptions.refresh, "begin", lambda **_: (_ for _ in ()).throw(IntegrityError))
    with pytest.raises(IntegrityError):
        redemptions.redeem(ticket_id=made.id, via=VIA)
    monkeypatch.setattr(redemptions.refresh, "begin", begin)
    assert (Ticket.objects.get().uses, Session.objects.filter(holder__gt="").count()) == (0, 0)
    assert redemptions.redeem(ticket_id=made.id, via=VIA).session.holder


def test_tickets_that_are_long_over_are_purged_with_their_redemptions(new: New) -> None:
    over, running = new(ttl=60), new(at=clock.now() + timedelta(days=60))
    redemptions.redeem(ticket_id=over.id, via=VIA)
    purge()
    assert Ticket.objects.count() == 2
    with time_machine.travel(clock.now() + timedelta(days=31)):
        purge()
    assert list(Ticket.objects.all()) == [running.ticket]
    assert not Redemption.objects.exists()


def test_the_end_of_a_schedule_is_counted_from_its_time(new: New) -> None:
    at = datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert new(at=at, ttl=60).ticket.expires_at == at + timedelta(seconds=60)
