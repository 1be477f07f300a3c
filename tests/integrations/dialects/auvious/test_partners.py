"""Partner token refresh: Talkdesk and NICE over real HTTP, each refusal and failure in Auvious' words (dialects.md 3.2, 3.6)."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from identity import applications, clients, clock
from identity.models import Application
from identity.principal import at_the_console
from integrations.vendors import nice
from tests.integrations.dialects.auvious.conftest import Caller, Callers, refused
from tests.integrations.vendors.stand_in import Asked, StandIn, said

pytestmark = [pytest.mark.django_db, pytest.mark.wire("auvious", "3.2 Partner token refresh")]
PATHS = {"talkdesk": "/oauth/token", "nice": "/auth/token"}
TYPES = {"talkdesk": "TALKDESK_OPENID", "nice": "NICE_CXONE_OPENID"}
TOKEN = "a+b/c==&é"
DISCOVERY = "/.well-known/openid-configuration"
SECRETS = {"clientId": "me", "clientSecret": "s3cret-of-nobody"}
CONFIGS: dict[str, dict[str, Any]] = {
    "talkdesk": {"account": "second", "region": "us", "serviceParameters": SECRETS},
    "nice": {"issuer": "https://second.niceincontact.com", "serviceParameters": SECRETS},
}


@pytest.fixture(params=list(PATHS))
def partner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def there(settings: Any) -> Iterator[StandIn]:
    """A stand-in in both partners' place."""
    server = StandIn()
    settings.TALKDESK_BASE_URL = settings.NICE_BASE_URL = server.url
    answer_token(server, said(200, {"access_token": "at", "refresh_token": "rt"}))
    yield server
    server.close()


def answer_token(server: StandIn, answer: Any) -> None:
    """Answer like this at the token endpoints, and with the document where it is looked for."""
    document = {"issuer": server.url, "token_endpoint": server.url + PATHS["nice"]}
    server.behaviour.answer = lambda asked: said(200, document) if asked.path == DISCOVERY else answer


def silence(server: StandIn) -> Callable[[Asked], Iterator[bytes]]:
    def nothing(asked: Asked) -> Iterator[bytes]:
        server.over.wait(30)
        yield b""

    return nothing


def asked_for_tokens(server: StandIn) -> list[Asked]:
    return [asked for asked in server.asked if asked.path != DISCOVERY]


def refresh(caller: Caller, partner: str, **body: Any) -> Any:
    return caller.post(f"/{partner}/refresh_token", {"refresh_token": TOKEN, **body})


def unavailable(answer: Any) -> None:
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.status_code, answer.json()) == (502, {"error": "upstream unavailable"})


def test_the_partners_answer_comes_back_byte_by_byte(callers: Callers, there: StandIn, partner: str) -> None:
    body = '{ "access_token":"at-å", "expires_in" : 6e2,\n "extra":{"n":[1,null,1.50]}, "sid":"ü"}'.encode()
    answer_token(there, said(200, body, Set_Cookie="x=1", X_Internal="1"))

    answer = refresh(callers.client("acme_service"), partner)

    assert (answer.status_code, answer.content) == (200, body)
    assert (answer.headers["Content-Type"], answer.headers["Cache-Control"]) == ("application/json", "no-store")
    assert "X-Internal" not in answer.headers
    assert not answer.cookies
    (sent,) = asked_for_tokens(there)
    assert (sent.method, sent.path) == ("POST", PATHS[partner])
    assert sent.form == {"grant_type": "refresh_token", "refresh_token": TOKEN}
    assert sent.headers["authorization"] == {
        "talkdesk": "Basic ZGVtby10YWxrZGVzazpkZW1vLXRhbGtkZXNrLXNlY3JldA==", "nice": "Basic ZGVtby1uaWNlOmRlbW8tbmljZS1zZWNyZXQ=",
    }[partner]  # fmt: skip


@pytest.mark.parametrize("who", ["alice", "bob", "carol"])
def test_people_refresh(callers: Callers, there: StandIn, partner: str, who: str) -> None:
    assert refresh(callers.person(who), partner).status_code == 200


@pytest.mark.parametrize("who", ["acme_service", "acme_admin", "acme_agent"])
def test_clients_refresh(callers: Callers, there: StandIn, partner: str, who: str) -> None:
    assert refresh(callers.client(who), partner).status_code == 200


