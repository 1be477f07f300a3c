"""How Ping's callers prove themselves, and what ends it (dialects.md 2.1 and 2.2; clarifications 10, 63, 72)."""

from __future__ import annotations

from datetime import timedelta

import jwt
import pytest
import time_machine

from identity import clock, organizations, personal_tokens, second_factor, sessions, users
from identity.models import AuditEvent, Organization, Session, User
from identity.principal import at_the_console
from tests.integrations.dialects.ping.conftest import OK

LOGIN = pytest.mark.wire("ping", "2.1 GET and POST /api/auth/login")
LOGOUT = pytest.mark.wire("ping", "2.1 POST /api/auth/logout")
TOKENS = pytest.mark.wire("ping", "2.1 JWT")
MECHANISMS = pytest.mark.wire("ping", "2.2 three mechanisms")
ME = "/api/extensions/me"
BEARER = "Bearer"


def switch_to(*mechanisms: str) -> None:
    Organization.objects.filter(name="acme").update(ping_mechanisms=list(mechanisms))


# --- the login -------------------------------------------------------------------------------------------------------
@LOGIN
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/login/"])
def test_name_and_password_get_one_cookie(ping, method, path):
    answer = ping.client.generic(method, path, headers=ping.basic("bob"))

    assert (answer.status_code, answer.content) == (200, b'{"message":"OK"}')
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    (cookie,) = answer.cookies.values()
    assert cookie.OutputString() == f"ping_session={cookie.value}; HttpOnly; Path=/api; SameSite=Lax; Secure"
    assert cookie.value.startswith("swp_")
    assert cookie.value not in str(list(Session.objects.values()))


@LOGIN
def test_a_sign_in_is_written_down_and_a_name_may_be_an_address_of_mail(ping):
    answer = ping.get("/api/auth/login", ping.basic("bob@acme.example", ping.cast.password("bob")))

    assert answer.status_code == 200
    assert AuditEvent.objects.get(event="login.succeeded").door == "ping"
    assert ping.cast.user("bob").last_login_at is not None


@LOGIN
@pytest.mark.parametrize(
    "value",
    ["", "Basic", "Basic %%%%", "Basic Ym9i", "Basic Ym9iOv8=", "Basic Ym9iOgA=", "Basic Ym9i OnB3", "Digest x", "Ym9iOnB3", "Basic Ym9iOnB3, Basic Ym9iOnB3"],
)  # fmt: skip
def test_what_is_no_basic_credential_is_401(ping, refused, value):
    for path in ("/api/auth/login", ME):
        refused(ping.get(path, {"Authorization": value} if value else {}), 401, "Unauthorized")


@LOGIN
def test_unknown_wrong_disabled_and_operators_answer_alike(ping, refused):
    User.objects.create_superuser("olga", "olga@example.org", "a password of olga's")
    tries = [
        ("bob", "wrong"),
        ("nobody", "wrong"),
        ("dave", ping.cast.password("dave")),
        ("olga", "a password of olga's"),
    ]

    for name, clear in tries:
        refused(ping.get("/api/auth/login", ping.basic(name, clear)), 401, "Unauthorized")


@LOGIN
def test_a_token_or_a_cookie_gets_no_cookie(ping, refused):
    for proof in (ping.bearer("bob"), ping.cookie("bob")):
        refused(ping.get("/api/auth/login", proof), 401, "Unauthorized")


@LOGIN
@pytest.mark.parametrize("path", ["/api/auth/login", ME])
def test_after_too_many_failures_the_right_password_waits_too(ping, refused, settings, path):
    settings.LOCKOUT_FAILURES = 2
    for _ in range(2):
        refused(ping.get(path, ping.basic("bob", "wrong")), 401, "Unauthorized")

    refused(ping.get(path, ping.basic("bob")), 429, "Too Many Requests")


@LOGIN
def test_whoever_has_a_second_factor_comes_in_only_where_the_organisation_exempts_this_door(ping, refused):
    bob = ping.cast.user("bob")
    token = ping.bearer("bob")
    second_factor.enrol(by=at_the_console(), user=bob)

    refused(ping.get("/api/auth/login", ping.basic("bob")), 401, "Unauthorized")
    refused(ping.get(ME, ping.basic("bob")), 401, "Unauthorized")
    assert ping.get(ME, token).status_code == 200
    Organization.objects.filter(name="acme").update(second_factor_exemptions=["ping"])
    assert ping.get(ME, ping.basic("bob")).status_code == 200


# --- the cookie ------------------------------------------------------------------------------------------------------
@LOGIN
def test_a_cookie_lives_twelve_hours_after_its_last_use(ping, refused):
    cookie, at = ping.cookie("bob"), clock.now()

    with time_machine.travel(at + timedelta(hours=11, minutes=59), tick=False):
        assert ping.get(ME, cookie).status_code == 200
    with time_machine.travel(at + timedelta(hours=23, minutes=58), tick=False):
        assert ping.get(ME, cookie).status_code == 200
    with time_machine.travel(at + timedelta(hours=35, minutes=59), tick=False):
        refused(ping.get(ME, cookie), 401, "Unauthorized")


