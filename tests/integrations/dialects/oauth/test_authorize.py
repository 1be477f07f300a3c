"""The browser's part: a code with PKCE, the id_token and userinfo (RFC 6749, 4.1; RFC 7636; OpenID Connect Core)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client

from identity import authorization_codes, clock, login_as, organizations, sessions
from identity.pages.middleware import ACTING_DOOR, DOOR
from identity.principal import Via, at_the_console
from tests.integrations.dialects.oauth.conftest import CUSTOMER, Endpoint, claims_of, refused

pytestmark = pytest.mark.wire("oauth", "60 authorize, userinfo")

BACK = "http://127.0.0.1:8000/desk/callback"
VERIFIER = "v" * 50
IDENTIFIED = {"scope": "openid profile email", "nonce": "n-1"}


def browser(endpoint: Endpoint, name: str = "bob") -> Client:
    """Answer a browser in which somebody is signed in to the portal."""
    client = Client()
    client.cookies[settings.PORTAL_COOKIE] = endpoint.cast.session(name, door=DOOR).secret
    return client


def query(endpoint: Endpoint, **change: Any) -> dict[str, Any]:
    asked = {
        "response_type": "code", "client_id": endpoint.secret("agent_sso")[0], "redirect_uri": BACK, "state": "s-1",
        "code_challenge": authorization_codes.challenge_of(VERIFIER), "code_challenge_method": "S256", **change,
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None}


def ask(endpoint: Endpoint, http: Client, **change: Any) -> Any:
    return http.get("/oauth/authorize", query(endpoint, **change))


def back(answer: Any) -> dict[str, str]:
    """Answer what the client reads in the address that the browser is sent back to."""
    assert answer.status_code == 302, answer.content
    assert answer.headers["Location"].startswith(f"{BACK}?")
    said = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    assert said.pop("iss") == "http://127.0.0.1:8000"
    assert said.pop("state") == "s-1"
    return said


def trade(endpoint: Endpoint, code: str, *, by: Any = "agent_sso", **change: str) -> Any:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER, **change}
    return endpoint.ask({name: value for name, value in form.items() if value}, by=by)


def code_of(endpoint: Endpoint, name: str = "bob", **change: Any) -> str:
    return back(ask(endpoint, browser(endpoint, name), **change))["code"]


def userinfo(endpoint: Endpoint, token: str) -> Any:
    return endpoint.http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})


def test_an_agent_in_the_browser_gets_a_code_and_an_id_token(endpoint: Endpoint) -> None:
    bob, client_id = endpoint.cast.user("bob"), endpoint.secret("agent_sso")[0]

    body = trade(endpoint, code_of(endpoint, **IDENTIFIED)).json()

    assert (body["sub"], body["scope"], body["token_type"]) == (str(bob.pk), "openid profile email", "bearer")
    keys = jwt.PyJWKSet.from_dict(endpoint.http.get("/.well-known/jwks.json").json())
    kid = jwt.get_unverified_header(body["id_token"])["kid"]
    claims = jwt.decode(
        body["id_token"], keys[kid].key, algorithms=["RS256"], audience=client_id, issuer="http://127.0.0.1:8000"
    )
    assert (claims["sub"], claims["nonce"]) == (str(bob.pk), "n-1")
    assert {"auth_time", "at_hash", "exp", "iat"} <= set(claims)
    assert userinfo(endpoint, body["access_token"]).json() == {
        "sub": str(bob.pk), "name": "Bob Berg", "given_name": "Bob", "family_name": "Berg", "preferred_username": "bob",
        "email": "bob@acme.example",
    }  # fmt: skip
    assert endpoint.refresh(body["refresh_token"]).json()["scope"] == "openid profile email"


def test_an_id_token_is_no_bearer(endpoint: Endpoint) -> None:
    body = trade(endpoint, code_of(endpoint, **IDENTIFIED)).json()
    assert endpoint.applications(body["id_token"]).status_code == 401
    assert userinfo(endpoint, body["id_token"]).status_code == 401


def test_without_openid_there_is_no_id_token(endpoint: Endpoint) -> None:
    body = trade(endpoint, code_of(endpoint)).json()
    assert "id_token" not in body
    assert body["scope"] == "api"


def test_a_scope_covers_its_claims_only(endpoint: Endpoint) -> None:
    body = trade(endpoint, code_of(endpoint, scope="openid unheard-of")).json()
    assert body["scope"] == "openid"
    assert "nonce" not in claims_of(body["id_token"])
    assert userinfo(endpoint, body["access_token"]).json() == {"sub": body["sub"]}


def test_userinfo_is_for_people(endpoint: Endpoint) -> None:
    assert userinfo(endpoint, endpoint.person("bob")["access_token"]).json()["email"] == "bob@acme.example"
    for headers in ({}, {"Authorization": f"Bearer {endpoint.bearer('acme_service')}"}, {"Authorization": "Bearer x"}):
        answer = endpoint.http.get("/oauth/userinfo", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="switchboard", error="invalid_token"'


# --- the code --------------------------------------------------------------------------------------------------------
def test_a_code_that_comes_twice_ends_what_it_was_traded_for(endpoint: Endpoint) -> None:
    code = code_of(endpoint)
    body = trade(endpoint, code).json()

    refused(trade(endpoint, code), 400, "invalid_grant")

    assert endpoint.applications(body["access_token"]).status_code == 401
    refused(endpoint.refresh(body["refresh_token"]), 400, "invalid_grant", "REVOKED")


def test_a_code_is_bound_to_client_address_and_verifier(endpoint: Endpoint) -> None:
    code = code_of(endpoint)
    refused(trade(endpoint, code, by="acme_service"), 400, "invalid_grant")
    refused(trade(endpoint, code, redirect_uri="https://evil.example/cb"), 400, "invalid_grant")
    refused(trade(endpoint, code, code_verifier="w" * 50), 400, "invalid_grant")
    refused(trade(endpoint, code, by=CUSTOMER), 400, "unauthorized_client")
    for change in (
        {"code": ""},
        {"redirect_uri": ""},
        {"code_verifier": ""},
        {"code_verifier": "short"},
        {"code_verifier": "ä" * 50},
    ):
        refused(trade(endpoint, **{"code": code, **change}), 400, "invalid_request")
    assert trade(endpoint, code).status_code == 200


def test_a_browsers_code_is_no_code_for_the_password_grant(endpoint: Endpoint) -> None:
    form = {"grant_type": "password", "username": "bob", "password": code_of(endpoint)}
    refused(endpoint.ask(form, by="agent_sso"), 400, "invalid_grant")


def test_an_operators_code_is_no_code_for_the_browsers_grant(endpoint: Endpoint) -> None:
    refused(trade(endpoint, endpoint.code("bob")), 400, "invalid_grant")


def test_a_code_dies_with_the_browsers_session(endpoint: Endpoint) -> None:
    http = browser(endpoint)
    code = back(ask(endpoint, http))["code"]
    session = sessions.live(user=endpoint.cast.user("bob")).get(door=DOOR)
    sessions.close(session.pk, reason="logout")
    refused(trade(endpoint, code), 400, "invalid_grant")


# --- what the browser is told ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"redirect_uri": "https://evil.example/cb"}, {"redirect_uri": BACK + "/"}, {"redirect_uri": None}, {"client_id": "nobody"},
        {"client_id": None}, {"client_id": "a\0b"},
    ],
)  # fmt: skip
def test_a_foreign_address_is_never_sent_to(endpoint: Endpoint, change: dict[str, Any]) -> None:
    answer = ask(endpoint, browser(endpoint), **change)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_suspended_organisations_client_is_unknown(endpoint: Endpoint) -> None:
    organizations.suspend(by=at_the_console(), organization=endpoint.cast.organization("acme"))
    assert ask(endpoint, Client()).status_code == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "x"}, "request_not_supported"),
        ({"request_uri": "x"}, "request_uri_not_supported"),
        ({"prompt": "sideways"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"nonce": "n" * 201}, "invalid_request"),
        ({"nonce": "n\0"}, "invalid_request"),
        ({"scope": ["openid", "email"]}, "invalid_request"),
    ],
)
def test_a_malformed_request_is_told_to_the_client(endpoint: Endpoint, change: dict[str, Any], error: str) -> None:
    said = back(ask(endpoint, browser(endpoint), **change))
    assert said["error"] == error
    assert "code" not in said


def test_only_get_is_known(endpoint: Endpoint) -> None:
    assert browser(endpoint).put("/oauth/authorize").status_code == 405


def test_a_stranger_signs_in_first_and_comes_back(endpoint: Endpoint) -> None:
    answer = ask(endpoint, Client())
    to = urlsplit(answer.headers["Location"])
    assert (answer.status_code, to.path) == (302, "/login/")
    said = parse_qs(to.query)
    assert set(said) == {"next"}

    assert "code" in back(browser(endpoint).get(said["next"][0]))


def test_prompt_none_never_asks(endpoint: Endpoint) -> None:
    assert back(ask(endpoint, Client(), prompt="none"))["error"] == "login_required"
    assert "code" in back(ask(endpoint, browser(endpoint), prompt="none"))


@pytest.mark.parametrize(
    "change",
    [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}, {"max_age": "600", "prompt": "login"}],
)
def test_a_fresh_sign_in_is_asked_for_and_serves(endpoint: Endpoint, change: dict[str, str]) -> None:
    http, start = browser(endpoint), clock.now()
    with time_machine.travel(start + timedelta(seconds=5), tick=False) as traveller:
        answer = ask(endpoint, http, **change)
        said = parse_qs(urlsplit(answer.headers["Location"]).query)
        assert said["again"] == ["1"]
        # The old session does not serve, and neither does a forged moment.
        assert http.get(said["next"][0]).headers["Location"].startswith("/login/")
        assert (
            ask(endpoint, http, **change, signed_in_after=start.isoformat()).headers["Location"].startswith("/login/")
        )

        traveller.shift(5)
        assert "code" in back(browser(endpoint).get(said["next"][0]))


def test_a_recent_sign_in_satisfies_max_age(endpoint: Endpoint) -> None:
    http = browser(endpoint)
    assert "code" in back(ask(endpoint, http, max_age="600"))
    with time_machine.travel(clock.now() + timedelta(seconds=601), tick=False):
        assert back(ask(endpoint, http, max_age="600", prompt="none"))["error"] == "login_required"


def test_the_login_form_is_shown_again_when_a_fresh_proof_is_wanted(endpoint: Endpoint) -> None:
    assert browser(endpoint).get("/login/?again=1").status_code == 200
    assert browser(endpoint).get("/login/").status_code == 302


def test_without_a_state_none_comes_back(endpoint: Endpoint) -> None:
    answer = ask(endpoint, browser(endpoint), state=None)
    assert set(parse_qs(urlsplit(answer.headers["Location"]).query)) == {"code", "iss"}


def test_people_of_another_organisation_are_denied(endpoint: Endpoint) -> None:
    assert back(ask(endpoint, browser(endpoint, "erin")))["error"] == "access_denied"


def test_nobody_signs_in_elsewhere_while_acting(endpoint: Endpoint) -> None:
    http, own = Client(), endpoint.cast.session("alice", door=DOOR)
    http.cookies[settings.PORTAL_COOKIE] = own.secret
    alice = endpoint.cast.principal_of(own.session)
    via = Via(door="portal", address="127.0.0.1")
    row = login_as.start(by=alice, subject_id=endpoint.cast.user("bob").pk, via=via, reason="a good reason")
    opened = login_as.open_session(by=alice, login_as=row, via=Via(door=ACTING_DOOR, address="127.0.0.1"))
    http.cookies[settings.ACTING_COOKIE] = opened.secret

    assert back(ask(endpoint, http))["error"] == "access_denied"
