"""The stand-ins of a laptop, over real HTTP: they do what the vendors' documents say, and are nobody else's door."""

from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from joserfc import jwt
from joserfc.jwk import KeySet

from config import demo
from identity import organizations
from identity.models import Application, Organization
from identity.principal import at_the_console
from integrations.models import Callback, ExternalIdentity
from integrations.sandbox import server
from integrations.sandbox.grants import challenge_of
from integrations.sandbox.known import CLIENTS
from integrations.sandbox.server import STAND_INS, NotHere, Sandbox
from integrations.vendors import partner_tokens
from tests.browsers import Browser
from tests.cast import Cast
from tests.integrations.sandbox.conftest import sandbox

__all__ = ["sandbox"]  # the fixture
pytestmark = pytest.mark.django_db
VERIFIER = "v" * 43
# Where people choose who they are, and where codes are traded, as the vendors have it.
PATHS = {
    "genesys": ("/oauth/authorize", "/oauth/token"), "talkdesk": ("/oauth/authorize", "/oauth/token"), "nice": ("/auth/authorize", "/auth/token"),
    "openid": ("/authorize", "/token"),
}  # fmt: skip
TYPES = {
    "genesys": "GENESYS",
    "talkdesk": "TALKDESK_OPENID",
    "nice": "NICE_CXONE_OPENID",
    "openid": "STANDALONE_OPENID",
}


def callback_address() -> str:
    return f"{settings.PUBLIC_URL}/login/with/some-application/callback/"


def asked(vendor: str, **more: str) -> dict[str, str]:
    """What a portal's address for the browser says."""
    return {
        "response_type": "code", "client_id": CLIENTS[vendor].id, "redirect_uri": callback_address(), "state": "s-1", "nonce": "n-1",
        "scope": "openid profile email", "code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256", **more,
    }  # fmt: skip


def choose(sandbox: Sandbox, vendor: str, person: str = "bob", **more: str) -> requests.Response:
    """Press the button of somebody."""
    where = sandbox.bases[vendor] + PATHS[vendor][0]
    return requests.post(where, data={**asked(vendor, **more), "person": person}, allow_redirects=False, timeout=10)


def answer_of(sent_back: requests.Response) -> dict[str, str]:
    assert sent_back.status_code == 303
    assert sent_back.headers["Location"].startswith(f"{callback_address()}?")
    return {name: found[0] for name, found in parse_qs(urlsplit(sent_back.headers["Location"]).query).items()}


def trade(sandbox: Sandbox, vendor: str, secret: str | None = None, **form: str) -> requests.Response:
    client = CLIENTS[vendor]
    where = sandbox.bases[vendor] + PATHS[vendor][1]
    return requests.post(where, data=form, auth=(client.id, secret or client.secret), timeout=10)


def trade_code(sandbox: Sandbox, vendor: str, code: str, **more: str) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback_address(), "code_verifier": VERIFIER}  # fmt: skip
    return trade(sandbox, vendor, **{**form, **more})


def genesys_token(sandbox: Sandbox) -> dict[str, str]:
    token = trade(sandbox, "genesys", grant_type="client_credentials").json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


# --- the whole way ----------------------------------------------------------------------------------------------------
def connect(cast: Cast, vendor: str) -> Application:
    """Let acme's people sign in with the demo's application of a vendor."""
    organizations.change(by=at_the_console(), organization=cast.organization("acme"), sign_in_domains=["acme.example"])
    application = Application.objects.get(type=TYPES[vendor])
    application.config = {**application.config, "signIn": demo.SIGN_IN}
    application.save(update_fields=["config"])
    return application


