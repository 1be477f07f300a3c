"""Log lines are JSON, belong to a request, and hold no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from config.logging import JsonLines, WithoutPaths, redacted

SECRET = "Zx81-spectrum-QL"


def fails(request: HttpRequest, ticket: str) -> HttpResponse:
    logging.getLogger("switchboard.test").info("view was here", extra={"ticket_pk": 7})
    raise RuntimeError(f"could not redeem ticket={ticket}")


urlpatterns = [path("t/<str:ticket>", fails)]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What every logger writes, in the form of production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(WithoutPaths())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"Cookie: switchboard={SECRET}; other={SECRET}",
        f"Set-Cookie: JSESSIONID={SECRET}; Path=/",
        f"X-Auth-Token: {SECRET}",
        f"X-LSID: {SECRET}",
        f"X-Api-Key: {SECRET}",
        f"GET /session/1;lsid={SECRET} HTTP/1.1",
        f"GET /session/1%3Blsid%3D{SECRET} HTTP/1.1",
        f"GET /session/1?apiKey={SECRET}&x=1",
        f"GET /session/{SECRET}",
        f"GET /t/{SECRET}/event.ics",
        f"POST /security/ticket/{SECRET}/revoke HTTP/1.1",
        f"POST /oauth grant_type=password&password={SECRET}&client_secret={SECRET}",
        f"access_token={SECRET} refresh_token={SECRET}",
        json.dumps({"password": SECRET, "code": SECRET, "clientSecret": SECRET, "privateKey": SECRET}),
        f"passwordHash: {SECRET}",
        f"ticket={SECRET}",
        f"GET /t/{SECRET}",
        f"POST /v1/auth/reset/{SECRET}?x",
        f"postgres://portal:{SECRET}@db.example/portal",
        "eyJhbGciOiJSUzI1NiJ9.eyJ" + SECRET.replace("-", "_") + ".c2ln",
    ],
)
def test_what_looks_like_a_secret_is_redacted(text: str) -> None:
    assert SECRET not in redacted(text)
    assert SECRET.replace("-", "_") not in redacted(text)
    assert "[redacted]" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "a message without anything",
        "status 200 in 3 ms",
        "GET /v1/user",
        "key 7 of the table, tokens: many of them"[:28],
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "name", ["password", "new_password", "api_key", "ticket", "access_token", "Authorization", "lsid", "otp", "code"]
)
def test_a_value_under_a_telling_name_is_redacted(written: io.StringIO, name: str) -> None:
    logging.getLogger("switchboard.test").warning("something", extra={name: SECRET})

    assert lines(written)[-1][name] == "[redacted]"


def test_a_line_says_when_how_grave_who_and_what(written: io.StringIO) -> None:
    logging.getLogger("switchboard.test").warning(
        "%s messages wait", 3, extra={"queue": "urgent", "waiting": 3, "gone": None}
    )

    (line,) = lines(written)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "WARNING",
        "logger": "switchboard.test",
        "message": "3 messages wait",
        "queue": "urgent",
        "waiting": 3,
        "gone": None,
    }


@pytest.mark.urls("tests.config.test_logging")
def test_the_lines_of_a_request_carry_its_number_and_route_and_not_its_path(written: io.StringIO) -> None:
    answer = Client(raise_request_exception=False).get(f"/t/{SECRET}")

    here, failure = lines(written)
    assert answer.status_code == 500
    assert {here["request_id"], failure["request_id"]} == {answer.headers["X-Request-ID"]}
    assert {here["route"], failure["route"]} == {"t/<str:ticket>"}
    assert here["ticket_pk"] == 7
    assert failure["message"] == "Internal Server Error: GET t/<str:ticket>"
    assert "RuntimeError" in failure["traceback"]
    assert SECRET not in written.getvalue()


def test_a_path_that_nobody_knows_is_not_repeated(written: io.StringIO, client: Client) -> None:
    answer = client.get(f"/nowhere/{SECRET}")

    (line,) = lines(written)
    assert answer.status_code == 404
    assert (line["message"], line["request_id"]) == ("Not Found: GET unmatched", answer.headers["X-Request-ID"])
    assert SECRET not in written.getvalue()


def test_a_refusal_is_told_with_its_number_and_route(written: io.StringIO, client: Client) -> None:
    answer = client.post("/v1/auth/reset/" + SECRET, data="{", content_type="application/json")

    (line,) = lines(written)
    assert answer.status_code // 100 == 4
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert line["route"].startswith("v1/auth/reset/<")
    assert SECRET not in written.getvalue()
