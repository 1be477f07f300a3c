"""The admin's pages of machines and keys: made, told once, rotated, revoked, turned over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from identity import clients
from identity.errors import CredentialRevoked, WrongCredentials
from identity.models import ApiKey, AuditEvent, SigningKey
from identity.models import Client as OAuthClient
from identity.principal import Via
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of
VIA = Via(door="test", address="127.0.0.1")


def do(client: Client, row: Any, deed: str) -> Any:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}_do"
    return client.post(reverse(name, args=[row.pk, deed]))


def secret_in(answer: Any) -> str:
    return str(dict(answer.context["secrets"])["Secret"])


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def test_a_client_is_made_with_a_secret_that_is_told_once(cast: Cast, admin_of: Admin) -> None:
    alice = admin_of("alice")

    answer = alice.post(
        "/admin/identity/client/add/",
        {"description": "crm", "roles": ["Agent"], "redirect_uris": "https://crm.example/back\n"},
    )

    made = OAuthClient.objects.get(description="crm")
    assert (made.organization, made.roles, made.is_internal) == (cast.organization("acme"), ["Agent"], False)
    assert made.redirect_uris == ["https://crm.example/back"]
    assert clients.authenticate(client_id=made.pk, secret=secret_in(answer), via=VIA) == made
    assert secret_in(answer) not in alice.get(page_of(made)).text


def test_an_operator_makes_an_internal_service_by_naming_no_organization(cast: Cast, admin_of: Admin) -> None:
    admin_of("olle").post("/admin/identity/client/add/", {"description": "billing", "roles": ["ClientService"]})

    made = OAuthClient.objects.get(description="billing")
    assert (made.organization, made.is_internal) == (None, True)


def test_a_client_is_changed_rotated_and_deleted_by_its_verbs(cast: Cast, admin_of: Admin) -> None:
    alice, row = admin_of("alice"), OAuthClient.objects.get(description="demo acme_agent")

    alice.post(page_of(row), {"description": "desk", "roles": ["Agent", "Supervisor"]})
    row.refresh_from_db()
    assert (row.description, row.roles) == ("desk", ["Agent", "Supervisor"])

    new = secret_in(do(alice, row, "rotate"))
    assert clients.authenticate(client_id=row.pk, secret=new, via=VIA) == row
    assert AuditEvent.objects.get(event="client.rotated").details == {"grace_seconds": 86400}
    assert clients.authenticate(client_id=row.pk, secret=cast.said["clients"]["acme_agent"]["client_secret"], via=VIA)
    assert "never" not in alice.get(page_of(row)).text

    assert do(alice, row, "delete").status_code == 302
    with pytest.raises(WrongCredentials):
        clients.authenticate(client_id=row.pk, secret=new, via=VIA)
    assert alice.get(page_of(row)).status_code == 404


def test_a_revoked_api_key_is_refused_and_offers_no_button(cast: Cast, admin_of: Admin) -> None:
    alice, key = admin_of("alice"), ApiKey.objects.get(organization=cast.organization("acme"))
    assert "/do/revoke/" in alice.get(page_of(key)).text

    do(alice, key, "revoke")

    with pytest.raises(CredentialRevoked):
        clients.by_api_key(cast.said["api_keys"]["acme"], via=VIA)
    assert "/do/revoke/" not in alice.get(page_of(key)).text
    trail = alice.get(f"/admin/identity/apikey/{key.pk}/history/").url
    assert trail == "/admin/identity/auditevent/?subject=demo"


def test_an_operator_turns_the_signing_keys_over_and_drops_one(cast: Cast, admin_of: Admin) -> None:
    olle, current = admin_of("olle"), SigningKey.objects.get(state="current")
    following = SigningKey.objects.get(state="next")
    assert "/do/rotate/" not in olle.get(page_of(following)).text

    do(olle, current, "rotate")
    assert SigningKey.objects.get(state="current") == following
    assert SigningKey.objects.get(pk=current.pk).state == "retired"
    assert olle.get("/admin/identity/signingkey/").status_code == 200

    answer = do(olle, current, "drop")
    assert answer.url == "/admin/identity/signingkey/"
    assert not SigningKey.objects.filter(pk=current.pk).exists()


def test_an_admin_neither_sees_nor_turns_signing_keys(cast: Cast, admin_of: Admin) -> None:
    current = SigningKey.objects.get(state="current")

    assert do(admin_of("alice"), current, "drop").status_code == 404
    assert SigningKey.objects.filter(pk=current.pk).exists()


def test_a_key_that_no_longer_verifies_says_so(cast: Cast, admin_of: Admin) -> None:
    SigningKey.objects.filter(state="next").update(state="retired", verifies_until="2020-01-01T00:00:00Z")

    assert "over</span>" in admin_of("olle").get("/admin/identity/signingkey/").text


@pytest.mark.parametrize("page", ["change/", "history/", "delete/", "do/delete/"])
@pytest.mark.parametrize("kind", ["client", "application", "apikey", "session"])
def test_an_id_that_no_row_can_have_is_not_there(admin_of: Admin, kind: str, page: str) -> None:
    for strange in ("%00", "a%00b", "_00", "%ff", "\x1f"):
        answer = admin_of("alice").post(f"/admin/identity/{kind}/{strange}/{page}")
        assert answer.status_code in (403, 404, 405), (strange, answer.status_code)
