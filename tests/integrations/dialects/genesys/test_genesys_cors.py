"""Which pages of other origins are served (dialects.md 4.1; clarifications 27 and 56)."""

from __future__ import annotations

import pytest

from identity.models import Organization
from integrations import cors
from tests.integrations.dialects.genesys.conftest import EVIL, LOGOUT, ME, ORIGIN

CORS = pytest.mark.wire("genesys", "4.1 CORS")
PREFLIGHT = pytest.mark.wire("genesys", "4.1 OPTIONS")

METHODS = "GET, POST, PUT, DELETE, OPTIONS"
HEADERS = "X-Requested-With, Content-Type, Accept, Origin, Cookie, authorization, ssid, surl, ContactCenterId, X-CSRF-TOKEN, X-Support-CSRFP"
EXPOSED = "X-CSRF-HEADER, X-CSRF-TOKEN"


def cors_headers(answer):
    return {name: value for name, value in answer.headers.items() if name.lower().startswith("access-control-")}


def is_open(answer, origin=ORIGIN):
    """Say whether a page of an origin may read an answer, with its cookies."""
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    return allowed == origin and answer.headers["Access-Control-Allow-Credentials"] == "true"


@PREFLIGHT
@pytest.mark.parametrize("path", [ME, f"{ME}/", "/ping", "/ping/", "/version"])
@pytest.mark.parametrize(
    "asks", [{}, {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}]
)
def test_a_preflight_of_a_listed_page_is_200_and_empty(desktop, path, asks):
    answer = desktop.ask("OPTIONS", path, {"Origin": ORIGIN, **asks})

    assert (answer.status_code, answer.content) == (200, b"")
    assert "origin" in answer.headers["Vary"].lower().split(", ")
    assert cors_headers(answer) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": HEADERS,
        "access-control-expose-headers": EXPOSED,
        "access-control-max-age": "600",
    }


@PREFLIGHT
@pytest.mark.parametrize("asks", [{}, {"Access-Control-Request-Method": "POST"}])
@pytest.mark.parametrize(
    "origin", [EVIL, "null", "https://desk.acme.example.evil.example", "https://acme.example", None]
)
def test_a_preflight_of_any_other_page_is_200_and_says_nothing(desktop, origin, asks):
    headers = asks if origin is None else {"Origin": origin, **asks}

    answer = desktop.ask("OPTIONS", ME, headers)

    assert (answer.status_code, answer.content, cors_headers(answer)) == (200, b"", {})


@PREFLIGHT
def test_elsewhere_only_real_preflights_of_listed_pages_are_answered(desktop):
    asks = {"Access-Control-Request-Method": "GET"}

    for path in ("/api/extensions/me", "/v1/user", "/session/x"):
        assert is_open(desktop.ask("OPTIONS", path, {"Origin": ORIGIN, **asks}))
        for headers in ({"Origin": ORIGIN}, {"Origin": EVIL, **asks}, asks):
            assert desktop.ask("OPTIONS", path, headers).status_code == 405


@CORS
@pytest.mark.parametrize("path", ["/desk/", "/login/", "/admin/", "/healthz", "/nowhere", "/static/nothing"])
def test_the_portals_own_pages_are_open_to_no_other_origin(desktop, path, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://ops.example"]

    for origin in (ORIGIN, "https://ops.example"):
        for method, asks in (("GET", {}), ("OPTIONS", {"Access-Control-Request-Method": "GET"})):
            assert cors_headers(desktop.ask(method, path, {"Origin": origin, **asks})) == {}


@CORS
def test_refusals_may_be_read_too(desktop):
    origin = {"Origin": ORIGIN}
    cookie = desktop.sign_in("bob", **{"X-Support-CSRFP": "True"})
    answers = {
        401: desktop.get(ME, origin),
        403: desktop.post({"Cookie": cookie["Cookie"]} | origin, LOGOUT),
        404: desktop.get("/api/v2/nope", origin),
        405: desktop.ask("DELETE", ME, origin),
        400: desktop.post(desktop.basic("bob") | origin, b"{"),
        413: desktop.post(desktop.basic("bob") | origin, b" " * 1_100_000),
    }

    for status, answer in answers.items():
        assert answer.status_code == status
        assert is_open(answer)
        assert answer.headers["Access-Control-Expose-Headers"] == EXPOSED


@CORS
def test_whoever_is_known_is_served_to_pages_of_his_own_organisation_alone(desktop):
    Organization.objects.filter(name="globex").update(cors_origins=["https://desk.globex.example"])
    globex = {"Origin": "https://desk.globex.example"}
    bob = desktop.sign_in("bob")

    assert is_open(desktop.get(ME, globex), globex["Origin"])  # nobody yet: any organisation's
    assert cors_headers(desktop.get(ME, bob | globex)) == {}
    assert cors_headers(desktop.get(ME, desktop.basic("bob") | globex)) == {}
    assert desktop.post(bob | globex, LOGOUT).status_code == 403
    assert is_open(desktop.get(ME, bob | {"Origin": ORIGIN}))
    assert is_open(desktop.get(ME, desktop.basic("erin") | globex), globex["Origin"])


@CORS
def test_the_operators_own_origins_are_open_to_everybody(desktop, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://*.ops.example", "https://ops.example"]

    for origin in ("https://ops.example", "https://a.b.ops.example"):
        for proof in ({}, desktop.basic("erin"), desktop.sign_in("bob")):
            assert is_open(desktop.get(ME, proof | {"Origin": origin}), origin)


@CORS
def test_a_request_of_a_listed_page_costs_no_query_more(desktop, django_assert_num_queries):
    cookie = desktop.sign_in("bob")

    with django_assert_num_queries(2):
        assert is_open(desktop.get(ME, cookie | {"Origin": ORIGIN}))


@CORS
def test_a_suspended_organisation_lends_no_origin(desktop):
    Organization.objects.filter(name="acme").update(suspended_at="2026-01-01T00:00:00Z")

    assert cors_headers(desktop.get("/version", {"Origin": ORIGIN})) == {}


@CORS
@pytest.mark.parametrize(
    ("entry", "origin", "fits"),
    [
        ("https://a.example", "https://a.example", True),
        ("https://A.example/", "https://a.EXAMPLE", True),
        ("https://a.example", "https://a.example:443", False),
        ("https://a.example", "http://a.example", False),
        ("https://a.example:8443", "https://a.example:8443", True),
        ("https://*.a.example", "https://x.a.example", True),
        ("https://*.a.example", "https://x.y-z.a.example", True),
        ("https://*.a.example", "https://a.example", False),
        ("https://*.a.example", "https://.a.example", False),
        ("https://*.a.example", "https://xa.example", False),
        ("https://*.a.example", "http://x.a.example", False),
        ("https://*.a.example", "https://x.a.example:8443", False),
        ("https://*.a.example:8443", "https://x.a.example:8443", True),
        ("https://*.a.example:8443", "https://x.a.example", False),
        ("https://*.a.example", "https://evil.example/.a.example", False),
        ("https://*.a.example", "https://evil.example#.a.example", False),
        ("https://*.a.example", "https://evil@x.a.example", False),
        ("https://*.a.example", "https://x..a.example", False),
        ("https://*.", "https://x.", False),
        ("*", "https://x.example", False),
        ("https://*", "https://x.example", False),
        ("null", "null", False),
    ],
)
def test_an_origin_fits_an_entry_by_scheme_host_and_port(entry, origin, fits):
    assert cors.is_listed(origin, [entry]) is fits
