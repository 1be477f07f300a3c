"""Tickets: made, read, merged, ended and redeemed (dialects.md 3.0 and 3.2; clarifications 31, 44, 57 and 67)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
import time_machine
from django.test import Client

from identity import clock, crypto
from identity.models import AuditEvent, Session
from identity.models import Client as OAuthClient
from identity.principal import at_the_console
from tests.integrations.dialects.auvious.conftest import Caller, Callers, empty, refused
from tests.integrations.dialects.oauth.conftest import CUSTOMER, Endpoint, claims_of
from tests.integrations.dialects.oauth.conftest import refused as grant_refused
from tickets import actions as tickets
from tickets.models import Redemption, Ticket

pytestmark = pytest.mark.wire("auvious", "3.2 Tickets")

TYPES = [
    "GENESYS_SINGLE_USE_TICKET", "GENESYS_MULTI_USE_TICKET", "GENESYS_SCHEDULE_TICKET", "MULTI_USE_TICKET", "SCHEDULE_TICKET",
    "APPOINTMENTS_SCHEDULE_TICKET", "SINGLE_USE_TICKET", "SINGLE_USE_SCHEDULE_TICKET", "SINGLE_USE_APPOINTMENTS_SCHEDULE_TICKET",
]  # fmt: skip
KEYS = {"id", "userId", "organizationId", "type", "properties", "disabled", "revoked", "createdAt", "expiresAt", "version", "expired"}  # fmt: skip
LATER = "2037-05-06T07:08:09Z"
AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def service(callers: Callers) -> Caller:
    return callers.client("acme_service")


def body_for(type_: str = "MULTI_USE_TICKET", **properties: Any) -> dict[str, Any]:
    scheduled = {"scheduled_date": LATER} if "SCHEDULE" in type_ else {}
    return {"type": type_, "properties": {**scheduled, **properties}}


def new(caller: Caller, type_: str = "MULTI_USE_TICKET", properties: dict[str, Any] | None = None, **more: Any) -> Any:
    answer = caller.post("/ticket", {**body_for(type_, **(properties or {})), **more})
    assert answer.status_code == 200, answer.content
    return answer.json()


def redeem(callers: Callers, ticket_id: str, **more: str) -> Any:
    form = {"grant_type": "password", "username": ticket_id, "password": "", **more}
    return callers.endpoint.ask(form, by=CUSTOMER)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- made and read ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("type_", TYPES)
def test_a_ticket_of_every_type_is_made_with_every_key(callers: Callers, service: Caller, type_: str) -> None:
    sent = body_for(type_, conference_id="c1", theme={"dark": True}, nothing=None)

    made = new(service, type_, sent["properties"])

    assert set(made) == KEYS
    assert len(made["id"]) == 6
    assert set(made["id"]) <= set(crypto.UNAMBIGUOUS)
    organization = str(callers.cast.organization("acme").pk)
    assert (made["type"], made["properties"], made["organizationId"]) == (type_, sent["properties"], organization)
    assert (made["disabled"], made["revoked"], made["version"], made["expired"]) == (None, None, 0, False)
    assert made["userId"] == callers.id_of("acme_service")
    start = moment(LATER if "SCHEDULE" in type_ else made["createdAt"])
    assert moment(made["expiresAt"]) - start == timedelta(hours=4)
    assert made["expiresAt"].endswith("Z")
    assert service.get(f"/ticket/{made['id']}").json() == made


def test_a_clients_ticket_is_known_by_what_the_client_is_for(callers: Callers, service: Caller) -> None:
    new(service)
    assert Ticket.objects.get().creator_name == "demo acme_service"
    OAuthClient.objects.filter(pk=callers.id_of("acme_service")).update(description="")
    new(service)
    assert Ticket.objects.latest("created_at").creator_name == callers.id_of("acme_service")


def test_length_life_and_state_may_be_asked_for(callers: Callers, service: Caller) -> None:
    made = new(service, length=32, ttl=60, disabled=True, ttlX="ignored")
    assert len(made["id"]) == 32
    assert moment(made["expiresAt"]) - moment(made["createdAt"]) == timedelta(seconds=60)
    assert made["disabled"] == made["createdAt"]
    assert new(service, length=None, ttl=None, disabled=None, organizationId=None)["disabled"] is None


def test_the_organisation_says_how_long_ids_are(callers: Callers, service: Caller) -> None:
    acme = callers.cast.organization("acme")
    acme.ticket_length = 9
    acme.save()
    assert len(new(service)["id"]) == 9


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"type": "NOPE"}, "type"), ({"type": None}, "type"), ({"type": 5}, "type"), ({"properties": []}, "properties"), ({"properties": None}, "properties"),
        ({"length": 5}, "length"), ({"length": 33}, "length"), ({"length": "6"}, "length"), ({"ttl": 59}, "ttl"), ({"ttl": 31_536_001}, "ttl"), ({"ttl": True}, "ttl"),
        ({"disabled": "true"}, "disabled"), ({"disabled": 1}, "disabled"), ({"properties": {"customer_id": 5}}, "customer_id"),
        ({"properties": {"conference_id": ["x"]}}, "conference_id"), ({"properties": {"interaction_id": "x" * 201}}, "interaction_id"),
        ({"properties": {"x": "y" * 70_000}}, "properties"),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_ticket_is_refused_by_its_field(service: Caller, change: dict[str, Any], names: str) -> None:
    refused(service.post("/ticket", {**body_for(), **change}), 400, names)
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    "said", [None, "", "tomorrow", 5, "2037-05-06", "2037-05-06T07:08:09", "2037-13-06T07:08:09Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+10:00"]
)  # fmt: skip
def test_a_schedule_needs_a_date_of_rfc_3339(service: Caller, said: Any) -> None:
    refused(service.post("/ticket", body_for("SCHEDULE_TICKET", scheduled_date=said)), 400)
    made = new(service, "SCHEDULE_TICKET")
    refused(service.put(f"/ticket/{made['id']}", {"properties": {"scheduled_date": said}}), 400)
    assert service.get(f"/ticket/{made['id']}").json() == made


@pytest.mark.parametrize(
    "said", ["2037-05-06T09:08:09+02:00", "2037-05-06t07:08:09z", "2037-05-06T07:08:09.000000001Z"]
)
def test_a_date_may_come_in_any_zone_and_stays_as_it_was_written(service: Caller, said: str) -> None:
    made = new(service, "SCHEDULE_TICKET", {"scheduled_date": said})
    assert made["properties"]["scheduled_date"] == said
    assert moment(made["expiresAt"]) == moment(LATER) + timedelta(hours=4)


# --- who may ---------------------------------------------------------------------------------------------------------
def test_who_may_do_what_with_a_ticket_of_the_organisation(callers: Callers) -> None:
    people = {name: callers.person(name) for name in ("alice", "bob", "carol", "ivan")}
    made = new(people["bob"])
    url = f"/ticket/{made['id']}"
    for caller in people.values():
        assert caller.get(url).json() == made
    refused(people["ivan"].put(url, {"properties": "no object"}), 403)
    refused(people["ivan"].delete(url), 403)
    for verb in ("revoke", "disable", "enable"):
        refused(callers.client("acme_agent").post(f"{url}/{verb}"), 403)
    for version, caller in enumerate(
        [people["bob"], people["alice"], people["carol"], callers.client("acme_service"), callers.client("acme_admin")]
    ):
        assert caller.put(url, {"properties": {}}).json()["version"] == version + 1  # fmt: skip


def test_another_organisations_ticket_does_not_exist(callers: Callers, service: Caller) -> None:
    url, foreign = f"/ticket/{new(service)['id']}", callers.client("globex_admin")
    for path in (url, "/ticket/zzzzzz", "/ticket/a%00b", "/ticket/å"):
        refused(foreign.get(path), 404)
        refused(foreign.put(path, {"properties": "no object"}), 404)
        refused(foreign.delete(path), 404)
        refused(foreign.get(f"{path}/event"), 404)
        for verb in ("revoke", "disable", "enable"):
            refused(foreign.post(f"{path}/{verb}"), 404)
    refused(callers.stranger.get(url), 401)
    refused(callers.stranger.post("/ticket", body_for()), 401)


def test_a_customer_reads_its_own_ticket_and_writes_none(callers: Callers, service: Caller) -> None:
    own, other = new(service), new(service)
    mine = Caller(redeem(callers, own["id"]).json()["access_token"])
    assert mine.get(f"/ticket/{own['id']}").json() == own
    refused(mine.get(f"/ticket/{other['id']}"), 404)
    refused(mine.get("/ticket/zzzzzz"), 404)
    for path in (own["id"], other["id"], "zzzzzz"):
        refused(mine.put(f"/ticket/{path}", {}), 403)
        refused(mine.delete(f"/ticket/{path}"), 403)
        refused(mine.post(f"/ticket/{path}/revoke"), 403)
    refused(mine.post("/ticket", {}), 403)


def test_internal_services_name_the_organisation_and_nobody_else_does(callers: Callers, service: Caller) -> None:
    internal, globex = callers.client("internal"), str(callers.cast.organization("globex").pk)
    made = new(internal, organizationId=globex)
    assert made["organizationId"] == globex
    url = f"/ticket/{made['id']}"
    assert internal.put(url, {"properties": {"a": 1}, "organizationId": globex}).json()["version"] == 1
    refused(internal.put(url, {"properties": {}, "organizationId": str(callers.cast.organization("acme").pk)}), 404)
    refused(internal.post("/ticket", body_for()), 400, "organizationId")
    refused(internal.post("/ticket", {**body_for(), "organizationId": "nowhere"}), 404)
    own = new(service)
    refused(service.post("/ticket", {**body_for(), "organizationId": own["organizationId"]}), 403)
    refused(service.put(f"/ticket/{own['id']}", {"organizationId": own["organizationId"]}), 403)
    assert service.post("/ticket", {**body_for(), "id": "ignored"}).status_code == 200


# --- changed ---------------------------------------------------------------------------------------------------------
def test_an_update_merges_at_the_top_and_null_removes(service: Caller) -> None:
    made = new(service, properties={"conference_id": "c1", "theme": "dark", "deep": {"a": 1}, "kept": None})
    url = f"/ticket/{made['id']}"
    changed = service.put(url, {"properties": {"theme": None, "unknown": None, "deep": {"b": 2}, "x": 0}}).json()
    assert changed == {
        **made,
        "properties": {"conference_id": "c1", "deep": {"b": 2}, "kept": None, "x": 0},
        "version": 1,
    }
    assert service.get(url).json() == changed
    refused(service.put(url, {}), 400, "properties")
    refused(service.put(url, {"properties": {"x": "y" * 70_000}}), 400, "properties")
    assert service.get(url).json() == changed


def test_a_moved_date_moves_the_end(service: Caller) -> None:
    made = new(service, "SCHEDULE_TICKET", ttl=60)
    moved = service.put(f"/ticket/{made['id']}", {"properties": {"scheduled_date": "2037-05-07T00:00:00Z"}}).json()
    assert moved["expiresAt"] == "2037-05-07T00:01:00.000Z"


def test_merges_at_once_lose_nothing(callers: Callers, at_once: AtOnce) -> None:
    service = callers.client("acme_service")
    made = new(service)

    answers = at_once(6, lambda n: service.put(f"/ticket/{made['id']}", {"properties": {f"k{n}": n}}))

    assert Counter(answer.status_code for answer in answers) == {200: 6}
    now = service.get(f"/ticket/{made['id']}").json()
    assert (now["properties"], now["version"]) == ({f"k{n}": n for n in range(6)}, 6)


def test_disable_and_enable_and_revoke_leave_their_times(callers: Callers, service: Caller) -> None:
    made = new(service)
    url = f"/ticket/{made['id']}"
    for verb in ("disable", "disable"):
        empty(service.post(f"{url}/{verb}"), 204)
    first = service.get(url).json()["disabled"]
    assert first
    grant_refused(redeem(callers, made["id"]), 400, "invalid_grant", "DISABLED")
    for verb in ("enable", "enable", "revoke"):
        empty(service.post(f"{url}/{verb}"), 204)
    once = service.get(url).json()
    assert (once["disabled"], bool(once["revoked"]), once["version"]) == (None, True, 0)
    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        empty(service.post(f"{url}/revoke"), 204)
    assert service.get(url).json() == once
    answer = service.post(f"{url}/enable")
    assert (answer.status_code, answer.json()) == (400, {"error": "REVOKED"})
    deeds = AuditEvent.objects.filter(event__startswith="ticket.").order_by("pk").values_list("event", flat=True)
    assert list(deeds) == ["ticket.created", "ticket.disabled", "ticket.refused", "ticket.enabled", "ticket.revoked"]


def test_a_deleted_ticket_is_gone(callers: Callers, service: Caller) -> None:
    made = new(service)
    empty(service.delete(f"/ticket/{made['id']}"), 200)
    refused(service.get(f"/ticket/{made['id']}"), 404)
    refused(service.delete(f"/ticket/{made['id']}"), 404)
    grant_refused(redeem(callers, made["id"]), 400, "invalid_grant", "NOT_FOUND")


# --- the calendar ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("calendar", ["", "?calendar=google", "?calendar=ics"])
def test_the_event_of_a_scheduled_ticket_is_an_icalendar_object(service: Caller, calendar: str) -> None:
    made = new(service, "SCHEDULE_TICKET")
    answer = service.get(f"/ticket/{made['id']}/event{calendar}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{made["id"]}.ics"'
    assert answer.headers["Cache-Control"] == "no-store"
    (one,) = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert one.decoded("DTSTART") == datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert str(one["URL"]) == f"http://127.0.0.1:8000/t/{made['id']}"
    service.put(f"/ticket/{made['id']}", {"properties": {"scheduled_date": "2037-05-07T00:00:00Z"}})
    (moved,) = icalendar.Calendar.from_ical(service.get(f"/ticket/{made['id']}/event").content).walk("VEVENT")
    assert (one["UID"], one["SEQUENCE"], moved["SEQUENCE"]) == (moved["UID"], 0, 1)
    assert made["id"] not in one["UID"]


def test_an_event_is_refused_for_other_tickets_and_calendars(service: Caller) -> None:
    refused(service.get(f"/ticket/{new(service)['id']}/event"), 400, "type")
    refused(service.get(f"/ticket/{new(service, 'SCHEDULE_TICKET')['id']}/event?calendar=x"), 400, "calendar")
    refused(service.get("/ticket/zzzzzz/event?calendar=x"), 404)


# --- redeemed --------------------------------------------------------------------------------------------------------
@pytest.mark.wire("auvious", "3.0 ticket redemption")
@pytest.mark.parametrize("spelling", ["username", "ticket"])
def test_a_ticket_is_redeemed_and_refreshed(callers: Callers, service: Caller, spelling: str) -> None:
    made = new(service, properties={"conference_id": "c1", "customer_id": "kund-7"})

    answer = callers.endpoint.ask({"grant_type": "password", spelling: made["id"]}, by=CUSTOMER)

    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "jti", "sub", "refresh_token", "organization", "conference_id"}  # fmt: skip
    assert (body["conference_id"], body["sub"], body["organization"]) == ("c1", "kund-7", made["organizationId"])
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    claims = claims_of(body["access_token"])
    assert (claims["authorities"], claims["sub"], claims["client_id"]) == (["ROLE_CUSTOMER"], "kund-7", "customer")
    again = callers.endpoint.refresh(body["refresh_token"], by=CUSTOMER).json()
    assert (again["conference_id"], again["sub"]) == ("c1", "kund-7")
    assert again["refresh_token"] != body["refresh_token"]
    row = Ticket.objects.get()
    assert (row.uses, bool(row.last_used_at)) == (1, True)


def test_a_ticket_without_names_makes_one_up_for_each_customer(callers: Callers, service: Caller) -> None:
    made = new(service)
    bodies = [redeem(callers, made["id"]).json() for _ in range(2)]
    assert len({body["sub"] for body in bodies}) == 2
    assert [body["conference_id"] for body in bodies] == ["", ""]


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if "SINGLE_USE" in type_])
def test_a_single_use_ticket_is_gone_after_its_use_and_its_token_is_good(
    callers: Callers, service: Caller, type_: str
) -> None:
    made = new(service, type_)
    body = redeem(callers, made["id"]).json()
    grant_refused(redeem(callers, made["id"]), 400, "invalid_grant", "NOT_FOUND")
    refused(service.get(f"/ticket/{made['id']}"), 404)
    assert callers.endpoint.applications(body["access_token"]).status_code == 200


@pytest.mark.parametrize("end", ["revoke", "delete"])
def test_ending_a_ticket_ends_what_was_redeemed_from_it(callers: Callers, service: Caller, end: str) -> None:
    made, other = new(service), new(service)
    bodies = [redeem(callers, one["id"]).json() for one in (made, made, other)]
    if end == "revoke":
        service.post(f"/ticket/{made['id']}/revoke")
    else:
        service.delete(f"/ticket/{made['id']}")
    for body in bodies[:2]:
        refused(Caller(body["access_token"]).get("/applications"), 401)
        grant_refused(callers.endpoint.refresh(body["refresh_token"], by=CUSTOMER), 400, "invalid_grant", "REVOKED")
    assert callers.endpoint.applications(bodies[2]["access_token"]).status_code == 200
    assert callers.endpoint.refresh(bodies[2]["refresh_token"], by=CUSTOMER).status_code == 200


def test_revoked_comes_before_disabled_and_disabled_before_expired(callers: Callers, service: Caller) -> None:
    made = new(service, ttl=60)
    said = []
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        said.append(redeem(callers, made["id"]).json()["error_description"])
        row = tickets.find(by=at_the_console_of(callers), ticket_id=made["id"])
        tickets.disable(by=at_the_console(), ticket=row)
        said.append(redeem(callers, made["id"]).json()["error_description"])
        tickets.revoke(by=at_the_console(), ticket=row)
        said.append(redeem(callers, made["id"]).json()["error_description"])
    assert said == ["EXPIRED", "DISABLED", "REVOKED"]


def at_the_console_of(callers: Callers) -> Any:
    return callers.cast.principal("alice")


def test_an_expired_ticket_says_so_when_it_is_read(service: Caller) -> None:
    made = new(service, "SCHEDULE_TICKET", {"scheduled_date": "2020-01-01T00:00:00Z"})
    assert (made["expired"], made["expiresAt"]) == (True, "2020-01-01T04:00:00.000Z")


@pytest.mark.parametrize("said", ["zzzzzz", "x", "a\tb", "å" * 300])
def test_what_is_no_ticket_is_not_found(callers: Callers, said: str) -> None:
    grant_refused(redeem(callers, said), 400, "invalid_grant", "NOT_FOUND")


def test_no_ticket_at_all_is_a_bad_request(callers: Callers) -> None:
    for form in ({"grant_type": "password"}, {"grant_type": "password", "ticket": "", "username": "x"}):
        grant_refused(callers.endpoint.ask(form, by=CUSTOMER), 400, "invalid_request")


def test_a_suspended_organisations_tickets_are_not_found(callers: Callers, service: Caller) -> None:
    made, acme = new(service), callers.cast.organization("acme")
    acme.suspended_at = clock.now()
    acme.save()
    grant_refused(redeem(callers, made["id"]), 400, "invalid_grant", "NOT_FOUND")
    assert Ticket.objects.get().uses == 0


def test_failures_are_counted_per_address_and_successes_are_not(
    callers: Callers, service: Caller, settings: Any
) -> None:
    settings.THROTTLE_REDEEM_PER_ADDRESS = (3, 60)
    made = new(service)
    for _ in range(5):
        assert redeem(callers, made["id"]).status_code == 200
    for _ in range(3):
        grant_refused(redeem(callers, "zzzzzz"), 400, "invalid_grant", "NOT_FOUND")
    blocked = redeem(callers, made["id"])
    grant_refused(blocked, 429, "temporarily_unavailable")
    assert 1 <= int(blocked.headers["Retry-After"]) <= 60
    assert callers.endpoint.http.post(
        "/security/oauth/token", "x=y", content_type="text/plain", REMOTE_ADDR="127.0.0.9"
    ).status_code == 400  # fmt: skip
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert redeem(callers, made["id"]).status_code == 200


@pytest.mark.wire("auvious", "3.0 single use")
def test_a_single_use_ticket_is_redeemed_by_one_of_many(callers: Callers, settings: Any, at_once: AtOnce) -> None:
    settings.THROTTLE_REDEEM_PER_ADDRESS = (1000, 60)
    made = new(callers.client("acme_service"), "SINGLE_USE_TICKET")
    form = {"grant_type": "password", "username": made["id"]}

    answers = at_once(64, lambda _: Endpoint(callers.cast, Client()).ask(form, by=CUSTOMER))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 63}
    assert {answer.json().get("error_description") for answer in answers} == {None, "NOT_FOUND"}
    assert (Ticket.objects.get().uses, Redemption.objects.count()) == (1, 1)


def test_a_ticket_revoked_while_it_is_redeemed_leaves_nobody_in(
    callers: Callers, settings: Any, at_once: AtOnce
) -> None:
    settings.THROTTLE_REDEEM_PER_ADDRESS = (1000, 60)
    service = callers.client("acme_service")
    made = new(service)
    form = {"grant_type": "password", "username": made["id"]}

    def deed(number: int) -> Any:
        if number == 3:
            return service.post(f"/ticket/{made['id']}/revoke")
        return Endpoint(callers.cast, Client()).ask(form, by=CUSTOMER)

    answers = at_once(16, deed)

    assert Counter(answer.status_code for answer in answers)[204] == 1
    assert not Session.objects.filter(redemption__isnull=False, ended_at=None).exists()


# --- secrets and figures ---------------------------------------------------------------------------------------------
def test_an_id_is_kept_sealed_and_named_nowhere_else(callers: Callers, service: Caller, caplog: Any) -> None:
    made = new(service, length=16)
    redeem(callers, made["id"])
    service.post(f"/ticket/{made['id']}/revoke")
    redeem(callers, made["id"])
    row = Ticket.objects.get()
    assert made["id"] not in repr(vars(row))
    assert crypto.open_sealed(row.id_sealed, place=row.place()) == made["id"]
    assert made["id"] not in "".join(str(vars(event)) for event in AuditEvent.objects.all())
    assert made["id"] not in caplog.text


def test_tickets_cost_few_queries(callers: Callers, service: Caller, django_assert_max_num_queries: Any) -> None:
    made = new(service)
    with django_assert_max_num_queries(7):
        service.get(f"/ticket/{made['id']}")
    with django_assert_max_num_queries(12):
        redeem(callers, made["id"])
    with django_assert_max_num_queries(12):
        new(service)
