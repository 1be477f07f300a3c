"""The token endpoint: who may ask for what, and what is handed out (dialects.md 3.0; RFC 6749)."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.test import Client

from identity import clients, clock, users
from identity.models import AuthorizationCode, RefreshToken
from identity.principal import at_the_console
from identity.tasks import purge
from tests.cast import Cast
from tests.integrations.dialects.oauth.conftest import CUSTOMER, FORM, TOKEN, Endpoint, basic, claims_of, refused

pytestmark = pytest.mark.wire("auvious", "3.0 POST /security/oauth/token")

CLIENT_CREDENTIALS = {"grant_type": "client_credentials"}
TOKEN_KEYS = {"access_token", "token_type", "expires_in", "scope", "organization", "jti", "sub"}


# --- client credentials ----------------------------------------------------------------------------------------------
def test_a_client_gets_a_token_that_a_stranger_can_verify(endpoint: Endpoint) -> None:
    answer = endpoint.ask(CLIENT_CREDENTIALS, by="acme_service")

    body = answer.json()
    client_id, acme = endpoint.secret("acme_service")[0], str(endpoint.cast.organization("acme").pk)
    assert set(body) == TOKEN_KEYS
    assert (body["token_type"], body["expires_in"], body["organization"], body["sub"]) == (
        "bearer",
        3600,
        acme,
        client_id,
    )
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    keys = jwt.PyJWKSet.from_dict(endpoint.http.get("/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(body["access_token"])["kid"]
    claims = jwt.decode(
        body["access_token"], keys[kid].key, algorithms=["RS256"], audience="auvious", issuer="http://127.0.0.1:8000"
    )
    assert claims["sub"] == claims["userId"] == claims["client_id"] == client_id
    assert (claims["authorities"], claims["jti"], claims["organization"]) == (["ROLE_SERVICE"], body["jti"], acme)
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("name", "authorities"),
    [("acme_admin", ["ROLE_ADMIN"]), ("acme_agent", ["ROLE_AGENT"]), ("internal", ["ROLE_SERVICE"])],
)
def test_a_client_holds_its_roles_and_no_grants(endpoint: Endpoint, name: str, authorities: list[str]) -> None:
    assert claims_of(endpoint.bearer(name))["authorities"] == authorities


def test_an_internal_service_names_no_organisation(endpoint: Endpoint) -> None:
    assert "organization" not in endpoint.ask(CLIENT_CREDENTIALS, by="internal").json()


def test_a_client_may_authenticate_in_the_body(endpoint: Endpoint) -> None:
    client_id, secret = endpoint.secret("acme_service")
    answer = endpoint.ask({**CLIENT_CREDENTIALS, "client_id": client_id, "client_secret": secret}, by=None)
    assert answer.status_code == 200


def test_the_same_client_id_beside_basic_is_no_second_authentication(endpoint: Endpoint) -> None:
    client_id = endpoint.secret("acme_service")[0]
    assert endpoint.ask({**CLIENT_CREDENTIALS, "client_id": client_id}, by="acme_service").status_code == 200


@pytest.mark.parametrize("more", [{"client_secret": "x"}, {"client_id": "another"}])
def test_two_authentications_are_refused(endpoint: Endpoint, more: dict[str, str]) -> None:
    refused(endpoint.ask({**CLIENT_CREDENTIALS, **more}, by="acme_service"), 400, "invalid_request")


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic bm9jb2xvbg==", "Basic /w==", "Basic AAo6eA==", "Bearer x", "Digest x"]
)
def test_an_unreadable_authentication_is_an_unknown_client(endpoint: Endpoint, header: str) -> None:
    answer = endpoint.http.post(
        TOKEN, "grant_type=client_credentials", content_type=FORM, headers={"Authorization": header}
    )
    refused(answer, 401, "invalid_client")


@pytest.mark.parametrize("by", [None, ("nobody", "x"), ("customer", "x")])
def test_an_unknown_client_is_refused(endpoint: Endpoint, by: Any) -> None:
    refused(endpoint.ask(CLIENT_CREDENTIALS, by=by), 401, "invalid_client")


def test_a_wrong_secret_is_refused_like_an_unknown_client(endpoint: Endpoint) -> None:
    wrong = endpoint.ask(CLIENT_CREDENTIALS, by=(endpoint.secret("acme_service")[0], "wrong"))
    unknown = endpoint.ask(CLIENT_CREDENTIALS, by=("nobody", "wrong"))
    refused(wrong, 401, "invalid_client")
    assert wrong.content == unknown.content


@pytest.mark.parametrize("path", ["/security/oauth/token"])
def test_the_public_client_may_not_use_another_grant(endpoint: Endpoint, path: str) -> None:
    for grant in ("client_credentials", "authorization_code"):
        refused(endpoint.ask({"grant_type": grant}, by=CUSTOMER), 400, "unauthorized_client")


def test_a_missing_grant_and_an_unknown_one_have_their_own_words(endpoint: Endpoint) -> None:
    refused(endpoint.ask({"x": "y"}, by="acme_service"), 400, "invalid_request")
    refused(endpoint.ask({"grant_type": ""}, by="acme_service"), 400, "invalid_request")
    refused(endpoint.ask({"grant_type": "implicit"}, by="acme_service"), 400, "unsupported_grant_type")


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ('{"grant_type": "client_credentials"}', "application/json"),
        ("grant_type=client_credentials", "text/plain"),
        ("grant_type=client_credentials&grant_type=client_credentials", FORM),
        ("grant_type=%ff", FORM),
        ("grant_type=a%00b", FORM),
    ],
)
def test_what_is_no_form_is_refused_before_the_client_is_looked_at(cast: Cast, body: str, media: str) -> None:
    refused(Client().post(TOKEN, body, content_type=media), 400, "invalid_request")


def test_only_post_is_known(cast: Cast) -> None:
    answer = Client().get(TOKEN)
    refused(answer, 405, "invalid_request")
    assert answer.headers["Allow"] == "POST"


def test_parameters_in_the_query_do_not_count(endpoint: Endpoint) -> None:
    answer = endpoint.post(f"{TOKEN}?grant_type=client_credentials", {"x": "y"}, by="acme_service")
    refused(answer, 400, "invalid_request")


def test_parameters_in_the_query_count_where_the_operator_accepts_them(endpoint: Endpoint, settings: Any) -> None:
    settings.OAUTH_QUERY_PARAMETERS = "accept"
    path, pair = f"{TOKEN}?grant_type=client_credentials", "acme_service"
    assert endpoint.post(path, {}, by=pair).status_code == 200
    assert endpoint.post(path, {"scope": "x"}, by=pair).status_code == 200
    refused(endpoint.post(path, {"grant_type": "client_credentials"}, by=pair), 400, "invalid_request")
    refused(endpoint.post(f"{path}&grant_type=password", {}, by=pair), 400, "invalid_request")


def test_a_deleted_client_is_unknown_and_its_tokens_are_dead(endpoint: Endpoint) -> None:
    token, (client_id, _) = endpoint.bearer("acme_service"), endpoint.secret("acme_service")
    client = clients.find(client_id=client_id, organization_id=endpoint.cast.organization("acme").pk)

    clients.delete(by=at_the_console(), client=client)

    assert endpoint.applications(token).status_code == 401
    refused(endpoint.ask(CLIENT_CREDENTIALS, by="acme_service"), 401, "invalid_client")


# --- a person's code -------------------------------------------------------------------------------------------------
def test_a_person_redeems_a_code_once(endpoint: Endpoint) -> None:
    form = {"grant_type": "password", "username": "alice", "password": endpoint.code("alice")}

    body = endpoint.ask(form, by="agent_sso").json()

    alice = str(endpoint.cast.user("alice").pk)
    assert set(body) == TOKEN_KEYS | {"refresh_token"}
    assert body["sub"] == claims_of(body["access_token"])["userId"] == alice
    assert claims_of(body["access_token"])["authorities"] == [
        "ROLE_ADMIN",
        "integrations:integration:add",
        "integrations:integration:delete",
        "integrations:integration:edit",
        "integrations:integration:view",
    ]
    assert endpoint.applications(body["access_token"]).status_code == 200
    refused(endpoint.ask(form, by="agent_sso"), 400, "invalid_grant")
    assert endpoint.applications(body["access_token"]).status_code == 200


def test_a_code_is_for_its_person_and_its_client(endpoint: Endpoint) -> None:
    form = {"grant_type": "password", "username": "alice", "password": endpoint.code("alice")}
    refused(endpoint.ask({**form, "username": "bob"}, by="agent_sso"), 400, "invalid_grant")
    refused(endpoint.ask(form, by="globex_sso"), 400, "invalid_grant")
    refused(endpoint.ask(form, by="acme_service"), 400, "unauthorized_client")
    assert endpoint.ask(form, by="agent_sso").status_code == 200


def test_a_password_is_no_code(endpoint: Endpoint) -> None:
    form = {"grant_type": "password", "username": "alice", "password": endpoint.cast.password("alice")}
    refused(endpoint.ask(form, by="agent_sso"), 400, "invalid_grant", "NOT_FOUND")


@pytest.mark.parametrize("form", [{"username": "alice"}, {"password": "x"}])
def test_name_and_code_are_both_needed(endpoint: Endpoint, form: dict[str, str]) -> None:
    refused(endpoint.ask({"grant_type": "password", **form}, by="agent_sso"), 400, "invalid_request")


def test_a_code_is_over_after_a_minute(endpoint: Endpoint) -> None:
    form = {"grant_type": "password", "username": "alice", "password": endpoint.code("alice")}
    with time_machine.travel(clock.now() + timedelta(seconds=61), tick=False):
        refused(endpoint.ask(form, by="agent_sso"), 400, "invalid_grant")


def test_a_code_of_somebody_disabled_meanwhile_is_dead(endpoint: Endpoint) -> None:
    code = endpoint.code("bob")
    users.disable(by=at_the_console(), user=endpoint.cast.user("bob"))
    form = {"grant_type": "password", "username": "bob", "password": code}
    refused(endpoint.ask(form, by="agent_sso"), 400, "invalid_grant")


def test_what_is_over_is_purged_and_what_lives_is_kept(endpoint: Endpoint) -> None:
    body = endpoint.person("bob")
    endpoint.code("bob")
    with time_machine.travel(clock.now() + timedelta(days=32), tick=False):
        purge()
        assert endpoint.refresh(body["refresh_token"]).json()["error_description"] == "NOT_FOUND"
    assert not RefreshToken.objects.exists()
    assert not AuthorizationCode.objects.exists()
    endpoint.code("bob")
    purge()
    assert AuthorizationCode.objects.count() == 1


# --- a ticket --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["username", "ticket"])
def test_an_unknown_ticket_says_not_found(endpoint: Endpoint, name: str) -> None:
    form = {"grant_type": "password", name: "zzzzzz"}
    refused(endpoint.ask(form, by=CUSTOMER), 400, "invalid_grant", "NOT_FOUND")
    refused(endpoint.ask({**form, "password": ""}, by=CUSTOMER), 400, "invalid_grant", "NOT_FOUND")
    refused(endpoint.ask({**form, name: ""}, by=CUSTOMER), 400, "invalid_request")
    refused(endpoint.ask(form, by="agent_sso"), 400, "invalid_request")


# --- refresh ---------------------------------------------------------------------------------------------------------
def test_a_refresh_token_is_rotated(endpoint: Endpoint) -> None:
    first = endpoint.person("bob")

    second = endpoint.refresh(first["refresh_token"]).json()

    assert set(second) == set(first)
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert endpoint.applications(first["access_token"]).status_code == 200
    assert endpoint.applications(second["access_token"]).status_code == 200


def test_a_reused_refresh_token_kills_its_family(endpoint: Endpoint) -> None:
    first = endpoint.person("bob")
    second = endpoint.refresh(first["refresh_token"]).json()

    refused(endpoint.refresh(first["refresh_token"]), 400, "invalid_grant", "REVOKED")

    refused(endpoint.refresh(second["refresh_token"]), 400, "invalid_grant", "REVOKED")
    assert endpoint.applications(first["access_token"]).status_code == 401
    assert endpoint.applications(second["access_token"]).status_code == 401


def test_a_refresh_token_of_another_client_is_not_spent(endpoint: Endpoint) -> None:
    first = endpoint.person("bob")
    for other in ("acme_service", "globex_sso", CUSTOMER):
        refused(endpoint.refresh(first["refresh_token"], by=other), 400, "invalid_grant")
    assert endpoint.refresh(first["refresh_token"]).status_code == 200


def test_rotation_never_makes_a_family_live_longer(endpoint: Endpoint) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as traveller:
        token = endpoint.person("bob")["refresh_token"]
        traveller.move_to(start + timedelta(hours=23, minutes=30))
        late = endpoint.refresh(token).json()
        assert late["expires_in"] == 1800
        traveller.move_to(start + timedelta(hours=24))
        refused(endpoint.refresh(late["refresh_token"]), 400, "invalid_grant", "EXPIRED")


def test_a_disabled_person_refreshes_nothing(endpoint: Endpoint) -> None:
    token = endpoint.person("bob")["refresh_token"]
    users.disable(by=at_the_console(), user=endpoint.cast.user("bob"))
    refused(endpoint.refresh(token), 400, "invalid_grant", "REVOKED")


def test_an_unknown_refresh_token_and_none(endpoint: Endpoint) -> None:
    refused(endpoint.refresh("nonsense"), 400, "invalid_grant", "NOT_FOUND")
    refused(endpoint.refresh(""), 400, "invalid_request")


# --- a bearer --------------------------------------------------------------------------------------------------------
def test_a_bearer_costs_two_queries(endpoint: Endpoint, django_assert_num_queries: Any) -> None:
    person, client = endpoint.person("bob")["access_token"], endpoint.bearer("acme_service")
    endpoint.applications(client)  # the verifying key is parsed once per process
    with django_assert_num_queries(3):  # session with its key, membership; the page itself
        endpoint.applications(person)
    with django_assert_num_queries(5):  # session with its key; the page itself; the trace of the call, in a savepoint
        endpoint.applications(client)


def test_a_token_of_a_client_costs_four_statements(endpoint: Endpoint, django_assert_num_queries: Any) -> None:
    endpoint.bearer("acme_service")
    with django_assert_num_queries(6):  # secret with its client, session, signing key; the trace, in a savepoint
        endpoint.bearer("acme_service")


def test_basic_is_no_bearer(endpoint: Endpoint) -> None:
    answer = endpoint.http.get("/security/applications", headers=basic(*endpoint.secret("acme_service")))
    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("client_id", ["a\0b", "a%00b", "%00"])
def test_a_client_whose_name_holds_a_nul_is_nobody(client, db, client_id):
    sent = base64.b64encode(f"{client_id}:x".encode()).decode()
    answer = client.post(
        "/security/oauth/token", b"grant_type=client_credentials", "application/x-www-form-urlencoded",
        headers={"Authorization": f"Basic {sent}"},
    )  # fmt: skip

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
