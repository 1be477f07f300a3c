"""Users: people as internal services see them, and nobody else (dialects.md 3.2, Users)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from identity import clock, users
from identity.principal import at_the_console
from integrations.dialects.auvious.shapes import moment
from tests.integrations.dialects.auvious.conftest import Callers, refused

pytestmark = pytest.mark.wire("auvious", "3.2 Users")


def test_an_internal_service_reads_a_person(callers: Callers) -> None:
    carol = callers.cast.user("carol")

    answer = callers.client("internal").get(f"/users/{carol.pk}")

    assert answer.json() == {
        "id": str(carol.pk), "password": "[PROTECTED]", "expiresAt": None, "locked": False, "credentialsExpireAt": None, "disabled": False,
        "roles": ["Supervisor"], "createdAt": moment(carol.created_at), "lastSeenAt": None, "personalDataEntityId": None, "version": 0,
        "enabled": True, "authorities": [{"authority": "ROLE_SUPERVISOR"}, {"authority": "integrations:integration:view"}], "username": "carol",
        "accountNonExpired": True, "accountNonLocked": True, "credentialsNonExpired": True,
    }  # fmt: skip
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_is_derived_follows_the_state(callers: Callers) -> None:
    bob, ended = callers.cast.user("bob"), clock.now() - timedelta(days=1)
    users.disable(by=at_the_console(), user=bob)
    users.lock(by=at_the_console(), user=bob)
    users.set_expiry(by=at_the_console(), user=bob, expires_at=ended)

    body = callers.client("internal").get(f"/users/{bob.pk}").json()

    assert (body["disabled"], body["enabled"], body["locked"], body["accountNonLocked"]) == (True, False, True, False)
    assert (body["expiresAt"], body["accountNonExpired"]) == (moment(ended), False)


def test_somebody_of_no_organisation_holds_nothing(callers: Callers) -> None:
    made = users.create(by=at_the_console(), username="op", email="op@house.example", organization=None)
    body = callers.client("internal").get(f"/users/{made.user.pk}").json()
    assert (body["roles"], body["authorities"]) == ([], [])


def test_nobody_else_reads_people(callers: Callers) -> None:
    url = f"/users/{callers.cast.user('carol').pk}"
    refused(callers.stranger.get(url), 401)
    for caller in (callers.client("acme_admin"), callers.client("acme_service"), callers.person("alice")):
        refused(caller.get(url), 403)
        refused(caller.get("/users/987654321"), 403)
    for unknown in ("987654321", "carol", "9" * 40, "-1", "a%00b"):
        refused(callers.client("internal").get(f"/users/{unknown}"), 404)
