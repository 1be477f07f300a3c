"""Logins, pings and logouts as a desktop sends them (dialects.md 4.1 and 4.2; clarifications 10, 26, 58)."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta

import pytest
import time_machine

from identity import clock, second_factor, users
from identity.models import AuditEvent, Membership, Organization, Session, User
from identity.principal import Role, at_the_console
from tests.integrations.dialects.genesys.conftest import CONFIGURATION, DONE, EVIL, GONE, LOGOUT, ME, ORIGIN, cookie_of

LOGIN = pytest.mark.wire("genesys", "4.1 GET /api/v2/me")
CONFIGURED = pytest.mark.wire("genesys", "4.1 POST /api/v2/me = login with configuration")
ENDED = pytest.mark.wire("genesys", "4.1 POST /api/v2/me = logout")
VERSION = pytest.mark.wire("genesys", "4.1 GET /version")
PING = pytest.mark.wire("genesys", "4.1 GET /ping")
KINDS = pytest.mark.wire("genesys", "4.1 telling the POSTs apart")

CSRF_WRONG = (403, 3, "Missing or invalid Csrf token")
BAD_INPUT = (400, 10, "Input out of range")


# --- login -----------------------------------------------------------------------------------------------------------
@LOGIN
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/api/v2/me", "/api/v2/me/"])
def test_name_and_password_get_the_user_and_a_cookie(desktop, settings, method, path):
    User.objects.filter(username="bob").update(first_name="Åke")

    answer = desktop.ask(method, path, desktop.basic("bob", Origin=ORIGIN))

    bob = desktop.cast.user("bob")
    handle = f"{bob.pk:032x}"
    user = {
        "id": handle,
        "userName": "bob",
        "firstName": "Åke",
        "lastName": "Berg",
        "emailAddress": "bob@acme.example",
        "roles": ["ROLE_AGENT"],
        "enabled": True,
        "changePasswordOnFirstLogin": False,
        "contactCenterId": str(desktop.cast.organization("acme").pk),
        "uri": f"{settings.PUBLIC_URL}/api/v2/users/{handle}",
        "path": f"/users/{handle}",
    }
    expected = json.dumps({"statusCode": 0, "user": user}, separators=(",", ":"), ensure_ascii=False)
    assert (answer.status_code, answer.content) == (200, expected.encode())
    assert answer.headers["Cache-Control"] == "no-store"
    flags = "Path=/; HttpOnly; Secure; SameSite=None; Partitioned="
    assert answer.headers["Set-Cookie"] == f"JSESSIONID={cookie_of(answer)}; {flags}"
    assert "X-CSRF-TOKEN" not in answer.headers
    assert cookie_of(answer) not in str(list(Session.objects.values()))
    assert AuditEvent.objects.get(event="login.succeeded").door == "genesys"


@LOGIN
@pytest.mark.parametrize(
    ("name", "roles"), [("bob", ["ROLE_AGENT"]), ("carol", ["ROLE_SUPERVISOR"]), ("alice", ["ROLE_ADMIN"])]
)
def test_roles_are_told_in_the_vendors_words(desktop, name, roles):
    assert desktop.get(ME, desktop.basic(name)).json()["user"]["roles"] == roles


@LOGIN
def test_two_roles_are_both_told(desktop):
    desktop.cast.newcomer("nora", roles=(Role.ADMIN, Role.AGENT))

    assert desktop.get(ME, desktop.basic("nora")).json()["user"]["roles"] == ["ROLE_AGENT", "ROLE_ADMIN"]


@LOGIN
def test_everybody_who_may_not_is_denied_alike(desktop, denied):
    User.objects.create_superuser("olga", "olga@example.org", "a password of olga's")
    Membership.objects.filter(user__username="ivan").update(is_agent=False)
    tries = [("bob", "wrong"), ("nobody", "x"), ("olga", "a password of olga's")]
    tries += [(name, desktop.cast.password(name)) for name in ("dave", "ivan")]

    for name, clear in tries:
        denied(desktop.get(ME, desktop.basic(name, clear, Origin=ORIGIN)))
    assert not Session.objects.filter(door="genesys").exists()


@LOGIN
@pytest.mark.parametrize(
    "value", ["", "Basic", "Basic Ym9i", "Basic %%%", "Basic Ym9iOv8=", "Basic Ym9iOgA=", "Bearer x", "Digest Ym9iOnB3"]
)
def test_what_is_no_basic_credential_is_denied_also_beside_a_good_cookie(desktop, denied, value):
    cookie = desktop.sign_in("bob")

    for path in (ME, "/ping"):
        denied(desktop.get(path, cookie | {"Authorization": value}))
        denied(desktop.get(path))


@LOGIN
def test_after_too_many_failures_the_right_password_waits_too(desktop, refused, denied, settings):
    settings.LOCKOUT_FAILURES = 2
    for _ in range(2):
        denied(desktop.get(ME, desktop.basic("bob", "wrong")))

    refused(desktop.get(ME, desktop.basic("bob")), 429, 5, "Too many attempts")


@LOGIN
def test_whoever_has_a_second_factor_comes_in_only_where_the_organisation_exempts_this_door(desktop, denied):
    second_factor.enrol(by=at_the_console(), user=desktop.cast.user("bob"))

    denied(desktop.get(ME, desktop.basic("bob")))
    Organization.objects.filter(name="acme").update(second_factor_exemptions=["ping"])
    denied(desktop.get(ME, desktop.basic("bob")))
    Organization.objects.filter(name="acme").update(second_factor_exemptions=["genesys"])

    assert desktop.get(ME, desktop.basic("bob")).status_code == 200


@LOGIN
def test_a_live_cookie_says_who_is_there_and_starts_nothing(desktop, django_assert_num_queries):
    cookie = desktop.sign_in("bob")

    with django_assert_num_queries(2):
        answer = desktop.get(ME, cookie)

    assert (answer.status_code, answer.json()["user"]["userName"]) == (200, "bob")
    assert "Set-Cookie" not in answer.headers
    assert Session.objects.filter(door="genesys").count() == 1


@LOGIN
def test_without_a_role_left_the_cookie_is_worth_nothing(desktop, denied):
    cookie = desktop.sign_in("bob")
    Membership.objects.filter(user__username="bob").update(is_agent=False)

    denied(desktop.get(ME, cookie))


@LOGIN
@pytest.mark.parametrize(
    ("value", "is_on"),
    [("True", True), ("true", True), ("TRUE", True), ("1", False), ("yes", False), ("", False), (" ", False)],
)
def test_a_token_against_forgery_comes_to_whoever_asks_for_it(desktop, value, is_on):
    answer = desktop.get(ME, desktop.basic("bob", **{"X-Support-CSRFP": value}))

    assert answer.headers.get("X-CSRF-HEADER") == ("X-CSRF-TOKEN" if is_on else None)
    assert ("X-CSRF-TOKEN" in answer.headers) is is_on
    if is_on:
        token = answer.headers["X-CSRF-TOKEN"]
        assert str(uuid.UUID(token)) == token
        assert token not in str(list(Session.objects.values()))


@LOGIN
def test_a_page_that_is_not_listed_gets_the_answer_and_neither_cookie_nor_session(desktop):
    answer = desktop.get(ME, desktop.basic("bob", Origin=EVIL, **{"X-Support-CSRFP": "True"}))

    assert (answer.status_code, answer.json()["statusCode"]) == (200, 0)
    assert "Set-Cookie" not in answer.headers
    assert "X-CSRF-TOKEN" not in answer.headers
    assert not Session.objects.filter(door="genesys").exists()


# --- login with configuration ----------------------------------------------------------------------------------------
@CONFIGURED
def test_a_configuration_is_kept_with_the_session_and_seats_the_agent(desktop):
    desktop.sign_in("bob", CONFIGURATION)

    details = Session.objects.get(door="genesys").details
    assert details == {
        "server": "https://rws.dc1.example.com",
        "peer_server": "https://rws.dc2.example.com:4443",
        "place": "Plats 7",
        "devices": [{"dn": "DN1", "switch": "Switch"}, {"dn": "DN2", "switch": "Switch"}],
    }
    agent = desktop.cast.agent("bob")
    assert (agent.seat, agent.seat_devices) == ("Plats 7", details["devices"])


@CONFIGURED
@pytest.mark.parametrize(
    "media", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8"]
)
def test_a_body_is_json_whatever_its_media_type_says(desktop, media):
    assert desktop.post(desktop.basic("bob"), CONFIGURATION, media=media).status_code == 200
    assert desktop.cast.agent("bob").seat == "Plats 7"


@CONFIGURED
@pytest.mark.parametrize("body", [b"", b"  ", b"[]", b'[{"name":"place","value":""}]'])
def test_nothing_of_a_configuration_is_needed(desktop, body):
    assert desktop.post(desktop.basic("bob"), body).json()["statusCode"] == 0
    assert desktop.cast.agent("bob").seat == ""


@CONFIGURED
@pytest.mark.parametrize(
    "entry",
    [
        "place", 1, None, [], {}, {"name": "place"}, {"value": "x"}, {"name": "printer", "value": "x"}, {"name": ["place"], "value": "x"},
        {"name": None, "value": "x"}, {"name": "place", "value": 7}, {"name": "place", "value": None}, {"name": "place", "value": "x" * 101},
        {"name": "server", "value": "http://rws.example.com"}, {"name": "server", "value": "https://"}, {"name": "server", "value": "rws.example.com"},
        {"name": "server", "value": "https://a:b@rws.example.com"}, {"name": "server", "value": "https://rws.example.com:99999"},
        {"name": "server", "value": "https://[::1"}, {"name": "server", "value": "https://rws .example.com"}, {"name": "server", "value": 5},
        {"name": "peer_server", "value": ""}, {"name": "server", "value": "https://x.example/" + "x" * 500},
        {"name": "devices", "value": "DN1"}, {"name": "devices", "value": {"dn": "1", "switch": "s"}}, {"name": "devices", "value": [{"dn": "1"}]},
        {"name": "devices", "value": [{"dn": 1, "switch": "s"}]}, {"name": "devices", "value": ["DN1"]}, {"name": "devices", "value": None},
        {"name": "devices", "value": [{"dn": "1", "switch": "s"}] * 51},
    ],
    ids=lambda entry: json.dumps(entry)[:60],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_starts_nothing(desktop, refused, entry):
    refused(desktop.post(desktop.basic("bob"), [entry]), *BAD_INPUT)
    assert not Session.objects.filter(door="genesys").exists()


@CONFIGURED
def test_a_name_that_comes_twice_is_refused(desktop, refused):
    refused(desktop.post(desktop.basic("bob"), [CONFIGURATION[2], CONFIGURATION[2]]), *BAD_INPUT)


@CONFIGURED
def test_a_live_cookie_changes_the_configuration_of_its_own_session(desktop, refused):
    guarded = desktop.sign_in("bob", CONFIGURATION, **{"X-Support-CSRFP": "True"})
    moved = [{"name": "place", "value": "Plats 8"}]
    bare = {"Cookie": guarded["Cookie"]}

    refused(desktop.post(bare, moved), *CSRF_WRONG)
    assert desktop.post(bare, []).json()["user"]["userName"] == "bob"
    answer = desktop.post(guarded, moved)

    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)
    session = Session.objects.get(door="genesys")
    assert (session.details["place"], session.details["server"]) == ("Plats 8", "https://rws.dc1.example.com")
    assert desktop.cast.agent("bob").seat == "Plats 8"
    assert desktop.post(guarded, LOGOUT).status_code == 200


@KINDS
def test_the_web_services_own_login_operation_is_a_login(desktop):
    said = {"operationName": "StartContactCenterSession", "place": "Plats 9", "channels": ["voice"], "more": 1}

    answer = desktop.post(desktop.basic("bob"), said)

    assert answer.json()["user"]["userName"] == "bob"
    assert cookie_of(answer)
    details = Session.objects.get(door="genesys").details
    assert details == {"place": "Plats 9", "channels": ["voice"], "devices": []}
    assert desktop.cast.agent("bob").seat == "Plats 9"


@KINDS
@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"{}", 1, "Missing parameter"),
        (b'{"operation": "EndContactCenterSession"}', 1, "Missing parameter"),
        (b'{"operationName": "Dance"}', 10, "Input out of range"),
        (b'{"operationName": null}', 10, "Input out of range"),
        (b'{"operationName": ["EndContactCenterSession"]}', 10, "Input out of range"),
        (b'{"operationName": "StartContactCenterSession", "place": 1}', 10, "Input out of range"),
        (b'{"operationName": "StartContactCenterSession", "channels": "voice"}', 10, "Input out of range"),
        (b"1", 10, "Input out of range"),
        (b'"EndContactCenterSession"', 10, "Input out of range"),
        (b"null", 10, "Input out of range"),
        (b"{", 10, "Input out of range"),
        (b"[" * 40 + b"]" * 40, 10, "Input out of range"),
    ],
)
def test_a_body_of_another_kind_is_400(desktop, refused, body, code, message):
    cookie = desktop.sign_in("bob")

    for proof in (desktop.basic("bob"), cookie):
        refused(desktop.post(proof, body), 400, code, message)
    assert desktop.get(ME, cookie).status_code == 200


# --- seats -----------------------------------------------------------------------------------------------------------
@CONFIGURED
def test_a_seat_is_free_as_soon_as_its_session_is_over(desktop):
    cookie = desktop.sign_in("bob", CONFIGURATION)
    assert desktop.cast.agent("bob").seat == "Plats 7"
    desktop.post(cookie, LOGOUT)
    assert (desktop.cast.agent("bob").seat, desktop.cast.agent("bob").seat_devices) == ("", [])

    desktop.sign_in("bob", CONFIGURATION)
    with time_machine.travel(clock.now() + timedelta(minutes=10, seconds=1), tick=False):
        assert desktop.cast.agent("bob").seat == ""


@CONFIGURED
def test_the_later_of_a_word_at_the_desk_and_a_sign_in_counts(desktop, at_desk):
    browser = at_desk("bob")
    browser.send("/desk/place/", place="Plats 1")
    assert desktop.cast.agent("bob").seat == "Plats 1"

    cookie = desktop.sign_in("bob", CONFIGURATION)
    page = browser.get("/desk/").text
    assert 'value="Plats 7"' in page
    assert '<th scope="row">DN2</th>' in page

    browser.send("/desk/place/", place="Plats 2")
    assert desktop.cast.agent("bob").seat == "Plats 2"
    desktop.post(cookie, LOGOUT)
    assert desktop.cast.agent("bob").seat == "Plats 2"


@CONFIGURED
def test_a_supervisor_sees_in_the_admin_who_sits_where(desktop, at_desk):
    desktop.sign_in("bob", CONFIGURATION)
    carol = at_desk("carol")

    assert "Plats 7" in carol.get("/admin/agents/agent/").text
    page = carol.get(f"/admin/agents/agent/{desktop.cast.agent('bob').pk}/change/").text
    assert "Plats 7" in page
    assert "DN1 Switch, DN2 Switch" in page


@CONFIGURED
def test_who_has_no_extension_signs_in_and_sits_nowhere(desktop):
    desktop.sign_in("alice", CONFIGURATION)

    assert Session.objects.get(door="genesys").details["place"] == "Plats 7"


# --- ping ------------------------------------------------------------------------------------------------------------
@PING
@pytest.mark.parametrize("path", ["/ping", "/ping/"])
def test_a_session_lives_ten_minutes_and_from_ping_to_ping_one(desktop, denied, path):
    cookie, at = desktop.sign_in("bob"), clock.now()

    def ping_after(**wait: float):
        nonlocal at
        at += timedelta(**wait)
        with time_machine.travel(at, tick=False):
            return desktop.get(path, cookie)

    answer = ping_after(minutes=9, seconds=59)
    assert (answer.status_code, answer.json()) == (200, DONE)
    assert ping_after(seconds=59).status_code == 200
    assert ping_after(seconds=59).status_code == 200
    denied(ping_after(seconds=60))
    denied(ping_after(seconds=0))


@PING
def test_a_session_without_any_ping_is_over_after_ten_minutes(desktop, denied):
    cookie = desktop.sign_in("bob")

    with time_machine.travel(clock.now() + timedelta(minutes=10), tick=False):
        denied(desktop.get("/ping", cookie))
        denied(desktop.get(ME, cookie))


@PING
def test_nothing_but_a_ping_moves_the_timer(desktop, denied):
    cookie, at = desktop.sign_in("bob"), clock.now()
    with time_machine.travel(at, tick=False):
        desktop.get("/ping", cookie)
    with time_machine.travel(at + timedelta(seconds=50), tick=False):
        assert desktop.get(ME, cookie).status_code == 200

    with time_machine.travel(at + timedelta(seconds=61), tick=False):
        denied(desktop.get("/ping", cookie))


@PING
def test_the_operator_sets_the_minute(desktop, denied, settings):
    settings.SRS_PING_SECONDS = 5
    cookie, at = desktop.sign_in("bob"), clock.now()
    with time_machine.travel(at, tick=False):
        desktop.get("/ping", cookie)

    with time_machine.travel(at + timedelta(seconds=5), tick=False):
        denied(desktop.get("/ping", cookie))


@PING
def test_every_ping_is_written_down_and_its_person_once_a_minute(desktop, django_assert_num_queries):
    cookie, at = desktop.sign_in("bob"), clock.now()

    for later, queries in ((1, 3), (55, 3), (65, 4)):
        with time_machine.travel(at + timedelta(seconds=later), tick=False), django_assert_num_queries(queries):
            assert desktop.get("/ping", cookie).status_code == 200
        assert Session.objects.get(door="genesys").last_seen_at == at + timedelta(seconds=later)

    assert desktop.cast.user("bob").last_seen_at == at + timedelta(seconds=65)


@PING
def test_a_ping_with_a_password_means_all_sessions_of_its_person(desktop, denied):
    denied(desktop.get("/ping", desktop.basic("bob")))
    first, second, other = desktop.sign_in("bob"), desktop.sign_in("bob"), desktop.sign_in("ivan")
    at = clock.now() + timedelta(minutes=9, seconds=50)

    with time_machine.travel(at, tick=False):
        assert desktop.get("/ping", desktop.basic("bob")).json() == DONE
    with time_machine.travel(at + timedelta(seconds=30), tick=False):
        assert [desktop.get("/ping", cookie).status_code for cookie in (first, second, other)] == [200, 200, 401]
    with time_machine.travel(at + timedelta(seconds=95), tick=False):
        denied(desktop.get("/ping", desktop.basic("bob")))


@PING
def test_a_ping_needs_a_credential_of_this_door(desktop, denied):
    denied(desktop.get("/ping"))
    for door in ("ping", "platform28", "portal"):
        secret = desktop.cast.session("bob", door=door).secret
        denied(desktop.get("/ping", {"Cookie": f"JSESSIONID={secret}"}))


# --- logout ----------------------------------------------------------------------------------------------------------
@ENDED
@pytest.mark.parametrize("path", ["/api/v2/me", "/api/v2/me/"])
def test_logging_out_by_cookie_ends_this_session_and_takes_the_cookie_back(desktop, denied, path):
    first, second = desktop.sign_in("bob"), desktop.sign_in("bob")

    answer = desktop.ask("POST", path, first | {"Origin": ORIGIN}, LOGOUT)

    assert (answer.status_code, answer.json()) == (200, DONE)
    assert answer.headers["Set-Cookie"] == GONE
    denied(desktop.get("/ping", first))
    denied(desktop.post(first, LOGOUT))
    assert desktop.get("/ping", second).status_code == 200


@ENDED
def test_logging_out_by_password_ends_all_sessions_of_this_door(desktop, denied):
    first, second, other = desktop.sign_in("bob"), desktop.sign_in("bob"), desktop.sign_in("ivan")
    elsewhere = desktop.cast.session("bob", door="platform28").session

    answer = desktop.post(desktop.basic("bob"), LOGOUT)

    assert (answer.status_code, answer.json()) == (200, DONE)
    for cookie in (first, second):
        denied(desktop.get("/ping", cookie))
    assert desktop.get("/ping", other).status_code == 200
    assert Session.objects.get(pk=elsewhere.pk).ended_at is None
    assert desktop.post(desktop.basic("bob"), LOGOUT).json() == DONE


@ENDED
def test_a_cookie_beside_a_password_says_which_session_is_meant(desktop):
    first, second, ivan = desktop.sign_in("bob"), desktop.sign_in("bob"), desktop.sign_in("ivan")
    alive = lambda *cookies: [desktop.get("/ping", cookie).status_code for cookie in cookies]  # noqa: E731

    desktop.post(desktop.basic("bob") | first, LOGOUT)
    assert alive(first, second) == [401, 200]
    desktop.post(desktop.basic("bob") | ivan, LOGOUT)  # another's says nothing about bob's
    assert alive(second, ivan) == [401, 200]
    third = desktop.sign_in("bob")
    desktop.post(desktop.basic("bob") | first, LOGOUT)  # and a dead one nothing at all
    assert alive(third) == [401]


@ENDED
def test_a_session_opened_with_a_token_ends_with_that_token_only(desktop, refused):
    guarded, another = (desktop.sign_in("bob", **{"X-Support-CSRFP": "True"}) for _ in range(2))
    bare = {"Cookie": guarded["Cookie"]}

    for token in (
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": str(uuid.uuid4())},
        {"X-CSRF-Token": another["X-CSRF-Token"]},
    ):
        refused(desktop.post(bare | token, LOGOUT), *CSRF_WRONG)
    assert desktop.get("/ping", bare).status_code == 200

    assert desktop.post(bare | {"x-csrf-TOKEN": guarded["X-CSRF-Token"]}, LOGOUT).json() == DONE


@ENDED
def test_a_logout_by_password_needs_one_of_the_tokens_if_there_are_any(desktop, refused):
    desktop.sign_in("bob")
    guarded = desktop.sign_in("bob", **{"X-Support-CSRFP": "True"})

    refused(desktop.post(desktop.basic("bob"), LOGOUT), *CSRF_WRONG)
    token = {"X-CSRF-Token": guarded["X-CSRF-Token"]}

    assert desktop.post(desktop.basic("bob") | token, LOGOUT).json() == DONE
    assert not Session.objects.filter(door="genesys", ended_at=None).exists()


@ENDED
def test_a_cookie_alone_from_a_page_that_is_not_listed_is_forbidden(desktop, refused):
    cookie = desktop.sign_in("bob")

    for origin in (EVIL, "null", "http://desk.acme.example", "https://desk.acme.example:8443"):
        for body in (LOGOUT, [], b"{", None):
            refused(desktop.post(cookie | {"Origin": origin}, body), 403, 3, "Forbidden")
    assert desktop.get("/ping", cookie | {"Origin": EVIL}).status_code == 200

    answer = desktop.post(desktop.basic("bob", Origin=EVIL), LOGOUT)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, False)


@ENDED
def test_a_disabled_person_and_a_new_password_end_sessions_at_once(desktop, denied):
    bob, ivan = desktop.sign_in("bob"), desktop.sign_in("ivan")

    users.disable(by=at_the_console(), user=desktop.cast.user("bob"))
    users.set_password(by=at_the_console(), user=desktop.cast.user("ivan"), clear="another long password")

    denied(desktop.get("/ping", bob))
    denied(desktop.get("/ping", ivan))


# --- the rest --------------------------------------------------------------------------------------------------------
@VERSION
@pytest.mark.parametrize("path", ["/version", "/version/"])
def test_the_version_is_told_to_everybody(desktop, path):
    answer = desktop.get(path, {"Authorization": "Basic %%%", "Cookie": "JSESSIONID=dead"})

    assert answer.status_code == 200
    assert set(answer.json()) == {"version"}
    assert re.fullmatch(r"8\.5\.\d{3}\.\d{2}", answer.json()["version"])


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/api/v2/me", "GET, HEAD, OPTIONS, POST"), ("/ping", "GET, HEAD, OPTIONS"), ("/version", "GET, HEAD, OPTIONS")],
)
def test_any_other_verb_is_405_and_says_which_there_are(desktop, refused, path, allowed):
    answer = desktop.ask("DELETE", path)

    refused(answer, 405, 2, "Method not allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/api/v2",
        "/api/v2/",
        "/api/v2x",
        "/api/v2/users/1",
        "/api//v2/me",
        "/pingx",
        "/ping//",
        "/versions",
        "/api/v2/me;x",
    ],
)
def test_whatever_begins_so_is_refused_in_this_dialect(desktop, refused, path):
    refused(desktop.get(path, desktop.basic("bob")), 404, 6, "Not found")
