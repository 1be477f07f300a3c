"""One login-as policy: who may work as whom, until when, and what ends it (dialects.md 0.7)."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from identity import audit, clock, login_as, organizations, second_factor, sessions, users
from identity.errors import (
    CredentialRevoked,
    Invalid,
    LoginAsActorRefused,
    LoginAsRefused,
    LoginAsSubjectRefused,
    NotAllowedWhileActing,
    NotFound,
)
from identity.models import AuditEvent, LoginAs, OutboxMessage, Session, User
from identity.principal import Role, Via

PEOPLE = ("alice", "bob", "carol", "dave", "ivan", "erin", "frank")
VIA = Via(door="test", address="127.0.0.1")

# Who may work as whom while Admins may: everything else is refused by the rule beside it. "foreign" is a 404.
VERDICTS = {
    "alice": {
        "alice": "self",
        "bob": None,
        "carol": None,
        "dave": "inactive",
        "ivan": None,
        "erin": "foreign",
        "frank": "foreign",
    },
    "frank": {"frank": "self", "erin": None} | dict.fromkeys(("alice", "bob", "carol", "dave", "ivan"), "foreign"),
}


def verdict_of(cast, actor, subject):
    try:
        login_as.start(by=cast.principal(actor), subject_id=cast.user(subject).pk, via=VIA)
    except LoginAsRefused as e:
        return e.rule
    except NotFound:
        return "foreign"
    return None


def acting(cast, actor="alice", subject="bob", **more):
    by = cast.principal(actor)
    row = login_as.start(by=by, subject_id=cast.user(subject).pk, via=VIA, **more)
    return by, row, login_as.open_session(by=by, login_as=row, via=Via(door="acting"))


@pytest.mark.parametrize(("actor", "subject"), list(itertools.product([p for p in PEOPLE if p != "dave"], PEOPLE)))
def test_every_pair_of_the_cast_gets_its_verdict(cast, actor, subject):
    expected = VERDICTS.get(actor, {}).get(subject, "not_allowed")

    assert verdict_of(cast, actor, subject) == expected


@pytest.mark.parametrize("subject", PEOPLE)
def test_a_supervisor_whom_the_organisation_allows_may_work_as_agents_only(cast, console, subject):
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=["Admin", "Supervisor"])
    expected = {
        "alice": "stronger", "bob": None, "carol": "self", "dave": "inactive", "ivan": None, "erin": "foreign", "frank": "foreign",
    }  # fmt: skip

    assert verdict_of(cast, "carol", subject) == expected[subject]


def test_two_supervisors_are_equals_and_neither_is_weaker(cast, console):
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=["Supervisor"])
    cast.newcomer("sven", roles=(Role.SUPERVISOR,))

    assert verdict_of(cast, "carol", "sven") == "stronger"


def test_an_admin_without_a_grant_may_not_work_as_somebody_who_holds_it(cast, console):
    organizations.grant(
        by=console,
        user=cast.user("alice"),
        organization=cast.organization("acme"),
        remove=["integrations:integration:view"],
    )

    assert verdict_of(cast, "alice", "carol") == "stronger"


STATES = [
    ("is_service", {"is_service": True}, "service"),
    ("disabled", {"is_active": False}, "inactive"),
    ("expired", {"expires_at": "past"}, "inactive"),
    ("locked", {"locked_at": "past"}, "locked"),
    ("protected", {"is_protected": True}, "protected"),
]


@pytest.mark.parametrize(("name", "state", "rule"), STATES, ids=[s[0] for s in STATES])
def test_the_state_of_the_subject_names_its_rule(cast, name, state, rule):
    past = clock.now() - timedelta(seconds=1)
    User.objects.filter(username="bob").update(**{k: past if v == "past" else v for k, v in state.items()})

    assert verdict_of(cast, "alice", "bob") == rule


def test_the_rules_are_asked_in_their_order(cast):
    past = clock.now() - timedelta(seconds=1)
    everything = {"is_service": True, "is_active": False, "locked_at": past, "is_protected": True}
    asked = []
    for field, value in (("is_service", False), ("is_active", True), ("locked_at", None), ("is_protected", False)):
        User.objects.filter(username="bob").update(**everything)
        asked.append(verdict_of(cast, "alice", "bob"))
        everything[field] = value

    assert asked == ["service", "inactive", "locked", "protected"]


def test_nobody_works_as_somebody_while_working_as_somebody(cast):
    _by, _row, opened = acting(cast, mode="act")

    with pytest.raises(LoginAsActorRefused, match="nested"):
        login_as.start(by=cast.principal_of(opened.session), subject_id=cast.user("ivan").pk, via=VIA)


def test_an_actor_with_a_second_factor_needs_a_session_that_passed_it(cast, console):
    second_factor.enrol(by=console, user=cast.user("alice"))

    assert verdict_of(cast, "alice", "bob") == "second_factor"
    passed = cast.principal("alice", passed_second_factor_at=clock.now())
    assert login_as.start(by=passed, subject_id=cast.user("bob").pk, via=VIA).subject == cast.user("bob")


@pytest.mark.parametrize("roles", [[], ["Supervisor"]])
def test_an_organisation_that_does_not_allow_it_refuses_its_admins(cast, console, roles):
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=roles)

    assert verdict_of(cast, "alice", "bob") == "not_allowed"


def test_a_refusal_is_on_record_with_both_people_and_the_rule(cast):
    verdict_of(cast, "alice", "dave")

    row = AuditEvent.objects.get(event="login_as.refused")
    assert (row.actor, row.subject, row.rule, row.door) == ("alice", "dave", "inactive", "test")
    assert row.organization_name == "acme"


def test_a_start_is_on_record_with_both_people_reason_and_deadline(cast):
    _by, row, _opened = acting(cast, reason="Bob's   headset\nis silent", mode="look")

    event = AuditEvent.objects.get(event="login_as.started")
    assert (event.actor, event.subject, event.organization_name, event.address) == ("alice", "bob", "acme", "127.0.0.1")
    assert event.details == {
        "login_as": str(row.pk), "mode": "look", "reason": "Bob's headset is silent", "deadline_at": row.deadline_at.isoformat(),
    }  # fmt: skip


def test_a_start_without_a_reason_says_through_which_door(cast):
    assert acting(cast)[1].reason == "through test"


def test_an_unknown_mode_is_refused(cast):
    with pytest.raises(Invalid):
        acting(cast, mode="break")


def test_the_deadline_is_the_cap_or_the_end_of_the_actors_own_session(cast, settings):
    settings.LOGIN_AS_SECONDS = 600
    short = cast.principal("alice", lifetime=timedelta(seconds=60))
    until = [
        login_as.start(by=by, subject_id=cast.user("bob").pk, via=VIA).deadline_at
        for by in (short, cast.principal("alice"))
    ]

    lives = [(at - clock.now()).total_seconds() for at in until]
    assert 55 < lives[0] <= 60
    assert 595 < lives[1] <= 600


def test_the_cap_is_never_above_an_hour(settings):
    settings.LOGIN_AS_SECONDS = 7200

    assert login_as.lifetime() == timedelta(hours=1)


def test_who_works_as_another_appears_as_the_other_and_names_himself(cast):
    by, row, opened = acting(cast)
    principal = cast.principal_of(opened.session)

    assert (principal.name, principal.user_id, principal.roles) == ("bob", cast.user("bob").pk, {Role.AGENT})
    assert (principal.acting.actor_name, principal.acting.actor_id, principal.actor_name) == (
        "alice",
        by.user_id,
        "alice",
    )
    assert principal.expires_at == row.deadline_at


ENDS = {
    "the subject is disabled": lambda cast, by, row: users.disable(by=cast.console, user=cast.user("bob")),
    "the subject is protected": lambda cast, by, row: users.protect(by=cast.console, user=cast.user("bob"), is_protected=True),
    "the subject becomes an admin": lambda cast, by, row: organizations.join(
        by=cast.console, user=cast.user("bob"), organization=cast.organization("acme"), roles=[Role.ADMIN]
    ),
    "the subject leaves": lambda cast, by, row: organizations.leave(
        by=cast.console, user=cast.user("bob"), organization=cast.organization("acme")
    ),
    "the organisation switches it off": lambda cast, by, row: organizations.change(
        by=cast.console, organization=cast.organization("acme"), login_as_roles=[]
    ),
    "the actor's session ends": lambda cast, by, row: sessions.close(by.session_id, reason="logout"),
    "the actor is demoted": lambda cast, by, row: organizations.join(
        by=cast.console, user=cast.user("alice"), organization=cast.organization("acme"), roles=[Role.SUPERVISOR]
    ),
    "the actor is disabled": lambda cast, by, row: users.disable(by=cast.console, user=cast.user("alice")),
    "an admin ends it": lambda cast, by, row: login_as.end(login_as=row, reason="ended", by=cast.principal("alice")),
    "its deadline passes": lambda cast, by, row: LoginAs.objects.update(deadline_at=clock.now()),
}  # fmt: skip


@pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))
def test_it_ends_for_good_when(cast, console, end):
    cast.console = console
    by, row, opened = acting(cast)
    assert cast.principal_of(opened.session).name == "bob"

    end(cast, by, row)

    with pytest.raises(CredentialRevoked):
        cast.principal_of(opened.session)
    assert Session.objects.get(pk=opened.session.pk).ended_at is not None
    assert LoginAs.objects.get(pk=row.pk).ended_at is not None
    assert AuditEvent.objects.filter(event="login_as.ended", subject="bob", actor="alice").count() == 1


def test_what_ended_does_not_come_back_when_its_cause_goes_away(cast, console):
    _by, _row, opened = acting(cast)
    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=[])
    with pytest.raises(CredentialRevoked):
        cast.principal_of(opened.session)

    organizations.change(by=console, organization=cast.organization("acme"), login_as_roles=["Admin"])

    with pytest.raises(CredentialRevoked):
        cast.principal_of(opened.session)


def test_a_session_that_takes_it_on_ends_at_the_deadline_and_never_falls_back_to_the_actors_power(cast):
    by = cast.principal("alice")
    row = login_as.start(by=by, subject_id=cast.user("bob").pk, via=VIA)
    login_as.take_on(session=by.session, login_as=row)
    assert cast.principal_of(by.session).name == "bob"

    LoginAs.objects.update(deadline_at=clock.now())

    for _ in range(2):
        with pytest.raises(CredentialRevoked):
            cast.principal_of(by.session)


def test_a_session_that_puts_it_off_is_its_owners_again(cast):
    by = cast.principal("alice")
    login_as.take_on(session=by.session, login_as=login_as.start(by=by, subject_id=cast.user("bob").pk, via=VIA))

    login_as.put_off(session=cast.principal_of(by.session).session)

    assert cast.principal_of(by.session).name == "alice"
    assert not login_as.running().exists()


def test_a_clone_keeps_actor_and_deadline_and_ends_with_its_original(cast):
    by = cast.principal("alice")
    row = login_as.start(by=by, subject_id=cast.user("bob").pk, via=VIA)
    login_as.take_on(session=by.session, login_as=row)
    clone = sessions.clone(by=cast.principal_of(by.session), via=VIA).session
    copy = cast.principal_of(clone)
    assert (copy.name, copy.acting.actor_name, copy.acting.deadline_at) == ("bob", "alice", row.deadline_at)

    sessions.close(by.session_id, reason="logout")

    with pytest.raises(CredentialRevoked):
        cast.principal_of(clone)


def test_taking_on_in_a_session_that_ended_meanwhile_leaves_nothing_running(cast):
    by = cast.principal("alice")
    row = login_as.start(by=by, subject_id=cast.user("bob").pk, via=VIA)
    Session.objects.filter(pk=by.session_id).update(ended_at=clock.now())

    with pytest.raises(NotFound):
        login_as.take_on(session=by.session, login_as=row)

    assert not login_as.running().exists()


def test_nothing_of_the_subject_is_touched(cast):
    before = User.objects.filter(username="bob").values().get()

    acting(cast)

    assert User.objects.filter(username="bob").values().get() == before
    assert not Session.objects.filter(user=cast.user("bob"), is_personal_token=False).exists()


FORBIDDEN = {
    "password": lambda by, bob: users.set_password(by=by, user=bob, clear="a very new Passphrase"),
    "e-mail": lambda by, bob: users.change(by=by, user=bob, email="other@acme.example"),
    "factor": lambda by, bob: second_factor.begin(by=by, user=bob),
    "factor removal": lambda by, bob: second_factor.remove(by=by, user=bob),
    "backup codes": lambda by, bob: second_factor.new_backup_codes(by=by, user=bob),
    "roles": lambda by, bob: organizations.join(
        by=by, user=bob, organization=bob.default_organization, roles=[Role.ADMIN]
    ),
}


@pytest.mark.parametrize("deed", list(FORBIDDEN.values()), ids=list(FORBIDDEN))
def test_while_acting_nobody_changes(cast, deed):
    _by, _row, opened = acting(cast)

    with pytest.raises(NotAllowedWhileActing):
        deed(cast.principal_of(opened.session), cast.user("bob"))


def test_an_admin_of_another_organisation_cannot_end_it(cast):
    _by, row, _opened = acting(cast)

    with pytest.raises(NotFound):
        login_as.end(login_as=row, reason="ended", by=cast.principal("frank"))


def test_stop_ends_it_and_says_whether_it_ran(cast):
    by, _row, opened = acting(cast)

    assert login_as.stop(by=cast.principal_of(opened.session)) is True
    assert login_as.stop(by=by) is False
    assert cast.principal_of(by.session).name == "alice"


def test_the_person_is_told_once_per_actor_and_hour_when_it_ended(cast):
    for _ in range(2):
        _by, row, _opened = acting(cast, reason="Looking into the queue")
        login_as.end(login_as=row, reason="stopped")

    (message,) = OutboxMessage.objects.filter(template="login_as")
    assert (message.to, message.user, message.channel) == ("bob@acme.example", cast.user("bob"), "EMAIL")


def test_the_sweep_ends_what_ran_past_its_deadline_and_tells(cast):
    acting(cast)
    LoginAs.objects.update(deadline_at=clock.now())

    assert login_as.sweep() == 1
    assert login_as.sweep() == 0
    assert OutboxMessage.objects.filter(template="login_as").count() == 1


def test_running_and_history_show_it_to_those_who_look(cast):
    _by, row, _opened = acting(cast)

    assert list(login_as.running(organization=cast.organization("acme"))) == [row]
    assert list(login_as.running(organization=cast.organization("globex"))) == []
    assert list(login_as.history(subject=cast.user("bob"))) == [row]


def test_what_the_actor_does_is_on_record_under_both_names(cast):
    _by, _row, opened = acting(cast)

    row = audit.record("ticket.created", by=cast.principal_of(opened.session), subject="T1")

    assert (row.actor, row.actor_user, row.acting_as) == ("alice", cast.user("alice"), "bob")


def test_asking_who_acts_costs_two_queries(cast, django_assert_num_queries):
    _by, _row, opened = acting(cast)

    with django_assert_num_queries(2):
        principal = sessions.by_secret(opened.secret, doors=("acting",), via=VIA)
    assert principal.acting is not None


def test_the_verdict_before_the_button_is_pressed_is_the_one_after(cast):
    alice = cast.principal("alice")
    asked = {
        name: login_as.verdict(by=alice, subject=cast.user(name)) for name in ("alice", "bob", "carol", "dave", "ivan")
    }

    assert asked == {"alice": "self", "bob": None, "carol": None, "dave": "inactive", "ivan": None}


def test_subject_refusals_and_actor_refusals_are_different_meanings(cast):
    with pytest.raises(LoginAsSubjectRefused):
        login_as.start(by=cast.principal("alice"), subject_id=cast.user("dave").pk, via=VIA)
    with pytest.raises(LoginAsActorRefused):
        login_as.start(by=cast.principal("bob"), subject_id=cast.user("ivan").pk, via=VIA)


@pytest.mark.parametrize(("actor", "rule"), [("alice", None), ("carol", "not_allowed"), ("bob", "not_allowed")])
def test_whether_somebody_may_work_as_anybody_is_known_without_a_query(
    cast, actor, rule, django_assert_max_num_queries
):
    by = cast.principal(actor)

    if rule is None:
        with django_assert_max_num_queries(0):
            login_as.require_actor(by=by, via=VIA)
    else:
        with pytest.raises(LoginAsActorRefused, match=rule):
            login_as.require_actor(by=by, via=VIA)
        row = AuditEvent.objects.get(event="login_as.refused")
        assert (row.actor, row.subject, row.rule) == (actor, "", rule)


def test_nobody_but_a_person_with_a_session_works_as_anybody(cast, console):
    by, _row, opened = acting(cast)

    with pytest.raises(LoginAsActorRefused, match="not_allowed"):
        login_as.require_actor(by=console, via=VIA)
    with pytest.raises(LoginAsActorRefused, match="nested"):
        login_as.require_actor(by=cast.principal_of(opened.session), via=VIA)
    with pytest.raises(NotFound):
        sessions.person_of(replace(console, session=Session()))
    assert sessions.person_of(by).username == "alice"
    assert sessions.person_of(cast.principal_of(opened.session)).username == "bob"
