"""Extensions and calls as Ping's clients read and report them (dialects.md 2.1; clarifications 25 and 59)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from agents import actions as agents
from agents.models import Agent, Call
from identity import clock, users
from identity.models import Membership, User
from identity.principal import Role, at_the_console

LIST = pytest.mark.wire("ping", "2.1 GET /api/extensions/")
ME = pytest.mark.wire("ping", "2.1 GET /api/extensions/me")
ONE = pytest.mark.wire("ping", "2.1 GET /api/extensions/{extension}")
CALLS = pytest.mark.wire("ping", "2.1 GET /api/calls")
REPORT = pytest.mark.wire("ping", "59 PUT /api/extensions/{extension}/calls/{callId}")
METHODS = pytest.mark.wire("ping", "2.1 any other verb")


@pytest.fixture
def bob(ping):
    return ping.bearer("bob")


@pytest.fixture
def admin(ping):
    return ping.bearer("alice")


def presence(ping, **said):
    agents.set_presence(by=ping.cast.principal("bob"), agent=ping.cast.agent("bob"), **said)


# --- extensions ------------------------------------------------------------------------------------------------------
@LIST
@pytest.mark.parametrize("path", ["/api/extensions/", "/api/extensions"])
def test_the_list_holds_the_enabled_colleagues_of_ones_own_organisation(ping, bob, path):
    answer = ping.get(path, bob)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    said = [(entry["extension"], entry["name"]) for entry in answer.json()]
    assert said == [("08123456", "Bob Berg"), ("08123457", "Carol Ceder"), ("08123459", "Ivan Isaksson")]


@ME
@pytest.mark.parametrize("path", ["/api/extensions/me", "/api/extensions/me/"])
def test_me_is_one_whole_extension_in_the_order_of_the_vendors_example(ping, bob, path):
    User.objects.filter(username="bob").update(mobile="+46701740605", first_name="Åsa")
    until = datetime(2027, 5, 17, 16, 30, tzinfo=UTC)
    presence(ping, is_available=False, name="Lunch", until=until, message="Åter 16.30", key_words=["faktura", "växel"])
    ping.report(ping.bearer("alice"), linestatus="ringing")

    expected = {
        "extension": "08123456",
        "name": "Åsa Berg",
        "email": "bob@acme.example",
        "mobile": "+46701740605",
        "profile": {"available": False, "name": "Lunch", "until": "2027-05-17 16:30:00", "message": "Åter 16.30"},
        "calls": [{"callerid": "+46701740605", "linestatus": "ringing", "direction": "in"}],
        "keyWords": ["faktura", "växel"],
    }
    assert ping.get(path, bob).content == json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode()


@ME
def test_who_shows_nothing_has_no_profile_and_empty_lists(ping, bob):
    said = ping.get("/api/extensions/me", bob).json()

    assert (said["profile"], said["calls"], said["keyWords"], said["mobile"]) == (None, [], [], "")


@ME
def test_a_profile_without_an_end_ends_on_the_day_of_zeros(ping, bob):
    presence(ping, is_available=True)

    assert ping.get("/api/extensions/me", bob).json()["profile"] == {
        "available": True,
        "name": "",
        "until": "0000-00-00 00:00:00",
        "message": None,
    }


@ME
@pytest.mark.parametrize(("year", "said"), [(1, "0001-01-02 00:00:00"), (9999, "9999-01-02 00:00:00")])
def test_odd_years_are_printed_in_full(ping, bob, year, said):
    presence(ping, is_available=True, until=datetime(year, 1, 2, tzinfo=UTC))

    assert ping.get("/api/extensions/me", bob).json()["profile"]["until"] == said


@ME
def test_who_has_no_extension_is_404(ping, refused):
    refused(ping.get("/api/extensions/me", ping.bearer("alice")), 404, "Not Found")


@ONE
@pytest.mark.parametrize("slash", ["", "/"])
def test_one_colleague_is_one_object_and_the_same_as_in_the_list(ping, bob, slash):
    agents.create(
        by=at_the_console(),
        user=ping.cast.user("alice"),
        organization=ping.cast.organization("acme"),
        extension="+4681234",
    )

    for extension in ("08123457", "%2B4681234", "+4681234"):
        said = ping.get(f"/api/extensions/{extension}{slash}", bob)
        assert said.status_code == 200
        assert said.json() in ping.get("/api/extensions/", bob).json()


@ONE
@pytest.mark.parametrize(
    "extension",
    ["00000000", "08123458", "1" * 20, "1" * 200, "abc", "08123456a", "+", "++1", "٠٨", "08123456%0a", "08123456%00", "-1", "ME", "%2e%2e"],
)  # fmt: skip
def test_unknown_disabled_and_impossible_extensions_are_404(ping, bob, refused, extension):
    refused(ping.get(f"/api/extensions/{extension}", bob), 404, "Not Found")


@ONE
def test_the_same_number_in_another_organisation_is_another_person(ping):
    assert ping.get("/api/extensions/08123456", ping.bearer("erin")).json()["email"] == "erin@globex.example"
    assert ping.get("/api/extensions/08123457", ping.bearer("erin")).status_code == 404


@LIST
def test_whoever_holds_no_role_sees_nobody(ping, bob, refused):
    Membership.objects.filter(user__username="bob").update(is_agent=False)

    for path in ("/api/extensions/", "/api/extensions/me", "/api/extensions/08123457", "/api/calls"):
        refused(ping.get(path, bob), 403, "Forbidden")


@LIST
def test_five_hundred_extensions_cost_as_many_queries_as_five(ping, bob, admin, django_assert_num_queries):
    ping.report(admin)
    ping.get("/api/extensions/", bob)
    with django_assert_num_queries(4):
        assert len(ping.get("/api/extensions/", bob).json()) == 3
    acme = ping.cast.organization("acme")
    people = User.objects.bulk_create(
        User(username=f"p{n}", username_key=f"p{n}", email=f"p{n}@acme.example", email_key=f"p{n}@acme.example")
        for n in range(497)
    )
    Agent.objects.bulk_create(Agent(user=p, organization=acme, extension=f"09{p.pk:08}") for p in people)

    with django_assert_num_queries(4):
        assert len(ping.get("/api/extensions/", bob).json()) == 500


@METHODS
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/auth/login", "GET, HEAD, POST"),
        ("/api/auth/logout", "POST"),
        ("/api/extensions/", "GET, HEAD"),
        ("/api/extensions/me", "GET, HEAD"),
        ("/api/extensions/08123456", "GET, HEAD"),
        ("/api/extensions/08123456/calls/c", "PUT"),
        ("/api/calls", "GET, HEAD"),
    ],
)
def test_any_other_verb_is_405_and_says_which_there_are(ping, refused, path, allowed):
    answer = ping.client.generic("DELETE", path)

    refused(answer, 405, "Method Not Allowed")
    assert answer.headers["Allow"] == allowed


# --- calls that are over ---------------------------------------------------------------------------------------------
@CALLS
@pytest.mark.parametrize("path", ["/api/calls", "/api/calls/"])
def test_calls_that_are_over_lie_in_three_lists(ping, bob, admin, path):
    at = (clock.now() + timedelta(days=1)).replace(hour=1, minute=2, second=3)
    for call, direction, was_up in (("a", "in", True), ("b", "out", True), ("c", "in", False), ("d", "out", False), ("e", "unknown", True)):  # fmt: skip
        where = f"/api/extensions/08123456/calls/{call}"
        with time_machine.travel(at, tick=False):
            ping.report(admin, where, direction=direction, linestatus="up" if was_up else "ringing")
        with time_machine.travel(at + timedelta(seconds=75.9), tick=False):
            assert ping.report(admin, where, direction=direction, linestatus="down").status_code == 200
    ping.report(admin, "/api/extensions/08123456/calls/ongoing")
    ping.report(admin, "/api/extensions/08123457/calls/another")

    said = {"number": "+46701740605", "datetime": f"{at:%Y-%m-%d} 01:02:03"}
    assert ping.get(path, bob).json() == {
        "incoming": [{"callId": "e", **said, "duration": 75}, {"callId": "a", **said, "duration": 75}],
        "outgoing": [{"callId": "d", **said, "duration": 0}, {"callId": "b", **said, "duration": 75}],
        "missed": [{"callId": "c", **said, "duration": 0}],
    }


@CALLS
def test_the_last_thirty_are_told_newest_first(ping, bob):
    at, agent = clock.now(), ping.cast.agent("bob")
    Call.objects.bulk_create(
        Call(agent=agent, call_id=f"c{n}", direction="in", line_status="down", was_answered=n % 2 == 0, started_at=at - timedelta(hours=n), ended_at=at)
        for n in range(40)
    )  # fmt: skip

    said = ping.get("/api/calls", bob).json()

    assert [call["callId"] for call in said["incoming"]] == [f"c{n}" for n in range(0, 30, 2)]
    assert [call["callId"] for call in said["missed"]] == [f"c{n}" for n in range(1, 30, 2)]


@CALLS
def test_both_days_count_in(ping, bob):
    agent = ping.cast.agent("bob")
    for moment in ("2026-03-01T00:00:00", "2026-03-01T23:59:59.999999", "2026-03-02T12:00:00", "2026-03-03T00:00:00"):
        Call.objects.create(
            agent=agent,
            call_id=moment,
            direction="out",
            line_status="down",
            started_at=f"{moment}Z",
            ended_at=clock.now(),
        )

    def days(query: str) -> list[str]:
        return [call["datetime"][8:] for call in ping.get(f"/api/calls?{query}", bob).json()["outgoing"]]

    assert days("fromDate=2026-03-01&toDate=2026-03-01") == ["01 23:59:59", "01 00:00:00"]
    assert days("fromDate=2026-03-02") == ["03 00:00:00", "02 12:00:00"]
    assert days("toDate=2026-03-02&more=x") == ["02 12:00:00", "01 23:59:59", "01 00:00:00"]
    assert days("fromDate=0001-01-01&toDate=9999-12-31") == days("")


@CALLS
@pytest.mark.parametrize(
    "query",
    ["fromDate=2026-02-30", "toDate=2026-13-01", "fromDate=2026-1-1", "fromDate=20260101", "fromDate=", "toDate=2026-01-01T00:00:00", "fromDate=2026-W01-1",
     "fromDate=2026-03-02&toDate=2026-03-01", "fromDate=2026-03-01&fromDate=2026-03-01", "toDate=%00", "fromDate=٢٠٢٦-01-01", "fromDate=0000-01-01"],
)  # fmt: skip
def test_a_day_that_is_none_is_400(ping, bob, refused, query):
    refused(ping.get(f"/api/calls?{query}", bob), 400, "Bad Request")
    refused(ping.get(f"/api/calls?{query}"), 401, "Unauthorized")


@CALLS
def test_who_has_no_extension_has_no_calls(ping):
    assert ping.get("/api/calls", ping.bearer("alice")).json() == {"incoming": [], "outgoing": [], "missed": []}


# --- reports ---------------------------------------------------------------------------------------------------------
@REPORT
def test_a_reported_call_is_seen_at_once_and_follows_its_line(ping, bob, admin):
    for state in ("ringing", "up"):
        answer = ping.report(admin, linestatus=state)
        assert (answer.status_code, answer.json()) == (200, {"message": "OK"})
        assert [call["linestatus"] for call in ping.get("/api/extensions/me", bob).json()["calls"]] == [state]

    ping.report(admin, linestatus="down")

    assert ping.get("/api/extensions/me", bob).json()["calls"] == []
    assert [call["callId"] for call in ping.get("/api/calls", bob).json()["incoming"]] == ["call-1"]


@REPORT
def test_a_report_that_comes_late_revives_nothing(ping, bob, admin):
    ping.report(admin, linestatus="down")
    ended_at = Call.objects.get().ended_at

    for state in ("up", "down"):
        assert ping.report(admin, linestatus=state, callerid="other").status_code == 200

    call = Call.objects.get()
    assert (call.ended_at, call.line_status, call.number, call.was_answered) == (
        ended_at,
        "down",
        "+46701740605",
        False,
    )
    assert ping.get("/api/extensions/me", bob).json()["calls"] == []


@REPORT
def test_two_extensions_may_know_a_call_by_one_id(ping, admin):
    ping.report(admin)
    ping.report(admin, "/api/extensions/08123457/calls/call-1/")

    assert Call.objects.count() == 2


@REPORT
@pytest.mark.parametrize("who", ["alice by password", "alice by cookie", "carol by token", "bob by token"])
def test_nobody_but_an_admin_with_a_token_reports(ping, refused, who):
    name, way = who.split(" by ")
    proof = {"password": ping.basic, "cookie": ping.cookie, "token": ping.bearer}[way](name)

    refused(ping.report(proof), 403, "Forbidden")
    assert not Call.objects.exists()


@REPORT
@pytest.mark.parametrize(
    "said",
    [{"direction": "inbound"}, {"direction": None}, {"linestatus": "UP"}, {"linestatus": 1}, {"callerid": 46701740605}, {"callerid": "1" * 51}, {"callerid": None},
     {"direction": ["in"]}, {"linestatus": {}}],
    ids=str,
)  # fmt: skip
def test_a_report_that_makes_no_sense_is_400(ping, admin, refused, said):
    refused(ping.report(admin, **said), 400, "Bad Request")
    assert not Call.objects.exists()


@REPORT
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"1", b'{"callerid": "1", "direction": "in"}'])
def test_a_report_that_lacks_something_is_400(ping, admin, refused, body):
    where = "/api/extensions/08123456/calls/call-1"

    refused(ping.client.generic("PUT", where, body, "application/json", headers=admin), 400, "Bad Request")


@REPORT
def test_what_the_address_names_is_looked_for_before_the_body_is_judged(ping, admin, refused):
    refused(ping.report(admin, "/api/extensions/0000/calls/c", linestatus="?"), 404, "Not Found")
    refused(ping.report(admin, f"/api/extensions/08123456/calls/{'c' * 101}"), 404, "Not Found")
    refused(ping.report(admin, "/api/extensions/08123456/calls/a%00b"), 404, "Not Found")


@REPORT
def test_a_report_in_another_media_type_is_415(ping, admin, refused):
    answer = ping.client.generic("PUT", "/api/extensions/08123456/calls/c", b"a=b", "text/plain", headers=admin)

    refused(answer, 415, "Unsupported Media Type")


@REPORT
@pytest.mark.django_db(transaction=True)
def test_reports_at_once_make_one_call(at_once, ping, admin):
    done = at_once(8, lambda n: ping.report(admin, linestatus="up" if n % 2 else "ringing").status_code)

    assert done == [200] * 8
    assert Call.objects.count() == 1


# --- presence --------------------------------------------------------------------------------------------------------
@LIST
def test_presence_saved_on_the_desk_is_answered_at_once(ping, bob, at_desk):
    at_desk("bob").send(
        "/desk/presence/",
        is_available="on",
        name="Möte",
        until="2027-01-02T03:04",
        message="Strax",
        key_words="vvs, el",
    )

    said = ping.get("/api/extensions/me", bob).json()
    assert said["profile"] == {"available": True, "name": "Möte", "until": "2027-01-02 03:04:00", "message": "Strax"}
    assert said["keyWords"] == ["vvs", "el"]


@LIST
def test_whoever_is_disabled_is_listed_no_more(ping, bob):
    users.disable(by=at_the_console(), user=ping.cast.user("ivan"))
    ping.cast.newcomer("nora", roles=(Role.SUPERVISOR,))

    assert {entry["name"] for entry in ping.get("/api/extensions/", bob).json()} == {"Bob Berg", "Carol Ceder", "nora"}
