"""Discovery, introspection, revocation and the exchange (RFC 8414, 7662, 7009, 8693; clarifications 22 and 30)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from identity import audit, clients, clock, sessions, users
from identity.models import LoginAs, SigningKey
from identity.principal import Role, at_the_console
from tests.integrations.dialects.oauth.conftest import CUSTOMER, Endpoint, claims_of, refused

pytestmark = pytest.mark.wire("oauth", "30 metadata, introspection, revocation; 22 exchange")

BASE = "http://127.0.0.1:8000"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
USER_ID = "urn:portal:token-type:user_id"


# --- discovery -------------------------------------------------------------------------------------------------------
def test_the_server_metadata_says_where_everything_is(endpoint: Endpoint) -> None:
    answer = endpoint.http.get("/.well-known/oauth-authorization-server")

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.json() == {
        "issuer": BASE,
        "authorization_endpoint": f"{BASE}/oauth/authorize",
        "token_endpoint": f"{BASE}/security/oauth/token",
        "userinfo_endpoint": f"{BASE}/oauth/userinfo",
        "jwks_uri": f"{BASE}/.well-known/jwks.json",
        "introspection_endpoint": f"{BASE}/oauth/introspect",
        "revocation_endpoint": f"{BASE}/oauth/revoke",
        "grant_types_supported": ["client_credentials", "password", "refresh_token", "authorization_code", EXCHANGE],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "profile", "email"],
        "authorization_response_iss_parameter_supported": True,
    }


def test_openid_discovery_says_the_same_and_more(endpoint: Endpoint) -> None:
    server = endpoint.http.get("/.well-known/oauth-authorization-server").json()
    openid = endpoint.http.get("/.well-known/openid-configuration").json()
    assert {name: openid[name] for name in server} == server
    assert openid["subject_types_supported"] == ["public"]
    assert openid["id_token_signing_alg_values_supported"] == ["RS256"]


def test_the_published_keys_are_public_only(endpoint: Endpoint) -> None:
    keys = endpoint.http.get("/.well-known/jwks.json").json()["keys"]
    assert len(keys) == 2
    assert all(set(key) == {"kty", "n", "e", "kid", "alg", "use"} for key in keys)


def test_the_published_keys_cost_one_query(endpoint: Endpoint, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        endpoint.http.get("/.well-known/jwks.json")


def test_a_portal_without_keys_makes_them_when_it_is_asked(endpoint: Endpoint) -> None:
    SigningKey.objects.all().delete()
    assert len(endpoint.http.get("/.well-known/jwks.json").json()["keys"]) == 2


def test_an_unknown_address_is_refused_in_the_same_words(endpoint: Endpoint) -> None:
    for method in ("get", "post", "delete"):
        refused(getattr(endpoint.http, method)("/oauth/nope"), 404, "not_found")


# --- introspection ---------------------------------------------------------------------------------------------------
def introspect(endpoint: Endpoint, token: str, *, by: Any) -> Any:
    return endpoint.post("/oauth/introspect", {"token": token}, by=by)


def test_a_live_token_is_told_about(endpoint: Endpoint) -> None:
    token = endpoint.person("carol")["access_token"]

    told = introspect(endpoint, token, by="acme_service").json()

    claims = claims_of(token)
    names = ("scope", "client_id", "exp", "iat", "sub", "aud", "iss", "jti", "authorities", "organization", "userId")
    assert told == {
        "active": True, "token_type": "bearer", "username": "carol", **{name: claims[name] for name in names}
    }  # fmt: skip
    assert told["client_id"] == endpoint.secret("agent_sso")[0]


def test_who_may_be_told(endpoint: Endpoint) -> None:
    token = endpoint.bearer("acme_agent")
    assert introspect(endpoint, token, by="internal").json()["active"] is True
    assert introspect(endpoint, token, by="globex_admin").json() == {"active": False}
    assert introspect(endpoint, endpoint.bearer("internal"), by="acme_service").json() == {"active": False}
    refused(introspect(endpoint, token, by=CUSTOMER), 401, "invalid_client")
    refused(introspect(endpoint, token, by=None), 401, "invalid_client")
    refused(introspect(endpoint, "", by="acme_service"), 400, "invalid_request")


def test_dead_and_foreign_tokens_are_inactive(endpoint: Endpoint) -> None:
    ended = endpoint.person("bob")["access_token"]
    users.disable(by=at_the_console(), user=endpoint.cast.user("bob"))
    of_another_dialect = endpoint.cast.said["ping_tokens"]["bob"]
    for token in (ended, of_another_dialect, "nonsense", "a.b.c"):
        assert introspect(endpoint, token, by="acme_service").json() == {"active": False}


def test_an_expired_token_is_inactive(endpoint: Endpoint) -> None:
    token = endpoint.bearer("acme_agent")
    with time_machine.travel(clock.now() + timedelta(seconds=3610), tick=False):
        assert introspect(endpoint, token, by="acme_service").json() == {"active": False}


def test_a_refresh_token_is_told_about_until_it_is_spent(endpoint: Endpoint) -> None:
    body = endpoint.person("bob")
    told = introspect(endpoint, body["refresh_token"], by="acme_service").json()
    assert (told["active"], told["token_type"], told["sub"]) == (True, "refresh_token", body["sub"])
    assert introspect(endpoint, body["refresh_token"], by="globex_admin").json() == {"active": False}
    endpoint.refresh(body["refresh_token"])
    assert introspect(endpoint, body["refresh_token"], by="acme_service").json() == {"active": False}


def test_a_refresh_token_that_is_over_is_inactive(endpoint: Endpoint) -> None:
    token = endpoint.person("bob")["refresh_token"]
    with time_machine.travel(clock.now() + timedelta(hours=24, seconds=1), tick=False):
        assert introspect(endpoint, token, by="acme_service").json() == {"active": False}


# --- revocation ------------------------------------------------------------------------------------------------------
def revoke(endpoint: Endpoint, token: str, *, by: Any) -> Any:
    answer = endpoint.post("/oauth/revoke", {"token": token}, by=by)
    assert (answer.status_code, answer.content) == (200, b"")
    return answer


def test_a_client_revokes_its_own_token(endpoint: Endpoint) -> None:
    one, other = endpoint.bearer("acme_service"), endpoint.bearer("acme_service")

    revoke(endpoint, one, by="acme_service")

    assert endpoint.applications(one).status_code == 401
    assert endpoint.applications(other).status_code == 200
    revoke(endpoint, one, by="acme_service")


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_one_of_a_pair_ends_both(endpoint: Endpoint, kind: str) -> None:
    body = endpoint.person("bob")

    revoke(endpoint, body[kind], by="agent_sso")

    assert endpoint.applications(body["access_token"]).status_code == 401
    refused(endpoint.refresh(body["refresh_token"]), 400, "invalid_grant", "REVOKED")
    assert [row.event for row in audit.rows().order_by("-pk")[:1]] == ["token.revoked"]


@pytest.mark.parametrize("by", ["acme_service", "internal", CUSTOMER])
def test_somebody_elses_token_is_left_alone(endpoint: Endpoint, by: Any) -> None:
    body = endpoint.person("bob")
    for token in (body["access_token"], body["refresh_token"], "nonsense"):
        revoke(endpoint, token, by=by)
    assert endpoint.refresh(body["refresh_token"]).status_code == 200


def test_a_token_is_needed_to_revoke_it(endpoint: Endpoint) -> None:
    refused(endpoint.post("/oauth/revoke", {"x": "y"}, by="acme_service"), 400, "invalid_request")
    refused(endpoint.post("/oauth/revoke", {"token": "x"}, by=None), 401, "invalid_client")


# --- exchange --------------------------------------------------------------------------------------------------------
def exchange(endpoint: Endpoint, actor: str, subject: Any, *, by: Any = "agent_sso", **more: str) -> Any:
    form = {
        "grant_type": EXCHANGE, "subject_token": str(subject), "subject_token_type": USER_ID,
        "actor_token": actor, "actor_token_type": ACCESS_TOKEN, **more,
    }  # fmt: skip
    return endpoint.ask({name: value for name, value in form.items() if value != "-"}, by=by)


def test_the_exchange_gives_a_token_that_names_both_people(endpoint: Endpoint) -> None:
    alice, bob = endpoint.cast.user("alice"), endpoint.cast.user("bob")

    answer = exchange(endpoint, endpoint.person("alice")["access_token"], bob.pk)

    body = answer.json()
    assert set(body) == {
        "access_token", "token_type", "expires_in", "scope", "organization", "jti", "sub", "issued_token_type"
    }  # fmt: skip
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert 1799 <= body["expires_in"] <= 1800
    claims = claims_of(body["access_token"])
    assert (claims["sub"], claims["act"], claims["authorities"]) == (
        str(bob.pk),
        {"sub": str(alice.pk)},
        ["ROLE_AGENT"],
    )
    assert introspect(endpoint, body["access_token"], by="acme_service").json()["act"] == {"sub": str(alice.pk)}
    assert endpoint.applications(body["access_token"]).status_code == 200
    started = audit.rows().filter(event="login_as.started").get()
    assert (started.door, started.actor, started.subject) == ("token_exchange", "alice", "bob")


def test_every_refusal_of_the_exchange_has_its_word(endpoint: Endpoint) -> None:
    token, bob = endpoint.person("alice")["access_token"], endpoint.cast.user("bob").pk
    boss = endpoint.cast.newcomer("boss", roles=(Role.ADMIN,))
    for nobody in (endpoint.cast.user("erin").pk, endpoint.cast.user("dave").pk, boss.pk, "987654321", "9" * 40):
        refused(exchange(endpoint, token, nobody), 400, "invalid_target")
    refused(exchange(endpoint, endpoint.person("bob")["access_token"], bob), 400, "invalid_grant")
    refused(exchange(endpoint, "nonsense", bob), 400, "invalid_grant")
    refused(exchange(endpoint, endpoint.bearer("acme_admin"), bob), 400, "invalid_grant")
    refused(exchange(endpoint, token, bob, by="globex_sso"), 400, "invalid_grant")
    refused(exchange(endpoint, token, bob, by="internal"), 400, "invalid_grant")
    refused(exchange(endpoint, token, bob, by=CUSTOMER), 400, "unauthorized_client")


@pytest.mark.parametrize(
    "change",
    [
        {"subject_token": "bob"}, {"subject_token": "٣"}, {"subject_token": "-1"}, {"subject_token": "-"}, {"actor_token": "-"},
        {"subject_token_type": ACCESS_TOKEN}, {"subject_token_type": "-"}, {"actor_token_type": USER_ID}, {"actor_token_type": "-"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
    ],
)  # fmt: skip
def test_a_malformed_exchange_is_an_invalid_request(endpoint: Endpoint, change: dict[str, str]) -> None:
    answer = exchange(endpoint, "nonsense", change.pop("subject_token", 1), **change)
    refused(answer, 400, "invalid_request")


def test_nobody_works_as_a_third_person_out_of_an_exchanged_token(endpoint: Endpoint) -> None:
    token = exchange(
        endpoint, endpoint.person("alice")["access_token"], endpoint.cast.user("carol").pk
    ).json()["access_token"]  # fmt: skip
    refused(exchange(endpoint, token, endpoint.cast.user("bob").pk), 400, "invalid_grant")


def test_an_exchanged_token_never_outlives_the_actors_own(endpoint: Endpoint) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as traveller:
        token = endpoint.person("alice")["access_token"]
        traveller.move_to(start + timedelta(minutes=50))
        body = exchange(endpoint, token, endpoint.cast.user("bob").pk).json()
    assert 599 <= body["expires_in"] <= 600


def test_an_exchanged_token_dies_with_the_actors_session(endpoint: Endpoint) -> None:
    own = endpoint.person("alice")
    token = exchange(endpoint, own["access_token"], endpoint.cast.user("bob").pk).json()["access_token"]
    revoke(endpoint, own["access_token"], by="agent_sso")
    assert endpoint.applications(token).status_code == 401


def test_revoking_an_exchanged_token_ends_the_login_as_and_spares_the_actor(endpoint: Endpoint) -> None:
    own = endpoint.person("alice")
    token = exchange(endpoint, own["access_token"], endpoint.cast.user("bob").pk).json()["access_token"]

    revoke(endpoint, token, by="agent_sso")

    assert endpoint.applications(token).status_code == 401
    assert endpoint.applications(own["access_token"]).status_code == 200
    assert LoginAs.objects.get().end_reason == "revoked"


def test_an_exchanged_token_dies_with_its_client(endpoint: Endpoint) -> None:
    token = exchange(
        endpoint, endpoint.person("alice")["access_token"], endpoint.cast.user("bob").pk, by="acme_service"
    ).json()["access_token"]  # fmt: skip
    client = clients.by_id(client_id=endpoint.secret("acme_service")[0])
    clients.delete(by=at_the_console(), client=client)
    assert endpoint.applications(token).status_code == 401


def test_a_suspended_session_of_nobody_is_not_found(endpoint: Endpoint) -> None:
    """A token whose session row is gone is dead, whatever its signature says."""
    token = endpoint.bearer("acme_service")
    sessions.live().get(client_id=endpoint.secret("acme_service")[0]).delete()
    assert introspect(endpoint, token, by="acme_service").json() == {"active": False}
