"""Applications and keys by their verbs: whose they are, and what happens when they go meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identity import applications, clients, keys
from identity.errors import Invalid, NotAllowed, NotFound, WrongCredentials
from identity.models import Application, ClientSecret
from identity.principal import Kind, Principal, Via
from tests.cast import Cast


def test_nobody_makes_them_for_another_organisation(cast: Cast) -> None:
    alice, globex = cast.principal("alice"), cast.organization("globex")
    with pytest.raises(NotFound):
        applications.create(by=alice, organization=globex, type_="TEST", config={})
    with pytest.raises(NotFound):
        keys.create(by=alice, organization=globex, type_="SSH_RSA")


def test_an_operator_has_no_application_to_find_through_a_dialect(cast: Cast) -> None:
    operator = Principal(kind=Kind.OPERATOR, id="1", name="op", via=Via(door="test"))
    with pytest.raises(NotFound):
        applications.find_for(by=operator, application_id=cast.said["applications"]["nice"])


def test_what_was_deleted_meanwhile_is_not_there(cast: Cast) -> None:
    alice = cast.principal("alice")
    row = applications.create(by=alice, organization=cast.organization("acme"), type_="TEST", config={})
    applications.delete(by=alice, application=Application.objects.get(pk=row.pk))
    with pytest.raises(NotFound):
        applications.change(by=alice, application=row, type_="TEST", config={})
    with pytest.raises(NotFound):
        applications.delete(by=alice, application=row)


def test_a_grant_is_asked_of_the_person_and_not_of_the_role(cast: Cast) -> None:
    alice = replace(cast.principal("alice"), grants=frozenset())
    with pytest.raises(NotAllowed):
        applications.create(
            by=alice, organization=cast.organization("acme"), type_="X", config={}, grant="integrations:integration:add"
        )


def test_an_id_is_taken_once(cast: Cast) -> None:
    alice, acme = cast.principal("alice"), cast.organization("acme")
    applications.create(by=alice, organization=acme, type_="TEST", config={}, application_id="one")
    with pytest.raises(Invalid) as refused:
        applications.create(by=alice, organization=acme, type_="TEST", config={}, application_id="one")
    assert set(refused.value.fields) == {"id"}


def test_what_is_told_once_is_not_told_by_a_repr(cast: Cast) -> None:
    alice = cast.principal("alice")
    made = clients.create(by=alice, organization=cast.organization("acme"))
    assert made.secret not in repr(made)
    service = next(e for n, e in cast.said["clients"].items() if n == "acme_service")
    caller = clients.by_id(client_id=service["client_id"])
    opened = clients.open_session(client=caller, via=Via(door="test"))
    key = keys.create(by=cast.principal_of(opened.session), organization=cast.organization("acme"), type_="SSH_RSA")
    read = keys.read(by=cast.principal_of(opened.session), key_id=str(key.pk))
    assert read.private_pem is not None
    assert "PRIVATE" not in repr(read)


def test_a_secret_serves_its_own_client_only(cast: Cast) -> None:
    one, other = (cast.said["clients"][name] for name in ("acme_service", "acme_agent"))
    with pytest.raises(WrongCredentials):
        clients.authenticate(client_id=other["client_id"], secret=one["client_secret"], via=Via(door="test"))
    assert ClientSecret.objects.filter(last_used_at=None).count() == ClientSecret.objects.count()


def test_a_longest_grace_is_a_week(cast: Cast) -> None:
    alice = cast.principal("alice")
    client = clients.by_id(client_id=cast.said["clients"]["acme_agent"]["client_id"])
    with pytest.raises(Invalid):
        clients.rotate(by=alice, client=client, grace=clients.LONGEST_GRACE * 2)
