"""The admin's pages of what happens: sessions, login-as, messages, and the audit trail with its exports."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identity import audit, clock, login_as, outbox
from identity.models import AuditEvent, LoginAs, OutboxMessage, Session
from identity.principal import Via, at_the_console
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of

SESSIONS, LOGINS = "/admin/identity/session/", "/admin/identity/loginas/"
MESSAGES, TRAIL = "/admin/identity/outboxmessage/", "/admin/identity/auditevent/"


def rows(client: Client, path: str, **query: str) -> list[Any]:
    answer = client.get(path, query)
    assert answer.status_code == 200
    return list(answer.context["cl"].result_list)


def do(client: Client, row: Any, deed: str, **fields: str) -> Any:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_do"
    return client.post(reverse(name, args=[row.pk, deed]), fields, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def working(cast: Cast) -> LoginAs:
    by = cast.principal("alice", door="portal")
    return login_as.start(by=by, subject_id=cast.user("bob").pk, via=Via(door="portal"), reason="Ticket 4711: no sound")


# --- live ----------------------------------------------------------------------------------------------------------------


def test_a_session_is_ended_from_the_list(cast: Cast, admin_of: Admin) -> None:
    alice, open_one = admin_of("alice"), cast.session("bob").session
    assert "/do/end/" in alice.get(SESSIONS).text

    answer = do(alice, open_one, "end", back="list")

    assert said(answer) == ["The session is ended."]
    assert answer.redirect_chain == [(SESSIONS, 302)]
    assert open_one.pk not in [row.pk for row in rows(alice, SESSIONS)]
    assert do(alice, open_one, "end").status_code == 404


def test_a_supervisor_sees_sessions_without_a_button(cast: Cast, admin_of: Admin) -> None:
    carol, open_one = admin_of("carol"), cast.session("bob").session

    assert "/do/end/" not in carol.get(SESSIONS).text
    assert do(carol, open_one, "end").status_code == 403
    open_one.refresh_from_db()
    assert open_one.ended_at is None


def test_sessions_are_found_by_name_and_by_kind_of_owner(cast: Cast, admin_of: Admin) -> None:
    alice, acme = admin_of("alice"), cast.organization("acme")
    bobs, ends = cast.session("bob", idle=timedelta(seconds=1)).session, clock.now() + timedelta(hours=1)
    Session.objects.filter(pk=bobs.pk).update(last_seen_at=clock.now() - timedelta(hours=1))
    guest = Session.objects.create(holder="guest", digest="g" * 64, organization=acme, door="test", expires_at=ends)
    working(cast)

    assert {row.user.username for row in rows(alice, SESSIONS, q="bo")} == {"bob"}
    assert rows(alice, SESSIONS, whose="customers") == [guest]
    assert {row.user.username for row in rows(alice, SESSIONS, whose="tokens")} == {"bob"}
    assert rows(alice, SESSIONS, whose="clients") == []
    assert bobs in rows(alice, SESSIONS, whose="people")
    assert "idled out" in alice.get(SESSIONS).text


def test_a_running_login_as_is_ended_by_an_admin_and_stays_in_the_history(cast: Cast, admin_of: Admin) -> None:
    row, alice = working(cast), admin_of("alice")
    assert rows(alice, LOGINS, state="running") == [row]
    assert "/do/end/" in alice.get(LOGINS).text

    answer = do(alice, row, "end")

    row.refresh_from_db()
    assert said(answer) == ["alice no longer works as bob."]
    assert row.end_reason == "ended"
    assert rows(alice, LOGINS, state="over") == [row]
    assert rows(alice, LOGINS, state="running") == []
    assert "/do/end/" not in alice.get(LOGINS).text
    assert rows(alice, LOGINS, q="bob") == rows(alice, LOGINS, q="ali") == [row]
    assert rows(alice, LOGINS, q="ivan") == []


def test_a_session_that_works_as_another_says_as_whom(cast: Cast, admin_of: Admin) -> None:
    by = cast.principal("alice", door="portal")
    row = login_as.start(by=by, subject_id=cast.user("bob").pk, via=Via(door="portal"), reason="Ticket 4711: no sound")
    opened = login_as.open_session(by=by, login_as=row, via=Via(door="portal-acting")).session

    assert rows(admin_of("alice"), SESSIONS, whose="others") == [opened]
    assert "works as bob" in admin_of("alice").get(SESSIONS).text


# --- messages ------------------------------------------------------------------------------------------------------------


def message(cast: Cast, state: str) -> OutboxMessage:
    acme = cast.organization("acme")
    made = outbox.put(
        channel="EMAIL", to="bob@acme.example", template="password_reset", locale="en", organization=acme, context={"link": "https://secret"}
    )  # fmt: skip
    OutboxMessage.objects.filter(pk=made.pk).update(state=state)
    made.refresh_from_db()
    return made


def test_a_given_up_message_is_sent_again_and_no_other(cast: Cast, admin_of: Admin) -> None:
    alice, dead, sent = admin_of("alice"), message(cast, "dead"), message(cast, "sent")
    assert alice.get(MESSAGES).text.count("/do/repeat/") == 1

    answer = do(alice, dead, "repeat")

    dead.refresh_from_db()
    assert said(answer) == ["The message will be sent again."]
    assert dead.state == "pending"
    assert AuditEvent.objects.get(event="message.repeated").actor == "alice"
    do(alice, sent, "repeat")
    sent.refresh_from_db()
    assert sent.state == "sent"


def test_messages_never_say_what_they_hold(cast: Cast, admin_of: Admin) -> None:
    made, alice = message(cast, "dead"), admin_of("alice")

    for path in (MESSAGES, reverse("admin:identity_outboxmessage_change", args=[made.pk])):
        text = alice.get(path).text
        assert "bob@acme.example" in text
        assert "https://secret" not in text
        assert made.context_sealed not in text


def test_messages_are_filtered_by_state_and_found_by_recipient(cast: Cast, admin_of: Admin) -> None:
    alice, dead = admin_of("alice"), message(cast, "dead")
    message(cast, "sent")

    assert rows(alice, MESSAGES, state__exact="dead") == [dead]
    assert len(rows(alice, MESSAGES, q="bob@")) == 2
    assert rows(alice, MESSAGES, q="erin") == []


# --- the audit trail -----------------------------------------------------------------------------------------------------


def events(found: list[Any]) -> list[str]:
    return [row.event for row in found]


@pytest.fixture
def trail(cast: Cast) -> list[AuditEvent]:
    """Five rows that the filters can tell apart, the last of globex."""
    AuditEvent.objects.all().delete()
    acme, bob = cast.organization("acme"), cast.user("bob")
    by, at = at_the_console(), clock.now()
    made = [
        audit.record("login.failed", via=Via(door="v1", address="10.0.0.1"), actor_name="=cmd()", subject=bob, organization=acme),
        audit.record("login.succeeded", via=Via(door="portal"), actor_name="bob", subject=bob, organization=acme),
        audit.record("user.changed", by=by, subject=bob, organization=acme, fields=["e-mail"]),
        audit.record("otp.sent", by=by, subject="old", organization=acme),
        audit.record("login.failed", by=by, subject="erin", organization=cast.organization("globex")),
    ]  # fmt: skip
    AuditEvent.objects.filter(pk=made[3].pk).update(at=at - timedelta(days=10))
    return made


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({}, [3, 2, 1, 0]), ({"event": "login."}, [1, 0]), ({"event": "login.failed"}, [0]), ({"event": "no.such"}, []),
        ({"actor": "bob"}, [1]), ({"subject": "bob"}, [2, 1, 0]), ({"door": "v1"}, [0]), ({"day": "1"}, [2, 1, 0]),
        ({"day": "30"}, [3, 2, 1, 0]), ({"day": "nonsense"}, [3, 2, 1, 0]), ({"day": "2001-02-03"}, []), ({"q": "bob login"}, [1, 0]),
        ({"q": "subject:old"}, [3]), ({"q": "10.0.0."}, [0]), ({"q": "door:portal event:login.succeeded"}, [1]), ({"q": "erin"}, []),
    ],
)  # fmt: skip
def test_the_trail_is_filtered_and_searched(
    cast: Cast, admin_of: Admin, trail: list[AuditEvent], query: dict[str, str], kept: list[int]
) -> None:
    assert [row.pk for row in rows(admin_of("alice"), TRAIL, **query)] == [trail[i].pk for i in kept]


def test_the_exports_hold_what_the_filters_let_through_oldest_first(
    cast: Cast, admin_of: Admin, trail: list[AuditEvent]
) -> None:
    alice = admin_of("alice")

    as_json = alice.get(f"{TRAIL}export.json", {"event": "login."})
    as_csv = alice.get(f"{TRAIL}export.csv", {"event": "login."})

    lines = json.loads(as_json.getvalue())
    assert lines == [audit.as_dict(trail[0]), audit.as_dict(trail[1])]
    assert as_json.headers["Content-Disposition"] == 'attachment; filename="audit.json"'
    cells = list(csv.DictReader(io.StringIO(as_csv.getvalue().decode())))
    assert [cell["event"] for cell in cells] == ["login.failed", "login.succeeded"]
    assert cells[0]["actor"] == "'=cmd()"  # no sheet runs it
    assert as_csv.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert json.loads(alice.get(f"{TRAIL}export.json", {"event": "no.such"}).getvalue()) == []


def test_an_export_of_everything_is_an_operators(cast: Cast, admin_of: Admin, trail: list[AuditEvent]) -> None:
    lines = json.loads(admin_of("olle").get(f"{TRAIL}export.json").getvalue())

    assert [line["id"] for line in lines] == [row.pk for row in trail]


@pytest.mark.parametrize("name", ["carol", "bob"])
def test_nobody_without_the_right_exports_or_verifies(cast: Cast, admin_of: Admin, name: str) -> None:
    client = admin_of(name)

    assert client.get(f"{TRAIL}export.csv").status_code == 403
    assert client.get(f"{TRAIL}export.json").status_code == 403
    assert client.post(f"{TRAIL}verify/").status_code == 403


def test_the_chain_is_verified_and_only_operators_read_which_rows_are_broken(
    cast: Cast, admin_of: Admin, trail: list[AuditEvent]
) -> None:
    AuditEvent.objects.update(at=clock.now() - timedelta(minutes=5))
    audit.seal()
    alice, olle = admin_of("alice"), admin_of("olle")
    assert alice.get(f"{TRAIL}verify/").status_code == 405
    assert said(alice.post(f"{TRAIL}verify/", follow=True)) == ["The chain holds: nothing that was sealed was changed."]

    AuditEvent.objects.filter(pk=trail[0].pk).update(actor="nobody")

    words = "The audit trail was changed after it was sealed. Tell the operator."
    assert said(alice.post(f"{TRAIL}verify/", follow=True)) == [words]
    assert said(olle.post(f"{TRAIL}verify/", follow=True)) == [words, *audit.verify()]


def test_a_row_of_the_trail_shows_everything_and_offers_no_change(
    cast: Cast, admin_of: Admin, trail: list[AuditEvent]
) -> None:
    AuditEvent.objects.filter(pk=trail[2].pk).update(acting_as="bob", actor="")
    path = reverse("admin:identity_auditevent_change", args=[trail[2].pk])

    answer = admin_of("alice").get(path)

    assert "e-mail" in answer.text
    assert "_save" not in answer.text
    assert admin_of("alice").post(path, {"actor": "mallory"}).status_code == 403
    assert admin_of("alice").get(TRAIL).status_code == 200
