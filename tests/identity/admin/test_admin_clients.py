"""The admin's pages of a client: its limit and redirect addresses, two live secrets, and what it called."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from identity import clients, clock
from identity.errors import Invalid, WrongCredentials
from identity.models import Client as OAuthClient
from identity.models import ClientUse
from identity.principal import Via, at_the_console
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of
VIA = Via(door="test", address="127.0.0.1")
CALLS = "/admin/identity/clientuse/"


@pytest.fixture
def row(cast: Cast) -> OAuthClient:
    return OAuthClient.objects.get(description="demo acme_agent")


def page_of(row: Any, page: str = "change", *more: str) -> str:
    return reverse(f"admin:identity_client_{page}", args=[row.pk, *more])


def rotate(admin: Any, row: Any, **said: Any) -> Any:
    return admin.post(page_of(row, "do", "rotate"), said)


def asked(**said: Any) -> dict[str, Any]:
    return {"description": "desk", "roles": ["Agent"], "redirect_uris": "", "requests_per_minute": "", **said}


def test_limit_and_redirect_addresses_are_changed_and_lifted(row: OAuthClient, admin_of: Admin) -> None:
    alice = admin_of("alice")

    alice.post(page_of(row), asked(requests_per_minute="90", redirect_uris="https://a.example/cb\ncom.example.app:/cb"))
    row.refresh_from_db()
    assert (row.requests_per_minute, row.redirect_uris) == (90, ["https://a.example/cb", "com.example.app:/cb"])

    alice.post(page_of(row), asked())
    row.refresh_from_db()
    assert (row.requests_per_minute, row.redirect_uris) == (None, [])


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example/cb", "javascript:alert(1)", "https://a.example/cb#x", "https:///cb", "https://[x/cb", "https://a.example/å",
        "https://a.example/" + "x" * 2000, "/cb",
    ],
)  # fmt: skip
def test_no_code_is_sent_to_an_address_that_does_not_keep_it(row: OAuthClient, admin_of: Admin, address: str) -> None:
    answer = admin_of("alice").post(page_of(row), asked(redirect_uris=address))

    assert "redirect_uris" in answer.context["adminform"].form.errors
    row.refresh_from_db()
    assert row.redirect_uris == []


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/cb", "http://[::1]/cb", "http://localhost/cb", "https://a.example/cb"]
)
def test_this_machine_and_https_may_get_codes(row: OAuthClient, admin_of: Admin, address: str) -> None:
    admin_of("alice").post(page_of(row), asked(redirect_uris=address))

    row.refresh_from_db()
    assert row.redirect_uris == [address]


def test_both_live_secrets_are_shown_by_their_beginning_with_their_last_use(
    cast: Cast, row: OAuthClient, admin_of: Admin
) -> None:
    alice, old = admin_of("alice"), cast.said["clients"]["acme_agent"]["client_secret"]
    clients.authenticate(client_id=row.pk, secret=old, via=VIA)

    new = dict(rotate(alice, row, grace="3600").context["secrets"])["Secret"]
    shown = alice.get(page_of(row))

    newer, older = shown.context["secrets"]
    assert (newer.last_used_at, newer.expires_at) == (None, None)
    assert older.last_used_at is not None
    assert timedelta(minutes=59) < older.expires_at - clock.now() <= timedelta(hours=1)
    assert f"{new[:8]}…" in shown.text
    assert new not in shown.text
    assert old not in shown.text


def test_a_rotation_without_grace_ends_the_old_secret_at_once(cast: Cast, row: OAuthClient, admin_of: Admin) -> None:
    rotate(admin_of("alice"), row, grace="0")

    with pytest.raises(WrongCredentials):
        clients.authenticate(client_id=row.pk, secret=cast.said["clients"]["acme_agent"]["client_secret"], via=VIA)
    assert row.secrets.count() == 1


@pytest.mark.parametrize("grace", ["-1", "604801", "x", "", "9" * 30])
def test_a_senseless_grace_rotates_nothing(row: OAuthClient, admin_of: Admin, grace: str) -> None:
    answer = rotate(admin_of("alice"), row, grace=grace)

    assert answer.url == page_of(row)
    assert row.secrets.count() == 1


def test_a_client_without_a_live_secret_says_so(row: OAuthClient, admin_of: Admin) -> None:
    row.secrets.update(expires_at=clock.now())

    assert "None is live." in admin_of("alice").get(page_of(row)).text


def test_a_client_is_made_with_a_limit(cast: Cast, admin_of: Admin) -> None:
    admin_of("alice").post("/admin/identity/client/add/", asked(description="slow", requests_per_minute="5"))

    assert OAuthClient.objects.get(description="slow").requests_per_minute == 5


def test_the_verb_refuses_a_bad_address_for_everybody(cast: Cast) -> None:
    with pytest.raises(Invalid) as refusal:
        clients.create(by=cast.principal("alice"), organization=cast.organization("acme"), redirect_uris=["data:x"])

    assert set(refusal.value.fields) == {"redirect_uris"}


def used(row: OAuthClient, endpoint: str, status: int, address: str = "192.0.2.1", **ago: Any) -> ClientUse:
    return ClientUse.objects.create(
        client=row, endpoint=endpoint, status=status, address=address, at=clock.now() - timedelta(**ago)
    )


def found(admin: Any, **query: str) -> list[tuple[str, int]]:
    return [(use.endpoint, use.status) for use in admin.get(CALLS, query).context["cl"].result_list]


def test_what_a_client_called_is_filtered_and_searched_newest_first(
    cast: Cast, row: OAuthClient, admin_of: Admin
) -> None:
    alice, other = admin_of("alice"), OAuthClient.objects.get(description="demo acme_admin")
    foreign = clients.create(by=at_the_console(), organization=cast.organization("globex"), description="theirs").row
    used(row, "/api/a", 200, minutes=5)
    used(row, "/api/b", 404, hours=2)
    used(row, "/api/c", 429, days=2, address="203.0.113.9")
    used(row, "/api/d", 500, days=8)
    used(other, "/api/e", 200, minutes=1)
    used(foreign, "/api/f", 200)

    assert found(alice) == [("/api/e", 200), ("/api/a", 200), ("/api/b", 404), ("/api/c", 429), ("/api/d", 500)]
    assert found(alice, client=row.pk) == [("/api/a", 200), ("/api/b", 404), ("/api/c", 429), ("/api/d", 500)]
    assert found(alice, client=row.pk, q="/api/b") == [("/api/b", 404)]
    assert found(alice, client=foreign.pk) == []
    assert found(alice, client="\0") == []
    assert found(alice, answer="good", client=row.pk) == [("/api/a", 200)]
    assert found(alice, answer="refused") == [("/api/b", 404), ("/api/c", 429)]
    assert found(alice, answer="limited") == [("/api/c", 429)]
    assert found(alice, answer="failed") == [("/api/d", 500)]
    assert found(alice, since="hour") == [("/api/e", 200), ("/api/a", 200)]
    assert found(alice, since="day", client=row.pk) == [("/api/a", 200), ("/api/b", 404)]
    assert found(alice, since="week", q="203.0") == [("/api/c", 429)]
    assert ("/api/f", 200) in found(admin_of("olle"))
    assert "theirs" not in alice.get(CALLS).text


def test_calls_are_paged_without_a_query_each(
    row: OAuthClient, admin_of: Admin, django_assert_num_queries: Any
) -> None:
    alice = admin_of("alice")
    ClientUse.objects.bulk_create(
        ClientUse(client=row, endpoint=f"/api/{number}", status=200, address="192.0.2.1") for number in range(60)
    )
    alice.get(CALLS)

    assert len(found(alice, client=row.pk)) == 50
    assert len(found(alice, client=row.pk, p="2")) == 10
    with django_assert_num_queries(5):
        alice.get(CALLS, {"client": row.pk})


def test_calls_stay_out_of_the_menu_and_are_reached_from_the_client(row: OAuthClient, admin_of: Admin) -> None:
    alice = admin_of("alice")

    assert CALLS not in alice.get("/admin/").text
    assert f"{CALLS}?client={row.pk}" in alice.get(page_of(row)).text
    assert f"{CALLS}?client={row.pk}" in alice.get("/admin/identity/client/").text
    assert admin_of("carol").get(CALLS).status_code == 403