@LOGOUT
@pytest.mark.parametrize("path", ["/api/auth/logout", "/api/auth/logout/"])
def test_logging_out_ends_this_cookie_and_no_other(ping, refused, path):
    first, second = ping.cookie("bob"), ping.cookie("bob")

    answer = ping.post(path, first)

    assert (answer.status_code, answer.json()) == (200, OK)
    assert answer.cookies["ping_session"].OutputString().startswith('ping_session=""; expires=Thu, 01 Jan 1970')
    assert answer.cookies["ping_session"]["path"] == "/api"
    refused(ping.get(ME, first), 401, "Unauthorized")
    refused(ping.post(path, first), 401, "Unauthorized")
    assert ping.get(ME, second).status_code == 200


@LOGOUT
def test_logging_out_takes_the_cookie_and_nothing_else(ping, refused):
    for proof in ({}, ping.basic("bob"), ping.bearer("bob")):
        refused(ping.post("/api/auth/logout", proof), 401, "Unauthorized")
    cookie = ping.cookie("bob")
    refused(ping.post("/api/auth/logout", cookie | {"Authorization": "Bearer dead"}), 401, "Unauthorized")
    assert ping.post("/api/auth/logout", cookie | ping.bearer("bob")).status_code == 200


@LOGOUT
def test_a_link_cannot_log_anybody_out(ping, refused):
    answer = ping.get("/api/auth/logout", ping.cookie("bob"))

    refused(answer, 405, "Method Not Allowed")
    assert answer.headers["Allow"] == "POST"


# --- which of them counts --------------------------------------------------------------------------------------------
@MECHANISMS
def test_authorization_is_tried_first_and_once_sent_decides(ping, refused):
    cookie = ping.cookie("bob")

    assert ping.get(ME, cookie | ping.basic("carol")).json()["name"] == "Carol Ceder"
    for bad in ("Bearer dead", "Basic Ym9iOnB3", "Basic", "Negotiate x"):
        refused(ping.get(ME, cookie | {"Authorization": bad}), 401, "Unauthorized")


@MECHANISMS
@pytest.mark.parametrize("query", ["username=bob&password=x", "username=bob", "password=x"])
def test_a_credential_in_the_address_is_refused_whatever_else_was_sent(ping, refused, query):
    for proof in ({}, ping.cookie("bob"), ping.bearer("bob")):
        refused(ping.get(f"{ME}?{query}", proof), 401, "Unauthorized")
    refused(ping.get(f"/api/auth/login?{query}", ping.basic("bob")), 401, "Unauthorized")
    refused(ping.post(f"/api/auth/logout?{query}", ping.cookie("bob")), 401, "Unauthorized")


@MECHANISMS
@pytest.mark.parametrize("off", ["basic", "cookie", "jwt"])
def test_an_organisation_switches_each_mechanism_by_itself(ping, refused, off):
    proofs = {"basic": ping.basic("bob"), "cookie": ping.cookie("bob"), "jwt": ping.bearer("bob")}

    switch_to(*(set(proofs) - {off}))

    for mechanism, proof in proofs.items():
        assert ping.get(ME, proof).status_code == (401 if mechanism == off else 200)
    refused(ping.get(ME, proofs[off]), 401, "Unauthorized")
    login = ping.get("/api/auth/login", proofs["basic"])
    assert login.status_code == (200 if off == "jwt" else 401)


@MECHANISMS
def test_a_door_that_is_switched_off_counts_the_right_password_as_a_failure(ping, settings, refused):
    settings.LOCKOUT_FAILURES = 2
    switch_to("jwt")
    for _ in range(2):
        refused(ping.get(ME, ping.basic("bob")), 401, "Unauthorized")

    refused(ping.get(ME, ping.basic("bob")), 429, "Too Many Requests")


@MECHANISMS
@pytest.mark.parametrize("mechanism", ["bearer", "cookie"])
def test_token_and_cookie_cost_two_queries(ping, mechanism, django_assert_num_queries):
    proof = getattr(ping, mechanism)("alice")
    ping.get(ME, proof)

    # alice has no extension: two queries say who she is, the third that there is none
    with django_assert_num_queries(3):
        assert ping.get(ME, proof).status_code == 404


