"""A stock OpenID Connect client signs an agent in through real Chromium: a relying party of its own on this machine."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet
from playwright.sync_api import Page, expect

from identity import clients
from identity.models import Session
from identity.principal import at_the_console
from tests.browsers import REASON
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)


class RelyingParty:
    """Another company's web application: it knows the provider's address, its own client id and secret, and no more."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.redirect_uri = f"{self.url}/callback"
        self.person: dict[str, Any] = {}
        self.id_token: dict[str, Any] = {}
        self.came_back: dict[str, list[str]] = {}

    def meet(self, provider: str, client_id: str, client_secret: str) -> None:
        """Learn where everything is."""
        self.session = OAuth2Session(
            client_id, client_secret, scope="openid profile email", redirect_uri=self.redirect_uri, code_challenge_method="S256"
        )  # fmt: skip
        self.session.trust_env = False
        found = self.session.get(get_well_known_url(provider, external=True), withhold_token=True).json()
        self.provider = OpenIDProviderMetadata(found)
        self.provider.validate()

    def start(self, **more: str) -> str:
        """Answer where the browser has to go."""
        self.nonce, self.verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        address, self.state = self.session.create_authorization_url(
            self.provider.authorization_endpoint, nonce=self.nonce, code_verifier=self.verifier, **more
        )
        return str(address)

    def finish(self, came_back: str) -> str:
        """Trade the code, verify the id_token, ask who it is; answers what the page says."""
        self.came_back = parse_qs(urlsplit(came_back).query)
        if "error" in self.came_back:
            return self.came_back["error"][0]
        token = self.session.fetch_token(
            self.provider.token_endpoint, authorization_response=f"{self.url}{came_back}", state=self.state, code_verifier=self.verifier
        )  # fmt: skip
        keys = KeySet.import_key_set(self.session.get(self.provider.jwks_uri, withhold_token=True).json())
        decoded = jwt.decode(token["id_token"], keys, algorithms=self.provider.id_token_signing_alg_values_supported)
        options = {"iss": {"value": self.provider.issuer}, "aud": {"value": self.session.client_id}}
        claims = CodeIDToken(
            decoded.claims, decoded.header, options,
            {"nonce": self.nonce, "client_id": self.session.client_id, "access_token": token["access_token"], "max_age": 600},
        )  # fmt: skip
        claims.validate()
        self.id_token = dict(claims)
        self.person = self.session.get(self.provider["userinfo_endpoint"]).json()
        return f"Welcome, {self.person['name']}"


@pytest.fixture
def relying_party() -> Iterator[RelyingParty]:
    """The relying party, serving `/sign-in` and `/callback`."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/sign-in":
                self.send_response(302)
                self.send_header(
                    "Location", party.start(**{k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()})
                )
                self.end_headers()
                return
            said = (
                f"<!doctype html><title>Elsewhere</title><h1>{party.finish(self.path)}</h1>"
                if path == "/callback"
                else ""
            )
            self.send_response(200 if said else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_args: Any) -> None:
            """The test tells what went wrong."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    party = RelyingParty(server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield party
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def acquainted(relying_party: RelyingParty, live_portal: Portal, cast: Cast) -> RelyingParty:
    """The relying party, registered at acme."""
    made = clients.create(
        by=at_the_console(), organization=cast.organization("acme"), description="elsewhere", roles=["Agent"],
        redirect_uris=[relying_party.redirect_uri], serves_sign_in=True,
    )  # fmt: skip
    relying_party.meet(live_portal.url, made.row.pk, made.secret)
    return relying_party


def sign_in(page: Page, cast: Cast, name: str) -> None:
    """Fill in the form that is on the screen."""
    page.get_by_label("User name or e-mail address").fill(name)
    page.get_by_label("Password").fill(cast.password(name))
    page.get_by_role("button", name="Sign in").click()


def test_an_agent_signs_in_elsewhere_with_the_portals_password(
    page: Page, acquainted: RelyingParty, live_portal: Portal, cast: Cast
) -> None:
    # given bob, whom nobody knows yet, at the other application
    page.goto(f"{acquainted.url}/sign-in")
    expect(page.get_by_label("Password")).to_be_visible()
    assert page.url.startswith(f"{live_portal.url}/login/")

    # when he signs in at the portal
    sign_in(page, cast, "bob")

    # then the other application, which verified every signature and hash, knows him, and the portal has it on its list
    expect(page.get_by_role("heading", name="Welcome, Bob Berg")).to_be_visible()
    assert page.url.startswith(acquainted.redirect_uri)
    bob = cast.user("bob")
    assert acquainted.id_token["sub"] == str(bob.pk)
    assert acquainted.came_back["iss"] == [live_portal.url]
    assert acquainted.person == {
        "sub": str(bob.pk), "name": "Bob Berg", "given_name": "Bob", "family_name": "Berg", "preferred_username": "bob", "email": bob.email,
    }  # fmt: skip
    assert Session.objects.filter(user=bob, client_id=acquainted.session.client_id, ended_at=None).count() == 1


def test_who_is_signed_in_already_is_asked_nothing(
    page: Page, acquainted: RelyingParty, live_portal: Portal, cast: Cast
) -> None:
    page.goto(f"{live_portal.url}/login/")
    sign_in(page, cast, "bob")
    expect(page).to_have_url(f"{live_portal.url}/desk/")
    page.goto(f"{acquainted.url}/sign-in")
    expect(page.get_by_role("heading", name="Welcome, Bob Berg")).to_be_visible()


def test_a_silent_attempt_of_a_stranger_comes_back_with_login_required(page: Page, acquainted: RelyingParty) -> None:
    page.goto(f"{acquainted.url}/sign-in?prompt=none")
    expect(page.get_by_role("heading", name="login_required")).to_be_visible()


def test_who_works_as_somebody_else_is_not_signed_in_elsewhere(
    page: Page, acquainted: RelyingParty, live_portal: Portal, cast: Cast
) -> None:
    page.goto(f"{live_portal.url}/login/")
    sign_in(page, cast, "alice")
    page.goto(f"{live_portal.url}/admin/agents/agent/?q={cast.agent('bob').extension}")
    page.locator("#result_list tbody th a").first.click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("radio", name="Act").check()
    page.get_by_role("button", name="Log in as").click()
    expect(page).to_have_url(f"{live_portal.url}/desk/")
    page.goto(f"{acquainted.url}/sign-in")
    expect(page.get_by_role("heading", name="access_denied")).to_be_visible()
    assert not Session.objects.filter(client_id=acquainted.session.client_id).exists()
