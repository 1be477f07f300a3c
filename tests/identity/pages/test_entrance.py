"""Signing in and out in the browser: same words for every no, own paths only, one cookie with the right flags."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from identity import clock, organizations, second_factor, users
from identity.models import AuditEvent, Session, User
from identity.principal import Principal
from tests.browsers import Browser, code_of
from tests.cast import Cast

AtDesk = Callable[[str], Browser]


def words_of(page: Any) -> str:
    """A page without its tokens, which differ each time."""
    return re.sub(r'value="[^"]{40,}"|<span class="sb-secret">\w+</span>', "", page.text)


# --- the front door ----------------------------------------------------------------------------------------------------------
def test_strangers_are_led_to_the_sign_in_and_people_to_their_desk(browser: Browser, at_desk: AtDesk) -> None:
    assert browser.get("/").url == "/login/"
    assert browser.get("/desk/").url == "/login/?next=/desk/"
    assert browser.get("/account/").url == "/login/?next=/account/"
    bob = at_desk("bob")
    assert bob.get("/").url == "/desk/"
    assert bob.get("/login/").url == "/desk/"
    assert bob.get("/login/?next=/account/").url == "/account/"


def test_an_operator_is_led_to_the_admin(browser: Browser, db: None) -> None:
    User.objects.create_superuser("olga", "olga@portal.example", "correct horse battery")
    browser.get("/login/")

    answer = browser.send("/login/", username="olga", password="correct horse battery")

    assert (answer.status_code, answer.url) == (302, "/admin/")
    assert browser.get("/").url == "/admin/"
    assert browser.get("/desk/").status_code == 403


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(browser: Browser, cast: Cast) -> None:
    browser.sign_in(cast, "bob")

    kept = browser.cookies[settings.PORTAL_COOKIE]

    assert (kept["httponly"], kept["secure"], kept["samesite"], kept["path"]) == (True, True, "Lax", "/")
    assert (kept["max-age"], kept["expires"], kept["domain"]) == ("", "", "")
    assert not Session.objects.filter(digest=kept.value).exists(), "only a digest is stored"


@pytest.mark.parametrize(("name", "minutes"), [("bob", 30), ("carol", 30), ("alice", 15)])
def test_a_session_lives_twelve_hours_and_idles_less_for_admins(at_desk: AtDesk, name: str, minutes: int) -> None:
    at_desk(name)
    session = Session.objects.get(user__username=name, door="portal")
    assert session.expires_at - session.created_at == timedelta(hours=12)
    assert session.idle_seconds == minutes * 60


def test_an_idle_browser_is_signed_out_and_forgets_its_cookie(at_desk: AtDesk) -> None:
    bob = at_desk("bob")
    Session.objects.update(last_seen_at=clock.now() - timedelta(minutes=31))

    assert bob.get("/desk/").url == "/login/?next=/desk/"
    assert not bob.is_signed_in


def test_people_sign_in_by_e_mail_too_and_it_is_on_record(browser: Browser, cast: Cast) -> None:
    browser.get("/login/")

    answer = browser.send("/login/", username=" BOB@acme.example ", password=cast.password("bob"))

    assert (answer.status_code, answer.url) == (302, "/desk/")
    row = AuditEvent.objects.get(event="login.succeeded")
    assert (row.door, row.address) == ("portal", "127.0.0.1")


# --- no --------------------------------------------------------------------------------------------------------------------------
def test_every_no_looks_alike(browser: Browser, cast: Cast, console: Principal) -> None:
    users.lock(by=console, user=cast.user("ivan"))
    tries = (("bob", "wrong"), ("nobody", "wrong"), ("dave", cast.password("dave")), ("ivan", cast.password("ivan")))
    answers = []
    for name, password in tries:
        browser.get("/login/")
        answers.append(browser.send("/login/", username=name, password=password))

    assert [answer.status_code for answer in answers] == [401] * 4
    assert len({words_of(answer).replace(name, "") for answer, (name, _) in zip(answers, tries, strict=True)}) == 1
    assert "do not fit" in answers[0].text
    assert not browser.is_signed_in


def test_a_password_is_never_sent_back(browser: Browser, cast: Cast) -> None:
    browser.get("/login/")
    assert "sesame-street-7" not in browser.send("/login/", username="bob", password="sesame-street-7").text


@pytest.mark.parametrize(
    "fields",
    [{}, {"username": "bob"}, {"username": "bo\x00b", "password": "x"}, {"username": "b" * 300, "password": "x"}],
)
def test_a_form_that_makes_no_sense_says_so(browser: Browser, db: None, fields: dict[str, str]) -> None:
    browser.get("/login/")
    assert browser.send("/login/", **fields).status_code == 400


def test_too_many_failures_are_429_with_the_time_to_wait(browser: Browser, cast: Cast) -> None:
    for _ in range(settings.LOCKOUT_FAILURES):
        browser.get("/login/")
        assert browser.send("/login/", username="bob", password="wrong").status_code == 401

    answer = browser.send("/login/", username="bob", password=cast.password("bob"))

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= settings.LOCKOUT_SECONDS
    assert "Too many attempts" in answer.text


def test_a_form_without_its_token_is_refused_in_the_house_s_own_words(browser: Browser, cast: Cast) -> None:
    answer = browser.post("/login/", {"username": "bob", "password": cast.password("bob")})
    assert answer.status_code == 403
    assert "We could not be sure that you sent this" in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "desk/",
        "/a\r\nX: y",
        "/" + "a" * 3000,
    ],
)
def test_next_leads_nowhere_but_into_the_portal(browser: Browser, cast: Cast, target: str) -> None:
    browser.get("/login/", {"next": target})
    answer = browser.send("/login/", username="bob", password=cast.password("bob"), next=target)
    assert (answer.status_code, answer.url) == (302, "/desk/")


def test_next_leads_to_where_one_wanted_to_go(browser: Browser, cast: Cast) -> None:
    assert 'name="next" value="/account/?a=1"' in browser.get("/login/?next=/account/%3Fa%3D1").text
    answer = browser.send("/login/", username="bob", password=cast.password("bob"), next="/account/?a=1")
    assert answer.url == "/account/?a=1"


@pytest.mark.parametrize(
    ("scheme", "address", "is_said"),
    [("http", "192.0.2.7", True), ("https", "192.0.2.7", False), ("http", "127.0.0.1", False), ("http", "::1", False)],
)
def test_the_page_says_when_the_cookie_will_be_dropped(db: None, scheme: str, address: str, is_said: bool) -> None:
    page = Client(REMOTE_ADDR=address).get("/login/", secure=scheme == "https")
    assert ("keeps the sign-in cookie only over https" in page.text) is is_said


# --- second factor --------------------------------------------------------------------------------------------------------------------
def test_the_code_is_asked_for_after_the_right_password_only(browser: Browser, cast: Cast, console: Principal) -> None:
    secret = second_factor.enrol(by=console, user=cast.user("bob")).secret
    assert 'name="otp"' not in browser.get("/login/").text
    assert 'name="otp"' not in browser.send("/login/", username="bob", password="wrong").text

    asked = browser.send("/login/", username="bob", password=cast.password("bob"))
    wrong = browser.send("/login/", username="bob", password=cast.password("bob"), otp="000000")
    right = browser.send("/login/", username="bob", password=cast.password("bob"), otp=code_of(secret))

    assert asked.status_code == wrong.status_code == 401
    assert 'name="otp"' in asked.text
    assert 'name="otp"' in wrong.text
    assert right.status_code == 302
    assert Session.objects.get(door="portal").second_factor_at is not None


def test_who_enrolled_elsewhere_meanwhile_is_asked_again_before_the_admin(
    at_desk: AtDesk, cast: Cast, console: Principal
) -> None:
    alice = at_desk("alice")
    secret = second_factor.enrol(by=console, user=cast.user("alice")).secret

    asked = alice.get("/admin/")
    page = alice.get(asked.url)

    assert asked.url == "/login/?next=/admin/"
    assert page.status_code == 200
    assert 'name="otp"' in page.text
    answer = alice.send(
        "/login/", username="alice", password=cast.password("alice"), otp=code_of(secret), next="/admin/"
    )
    assert answer.url == "/admin/"
    assert alice.get("/admin/").status_code == 200
    assert Session.objects.filter(user__username="alice", ended_at=None).count() == 1, "the session before has ended"


def test_an_organisation_can_demand_enrolment_before_anything_else(
    at_desk: AtDesk, cast: Cast, console: Principal
) -> None:
    organizations.change(by=console, organization=cast.organization("acme"), requires_second_factor=True)
    browser = Browser()
    browser.get("/login/")
    browser.send("/login/", username="alice", password=cast.password("alice"))

    for path in ("/desk/", "/account/", "/admin/"):
        assert browser.get(path).url == "/account/second-factor/"
    page = browser.get("/account/second-factor/")
    assert "Your organisation asks everybody for one" in page.text
    assert browser.work_as(cast, "bob").url == "/account/second-factor/"
    codes = browser.send("/account/second-factor/", otp=code_of(page.context["secret"].replace(" ", "")))
    assert codes.status_code == 200
    assert browser.get("/desk/").status_code == browser.get("/admin/").status_code == 200
    assert browser.work_as(cast, "bob").url == "/desk/", "the session in which one enrols has passed the factor"


# --- out ---------------------------------------------------------------------------------------------------------------------------------
def test_logging_out_ends_the_session_for_good(at_desk: AtDesk) -> None:
    bob = at_desk("bob")
    secret = bob.cookies[settings.PORTAL_COOKIE].value

    assert bob.send("/logout/").url == "/login/"

    assert not bob.is_signed_in
    bob.cookies[settings.PORTAL_COOKIE] = secret
    assert bob.get("/desk/").url == "/login/?next=/desk/"
    assert AuditEvent.objects.filter(event="session.ended", actor="bob").count() == 1


def test_logging_out_ends_what_one_works_as_too(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    alice.work_as(cast, "bob", mode="look")
    alice.get("/desk/")

    assert alice.send("/logout/").url == "/login/"

    assert (alice.is_signed_in, alice.is_acting) == (False, False)
    assert not Session.objects.filter(user=cast.user("alice"), ended_at=None).exists()


def test_strangers_may_log_out_too(browser: Browser, db: None) -> None:
    browser.get("/login/")
    assert browser.send("/logout/").url == "/login/"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/logout/", "POST"),
        ("/login-as/", "POST"),
        ("/login-as/stop/", "POST"),
        ("/language/", "POST"),
        ("/account/password/", "POST"),
        ("/desk/presence/", "POST"),
    ],
)
def test_what_changes_something_does_not_answer_a_link(browser: Browser, db: None, path: str, allowed: str) -> None:
    answer = browser.get(path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert "This address does not work that way" in answer.text


@pytest.mark.parametrize("path", ["/", "/login/", "/desk/", "/account/", "/reset/"])
def test_unknown_methods_are_refused_before_anybody_is_asked_who_they_are(
    browser: Browser, db: None, path: str
) -> None:
    browser.get("/login/")
    assert browser.options(path).status_code == 405
    assert browser.head(path).status_code in (200, 302)


# --- language ----------------------------------------------------------------------------------------------------------------------------
def test_the_language_is_remembered_with_the_person(at_desk: AtDesk, cast: Cast) -> None:
    bob = at_desk("bob")

    answer = bob.send("/language/", language="sv", next="/account/")

    assert (answer.status_code, answer.url) == (302, "/account/")
    assert '<html lang="sv"' in bob.get("/account/").text
    assert cast.user("bob").language == "sv"
    assert '<html lang="sv"' in Browser().sign_in(cast, "bob").get("/desk/").text


@pytest.mark.parametrize("language", ["", "xx", "en\x00", "e" * 50])
def test_a_language_that_nobody_speaks_changes_nothing(browser: Browser, db: None, language: str) -> None:
    browser.get("/login/")
    answer = browser.send("/language/", language=language, next="//evil.example/")
    assert (answer.status_code, answer.url) == (302, "/")
    assert not browser.has(settings.LANGUAGE_COOKIE_NAME)


def test_whoever_works_as_another_does_not_change_their_language(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    alice.work_as(cast, "bob")
    alice.get("/desk/")

    alice.send("/language/", language="sv", next="/desk/")

    assert '<html lang="sv"' in alice.get("/desk/").text
    assert (cast.user("alice").language, cast.user("bob").language) == ("", "")