# --- personal tokens -------------------------------------------------------------------------------------------------
@TOKENS
def test_a_token_says_whose_it_is_and_for_which_domain(ping):
    bob = ping.cast.user("bob")
    text = ping.bearer("bob")["Authorization"].removeprefix("Bearer ")

    claims = jwt.decode(text, options={"verify_signature": False})

    assert set(claims) == {"iss", "sub", "aud", "domain", "jti", "iat", "exp", "sid"}
    assert (claims["sub"], claims["aud"], claims["domain"]) == (str(bob.pk), "ping:acme.example", "acme.example")
    assert claims["exp"] - claims["iat"] == 90 * 86400


@TOKENS
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("https://acme.example", 200),
        ("https://desk.acme.example", 200),
        ("https://a.b.acme.example:8443", 200),
        ("http://ACME.example", 200),
        ("https://notacme.example", 401),
        ("https://acme.example.evil.example", 401),
        ("https://evil.example", 401),
        ("https://evil.example/.acme.example", 401),
        ("https://evil.example\\.acme.example", 401),
        ("https://acme.example.", 401),
        ("https://[::1", 401),
        ("null", 401),
        ("", 401),
    ],
)
def test_a_page_uses_a_token_within_its_domain_only(ping, origin, status):
    headers = ping.bearer("bob") | ({} if origin is None else {"Origin": origin})

    assert ping.get(ME, headers).status_code == status


@TOKENS
def test_password_and_cookie_know_no_domain(ping):
    for proof in (ping.basic("bob"), ping.cookie("bob")):
        assert ping.get(ME, proof | {"Origin": "https://evil.example"}).status_code == 200


@TOKENS
def test_a_token_that_was_changed_is_401(ping, refused):
    text = ping.bearer("bob")["Authorization"].removeprefix("Bearer ")
    head, body, signature = text.split(".")
    forged = jwt.encode({"aud": "ping:acme.example"}, "x" * 40, algorithm="HS256")

    for bad in (
        f"{head}.{body}.AAAA",
        f"{head}.{body}.",
        f"{body}.{head}.{signature}",
        f"{text}A",
        forged,
        "a.b.c",
        "",
    ):
        refused(ping.get(ME, {"Authorization": f"{BEARER} {bad}"}), 401, "Unauthorized")


@TOKENS
def test_a_token_outlives_a_changed_password_and_not_a_reset(ping, refused):
    bob, token = ping.cast.user("bob"), ping.bearer("bob")

    users.set_password(by=ping.cast.principal("bob"), user=bob, clear="another long password")
    assert ping.get(ME, token).status_code == 200
    users.set_password(by=at_the_console(), user=bob, clear="one more long password", is_reset=True)

    refused(ping.get(ME, token), 401, "Unauthorized")


@TOKENS
def test_a_token_dies_with_its_person_and_lives_again_with_him(ping, refused):
    bob, token = ping.cast.user("bob"), ping.bearer("bob")

    users.disable(by=at_the_console(), user=bob)
    refused(ping.get(ME, token), 401, "Unauthorized")
    users.enable(by=at_the_console(), user=bob)

    assert ping.get(ME, token).status_code == 200


@TOKENS
def test_a_revoked_an_expired_and_a_suspended_token_are_401(ping, refused):
    revoked, expired, suspended = ping.bearer("bob"), ping.bearer("bob"), ping.bearer("bob")

    personal_tokens.revoke(
        by=at_the_console(), session=Session.objects.filter(is_personal_token=True).latest("created_at")
    )
    refused(ping.get(ME, suspended), 401, "Unauthorized")  # the last one made
    assert ping.get(ME, revoked).status_code == 200
    organizations.suspend(by=at_the_console(), organization=ping.cast.organization("acme"))
    refused(ping.get(ME, revoked), 401, "Unauthorized")
    organizations.resume(by=at_the_console(), organization=ping.cast.organization("acme"))
    with time_machine.travel(clock.now() + timedelta(days=90, seconds=6), tick=False):
        refused(ping.get(ME, expired), 401, "Unauthorized")


@TOKENS
def test_the_last_use_of_a_token_is_remembered(ping):
    token = ping.bearer("bob")
    at = clock.now() + timedelta(minutes=2)

    with time_machine.travel(at, tick=False):
        ping.get(ME, token)

    assert Session.objects.get(is_personal_token=True, label="a test's").last_seen_at == at


@MECHANISMS
def test_the_last_use_of_a_password_is_remembered_once_a_minute(ping):
    at = clock.now()
    for later in (timedelta(0), timedelta(seconds=30)):
        with time_machine.travel(at + later, tick=False):
            ping.get(ME, ping.basic("bob"))

    assert ping.cast.user("bob").last_seen_at == at


@MECHANISMS
def test_secrets_of_other_doors_are_no_cookies_here(ping, refused):
    other = ping.cast.session("bob", door="platform28")

    refused(ping.get(ME, {"Cookie": f"ping_session={other.secret}"}), 401, "Unauthorized")
    assert sessions.live(user=ping.cast.user("bob")).count() == 2  # the other one and the demo's token
