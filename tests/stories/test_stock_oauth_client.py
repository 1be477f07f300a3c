"""A stock OAuth client, which knows nothing of us but our address, finds its way by the standards alone."""

from __future__ import annotations

from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet

from identity import authorization_codes, clients
from identity.models import Client
from identity.principal import at_the_console
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)


def stock_client(cast: Cast, name: str, **more: Any) -> OAuth2Session:
    """A client that speaks to this machine and asks no proxy."""
    known = cast.said["clients"][name]
    session = OAuth2Session(known["client_id"], known["client_secret"], **more)
    session.trust_env = False
    return session


def discovered(session: OAuth2Session, portal: Portal) -> AuthorizationServerMetadata:
    """What the server says of itself, as the library checks it."""
    address = get_well_known_url(portal.url, external=True)
    found = AuthorizationServerMetadata(session.get(address, withhold_token=True).json())
    found.validate()
    assert found.issuer == portal.url
    return found


def claims_of(session: OAuth2Session, server: AuthorizationServerMetadata, token: str) -> dict[str, Any]:
    """Verify a token by the published keys and answer its claims."""
    keys = KeySet.import_key_set(session.get(server.jwks_uri, withhold_token=True).json())
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_service_discovers_gets_a_token_looks_at_it_and_ends_it(live_portal: Portal, cast: Cast, method: str) -> None:
    # given a client that found out where everything is
    session = stock_client(
        cast, "acme_service", token_endpoint_auth_method=method, revocation_endpoint_auth_method=method
    )
    server = discovered(session, live_portal)
    assert method in server.token_endpoint_auth_methods_supported

    # when it asks for a token
    token = session.fetch_token(server.token_endpoint, grant_type="client_credentials")

    # then the token verifies by the published keys, and the server says of it what it says itself
    claims = claims_of(session, server, token["access_token"])
    told = session.introspect_token(server.introspection_endpoint, token["access_token"], "access_token").json()
    assert told["active"] is True
    assert {name: told[name] for name in ("iss", "sub", "aud", "jti", "exp", "iat", "scope", "client_id")} == {
        name: claims[name] for name in ("iss", "sub", "aud", "jti", "exp", "iat", "scope", "client_id")
    }
    assert claims["sub"] == session.client_id
    application = f"{live_portal.url}/security/applications/{cast.said['applications']['openid']}"
    assert session.get(application).status_code == 200

    # and when it ends the token, the token is dead everywhere at the next request
    assert session.revoke_token(server.revocation_endpoint, token["access_token"], "access_token").status_code == 200
    after = session.introspect_token(server.introspection_endpoint, token["access_token"], "access_token").json()
    assert after == {"active": False}
    assert session.get(application).status_code == 401


def test_an_agent_signs_in_by_code_refreshes_and_the_old_token_works_no_more(live_portal: Portal, cast: Cast) -> None:
    session = stock_client(cast, "agent_sso")
    server = discovered(session, live_portal)
    client = Client.objects.get(pk=session.client_id)
    code = authorization_codes.issue(
        by=at_the_console(), user=cast.user("bob"), client=client, organization=cast.organization("acme")
    )
    first = session.fetch_token(server.token_endpoint, grant_type="password", username="bob", password=code)
    assert session.get(server["userinfo_endpoint"]).json()["preferred_username"] == "bob"

    second = session.refresh_token(server.token_endpoint, refresh_token=first["refresh_token"])

    assert second["refresh_token"] != first["refresh_token"]
    assert session.get(server["userinfo_endpoint"]).json()["sub"] == str(cast.user("bob").pk)
    # a spent refresh token ends the family, the fresh access token with it
    with pytest.raises(OAuthError) as refused:
        session.refresh_token(server.token_endpoint, refresh_token=first["refresh_token"])
    assert (refused.value.error, refused.value.description) == ("invalid_grant", "REVOKED")
    session.token = second
    assert session.get(server["userinfo_endpoint"]).status_code == 401


def test_a_wrong_secret_is_told_in_the_librarys_words(live_portal: Portal, cast: Cast) -> None:
    session = stock_client(cast, "acme_service")
    server = discovered(session, live_portal)
    session.client_secret = "wrong"
    with pytest.raises(OAuthError) as refused:
        session.fetch_token(server.token_endpoint, grant_type="client_credentials")
    assert refused.value.error == "invalid_client"


def test_a_rotated_secret_is_taken_and_the_old_one_refused(live_portal: Portal, cast: Cast) -> None:
    session = stock_client(cast, "acme_service")
    server = discovered(session, live_portal)
    made = clients.rotate(by=at_the_console(), client=Client.objects.get(pk=session.client_id))
    with pytest.raises(OAuthError, match="invalid_client"):
        session.fetch_token(server.token_endpoint, grant_type="client_credentials")
    session.client_secret = made.secret
    assert session.fetch_token(server.token_endpoint, grant_type="client_credentials")["token_type"] == "bearer"
