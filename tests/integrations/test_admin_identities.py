"""The admin's page of external identities: whose they are, who sees them, and what unlinking ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from identity import clock
from identity.errors import NotAllowed, NotFound
from identity.models import Application, AuditEvent, Session
from integrations.models import ExternalIdentity, ExternalSignIn
from integrations.stories import external_people
from tests.browsers import Browser
from tests.cast import Cast

LIST = "/admin/integrations/externalidentity/"


def bearer_of(cast: Cast) -> str:
    """The token of acme's Admin client."""
    said = cast.said["clients"]["acme_admin"]
    form = {"grant_type": "client_credentials", "client_id": said["client_id"], "client_secret": said["client_secret"]}
    body = urlencode(form)
    answer = Client().post("/security/oauth/token", body, content_type="application/x-www-form-urlencoded")
    return f"Bearer {answer.json()['access_token']}"


@pytest.fixture
def linked(cast: Cast) -> ExternalIdentity:
    """Bob, linked through acme's provider and signed in by it."""
    through = Application.objects.get(pk=cast.said["applications"]["openid"])
    identity = ExternalIdentity.objects.create(
        application=through, issuer="https://id.acme.example", subject="248289761001", user=cast.user("bob")
    )
    ExternalSignIn.objects.create(
        application=through, state_digest="1", browser_digest="2", expires_at=clock.now(), identity=identity,
        session=cast.session("bob", door="portal").session,
    )  # fmt: skip
    return identity


def test_an_admin_finds_a_link_and_takes_it_away(linked: ExternalIdentity, at_desk: Callable[[str], Browser]) -> None:
    alice = at_desk("alice")
    assert "bob" in alice.get(f"{LIST}?q=BOB").text
    assert f"/admin/identity/user/{linked.user.pk}/change/" in alice.get(f"{LIST}{linked.pk}/change/").text
    assert "248289761001" in alice.get(f"{LIST}{linked.pk}/change/").text

    assert alice.get(f"{LIST}{linked.pk}/history/").url == "/admin/identity/auditevent/?subject=bob"

    answer = alice.send(f"{LIST}{linked.pk}/do/unlink/")

    assert answer.status_code == 302
    assert not ExternalIdentity.objects.exists()
    assert Session.objects.get(user=linked.user, door="portal").end_reason == "unlinked"
    row = AuditEvent.objects.get(event="user.unlinked")
    assert (row.actor, row.subject, row.organization_name) == ("alice", "bob", "acme")
    assert row.details == {"application": linked.application_id, "issuer": "https://id.acme.example"}


@pytest.mark.parametrize("door", ["the portal", "the wire"])
def test_who_came_through_an_application_goes_with_it(
    linked: ExternalIdentity, cast: Cast, at_desk: Callable[[str], Browser], door: str
) -> None:
    by_password = cast.session("bob", door="portal").session
    through, elsewhere = linked.application, cast.session("carol", door="portal").session
    ExternalSignIn.objects.create(
        application=Application.objects.get(pk=cast.said["applications"]["nice"]), state_digest="3", browser_digest="4",
        expires_at=clock.now(), session=elsewhere,
    )  # fmt: skip

    if door == "the portal":
        alice = at_desk("alice")
        alice.get("/admin/")
        assert alice.send(f"/admin/identity/application/{through.pk}/do/delete/").status_code == 302
    else:
        answer = Client().delete(f"/security/applications/{through.pk}", headers={"Authorization": bearer_of(cast)})
        assert answer.status_code == 204

    ended = Session.objects.filter(user__in=(linked.user, elsewhere.user), door="portal").exclude(ended_at=None)
    assert [one.end_reason for one in ended] == ["application"]
    assert ended.get().pk not in (by_password.pk, elsewhere.pk)
    assert not Application.objects.filter(pk=through.pk).exists()
    row = AuditEvent.objects.get(event="session.ended")
    assert (row.subject, row.organization_name, row.details) == (
        through.pk,
        "acme",
        {"reason": "application", "sessions": 1},
    )


@pytest.mark.parametrize(("name", "refusal"), [("carol", NotAllowed), ("frank", NotFound)])
def test_nobody_elses_word_ends_the_sessions_of_an_application(
    linked: ExternalIdentity, cast: Cast, name: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        external_people.disconnect(by=cast.principal(name), application=linked.application)
    assert not Session.objects.exclude(ended_at=None).exists()


def test_another_organisations_admin_sees_none_of_it(
    linked: ExternalIdentity, at_desk: Callable[[str], Browser]
) -> None:
    frank = at_desk("frank")
    assert "bob" not in frank.get(LIST).text
    frank.get("/admin/")
    assert frank.send(f"{LIST}{linked.pk}/do/unlink/").status_code == 404
    assert ExternalIdentity.objects.exists()


@pytest.mark.parametrize(("name", "refusal"), [("carol", NotAllowed), ("bob", NotAllowed), ("frank", NotFound)])
def test_only_an_admin_of_the_organisation_unlinks(
    linked: ExternalIdentity, cast: Cast, name: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        external_people.unlink(by=cast.principal(name), identity=linked)
    assert ExternalIdentity.objects.exists()


def test_a_longer_list_costs_no_more_queries(
    linked: ExternalIdentity, cast: Cast, at_desk: Callable[[str], Browser], django_assert_num_queries: Any
) -> None:
    alice = at_desk("alice")
    alice.get(LIST)
    with django_assert_num_queries(4):
        alice.get(LIST)
    for name in ("alice", "carol", "ivan"):
        ExternalIdentity.objects.create(application=linked.application, issuer="x", subject=name, user=cast.user(name))
    with django_assert_num_queries(4):
        alice.get(LIST)