@pytest.mark.parametrize("vendor", STAND_INS)
def test_somebody_signs_in_with_every_stand_in_and_out_again(sandbox: Sandbox, cast: Cast, vendor: str) -> None:
    application, browser = connect(cast, vendor), Browser()
    before = cast.membership("carol").roles, cast.membership("carol").grants

    away = browser.get(f"/login/with/{application.pk}/")
    page = requests.get(away.headers["Location"], timeout=10)
    where = urlsplit(away.headers["Location"])
    form = {name: found[0] for name, found in parse_qs(where.query).items()} | {"person": "carol"}
    back = requests.post(where._replace(query="").geturl(), data=form, allow_redirects=False, timeout=10)
    in_ = browser.get(back.headers["Location"].removeprefix(settings.PUBLIC_URL))

    assert (page.status_code, "Carol Ceder" in page.text) == (200, True)
    assert (in_.status_code, in_.headers["Location"]) == (302, "/desk/")
    assert ExternalIdentity.objects.get().user == cast.user("carol")
    assert (cast.membership("carol").roles, cast.membership("carol").grants) == before

    browser.get("/desk/")
    out = browser.send("/logout/")
    left = browser.get(out.headers["Location"])
    there = requests.get(left.headers["Refresh"].partition("url=")[2], allow_redirects=False, timeout=10)
    assert (there.status_code, there.headers["Location"]) == (303, f"{settings.PUBLIC_URL}/login/")


def test_every_value_that_is_handed_out_is_new(sandbox: Sandbox) -> None:
    codes = [answer_of(choose(sandbox, "openid"))["code"] for _ in range(3)]
    tokens = [trade_code(sandbox, "openid", code).json() for code in codes]

    values = [*codes, *(one[name] for one in tokens for name in ("access_token", "refresh_token", "id_token"))]
    assert len(set(values)) == len(values) == 12


def test_an_id_token_says_who_and_can_be_proven_by_the_published_key(sandbox: Sandbox) -> None:
    base = sandbox.bases["openid"]
    metadata = requests.get(f"{base}/.well-known/openid-configuration", timeout=10).json()
    sent_back = answer_of(choose(sandbox, "openid", "carol"))
    tokens = trade_code(sandbox, "openid", sent_back["code"]).json()

    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=10).json())
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["RS256"]).claims
    told = requests.get(
        metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=10
    )

    assert (sent_back["state"], sent_back["iss"], metadata["issuer"]) == ("s-1", base, base)
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (base, "demo-openid", "n-1")
    assert (claims["email"], claims["email_verified"]) == ("carol@acme.example", True)
    assert told.json() == {name: claims[name] for name in told.json()}
    assert told.json()["sub"] == claims["sub"]


# --- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("vendor", STAND_INS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "w" * 43}, {"code_verifier": ""}, {"redirect_uri": "http://127.0.0.1:1/login/with/x/callback/"}, {"code": "made-up"},
    ],
    ids=["another verifier", "no verifier", "another address", "no code"],
)  # fmt: skip
def test_a_code_is_traded_with_its_own_verifier_and_address_only(
    sandbox: Sandbox, vendor: str, wrong: dict[str, str]
) -> None:
    code = answer_of(choose(sandbox, vendor))["code"]

    refusal = trade_code(sandbox, vendor, **{"code": code, **wrong})

    assert (refusal.status_code, refusal.json()["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("vendor", STAND_INS)
def test_a_code_is_traded_once_and_by_the_demos_client_only(sandbox: Sandbox, vendor: str) -> None:
    code = answer_of(choose(sandbox, vendor))["code"]

    stranger = trade(sandbox, vendor, "guessed", grant_type="authorization_code", code=code)
    first, second = trade_code(sandbox, vendor, code), trade_code(sandbox, vendor, code)

    assert (stranger.status_code, stranger.json()["error"]) == (401, "invalid_client")
    assert (first.status_code, second.status_code, second.json()["error"]) == (200, 400, "invalid_grant")


@pytest.mark.parametrize("vendor", STAND_INS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"redirect_uri": "https://evil.example/login/with/x/callback/"}, {"redirect_uri": "{portal}.evil.example/login/with/x/callback/"},
        {"redirect_uri": "{portal}/login/with/x/callback/?more"}, {"client_id": "somebody"},
    ],
    ids=["elsewhere", "a longer name", "a query", "a stranger"],
)  # fmt: skip
def test_browsers_are_sent_back_to_the_portal_only(sandbox: Sandbox, vendor: str, wrong: dict[str, str]) -> None:
    more = {name: said.replace("{portal}", settings.PUBLIC_URL) for name, said in wrong.items()}

    page = requests.get(
        f"{sandbox.bases[vendor]}{PATHS[vendor][0]}?{urlencode(asked(vendor, **more))}",
        allow_redirects=False,
        timeout=10,
    )
    pressed = choose(sandbox, vendor, **more)

    assert (page.status_code, pressed.status_code) == (400, 400)
    assert "Location" not in {**page.headers, **pressed.headers}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"), ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"), ({"person": ""}, "access_denied"), ({"person": "alice"}, "access_denied"),
    ],
    ids=["no challenge", "a plain one", "another flow", "cancelled", "an admin"],
)  # fmt: skip
def test_what_cannot_be_is_said_to_the_portal_as_an_error(sandbox: Sandbox, more: dict[str, str], error: str) -> None:
    person = more.get("person", "bob")
    rest = {name: said for name, said in more.items() if name != "person"}

    said = answer_of(choose(sandbox, "openid", person, **rest))

    assert said == {"error": error, "state": "s-1", "iss": sandbox.bases["openid"]}


