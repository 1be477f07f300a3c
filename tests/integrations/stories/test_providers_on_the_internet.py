"""Providers where they really are: whose host is asked for what, and where our secret is never sent."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache

from identity import applications
from identity.models import Application
from identity.principal import at_the_console
from integrations.models import ExternalIdentity
from integrations.vendors import transport
from integrations.vendors.transport import Origin, Response
from tests.cast import Cast
from tests.integrations.stories.provider import CLIENT_ID, CLIENT_SECRET, Visitor, said

MISCONFIGURED = "This way to sign in is not set up rightly."
BOB = {"id": "a1b2", "name": "Bob Berg", "email": "bob@acme.example", "authorization": {"permissions": []}}


class Internet:
    """Answers by address, instead of everybody else's servers; and who was asked for what."""

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    def exchange(self, *, origin: Origin, target: str, **_more: Any) -> Response:
        address = f"{origin.scheme}://{origin.name}{target}"
        self.asked.append(address)
        page = self.pages.get(address)
        body = json.dumps(page or {}).encode()
        return Response(200 if page is not None else 404, {"content-type": "application/json"}, body)

    def provider(self, at: str, **more: str) -> None:
        """Put a provider's description at an address."""
        self.pages[f"{at.removesuffix('/')}/.well-known/openid-configuration"] = {
            "issuer": at, "authorization_endpoint": f"{at}/authorize", "token_endpoint": f"{at}/token", "jwks_uri": f"{at}/keys", **more,
        }  # fmt: skip


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Internet:

    cache.clear()
    settings.OPENID_BASE_URL = settings.GENESYS_BASE_URL = settings.TALKDESK_BASE_URL = settings.NICE_BASE_URL = ""
    internet = Internet()
    monkeypatch.setattr(transport, "exchange", internet.exchange)
    return internet


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


def connected(cast: Cast, type_: str, config: dict[str, Any], **decided: Any) -> Application:
    machine = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, **config.pop("machine", {})}
    whole = {"serviceParameters": machine, "signIn": {"enabled": True, "linkBy": "email", **decided}, **config}
    return applications.create(by=at_the_console(), organization=cast.organization("acme"), type_=type_, config=whole)


@pytest.mark.parametrize(
    ("type_", "config", "at"),
    [
        ("STANDALONE_OPENID", {"issuer": "https://id.acme.example"}, "https://id.acme.example"),
        ("STANDALONE_OPENID", {"issuer": "https://id.acme.example:8443/realms/acme"}, "https://id.acme.example:8443/realms/acme"),
        ("STANDALONE_OPENID", {"issuer": "https://id.acme.example"}, "https://id.acme.example/"),
        ("NICE_CXONE_OPENID", {"issuer": "https://cxone.niceincontact.com"}, "https://cxone.niceincontact.com"),
        ("TALKDESK_OPENID", {"account": "acme", "region": "us"}, "https://acme.talkdeskid.com"),
        ("TALKDESK_OPENID", {"account": "acme", "region": "eu"}, "https://acme.talkdeskid.eu"),
        ("TALKDESK_OPENID", {"account": "acme", "region": "ca"}, "https://acme.talkdeskidca.com"),
        ("TALKDESK_OPENID", {"account": "acme", "region": "au"}, "https://acme.talkdeskid.au"),
    ],
    ids=["own", "own with port and path", "with a slash", "NICE", "Talkdesk us", "Talkdesk eu", "Talkdesk ca", "Talkdesk au"],
)  # fmt: skip
def test_a_provider_is_found_where_its_application_says(
    visitor: Visitor, internet: Internet, cast: Cast, type_: str, config: dict[str, Any], at: str
) -> None:
    internet.provider(at)
    visitor.away(connected(cast, type_, dict(config)))
    assert visitor.left.url.startswith(f"{at}/authorize?response_type=code&")
    assert internet.asked == [f"{at.removesuffix('/')}/.well-known/openid-configuration"]


@pytest.mark.parametrize(
    "issuer", ["https://id.globex.example", "https://id.acme.example/other", "http://id.acme.example", ""]
)
def test_a_description_of_somebody_else_is_none(visitor: Visitor, internet: Internet, cast: Cast, issuer: str) -> None:
    internet.provider("https://id.acme.example", issuer=issuer)
    application = connected(cast, "STANDALONE_OPENID", {"issuer": "https://id.acme.example"})
    assert said(visitor.get(f"/login/with/{application.pk}/")) == MISCONFIGURED


@pytest.mark.parametrize(
    ("address", "is_asked"),
    [
        ("https://id.acme.example/elsewhere/token", True),
        ("https://tokens.acme.example/token", True),
        ("https://tokens.acme.example:444/token", False),
        ("http://tokens.acme.example/token", False),
        ("https://evil.example/token", False),
        ("https://id.acme.example.evil.example/token", False),
        ("https://id.acme.example@evil.example/token", False),
        ("https://id.acme.example:8443/token", False),
        ("https://sub.tokens.acme.example/token", False),
        ("https://127.0.0.1/token", False),
    ],
)
def test_our_secret_goes_to_the_issuer_or_to_a_host_that_the_administrator_named(
    visitor: Visitor, internet: Internet, cast: Cast, address: str, is_asked: bool
) -> None:
    internet.provider("https://id.acme.example", token_endpoint=address)
    application = connected(
        cast, "STANDALONE_OPENID", {"issuer": "https://id.acme.example"}, hosts="tokens.acme.example keys.acme.example"
    )

    left = visitor.get(f"/login/with/{application.pk}/")
    if left.status_code == 302:
        visitor.back(application, code="a-code", state=parse_qs(urlsplit(left.url).query)["state"][0])

    assert (address in internet.asked) is is_asked
    assert is_asked or said(left) == MISCONFIGURED


def test_genesys_is_asked_in_the_region_of_the_application_with_the_client_for_signing_in(
    visitor: Visitor, internet: Internet, cast: Cast
) -> None:
    internet.pages["https://login.mypurecloud.de/oauth/token"] = {"access_token": "x"}
    internet.pages["https://api.mypurecloud.de/api/v2/users/me?expand=authorization%2Corganization"] = BOB
    application = connected(
        cast, "GENESYS",
        {"organizationId": "x", "pcEnvironment": "mypurecloud.de", "machine": {"signInClientId": "for-people"}}, logsOut=True,
    )  # fmt: skip

    asked = visitor.away(application)
    arrived = visitor.back(application, code="a-code", state=asked["state"])

    assert visitor.left.url.startswith(
        "https://login.mypurecloud.de/oauth/authorize?response_type=code&client_id=for-people&"
    )
    assert arrived.url == "/desk/"
    assert internet.asked == [
        "https://login.mypurecloud.de/oauth/token", "https://api.mypurecloud.de/api/v2/users/me?expand=authorization%2Corganization",
    ]  # fmt: skip
    assert ExternalIdentity.objects.get().issuer == "https://login.mypurecloud.de"
    visitor.get("/desk/")
    out = visitor.get(visitor.send("/logout/").url)
    assert out["Refresh"] == (
        "0; url=https://login.mypurecloud.de/logout?client_id=for-people&redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Flogin%2F"
    )