def test_an_internal_service_says_for_whom(callers: Callers, there: StandIn, partner: str) -> None:
    internal, acme = callers.client("internal"), str(callers.cast.organization("acme").pk)

    assert refresh(internal, partner, organizationId=acme).status_code == 200
    refused(refresh(internal, partner), 400, "organizationId")
    refused(refresh(internal, partner, organizationId=str(callers.cast.organization("globex").pk)), 404)
    refused(refresh(internal, partner, organizationId="00000000-0000-4000-8000-000000000000"), 404)
    refused(refresh(callers.client("acme_service"), partner, organizationId=acme), 403)
    assert len(asked_for_tokens(there)) == 1


def customer(callers: Callers) -> Caller:
    """Somebody who came with a ticket."""
    ticket = callers.client("acme_service").post("/ticket", {"type": "MULTI_USE_TICKET", "properties": {}}).json()["id"]
    form = {"grant_type": "password", "username": ticket}
    return Caller(callers.endpoint.ask(form, by=("customer", "")).json()["access_token"])


def test_nobody_else_refreshes(callers: Callers, there: StandIn, partner: str) -> None:
    acme = callers.cast.organization("acme")
    powerless = clients.create(by=at_the_console(), organization=acme, description="roleless", roles=[])
    form = {"grant_type": "client_credentials"}
    token = callers.endpoint.ask(form, by=(powerless.row.pk, powerless.secret)).json()["access_token"]

    refused(refresh(callers.stranger, partner), 401)
    for caller in (customer(callers), Caller(token)):
        refused(refresh(caller, partner), 403)
        refused(caller.post(f"/{partner}/refresh_token", {}), 403)
    assert there.asked == []


@pytest.mark.parametrize(
    "body",
    [{}, {"refresh_token": ""}, {"refresh_token": None}, {"refresh_token": 5}, {"refreshToken": "x"}, {"refresh_token": "x" * 16_001}],
    ids=["none", "empty", "null", "a number", "another name", "no token is so long"],
)  # fmt: skip
def test_a_token_is_needed(callers: Callers, there: StandIn, partner: str, body: dict[str, Any]) -> None:
    refused(callers.client("acme_service").post(f"/{partner}/refresh_token", body), 400, "refresh_token")
    assert there.asked == []


def test_an_application_is_needed(callers: Callers, there: StandIn, partner: str) -> None:
    refused(refresh(callers.client("globex_admin"), partner), 404)
    acmes = Application.objects.filter(type=TYPES[partner])
    acmes.update(is_visible=False)
    refused(refresh(callers.client("acme_service"), partner), 404)
    acmes.update(is_visible=True, expires_at=clock.now())
    refused(refresh(callers.client("acme_service"), partner), 404)
    assert there.asked == []
    acmes.update(expires_at=clock.now() + timedelta(minutes=1))
    assert refresh(callers.client("acme_service"), partner).status_code == 200


def test_the_oldest_visible_application_serves(callers: Callers, there: StandIn, partner: str) -> None:
    acme = callers.cast.organization("acme")
    config = CONFIGS[partner]
    applications.create(by=at_the_console(), organization=acme, type_=TYPES[partner], config=config)

    refresh(callers.client("acme_service"), partner)
    oldest = Application.objects.filter(type=TYPES[partner]).order_by("created_at")[0]
    Application.objects.filter(pk=oldest.pk).update(is_visible=False)
    refresh(callers.client("acme_service"), partner)

    first, second = [asked.headers["authorization"] for asked in asked_for_tokens(there)]
    assert first != second == "Basic bWU6czNjcmV0LW9mLW5vYm9keQ=="


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(
    ("body", "ours"),
    [
        (b'{"error":"invalid_grant","error_description":"secret detail"}', "invalid_grant"), (b'{"error":"consent required!"}', "consent required!"),
        (b"<html>", "invalid_request"), (b"", "invalid_request"), (b"[]", "invalid_request"), (b'{"error":5}', "invalid_request"),
        (b'{"error":""}', "invalid_request"), (b'{"error":"a\\nb"}', "invalid_request"), (b'{"error":"\xc3\xa5"}', "invalid_request"),
        (json.dumps({"error": "x" * 101}).encode(), "invalid_request"), (b'{"error":"a","error":"b"}', "invalid_request"),
    ],
    ids=["word", "sentence", "html", "empty", "list", "number", "blank", "two lines", "not ASCII", "long", "twice"],
)  # fmt: skip
def test_a_refusal_is_400_with_the_partners_word(
    callers: Callers, there: StandIn, partner: str, status: int, body: bytes, ours: str
) -> None:
    answer_token(there, said(status, body))
    answer = refresh(callers.client("acme_service"), partner)
    assert (answer.status_code, answer.json()) == (400, {"error": ours})