# --- refresh ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("vendor", ["talkdesk", "nice"])
def test_a_refresh_token_turns_over_and_a_used_one_ends_its_family(sandbox: Sandbox, vendor: str) -> None:
    first = requests.post(f"{sandbox.bases[vendor]}/refresh-token", timeout=10).json()["refresh_token"]

    def refresh(token: str) -> requests.Response:
        return trade(sandbox, vendor, grant_type="refresh_token", refresh_token=token)

    second = refresh(first).json()["refresh_token"]
    third = refresh(second).json()["refresh_token"]
    assert len({first, second, third}) == 3
    assert (refresh(first).status_code, refresh(first).json()["error"]) == (400, "invalid_grant")
    assert refresh(third).status_code == 400


@pytest.mark.parametrize("vendor", ["talkdesk", "nice"])
def test_the_portal_has_tokens_refreshed(sandbox: Sandbox, cast: Cast, vendor: str) -> None:
    first = requests.post(f"{sandbox.bases[vendor]}/refresh-token", timeout=10).json()["refresh_token"]

    said = partner_tokens.refresh(
        by=cast.principal("bob"), organization=cast.organization("acme"), type_=TYPES[vendor], refresh_token=first
    )

    assert first.encode() not in said
    assert b'"refresh_token"' in said


# --- Genesys ----------------------------------------------------------------------------------------------------------
def test_queues_are_found_without_case_and_callbacks_taken_for_known_ones(sandbox: Sandbox) -> None:
    api, headers = f"{sandbox.bases['genesys']}/api/v2", genesys_token(sandbox)

    found = requests.get(f"{api}/routing/queues", params={"name": "support"}, headers=headers, timeout=10).json()
    command = {"queueId": found["entities"][0]["id"], "callbackNumbers": ["+46701740605"], "callbackUserName": "Kim"}
    taken = requests.post(f"{api}/conversations/callbacks", json=command, headers=headers, timeout=10)
    unknown = requests.post(
        f"{api}/conversations/callbacks", json={**command, "queueId": "q"}, headers=headers, timeout=10
    )

    assert [one["name"] for one in found["entities"]] == ["Support"]
    assert (taken.status_code, taken.json()["conversation"]["name"]) == (202, "Support")
    assert (unknown.status_code, unknown.json()["code"]) == (400, "queue.not.found")
    overview = requests.get(f"{sandbox.url}/", timeout=10).text
    assert taken.json()["conversation"]["id"] in overview
    assert "+46701740605" not in overview


def test_somebodys_token_says_who_they_are_and_calls_nobody_back(sandbox: Sandbox) -> None:
    api = f"{sandbox.bases['genesys']}/api/v2"
    tokens = trade_code(sandbox, "genesys", answer_of(choose(sandbox, "genesys", "carol"))["code"]).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    person = requests.get(f"{api}/users/me", params={"expand": "authorization"}, headers=headers, timeout=10).json()
    refused = requests.post(f"{api}/conversations/callbacks", json={}, headers=headers, timeout=10)
    machine = requests.get(f"{api}/users/me", headers=genesys_token(sandbox), timeout=10)
    nobody = requests.get(f"{api}/users/me", timeout=10)

    assert set(tokens) == {"access_token", "token_type", "expires_in"}
    assert (person["email"], person["authorization"]["permissions"][0]) == (
        "carol@acme.example",
        "ui:supervisorAgentDetails:view",
    )
    assert (refused.status_code, machine.status_code, nobody.status_code) == (403, 403, 401)


