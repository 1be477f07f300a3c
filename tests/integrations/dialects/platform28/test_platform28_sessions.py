"""Rows 3, 4, 8 and 9: reading, ending and cloning login sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity import clock, live_sessions, login_as, organizations, sessions, users
from identity.errors import NotFound
from identity.models import AuditEvent, LoginAs, Session
from identity.principal import Role, Via

ROW_3 = pytest.mark.wire("platform28", "1.2 row 3 GET /session/{sessionId}")
ROW_4 = pytest.mark.wire("platform28", "1.2 row 4 DELETE /session/{sessionId}")
ROW_8 = pytest.mark.wire("platform28", "1.2 row 8 DELETE /session/user/{userId}")
ROW_9 = pytest.mark.wire("platform28", "1.2 row 9 POST /session/{sessionId}/clone")

NO_SESSION = "Specified session does not exist or the current user does not have access to it"
NOT_FOUND = "Couldn't find the specified login session"
NO_USER = "Couldn't find the specified user"
NOT_AUTHORIZED = "Current user is not authorized to logout other users"
TERMINATED = "Login session terminated"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def at_every_door(cast, name):
    """Sessions of a person behind other doors, one of them a personal token."""
    return [cast.session(name, door=door).session for door in ("portal", "denovolab")]


def are_open(found):
    return [Session.objects.get(pk=one.pk).ended_at is None for one in found]


# --- 3 ---------------------------------------------------------------------------------------------------------------
@ROW_3
def test_a_session_is_read_by_its_handle_and_by_its_lsid_and_never_tells_the_lsid(p28):
    said = p28.login("bob")
    without = {key: value for key, value in said.items() if key != "lsid"}

    for handle in (said["id"], said["lsid"]):
        answer = p28.ask("GET", f"/session/{handle}", lsid=said["lsid"])
        assert (answer.status_code, answer.json()) == (200, without)
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    head = p28.session("HEAD", said)
    assert (head.status_code, head.content) == (200, b"")


@ROW_3
def test_an_owner_reads_all_own_sessions_and_an_admin_those_of_the_organisation(p28, cast):
    one, two, alice = p28.login("bob"), p28.login("bob"), p28.login("alice")

    for by in (two, alice):
        read = p28.session("GET", one, by=by)
        assert (read.status_code, read.json()["id"]) == (200, one["id"])
    by_key = p28.ask("GET", f"/session/{one['id']}?apiKey={cast.said['api_keys']['acme']}")
    assert (by_key.status_code, by_key.json()["username"]) == (200, "bob")


@ROW_3
def test_no_access_is_the_same_answer_as_no_session(p28, cast, says):
    bob, carol, erin, frank = (p28.login(name) for name in ("bob", "carol", "erin", "frank"))
    portal = cast.session("bob", door="portal").session
    dead = p28.login("bob")
    p28.session("DELETE", dead)

    refused = [
        *(p28.session("GET", bob, by=by) for by in (carol, erin, frank)),
        p28.ask("GET", f"/session/{bob['id']}?apiKey={cast.said['api_keys']['globex']}"),
        *(
            p28.ask("GET", f"/session/{handle}", lsid=bob["lsid"])
            for handle in (UNKNOWN, portal.pk, dead["id"], dead["lsid"], bob["id"].upper(), "42", "a%00b", "%EF%BF%BF")
        ),
    ]

    for answer in refused:
        says(answer, 404, NO_SESSION)
    assert len({answer.content for answer in refused}) == 1


@ROW_3
def test_a_session_that_idled_out_or_whose_deadline_passed_is_not_there_for_an_admin_either(p28, says):
    alice, bob, other = p28.login("alice"), p28.login("bob"), p28.login("alice")
    Session.objects.filter(pk=bob["id"]).update(last_seen_at=clock.now() - timedelta(hours=1))
    p28.become(other, "bob")
    LoginAs.objects.update(deadline_at=clock.now())

    says(p28.session("GET", bob, by=alice), 404, NO_SESSION)
    says(p28.session("GET", other, by=alice), 404, NO_SESSION)


# --- 4 ---------------------------------------------------------------------------------------------------------------
@ROW_4
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json1", "application/x-www-form-urlencoded", ""]
)
@pytest.mark.parametrize(("body", "ends_all"), [(None, False), (b"false", False), (b" true ", True)])
def test_a_session_ends_alone_or_with_all_of_its_person(p28, cast, says, content_type, body, ends_all):
    one, two, alice = p28.login("bob"), p28.login("bob"), p28.login("alice")
    others = at_every_door(cast, "bob")

    says(p28.session("DELETE", one, body=body, content_type=content_type), 200, TERMINATED)

    says(p28.session("GET", one), 401, "Authentication required")
    assert p28.is_alive(two) is not ends_all
    assert are_open(others) == [not ends_all] * 2
    assert p28.is_alive(alice)


@ROW_4
@pytest.mark.parametrize("body", [b"{}", b"null", b"1", b'"true"', b"[true]", b"True", b"true false", b"\xff"])
def test_what_is_not_a_boolean_ends_nothing(p28, says, body):
    session = p28.login("bob")

    says(p28.session("DELETE", session, body=body), 400, "Invalid request body")

    assert p28.is_alive(session)


@ROW_4
def test_an_admin_and_a_key_end_sessions_of_their_organisation_only(p28, cast, says, console):
    globex = cast.organization("globex")
    organizations.join(by=console, user=cast.user("bob"), organization=globex, roles=[Role.AGENT])
    one, two, there = p28.login("bob"), p28.login("bob"), p28.login("bob", orgId=str(globex.pk))
    alice, frank = p28.login("alice"), p28.login("frank")

    says(p28.session("DELETE", one, by=frank, body=True), 404, NOT_FOUND)
    says(p28.session("DELETE", one, by=alice, body=True), 200, TERMINATED)

    assert [p28.is_alive(session) for session in (one, two, there)] == [False, False, True]
    key = {"headers": {"X-Api-Key": cast.said["api_keys"]["globex"]}}
    says(p28.ask("DELETE", f"/session/{there['id']}", **key), 200, TERMINATED)
    assert not p28.is_alive(there)
    assert AuditEvent.objects.filter(event="session.ended").order_by("id").last().actor == "demo"


@ROW_4
def test_the_owner_ends_all_in_every_organisation(p28, cast, says, console):
    globex = cast.organization("globex")
    organizations.join(by=console, user=cast.user("bob"), organization=globex, roles=[Role.AGENT])
    here, there = p28.login("bob"), p28.login("bob", orgId=str(globex.pk))

    says(p28.session("DELETE", here, body=True), 200, TERMINATED)

    assert [p28.is_alive(session) for session in (here, there)] == [False, False]


@ROW_4
def test_the_session_is_looked_for_before_the_body_is_judged(p28, says):
    bob = p28.login("bob")

    says(p28.ask("DELETE", f"/session/{UNKNOWN}", lsid=bob["lsid"], body={}), 404, NOT_FOUND)
    says(p28.session("DELETE", p28.login("carol"), by=bob), 404, NOT_FOUND)
    says(p28.ask("DELETE", f"/session/{UNKNOWN}", lsid=bob["lsid"], body=b"{"), 400, "Invalid request body")
    says(p28.ask("DELETE", f"/session/{UNKNOWN}", body=b"{"), 401, "Authentication required")


@ROW_4
def test_ending_a_session_frees_whom_it_worked_as(p28, says):
    alice = p28.login("alice")
    p28.become(alice, "bob")

    says(p28.session("DELETE", alice), 200, TERMINATED)

    assert not login_as.running().exists()
    assert p28.become(p28.login("alice"), "bob").status_code == 200


@ROW_4
def test_while_acting_only_the_session_that_is_sent_can_be_ended(p28, cast, says):
    bob, alice, other = p28.login("bob"), p28.login("alice"), p28.login("alice")
    p28.become(alice, "bob")

    assert p28.session("GET", bob, by=alice).status_code == 200
    for session in (bob, other):
        says(p28.session("DELETE", session, by=alice), 404, NOT_FOUND)
    says(p28.session("GET", other, by=alice), 404, NO_SESSION)
    says(p28.session("POST", bob, "/clone", by=alice), 404, NO_SESSION)
    for user_id in (str(cast.user("bob").pk), str(cast.user("alice").pk), "987654321"):
        says(p28.ask("DELETE", f"/session/user/{user_id}", lsid=alice["lsid"]), 403, NOT_AUTHORIZED)
    says(p28.ask("DELETE", "/session/user/abc", lsid=alice["lsid"]), 404, NO_USER)
    says(p28.session("DELETE", alice, body=True), 200, TERMINATED)
    assert [p28.is_alive(session) for session in (bob, other)] == [True, False]


# --- 8 ---------------------------------------------------------------------------------------------------------------
@ROW_8
def test_an_admin_ends_all_sessions_of_a_person_at_every_door(p28, cast, says):
    alice, session, others = p28.login("alice"), p28.login("bob"), at_every_door(cast, "bob")

    says(p28.ask("DELETE", f"/session/user/{session['userId']}", lsid=alice["lsid"]), 200, TERMINATED)

    assert not p28.is_alive(session)
    assert are_open(others) == [False, False]
    again = p28.login("bob")
    by_key = p28.ask("DELETE", f"/session/user/{again['userId']}?apiKey={cast.said['api_keys']['acme']}")
    says(by_key, 200, TERMINATED)
    assert not p28.is_alive(again)
    by_key = p28.ask("DELETE", f"/session/user/{again['userId']}?apiKey={cast.said['api_keys']['globex']}")
    says(by_key, 404, NO_USER)


@ROW_8
def test_everybody_may_end_the_own_sessions(p28, says):
    one, two = p28.login("bob"), p28.login("bob")

    says(p28.ask("DELETE", f"/session/user/{one['userId']}", lsid=one["lsid"]), 200, TERMINATED)

    assert [p28.is_alive(session) for session in (one, two)] == [False, False]


@ROW_8
def test_who_is_no_admin_learns_nothing_from_an_id_and_an_admin_nothing_of_other_organisations(p28, cast, says):
    alice = p28.login("alice")
    known, foreign = str(cast.user("ivan").pk), str(cast.user("erin").pk)

    for name in ("bob", "carol"):
        lsid = p28.login(name)["lsid"]
        for user_id in (known, foreign, "987654321"):
            says(p28.ask("DELETE", f"/session/user/{user_id}", lsid=lsid), 403, NOT_AUTHORIZED)
        for user_id in ("abc", "1.5", "-1", "9" * 30, "\u0661"):
            says(p28.ask("DELETE", f"/session/user/{user_id}", lsid=lsid), 404, NO_USER)
    for user_id in (foreign, "987654321", "abc", "9" * 30):
        says(p28.ask("DELETE", f"/session/user/{user_id}", lsid=alice["lsid"]), 404, NO_USER)


# --- 9 ---------------------------------------------------------------------------------------------------------------
@ROW_9
def test_a_clone_is_independent_and_keeps_the_absolute_end(p28, says):
    session = p28.login("ivan")

    answer = p28.session("POST", session, "/clone")

    clone = answer.json()
    assert (answer.status_code, set(clone)) == (200, set(session))
    assert (clone["clonedFrom"], clone["expiresAt"]) == (session["id"], session["expiresAt"])
    assert clone["lsid"] != session["lsid"]
    assert answer.headers["Cache-Control"] == "no-store"
    says(p28.session("DELETE", session), 200, TERMINATED)
    assert p28.is_alive(clone)
    assert p28.session("POST", clone, "/clone").json()["clonedFrom"] == clone["id"]


@ROW_9
def test_only_the_session_that_is_sent_can_be_cloned(p28, cast, says):
    session, other, alice = p28.login("ivan"), p28.login("ivan"), p28.login("alice")

    for by in (other, alice):
        says(p28.session("POST", session, "/clone", by=by), 404, NO_SESSION)
    key = f"/session/{session['id']}/clone?apiKey={cast.said['api_keys']['acme']}"
    says(p28.ask("POST", key), 401, "Authentication required")


@ROW_9
def test_a_clone_of_an_acting_session_keeps_actor_person_and_deadline_and_ends_with_its_original(p28, says):
    session = p28.login("alice")
    acting = p28.become(session, "bob").json()

    clone = p28.session("POST", session, "/clone").json()

    for key in ("userId", "effectiveUserId", "assumedIdentity", "expiresAt"):
        assert clone[key] == acting[key]
    p28.session("DELETE", session)
    says(p28.session("GET", clone), 401, "Authentication required")


@ROW_4
@pytest.mark.parametrize("everywhere", [False, True])
def test_a_session_that_somebody_else_ends_first_is_not_found(p28, everywhere):
    session = p28.login("bob")
    by = sessions.by_secret(session["lsid"], doors=("platform28",), via=Via(door="platform28"))
    found = live_sessions.find(by=by, handle=session["id"], doors=("platform28",))
    sessions.close(by.session_id, reason="terminated")

    with pytest.raises(NotFound):
        live_sessions.end(by=by, session=found, everywhere=everywhere)


@ROW_9
def test_a_session_that_ends_while_it_is_cloned_leaves_no_clone(p28, cast):
    session = p28.login("bob")
    by = sessions.by_secret(session["lsid"], doors=("platform28",), via=Via(door="platform28"))
    sessions.close(by.session_id, reason="terminated")

    with pytest.raises(NotFound):
        sessions.clone(by=by, via=Via(door="platform28"))

    assert not Session.objects.filter(cloned_from=session["id"]).exists()


@ROW_9
def test_what_ends_a_person_elsewhere_ends_the_lsid_at_the_next_request(p28, cast, says, console):
    for deed in (users.disable, users.lock):
        session = p28.login("ivan")
        deed(by=console, user=cast.user("ivan"))
        says(p28.session("GET", session), 401, "Authentication required")
        users.enable(by=console, user=cast.user("ivan"))
        says(p28.session("GET", session), 401, "Authentication required")
