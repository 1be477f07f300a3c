"""Applications: who sees which section, who writes which type, and what a configuration must hold (dialects.md 3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from identity import applications
from identity.models import Application
from identity.principal import at_the_console
from tests.integrations.dialects.auvious.conftest import Callers, empty, refused

pytestmark = pytest.mark.wire("auvious", "3.2 Applications")

GENESYS = {"organizationId": "gc-org", "pcEnvironment": "mypurecloud.ie"}
SECTIONS = {"serviceParameters": {"s": "for services"}, "agentParameters": {"a": 1}, "customerParameters": {"c": None}}
PAIR = {"serviceParameters": {"clientId": "a", "clientSecret": "b"}}
TALKDESK = {"account": "acme", "region": "eu", **PAIR}
NICE = {"issuer": "https://cxone.niceincontact.com", **PAIR}
KEYS = {"version", "id", "organizationId", "type", "config", "createdAt", "visible", "expiresAt"}


def make(callers: Callers, config: dict[str, Any], *, by: str = "alice", type_: str = "GENESYS") -> str:
    answer = callers.person(by).post("/applications", {"type": type_, "config": config})
    assert answer.status_code == 200, answer.content
    assert set(answer.json()) == {"id"}
    return f"/applications/{answer.json()['id']}"


def test_an_application_shows_each_caller_its_own_section(callers: Callers) -> None:
    url = make(callers, {**GENESYS, **SECTIONS, "other": [1]})

    body = callers.person("alice").get(url).json()

    assert set(body) == KEYS
    assert (body["version"], body["type"], body["visible"], body["expiresAt"]) == (0, "GENESYS", True, None)
    assert body["config"] == {**GENESYS, **SECTIONS, "other": [1]}
    assert callers.person("carol").get(url).json()["config"] == {**GENESYS, **SECTIONS, "other": [1]}
    for caller, section in (
        (callers.person("bob"), "agentParameters"), (callers.client("acme_agent"), "agentParameters"),
        (callers.client("acme_admin"), "agentParameters"), (callers.client("acme_service"), "serviceParameters"),
        (callers.client("internal"), "serviceParameters"),
    ):  # fmt: skip
        assert caller.get(url).json()["config"] == {**GENESYS, section: SECTIONS[section], "other": [1]}


def test_a_foreign_application_is_not_there(callers: Callers) -> None:
    url = make(callers, GENESYS)
    for caller in (callers.client("globex_admin"), callers.person("erin")):
        refused(caller.get(url), 404)
    frank = callers.client("globex_admin")
    refused(frank.put(url, {}), 404)
    refused(frank.delete(url), 404)
    refused(frank.get(url + "x"), 404)
    refused(frank.get("/applications/a%00b"), 404)
    refused(callers.stranger.get(url), 401)


def test_secrets_of_a_configuration_are_sealed_in_the_table(callers: Callers) -> None:
    config = {**TALKDESK, "zz_token": "t-1", "aPassword": "p-1", "list": [{"secret": "s-1"}], "trap": {"sealed": True}}
    url = make(callers, config, type_="TALKDESK_OPENID")

    row = Application.objects.get(pk=url.rsplit("/", 1)[1])

    assert not [one for one in ("b", "t-1", "p-1", "s-1") if f"'{one}'" in str(row.config)]
    assert callers.person("alice").get(url).json()["config"] == config
    # PostgreSQL hands an object's names back in an order of its own.
    row.config = dict(reversed(row.config.items()))
    assert applications.config_of(row) == config


def test_a_change_replaces_the_whole_configuration(callers: Callers) -> None:
    url, alice = make(callers, {**GENESYS, **SECTIONS}), callers.person("alice")
    empty(alice.put(url, {"type": "GENESYS", "config": GENESYS}), 204)
    body = alice.get(url).json()
    assert (body["config"], body["version"]) == (GENESYS, 1)
    refused(alice.put(url, {"type": "TEST", "config": {}}), 400, "type")
    refused(alice.put(url, {"type": "GENESYS"}), 400, "config")
    refused(alice.put(url, {"config": GENESYS}), 400, "type")
    refused(alice.put(url, {"type": "GENESYS", "config": {}}), 400, "pcEnvironment")
    empty(alice.delete(url), 204)
    refused(alice.get(url), 404)
    refused(alice.delete(url), 404)


def test_another_type_may_change_but_not_into_a_guarded_one(callers: Callers) -> None:
    url, admin = make(callers, {}, type_="TEST"), callers.client("acme_admin")
    empty(admin.put(url, {"type": "SETUP_TEST", "config": {}}), 204)
    assert admin.get(url).json()["type"] == "SETUP_TEST"
    refused(admin.put(url, {"type": "GENESYS", "config": GENESYS}), 400, "type")
    empty(admin.delete(url), 204)


def test_writing_the_guarded_type_takes_a_grant_and_the_others_an_admin(callers: Callers) -> None:
    guarded, other = make(callers, GENESYS), make(callers, {}, type_="TEST")
    admin = callers.client("acme_admin")
    for caller in (admin, callers.person("carol"), callers.person("bob"), callers.client("acme_service")):
        refused(caller.post("/applications", {"type": "GENESYS", "config": {}}), 403)
        refused(caller.put(guarded, {}), 403)
        refused(caller.delete(guarded), 403)
    for caller in (callers.person("carol"), callers.person("bob"), callers.client("acme_service")):
        refused(caller.post("/applications", {"type": "nonsense"}), 403)
        refused(caller.delete("/applications/nobody"), 403)
        refused(caller.delete(other), 403)
    refused(admin.post("/applications", {"type": "nonsense"}), 400, "type")
    refused(admin.post("/applications", {"config": {}}), 400, "type")
    refused(admin.post("/applications", []), 400, "body")


def test_a_grant_without_the_role_writes_the_guarded_type_only(callers: Callers) -> None:
    membership = callers.cast.membership("bob")
    membership.grants = [f"integrations:integration:{verb}" for verb in ("add", "edit", "delete")]
    membership.save()
    bob = callers.person("bob")
    made = bob.post("/applications", {"type": "GENESYS", "config": GENESYS})
    assert made.status_code == 200
    refused(bob.post("/applications", {"type": "TEST", "config": {}}), 403)
    url = f"/applications/{made.json()['id']}"
    empty(bob.put(url, {"type": "GENESYS", "config": GENESYS}), 204)
    empty(bob.delete(url), 204)


def test_who_signs_in_is_decided_by_those_who_manage_applications_not_by_a_grant(callers: Callers) -> None:
    """Whoever may choose the system that vouches for people is everybody whom it vouches for."""
    membership = callers.cast.membership("bob")
    membership.grants = [f"integrations:integration:{verb}" for verb in ("add", "edit", "delete")]
    membership.save()
    bob, alice = callers.person("bob"), callers.person("alice")
    offering = {**GENESYS, **PAIR, "signIn": {"enabled": True, "linkBy": "email"}}
    url = make(callers, offering)
    whole = {"type": "GENESYS", "config": offering}

    refused(bob.post("/applications", whole), 403)
    refused(bob.put(make(callers, GENESYS), whole), 403)
    machine = callers.client("acme_admin")
    refused(
        machine.post("/applications", {"type": "TALKDESK_OPENID", "config": {**TALKDESK, "signIn": {"enabled": True}}}),
        403,
    )
    assert (
        machine.post(
            "/applications", {"type": "TALKDESK_OPENID", "config": {**TALKDESK, "signIn": {"enabled": False}}}
        ).status_code
        == 200
    )
    for elsewhere in ({"pcEnvironment": "mypurecloud.de"}, {"organizationId": "bob's own"}, {"signIn": {"enabled": True, "keepsRoles": True}},
                      {"serviceParameters": {**PAIR["serviceParameters"], "signInClientId": "bob's own"}}):  # fmt: skip
        refused(bob.put(url, {"type": "GENESYS", "config": {**offering, **elsewhere}}), 403)

    empty(bob.put(url, {"type": "GENESYS", "config": {**offering, "agentParameters": {"theme": "dark"}}}), 204)
    empty(alice.put(url, {"type": "GENESYS", "config": {**offering, "pcEnvironment": "mypurecloud.de"}}), 204)
    empty(bob.put(url, {"type": "GENESYS", "config": GENESYS}), 204)


def test_nobody_writes_applications_while_acting(callers: Callers) -> None:
    membership = callers.cast.membership("bob")
    membership.grants = ["integrations:integration:add"]
    membership.save()
    refused(callers.exchanged("alice", "bob").post("/applications", {"type": "GENESYS", "config": GENESYS}), 403)
    assert callers.person("bob").post("/applications", {"type": "GENESYS", "config": GENESYS}).status_code == 200


@pytest.mark.parametrize(
    ("type_", "config", "names"),
    [
        ("GENESYS", {"organizationId": "x"}, "config.pcEnvironment"), ("GENESYS", {"pcEnvironment": "mypurecloud.ie"}, "config.organizationId"),
        ("GENESYS", {**GENESYS, "pcEnvironment": "evil.example"}, "config.pcEnvironment"), ("GENESYS", {**GENESYS, "organizationId": 5}, "config.organizationId"),
        ("TALKDESK_OPENID", {"region": "eu", **PAIR}, "config.account"), ("TALKDESK_OPENID", {"account": "acme", **PAIR}, "config.region"),
        ("TALKDESK_OPENID", {**TALKDESK, "region": "se"}, "config.region"), ("TALKDESK_OPENID", {**TALKDESK, "account": "a.evil.example/"}, "config.account"),
        ("TALKDESK_OPENID", {**TALKDESK, "serviceParameters": {"clientId": "a"}}, "config.serviceParameters.clientSecret"),
        ("NICE_CXONE_OPENID", PAIR, "config.issuer"), ("NICE_CXONE_OPENID", {"issuer": NICE["issuer"]}, "config.serviceParameters"),
        ("NICE_CXONE_OPENID", {**NICE, "issuer": "https://niceincontact.com.evil.example"}, "config.issuer"),
        ("NICE_CXONE_OPENID", {**NICE, "issuer": "http://cxone.niceincontact.com"}, "config.issuer"),
        ("NICE_CXONE_OPENID", {**NICE, "issuer": "https://cxone.niceincontact.com@evil.example"}, "config.issuer"),
        ("STANDALONE_OPENID", {"issuer": "ftp://x"}, "config.issuer"), ("STANDALONE_OPENID", {"issuer": f"https://id.acme.example/{'x' * 300}"}, "config.issuer"),
        ("STANDALONE_OPENID", {"signIn": {"hosts": "tokens.acme.example 127.0.0.1"}}, "config.signIn.hosts"), ("STANDALONE_OPENID", {"signIn": {"hosts": "localhost"}}, "config.signIn.hosts"),
        ("STANDALONE_OPENID", {"signIn": {"hosts": "2130706433"}}, "config.signIn.hosts"), ("STANDALONE_OPENID", {"signIn": {"hosts": "..a"}}, "config.signIn.hosts"), ("TEST", {"agentParameters": []}, "config.agentParameters"), ("TEST", [], "config"),
    ],
)  # fmt: skip
def test_a_configuration_must_be_complete_and_stay_with_its_vendor(
    callers: Callers, type_: str, config: Any, names: str
) -> None:
    alice = callers.person("alice")
    before = Application.objects.count()
    refused(alice.post("/applications", {"type": type_, "config": config}), 400, names)
    assert Application.objects.count() == before


@pytest.mark.parametrize("config", [TALKDESK, NICE])
def test_a_complete_partner_configuration_is_taken(callers: Callers, config: dict[str, Any]) -> None:
    type_ = "TALKDESK_OPENID" if "account" in config else "NICE_CXONE_OPENID"
    assert callers.client("acme_admin").post("/applications", {"type": type_, "config": config}).status_code == 200


# --- internal services -----------------------------------------------------------------------------------------------
def test_an_internal_service_makes_any_for_anybody(callers: Callers) -> None:
    internal, globex = callers.client("internal"), str(callers.cast.organization("globex").pk)
    body = {"type": "GENESYS", "config": GENESYS, "organizationId": globex, "id": "chosen-1"}
    assert internal.post("/applications", body).json() == {"id": "chosen-1"}
    refused(internal.post("/applications", body), 400, "id")
    assert callers.client("globex_admin").get("/applications/chosen-1").json()["organizationId"] == globex
    empty(internal.put("/applications/chosen-1", {"type": "GENESYS", "config": GENESYS}), 204)
    empty(internal.delete("/applications/chosen-1"), 204)


def test_what_an_internal_service_must_say(callers: Callers) -> None:
    internal, body = callers.client("internal"), {"type": "TEST", "config": {}}
    refused(internal.post("/applications", body), 400, "organizationId")
    refused(internal.post("/applications", {**body, "organizationId": "nobody"}), 404)
    refused(internal.post("/applications", {"type": "TEST", "organizationId": "nobody"}), 400, "config")
    acme = str(callers.cast.organization("acme").pk)
    refused(internal.post("/applications", {**body, "organizationId": acme, "id": "a/b"}), 400, "id")


def test_only_internal_services_choose_ids_and_organisations(callers: Callers) -> None:
    admin, body = callers.client("acme_admin"), {"type": "TEST", "config": {}}
    acme = str(callers.cast.organization("acme").pk)
    for more in ({"id": "x"}, {"organizationId": acme}):
        refused(admin.post("/applications", {**body, **more}), 403)
        refused(admin.post("/applications", {"type": "nonsense", **more}), 403)
    assert admin.post("/applications", {**body, "id": None, "organizationId": None}).status_code == 200


# --- the list --------------------------------------------------------------------------------------------------------
def test_the_list_is_an_array_of_what_is_visible(callers: Callers) -> None:
    ids = callers.cast.said["applications"]
    bob = callers.person("bob")
    assert [row["id"] for row in bob.get("/applications").json()] == [
        ids[n] for n in ("genesys", "talkdesk", "nice", "openid")
    ]
    assert all("serviceParameters" not in row["config"] for row in bob.get("/applications").json())
    applications.set_flags(
        by=at_the_console(), application=applications.find(application_id=ids["nice"]), is_visible=False
    )
    assert ids["nice"] not in [row["id"] for row in bob.get("/applications").json()]
    assert bob.get(f"/applications/{ids['nice']}").json()["visible"] is False
    assert callers.client("globex_admin").get("/applications").json() == []
    assert len(callers.client("internal").get("/applications").json()) == 3


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("page=0&size=2", ["genesys", "talkdesk"]), ("page=1&size=2", ["nice", "openid"]), ("page=9", []),
        ("sort=type,desc", ["talkdesk", "openid", "nice", "genesys"]), ("sort=type", ["genesys", "nice", "openid", "talkdesk"]),
        ("sort=visible,asc&sort=type,desc&size=1", ["talkdesk"]), ("pageable=page,0,size,1,sort,string", ["genesys"]),
        ("pageable=page,1,size,2,sort,type,desc", ["nice", "genesys"]), ("pageable=size,1,sort,type,asc", ["genesys"]), ("sort=", ["genesys", "talkdesk", "nice", "openid"]),
    ],
)  # fmt: skip
def test_the_list_is_paged_and_sorted(callers: Callers, query: str, names: list[str]) -> None:
    ids = callers.cast.said["applications"]
    found = callers.person("bob").get(f"/applications?{query}").json()
    assert [row["id"] for row in found] == [ids[name] for name in names]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("size=101", "size"), ("size=0", "size"), ("size=x", "size"), ("page=-1", "page"), ("page=1&page=2", "page"), ("page=99999999999", "page"),
        ("sort=nope", "sort"), ("sort=type,sideways", "sort"), ("pageable=type,desc", "pageable"), ("pageable=page,0,size,101", "size"),
        ("pageable=sort,nope", "sort"), ("pageable=sort,asc", "sort"),
    ],
)  # fmt: skip
def test_a_bad_page_is_refused(callers: Callers, query: str, names: str) -> None:
    refused(callers.person("bob").get(f"/applications?{query}"), 400, names)


def test_a_longer_list_costs_no_more_queries(callers: Callers, django_assert_num_queries: Any) -> None:
    bob = callers.person("bob")
    bob.get("/applications")
    for _ in range(20):
        make(callers, GENESYS)
    with django_assert_num_queries(3):
        assert len(bob.get("/applications?size=100").json()) == 24