def test_a_callback_goes_the_whole_way_through_the_portal(sandbox: Sandbox, cast: Cast) -> None:
    client, application = cast.said["clients"]["acme_service"], cast.said["applications"]["genesys"]
    browser = Browser()
    token = browser.post(
        "/security/oauth/token", urlencode({"grant_type": "client_credentials"}), content_type="application/x-www-form-urlencoded",
        headers={"Authorization": requests.auth._basic_auth_str(client["client_id"], client["client_secret"])},
    ).json()["access_token"]  # fmt: skip

    said: Any = browser.post(
        "/security/facades/callback", {"queueName": "Support", "callbackUserName": "Kim", "callbackNumbers": ["+46701740605"]},
        content_type="application/json", headers={"Authorization": f"Bearer {token}", "X-ApplicationId": application},
    )  # fmt: skip

    assert (said.status_code, said.json()["genesys"]["conversation"]["name"]) == (200, "Support")
    assert Callback.objects.get().state == Callback.State.ACCEPTED


# --- nobody else's door -----------------------------------------------------------------------------------------------
def test_a_foreign_host_and_too_much_are_refused(sandbox: Sandbox) -> None:
    foreign = requests.get(f"{sandbox.url}/", headers={"Host": "evil.example"}, timeout=10)
    with socket.create_connection(sandbox.server_address[:2], timeout=10) as line:
        line.sendall(b"POST /openid/token HTTP/1.0\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        much = line.recv(100)

    assert foreign.status_code == 400
    assert b" 413 " in much


@pytest.mark.parametrize("path", ["/", "/openid/", "/other/token", "/openid/oauth/token", "/genesys/jwks"])
def test_there_is_nothing_but_what_the_vendors_have(sandbox: Sandbox, path: str) -> None:
    assert requests.get(f"{sandbox.url}{path}", timeout=10).status_code == (200 if path == "/" else 404)
    assert requests.put(f"{sandbox.url}{path}", timeout=10).status_code == 501


def test_it_serves_no_vendor_that_it_was_not_asked_to(settings: Any) -> None:
    listening = server.listening_socket(0)
    with Sandbox(listening, ["nice"], portal=settings.PUBLIC_URL) as only:
        assert set(only.stand_ins) == {"nice"}


def test_it_refuses_to_serve_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_ENV", "production")

    with server.listening_socket(0) as listening, pytest.raises(NotHere, match="production"):
        Sandbox(listening, STAND_INS, portal="http://127.0.0.1:8000")


def test_the_command_refuses_in_production(settings: Any) -> None:
    settings.PORTAL_ENV = "production"

    with pytest.raises(CommandError, match="The sandbox is for laptops"):
        call_command("sandbox")


def test_it_refuses_a_socket_that_others_reach() -> None:
    with socket.socket() as open_to_others:
        open_to_others.bind(("0.0.0.0", 0))  # noqa: S104  # that is what is refused
        with pytest.raises(NotHere, match="loopback"):
            Sandbox(open_to_others, STAND_INS, portal="http://127.0.0.1:8000")


def test_a_taken_port_is_no_reason_to_go_without() -> None:
    with server.listening_socket(0) as first:
        port = first.getsockname()[1]
        with server.listening_socket(port) as second:
            assert second.getsockname()[0] == "127.0.0.1"
            assert second.getsockname()[1] not in (0, port)


def test_its_process_loads_nothing_of_the_house() -> None:
    program = "import sys, integrations.sandbox.server; print([n for n in sys.modules if n.partition('.')[0] in ('django', 'identity', 'config')])"
    said = subprocess.run(
        [sys.executable, "-c", program], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "[]"


def test_the_demos_applications_have_the_stand_ins_clients(cast: Cast) -> None:
    acme = Organization.objects.get(name="acme")
    ids = {
        row.type: row.config["serviceParameters"]["clientId"] for row in Application.objects.filter(organization=acme)
    }

    assert ids == {TYPES[vendor]: client.id for vendor, client in CLIENTS.items()}
