"""Clients: the secret is shown once, and masked ever after (dialects.md 3.2, Clients)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as DjangoClient

from identity import clients, clock, keys
from identity.errors import NotAllowedWhileActing
from identity.models import Client, ClientSecret, ClientUse, Organization
from tests.integrations.dialects.auvious.conftest import Callers, empty, refused

pytestmark = pytest.mark.wire("auvious", "3.2 Clients")

MASK = "********"


def log_in(callers: Callers, client_id: str, secret: str) -> Any:
    return callers.endpoint.ask({"grant_type": "client_credentials"}, by=(client_id, secret))


def test_a_client_is_made_listed_changed_rotated_and_deleted(callers: Callers) -> None:
    admin = callers.client("acme_admin")

    made = admin.post("/clients", {"description": "made for a test", "roles": ["Agent", "Agent"], "unheard": 1}).json()

    assert set(made) == {"clientId", "clientSecret", "description", "roles"}
    assert (made["description"], made["roles"]) == ("made for a test", ["Agent"])
    url = f"/clients/{made['clientId']}"
    assert log_in(callers, made["clientId"], made["clientSecret"]).status_code == 200
    assert {**made, "clientSecret": MASK} in admin.get("/clients").json()
    assert admin.put(url, {"description": "new", "roles": None}).json() == {
        **made,
        "description": "new",
        "clientSecret": MASK,
    }
    assert admin.put(url, {"roles": ["Supervisor"]}).json()["roles"] == ["Supervisor"]

    fresh = admin.post(f"{url}/rotate").json()["clientSecret"]

    assert log_in(callers, made["clientId"], made["clientSecret"]).status_code == 401
    assert log_in(callers, made["clientId"], fresh).status_code == 200
    empty(admin.delete(url), 204)
    for call in (admin.delete(url), admin.put(url, {}), admin.post(f"{url}/rotate")):
        refused(call, 404)
    assert log_in(callers, made["clientId"], fresh).status_code == 401


def test_the_list_holds_the_organisations_clients_and_no_secret(callers: Callers) -> None:
    answer = callers.client("acme_admin").get("/clients")
    acme = {name for name, entry in callers.cast.said["clients"].items() if entry.get("organization") == "acme"}
    assert {row["clientId"] for row in answer.json()} == {callers.id_of(name) for name in acme}
    assert {row["clientSecret"] for row in answer.json()} == {MASK}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_grace_lets_two_secrets_live_and_no_third(callers: Callers) -> None:
    admin, client_id = callers.client("acme_admin"), callers.id_of("acme_agent")
    first = callers.endpoint.secret("acme_agent")[1]
    second = admin.post(f"/clients/{client_id}/rotate", {"graceSeconds": 600}).json()["clientSecret"]
    assert [log_in(callers, client_id, one).status_code for one in (first, second)] == [200, 200]
    assert ClientSecret.objects.filter(client_id=client_id, last_used_at=None).count() == 0

    third = admin.post(f"/clients/{client_id}/rotate", {"graceSeconds": 600}).json()["clientSecret"]

    assert [log_in(callers, client_id, one).status_code for one in (first, second, third)] == [401, 200, 200]
    with time_machine.travel(clock.now() + timedelta(seconds=601), tick=False):
        assert [log_in(callers, client_id, one).status_code for one in (second, third)] == [401, 200]


@pytest.mark.parametrize("grace", [-1, 604_801, "600", True, 1.5])
def test_a_senseless_grace_is_refused(callers: Callers, grace: Any) -> None:
    url = f"/clients/{callers.id_of('acme_agent')}/rotate"
    refused(callers.client("acme_admin").post(url, {"graceSeconds": grace}), 400, "graceSeconds")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"roles": ["Root"]}, "roles"), ({"roles": "Agent"}, "roles"), ({"description": 5}, "description"),
        ({"description": "x" * 501}, "description"), ([], "body"),
    ],
)  # fmt: skip
def test_a_bad_client_is_refused_by_its_field(callers: Callers, body: Any, names: str) -> None:
    admin = callers.client("acme_admin")
    refused(admin.post("/clients", body), 400, names)
    refused(admin.put(f"/clients/{callers.id_of('acme_agent')}", body), 400, names)


def test_an_admin_may_grant_all_four_roles_and_none(callers: Callers) -> None:
    admin, four = callers.person("alice"), ["ClientService", "Agent", "Supervisor", "Admin"]
    assert admin.post("/clients", {"roles": four}).json()["roles"] == four
    assert admin.post("/clients").json()["roles"] == []


def test_an_empty_body_that_calls_itself_a_form_is_an_empty_object(callers: Callers) -> None:
    headers = {"Authorization": f"Bearer {callers.client('acme_admin').token}"}
    form = "application/x-www-form-urlencoded"
    assert DjangoClient().generic("POST", "/security/clients", b"", form, headers=headers).json()["roles"] == []
    assert DjangoClient().generic("POST", "/security/clients", b"a=b", form, headers=headers).status_code == 415


def test_a_client_without_roles_may_do_nothing(callers: Callers) -> None:
    made = callers.client("acme_admin").post("/clients", {}).json()
    token = log_in(callers, made["clientId"], made["clientSecret"]).json()["access_token"]
    refused(callers.endpoint.applications(token), 403)


def test_clients_are_for_admins_of_the_organisation(callers: Callers) -> None:
    url = f"/clients/{callers.id_of('acme_agent')}"
    refused(callers.stranger.get("/clients"), 401)
    for caller in (callers.client("acme_service"), callers.client("internal"), callers.person("carol")):
        refused(caller.get("/clients"), 403)
        refused(caller.delete(url), 403)
        refused(caller.delete("/clients/nobody"), 403)
        refused(caller.post("/clients", b"{"), 400)
    foreign = callers.client("globex_admin")
    refused(foreign.put(url, {"roles": ["Root"]}), 404)
    refused(foreign.post(f"{url}/rotate"), 404)
    refused(foreign.delete(url), 404)
    refused(foreign.delete("/clients/a%00b"), 404)


def test_the_order_of_refusals(callers: Callers) -> None:
    refused(callers.stranger.post("/clients", b"{"), 401)
    refused(callers.client("acme_admin").call("PATCH", "/clients", b"{"), 405)
    refused(callers.stranger.get("/nope"), 404)
    refused(callers.stranger.call("OPTIONS", "/clients"), 405)


def test_clients_are_not_made_while_acting(callers: Callers) -> None:
    acting = replace(callers.cast.principal("alice"), acting=callers.acting("alice", "bob").acting)
    with pytest.raises(NotAllowedWhileActing):
        clients.create(by=acting, organization=callers.cast.organization("acme"))
    with pytest.raises(NotAllowedWhileActing):
        keys.create(by=acting, organization=callers.cast.organization("acme"), type_="SSH_RSA")


# --- limits and traces -----------------------------------------------------------------------------------------------
def test_a_client_with_a_limit_waits(callers: Callers) -> None:
    Client.objects.filter(pk=callers.id_of("acme_agent")).update(requests_per_minute=2)
    agent = callers.client("acme_agent")
    assert agent.get("/applications").status_code == 200

    answer = agent.get("/applications")

    refused(answer, 429)
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    again = callers.endpoint.ask({"grant_type": "client_credentials"}, by="acme_agent")
    assert (again.status_code, again.json()["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(again.headers["Retry-After"]) <= 60


def test_every_call_of_a_client_leaves_a_trace_without_ids(callers: Callers) -> None:
    agent = callers.client("acme_agent")
    agent.get("/applications/nobody")
    callers.stranger.get("/applications")

    uses = ClientUse.objects.filter(client=callers.id_of("acme_agent")).order_by("pk")

    assert [(use.endpoint, use.status) for use in uses] == [
        ("POST /security/oauth/token", 200), ("GET /security/applications/<str:application_id>", 404)
    ]  # fmt: skip


def test_a_trace_that_cannot_be_written_spoils_no_answer(callers: Callers, caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE identity_clientuse RENAME TO gone")
    assert callers.endpoint.ask({"grant_type": "client_credentials"}, by="acme_agent").status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gone RENAME TO identity_clientuse")
    assert "the trace of a client's call is lost" in caplog.text


def test_traces_are_kept_as_long_as_the_organisation_wants(callers: Callers) -> None:
    Organization.objects.filter(name="acme").update(usage_retention_days=1)
    for name in ("acme_agent", "globex_admin", "internal"):
        callers.client(name)
    with time_machine.travel(clock.now() + timedelta(days=2), tick=False):
        assert clients.purge_uses() == 1
        assert clients.purge_uses() == 0
    with time_machine.travel(clock.now() + timedelta(days=91), tick=False):
        assert clients.purge_uses() == 2
