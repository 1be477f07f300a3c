"""Proving oneself anew at every request, without a session, and doors that are closed to some."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from identity import clock, sign_in
from identity.errors import TooManyAttempts, WrongCredentials
from identity.models import Session, User
from identity.policy import permissions_of
from identity.principal import Kind, Role, Via

HERE = Via(door="test", address="127.0.0.1")


def prove(cast, name, **more):
    return sign_in.prove(name=name, clear=cast.password(name), via=HERE, **more)


def test_who_is_proven_is_somebody_without_a_session(cast):
    somebody = sign_in.principal_of(prove(cast, "alice"), via=HERE)

    alice, acme = cast.user("alice"), cast.organization("acme")
    assert (somebody.kind, somebody.id, somebody.user_id, somebody.name) == (
        Kind.PERSON,
        str(alice.pk),
        alice.pk,
        "alice",
    )
    assert (somebody.organization_id, somebody.organization_name) == (acme.pk, "acme")
    assert (somebody.roles, somebody.permissions) == ({Role.ADMIN}, permissions_of([Role.ADMIN]))
    assert somebody.grants == set(cast.membership("alice").grants)
    assert (somebody.session, somebody.acting, somebody.passed_second_factor) == (None, None, False)
    assert not Session.objects.filter(user=alice).exists()


def test_the_use_is_remembered_once_a_minute(cast):
    at = clock.now()
    for later in (0, 59, 61):
        with time_machine.travel(at + timedelta(seconds=later), tick=False):
            sign_in.principal_of(prove(cast, "bob"), via=HERE)
        assert cast.user("bob").last_seen_at == at + timedelta(seconds=61 if later == 61 else 0)


def test_an_operator_is_nobody_without_a_session(cast):
    User.objects.create_superuser("olga", "olga@example.org", "a password of olga's")
    olga = sign_in.prove(name="olga", clear="a password of olga's", via=HERE)

    with pytest.raises(WrongCredentials):
        sign_in.principal_of(olga, via=HERE)


def test_whom_a_door_does_not_admit_learns_nothing_about_the_password(cast, settings):
    settings.LOCKOUT_FAILURES = 2
    for _ in range(2):
        with pytest.raises(WrongCredentials):
            prove(cast, "bob", admits=lambda organization, membership: not membership.is_agent)

    with pytest.raises(TooManyAttempts):
        prove(cast, "bob")
    assert prove(cast, "erin", admits=lambda organization, _: organization.name == "globex").user == cast.user("erin")
