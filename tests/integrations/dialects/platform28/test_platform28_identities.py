"""Rows 5, 6 and 7: working as somebody else, in another organisation, and being oneself again."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from identity import clock, organizations, second_factor, users
from identity.models import AuditEvent, LoginAs, Session
from identity.principal import Role

ROW_5 = pytest.mark.wire("platform28", "1.2 row 5 POST /session/{sessionId}/setEffectiveUser")
ROW_6 = pytest.mark.wire("platform28", "1.2 row 6 DELETE /session/{sessionId}/assumedIdentity")
ROW_7 = pytest.mark.wire("platform28", "1.2 row 7 POST /session/{sessionId}/setEffectiveOrg")

BAD_POST = "Invalid request in POST body"
NO_SESSION = "Specified session does not exist or the current user does not have access to it"
NO_SESSION_OR_USER = "Specified session or user does not exist or the current user does not have access to it"
NO_SESSION_OR_ORG = "Specified session or organization does not exist or the current user does not have access to it"


@pytest.fixture
def both(cast, console):
    """Alice is an admin of globex too, and bob an agent there."""
    globex = cast.organization("globex")
    organizations.join(by=console, user=cast.user("alice"), organization=globex, roles=[Role.ADMIN])
    organizations.join(by=console, user=cast.user("bob"), organization=globex, roles=[Role.AGENT])
    return globex


def set_org(p28, session, org):
    return p28.session("POST", session, "/setEffectiveOrg", body=str(org.pk))


def oneself(p28, session):
    return p28.session("DELETE", session, "/assumedIdentity")


# --- 5 ---------------------------------------------------------------------------------------------------------------
@ROW_5
@pytest.mark.parametrize(
    "form", [str, int, lambda pk: {"userId": str(pk)}, lambda pk: {"userId": pk, "reason": "He asked me to"}]
)
def test_an_admin_works_as_an_agent_until_the_deadline(p28, cast, settings, form):
    session, bob = p28.login("alice"), cast.user("bob")

    answer = p28.session("POST", session, "/setEffectiveUser", body=form(bob.pk))

    said = answer.json()
    assert (answer.status_code, set(said)) == (200, set(session) - {"lsid"})
    assert (said["id"], said["userId"], said["username"]) == (session["id"], session["userId"], "alice")
    assert (said["effectiveUserId"], said["assumedIdentity"]) == (str(bob.pk), True)
    row = LoginAs.objects.get()
    deadline = datetime.fromisoformat(said["expiresAt"])
    assert abs(deadline - row.deadline_at) < timedelta(milliseconds=1)
    assert row.deadline_at - row.started_at == timedelta(seconds=settings.LOGIN_AS_SECONDS)
    assert (row.door, row.mode) == ("setEffectiveUser", "act")
    assert row.reason == (
        "He asked me to" if isinstance(form(bob.pk), dict) and "reason" in form(bob.pk) else "through setEffectiveUser"
    )
    event = AuditEvent.objects.get(event="login_as.started")
    assert (event.door, event.actor, event.subject) == ("setEffectiveUser", "alice", "bob")
    assert p28.session("GET", session).json() == said


@ROW_5
@pytest.mark.parametrize(
    "body",
    [
        None,
        b"",
        b"null",
        b"true",
        b"1.5",
        b"[]",
        b'""',
        b"{}",
        b'{"userId": null}',
        b'{"userId": [1]}',
        b"{",
        b"\xff\xfe",
        b'{"userId": 1, "userId": 2}',
    ],
)
def test_a_body_that_names_nobody_is_400(p28, says, body):
    says(p28.session("POST", p28.login("alice"), "/setEffectiveUser", body=body), 400, BAD_POST)


REFUSED = {
    "nobody": ("alice", lambda cast: "987654321", None),
    "no number": ("alice", lambda cast: "bob", None),
    "a NUL's neighbour": ("alice", lambda cast: "\u0001", None),
    "beyond 64 bits as text": ("alice", lambda cast: "9" * 40, None),
    "foreign": ("alice", lambda cast: str(cast.user("erin").pk), None),
    "self": ("alice", lambda cast: str(cast.user("alice").pk), "self"),
    "disabled": ("alice", lambda cast: str(cast.user("dave").pk), "inactive"),
    "by an agent": ("bob", lambda cast: str(cast.user("ivan").pk), "not_allowed"),
    "by a supervisor": ("carol", lambda cast: str(cast.user("bob").pk), "not_allowed"),
}


@ROW_5
@pytest.mark.parametrize(("actor", "subject", "rule"), list(REFUSED.values()), ids=list(REFUSED))
def test_whom_the_policy_refuses_is_an_unknown_user(p28, cast, says, actor, subject, rule):
    session = p28.login(actor)

    says(p28.session("POST", session, "/setEffectiveUser", body=subject(cast)), 404, NO_SESSION_OR_USER)

    assert p28.session("GET", session).json()["assumedIdentity"] is False
    assert list(AuditEvent.objects.filter(event="login_as.refused").values_list("rule", flat=True)) == (
        [rule] if rule else []
    )


@ROW_5
def test_protected_locked_and_stronger_people_and_a_second_identity_are_refused(p28, cast, says, console):
    session = p28.login("alice")
    users.protect(by=console, user=cast.user("ivan"), is_protected=True)
    says(p28.become(session, "ivan"), 404, NO_SESSION_OR_USER)
    users.lock(by=console, user=cast.user("carol"))
    says(p28.become(session, "carol"), 404, NO_SESSION_OR_USER)
    cast.newcomer("adam", roles=(Role.ADMIN,))
    says(p28.become(session, "adam"), 404, NO_SESSION_OR_USER)

    assert p28.become(session, "bob").status_code == 200
    says(p28.become(session, "ivan"), 404, NO_SESSION_OR_USER)

    rules = AuditEvent.objects.filter(event="login_as.refused").order_by("id").values_list("rule", flat=True)
    assert list(rules) == ["protected", "locked", "stronger", "nested"]


@ROW_5
def test_an_actor_with_a_second_factor_must_have_passed_it(p28, cast, says, console):
    session = p28.login("alice")
    second_factor.enrol(by=console, user=cast.user("alice"))

    says(p28.become(session, "bob"), 404, NO_SESSION_OR_USER)
    Session.objects.filter(pk=session["id"]).update(second_factor_at=clock.now())
    assert p28.become(session, "bob").status_code == 200


@ROW_5
@pytest.mark.parametrize(
    ("method", "tail", "body", "message"),
    [
        ("POST", "/setEffectiveUser", "2", NO_SESSION_OR_USER),
        ("POST", "/setEffectiveUser", {}, NO_SESSION_OR_USER),
        ("DELETE", "/assumedIdentity", None, NO_SESSION),
        ("POST", "/setEffectiveOrg", {}, NO_SESSION_OR_ORG),
    ],
)
def test_only_the_session_that_is_sent_is_changed(p28, cast, says, method, tail, body, message):
    mine, other, bob = p28.login("alice"), p28.login("alice"), p28.login("bob")

    for session in (other, bob):
        says(p28.session(method, session, tail, by=mine, body=body), 404, message)
    for handle in ("42", "a%00"):
        says(p28.ask(method, f"/session/{handle}{tail}", lsid=mine["lsid"], body=body), 404, message)
    says(p28.ask(method, f"/session/{mine['id']}{tail}", body=body), 401, "Authentication required")
    with_key = p28.ask(method, f"/session/{mine['id']}{tail}?apiKey={cast.said['api_keys']['acme']}", body=body)
    says(with_key, 401, "Authentication required")


@ROW_5
def test_the_lsid_itself_names_the_session_too(p28, cast):
    session = p28.login("alice")
    path = f"/session/{session['lsid']}/setEffectiveUser"

    answer = p28.ask("POST", path, lsid=session["lsid"], body=str(cast.user("bob").pk))

    assert answer.json()["id"] == session["id"]


ENDS = {
    "the deadline": lambda cast, console: LoginAs.objects.update(deadline_at=clock.now()),
    "a person who is disabled": lambda cast, console: users.disable(by=console, user=cast.user("bob")),
    "a person who is protected": lambda cast, console: users.protect(
        by=console, user=cast.user("bob"), is_protected=True
    ),
    "an organisation that switches it off": lambda cast, console: organizations.change(
        by=console, organization=cast.organization("acme"), login_as_roles=[]
    ),
}


@ROW_5
@pytest.mark.parametrize("cause", list(ENDS.values()), ids=list(ENDS))
def test_the_lsid_ends_for_good_and_never_falls_back(p28, cast, says, console, cause):
    session = p28.login("alice")
    p28.become(session, "bob")

    cause(cast, console)

    for _ in range(2):
        says(p28.session("GET", session), 401, "Authentication required")
    says(oneself(p28, session), 401, "Authentication required")
    assert Session.objects.get(pk=session["id"]).ended_at is not None
    assert LoginAs.objects.get().ended_at is not None


# --- 6 ---------------------------------------------------------------------------------------------------------------
@ROW_6
def test_a_session_is_its_persons_again(p28):
    session = p28.login("alice")
    before = p28.session("GET", session).json()
    p28.become(session, "bob")

    answer = oneself(p28, session)

    assert (answer.status_code, answer.json()) == (200, before)
    assert p28.session("GET", session).json() == before
    ended = AuditEvent.objects.get(event="login_as.ended")
    assert (ended.door, ended.actor, ended.subject) == ("setEffectiveUser", "alice", "bob")
    assert oneself(p28, session).json() == before
    assert p28.become(session, "ivan").status_code == 200


@ROW_6
def test_a_clone_that_puts_it_off_leaves_its_original_as_it_is(p28):
    session = p28.login("alice")
    p28.become(session, "bob")
    clone = p28.session("POST", session, "/clone").json()

    assert oneself(p28, clone).json()["assumedIdentity"] is False

    assert p28.session("GET", session).json()["assumedIdentity"] is True
    assert oneself(p28, session).status_code == 200
    assert p28.is_alive(clone)


# --- 7 ---------------------------------------------------------------------------------------------------------------
@ROW_7
@pytest.mark.parametrize("form", [lambda pk: pk, lambda pk: {"orgId": pk}])
def test_a_person_works_in_another_organisation_of_his(p28, cast, both, says, form):
    session = p28.login("alice")

    answer = p28.session("POST", session, "/setEffectiveOrg", body=form(str(both.pk)))

    said = answer.json()
    assert (answer.status_code, said["orgId"], said["effectiveOrgId"]) == (200, session["orgId"], str(both.pk))
    assert (said["assumedIdentity"], said["effectiveUserId"]) == (True, session["userId"])
    event = AuditEvent.objects.get(event="session.moved")
    assert (event.door, event.actor, event.details["before"], event.details["after"]) == (
        "setEffectiveOrg",
        "alice",
        "acme",
        "globex",
    )
    erin = p28.login("erin")
    assert p28.session("GET", erin, by=session).status_code == 200
    says(p28.session("GET", p28.login("ivan"), by=session), 404, NO_SESSION)
    assert oneself(p28, session).json()["effectiveOrgId"] == session["orgId"]
    says(p28.session("GET", erin, by=session), 404, NO_SESSION)


@ROW_7
def test_the_own_organisation_assumes_nothing(p28, cast):
    session = p28.login("alice")

    said = set_org(p28, session, cast.organization("acme")).json()

    assert (said["effectiveOrgId"], said["assumedIdentity"]) == (session["orgId"], False)
    assert not AuditEvent.objects.filter(event="session.moved").exists()


@ROW_7
def test_an_organisation_that_is_none_of_ones_own_is_unknown(p28, cast, both, says):
    ivan, alice = p28.login("ivan"), p28.login("alice")

    for org in (str(both.pk), "00000000-0000-4000-8000-000000000000", "globex", 5, "\u0001"):
        says(p28.session("POST", ivan, "/setEffectiveOrg", body=org), 404, NO_SESSION_OR_ORG)
    type(both).objects.filter(pk=both.pk).update(suspended_at=clock.now())
    says(set_org(p28, alice, both), 404, NO_SESSION_OR_ORG)
    for body in (None, {}, [], True, 1.5, "", {"orgId": None}):
        says(p28.session("POST", ivan, "/setEffectiveOrg", body=body), 400, BAD_POST)


@ROW_7
def test_whoever_leaves_the_organisation_is_out_of_the_session_that_works_there(p28, cast, both, says, console):
    session = p28.login("alice")
    set_org(p28, session, both)

    organizations.leave(by=console, user=cast.user("alice"), organization=both)

    says(p28.session("GET", session), 401, "Authentication required")


@ROW_7
def test_the_effective_user_comes_along_where_he_belongs_and_the_policy_says_yes(p28, cast, both):
    session = p28.login("alice")
    before = p28.become(session, "bob").json()

    said = set_org(p28, session, both).json()

    assert (said["effectiveOrgId"], said["effectiveUserId"]) == (str(both.pk), before["effectiveUserId"])
    assert said["expiresAt"] == before["expiresAt"]
    assert p28.session("GET", session).json() == said
    ended, running = LoginAs.objects.order_by("started_at")
    assert (ended.end_reason, running.organization, running.ended_at) == ("organization", both, None)


DROPPED = {
    "not a member": lambda cast, both, console: organizations.leave(
        by=console, user=cast.user("bob"), organization=both
    ),
    "stronger there": lambda cast, both, console: organizations.join(
        by=console, user=cast.user("bob"), organization=both, roles=[Role.ADMIN]
    ),
    "not allowed there": lambda cast, both, console: organizations.change(
        by=console, organization=both, login_as_roles=[]
    ),
}


@ROW_7
@pytest.mark.parametrize("why", list(DROPPED.values()), ids=list(DROPPED))
def test_the_effective_user_is_dropped_where_he_may_not_be_worked_as(p28, cast, both, console, why):
    why(cast, both, console)
    session = p28.login("alice")
    p28.become(session, "bob")

    said = set_org(p28, session, both).json()

    assert (said["effectiveOrgId"], said["effectiveUserId"]) == (str(both.pk), session["userId"])
    assert p28.session("GET", session).json() == said
    assert LoginAs.objects.get().ended_at is not None


@ROW_7
def test_a_clone_that_moves_leaves_its_original_acting_and_still_ends_with_it(p28, both, says):
    session = p28.login("alice")
    p28.become(session, "bob")
    clone = p28.session("POST", session, "/clone").json()

    assert set_org(p28, clone, both).json()["effectiveOrgId"] == str(both.pk)

    assert p28.session("GET", session).json()["effectiveOrgId"] == session["orgId"]
    assert p28.is_alive(clone)
    p28.session("DELETE", session)
    says(p28.session("GET", clone), 401, "Authentication required")


@ROW_7
def test_a_clone_keeps_the_effective_organisation(p28, both):
    session = p28.login("alice")
    set_org(p28, session, both)

    clone = p28.session("POST", session, "/clone").json()

    assert (clone["effectiveOrgId"], clone["assumedIdentity"]) == (str(both.pk), True)