@pytest.mark.parametrize("status", [201, 202, 204, 302, 307, 403, 404, 409, 418, 429, 500, 502, 503])
def test_anything_else_is_502(callers: Callers, there: StandIn, partner: str, status: int) -> None:
    answer_token(there, said(status, {"error": "temporarily"}, Retry_After="1", Location="/oauth/other"))
    unavailable(refresh(callers.client("acme_service"), partner))
    assert len(asked_for_tokens(there)) == 1


def test_what_is_no_token_answer_is_502(callers: Callers, there: StandIn, partner: str) -> None:
    for answer in (said(200, b"<html>"), said(200, {}, content_type="text/html"), said(200, [1]), said(200, b'{"a":')):
        answer_token(there, answer)
        unavailable(refresh(callers.client("acme_service"), partner))


def test_a_partner_that_is_silent_is_502_in_time_and_others_go_on(
    callers: Callers, there: StandIn, partner: str, settings: Any
) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = 0.3
    there.behaviour.answer = silence(there)
    caller, other = callers.client("acme_service"), "nice" if partner == "talkdesk" else "talkdesk"
    for _ in range(5):
        began = time.monotonic()
        unavailable(refresh(caller, partner))
        assert time.monotonic() - began < 10

    # Now it is not even asked, and the other partner answers.
    settings.UPSTREAM_TIMEOUT_SECONDS = 30
    answer_token(there, said(200, {"access_token": "at"}))
    count = len(there.asked)
    unavailable(refresh(caller, partner))
    assert len(there.asked) == count
    assert refresh(caller, other).status_code == 200


def test_no_token_and_no_secret_is_logged(callers: Callers, there: StandIn, partner: str, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    caller = callers.client("acme_service")
    for answer in (
        said(200, {"access_token": "at-of-nobody"}), said(400, {"error": "invalid_grant"}), said(500, {"error": "at-of-nobody"}),
        said(200, b"at-of-nobody"), b"at-of-nobody",
    ):  # fmt: skip
        answer_token(there, answer)
        refresh(caller, partner)
    told = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    for secret in (TOKEN, "a%2Bb", "at-of-nobody", f"demo-{partner}-secret"):
        assert secret not in told


# --- NICE: discovery -------------------------------------------------------------------------------------------------
def test_the_document_is_asked_for_once_in_a_while(
    callers: Callers, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = callers.client("acme_service")
    for _ in range(3):
        assert refresh(caller, "nice").status_code == 200
    assert [asked.path for asked in there.asked] == [DISCOVERY, *[PATHS["nice"]] * 3]
    assert "authorization" not in there.asked[0].headers

    monkeypatch.setattr(nice, "KNOWN_FOR_SECONDS", -1.0)
    nice._known.clear()
    refresh(caller, "nice")
    refresh(caller, "nice")
    assert [asked.path for asked in there.asked].count(DISCOVERY) == 3


BAD_ENDPOINTS = [
    "https://evil.example/auth/token", "http://evil.example/auth/token", "//evil.example/token", "/auth/token", "", None, 5, ["x"],
    "http://127.0.0.1:1/auth/token", "http://127.0.0.1/auth/token", "{base}@evil.example/auth/token", "http://user:pw@{rest}/auth/token",
    "{base}.evil.example/auth/token", "{base}/auth/to ken", "{base}/auth/token\r\nX: y", "{base}\\@evil.example/", "https://{rest}/auth/token",
]  # fmt: skip


@pytest.mark.parametrize("endpoint", BAD_ENDPOINTS, ids=str)
def test_an_endpoint_elsewhere_is_not_called(callers: Callers, there: StandIn, endpoint: Any) -> None:
    rest = there.url.removeprefix("http://")
    named = endpoint.format(base=there.url, rest=rest) if isinstance(endpoint, str) else endpoint
    there.answers(200, {"issuer": there.url, "token_endpoint": named})

    unavailable(refresh(callers.client("acme_service"), "nice"))
    assert [asked.path for asked in there.asked] == [DISCOVERY]


def test_a_document_that_is_none_is_502(callers: Callers, there: StandIn) -> None:
    for answer in (said(404, {}), said(500), said(200, b"<html>"), said(200, [])):
        there.behaviour.answer = lambda asked, answer=answer: answer
        unavailable(refresh(callers.client("acme_service"), "nice"))
    assert {asked.path for asked in there.asked} == {DISCOVERY}
