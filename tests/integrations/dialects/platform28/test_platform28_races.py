"""Many at once on one session: one consistent state is left, whatever came first (issue of security.md P1 and P7)."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from identity import clock, sessions
from identity.errors import Unauthenticated
from identity.models import AuditEvent, LoginAs, Session
from identity.principal import Via

pytestmark = pytest.mark.wire("platform28", "1.2 side effects")

N = 64


def asker(session, cast):
    """A function that asks one thing about the session with a client of its own, and answers the status."""
    bob = str(cast.user("bob").pk)

    def ask(method, tail="", body=b""):
        path = f"/session/{session['id']}{tail};lsid={session['lsid']}"
        answer = Client().generic(method, path, body, "application/json")
        assert answer.status_code in (200, 401, 404), answer.content
        return answer

    return {
        "become": lambda: ask("POST", "/setEffectiveUser", json.dumps(bob).encode()),
        "oneself": lambda: ask("DELETE", "/assumedIdentity"),
        "clone": lambda: ask("POST", "/clone"),
        "end": lambda: ask("DELETE"),
        "end all": lambda: ask("DELETE", "", b"true"),
    }


def who(secret):
    try:
        return sessions.by_secret(secret, doors=("platform28",), via=Via(door="platform28")).name
    except Unauthenticated:
        return None


def assert_consistent(session):
    """Running login-as and open sessions fit each other: none runs that nobody carries, none is carried that does not run."""
    running = set(LoginAs.objects.filter(ended_at=None).values_list("pk", flat=True))
    carried = set(Session.objects.filter(ended_at=None).exclude(login_as=None).values_list("login_as", flat=True))
    assert running == carried
    for row in LoginAs.objects.filter(ended_at=None):
        assert row.actor_session.is_open(at=clock.now())
    started, ended = (AuditEvent.objects.filter(event=f"login_as.{what}").count() for what in ("started", "ended"))
    assert (started, ended) == (LoginAs.objects.count(), LoginAs.objects.count() - len(running))
    assert len(running) <= 1


@pytest.fixture
def alice(at_once, cast, p28):
    return p28.login("alice")


def test_of_many_identities_one_is_taken_on(at_once, cast, alice):
    deeds = asker(alice, cast)

    answers = at_once(N, lambda _: deeds["become"]())

    assert sorted(answer.status_code for answer in answers) == [200] + [404] * (N - 1)
    assert LoginAs.objects.count() == 1
    assert who(alice["lsid"]) == "bob"
    assert_consistent(alice)


def test_of_many_ends_one_is_the_end(at_once, cast, alice):
    deeds = asker(alice, cast)

    answers = at_once(N, lambda _: deeds["end"]())

    assert [answer.status_code for answer in answers].count(200) == 1
    assert AuditEvent.objects.filter(event="session.ended").count() == 1
    assert who(alice["lsid"]) is None


def test_every_clone_is_one_of_its_own(at_once, cast, alice):
    deeds = asker(alice, cast)

    answers = at_once(N, lambda _: deeds["clone"]())

    assert {answer.status_code for answer in answers} == {200}
    assert {who(answer.json()["lsid"]) for answer in answers} == {"alice"}
    assert Session.objects.filter(cloned_from=alice["id"]).count() == N


@pytest.mark.parametrize("end", ["end", "end all"])
@pytest.mark.parametrize("is_acting", [False, True], ids=["plain", "acting"])
def test_everything_at_once_leaves_one_consistent_state(at_once, cast, alice, is_acting, end):
    deeds = asker(alice, cast)
    if is_acting:
        deeds["become"]()
    mix = ["become", "clone", "oneself", "clone"] * (N // 4)
    mix[N // 2] = end

    answers = at_once(N, lambda number: (mix[number], deeds[mix[number]]()))

    assert [answer.status_code for deed, answer in answers if deed == end] == [200]
    assert who(alice["lsid"]) is None
    assert_consistent(alice)
    clones = [answer.json() for deed, answer in answers if deed == "clone" and answer.status_code == 200]
    alive = {who(clone["lsid"]) for clone in clones} - {None}
    # A clone made while nobody acted lives on by itself; one that acts ends with its original; all of them with "all".
    assert alive <= (set() if end == "end all" else {"alice"})


def test_clones_do_not_outrun_the_end_of_all(at_once, cast, alice):
    deeds = asker(alice, cast)

    at_once(N, lambda number: deeds["end all" if number % 8 == 0 else "clone"]())

    assert not Session.objects.filter(user=cast.user("alice"), ended_at=None, is_personal_token=False).exists()
