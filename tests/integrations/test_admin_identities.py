"""The admin's page of external identities: whose they are, who sees them, and what unlinking ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from identity import clock
from identity.errors import NotAllowed, NotFound
from identity.models import Application, AuditEvent, Session
from integrations.models import ExternalIdentity, ExternalSignIn
from integrations.stories import external_people
from tests.browsers import Browser
from tests.cast import Cast

LIST = "/admin/integrations/externalidentity/"


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
