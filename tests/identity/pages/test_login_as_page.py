"""The button's own door: who gets in, what it refuses and how, what one may do behind it, and the way out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from agents import actions as agents
from identity import audit, clock, login_as, organizations, second_factor, users
from identity.models import AuditEvent, LoginAs, Session, User
from identity.pages.middleware import PortalAuthentication
from identity.principal import Principal, Role
from tests.browsers import REASON, Browser
from tests.cast import Cast

AtDesk = Callable[[str], Browser]


@pytest.fixture
def acting(at_desk: AtDesk, cast: Cast) -> Browser:
    """Alice's browser while she works as bob."""
    alice = at_desk("alice")
    assert alice.work_as(cast, "bob").status_code == 302
    alice.get("/desk/")
    return alice


@pytest.fixture
def looking(at_desk: AtDesk, cast: Cast) -> Browser:
    """Alice's browser while she looks as bob."""
    alice = at_desk("alice")
    assert alice.work_as(cast, "bob", mode="look").status_code == 302
    alice.get("/desk/")
    return alice


def banner_of(page: Any) -> str:
    """The words of the banner, or nothing."""
    found = re.search(r'<section class="sb-acting".*?</section>', page.text, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found.group()).split()) if found else ""


# --- in --------------------------------------------------------------------------------------------------------------------------
def test_the_button_shows_the_desk_of_the_other_under_a_banner(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")

    answer = alice.work_as(cast, "bob")
    page = alice.get("/desk/")

    assert (answer.status_code, answer.url) == (302, "/desk/")
    assert f'data-login-as="{cast.user("bob").pk}"' in page.text
    assert banner_of(page).startswith(f"alice is working as bob Reason: {REASON} May act Ends ")
    assert cast.agent("bob").extension in page.text
    kept = alice.cookies[settings.ACTING_COOKIE]
    assert (kept["httponly"], kept["secure"], kept["samesite"], kept["path"]) == (True, True, "Lax", "/")


def test_both_people_are_on_record(acting: Browser, cast: Cast) -> None:
    row = AuditEvent.objects.get(event="login_as.started")
    said = audit.as_dict(row)
    assert {key: said[key] for key in ("door", "actor", "subject", "organization", "address")} == {
        "door": "portal", "actor": "alice", "subject": "bob", "organization": "acme", "address": "127.0.0.1",
    }  # fmt: skip


def test_looking_is_what_happens_when_no_mode_is_said(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    alice.send("/login-as/", user_id=cast.user("bob").pk, reason=REASON)
    assert LoginAs.objects.get().mode == "look"
    assert "Look only" in banner_of(alice.get("/desk/"))


def test_nothing_of_the_person_is_touched(at_desk: AtDesk, cast: Cast) -> None:
    before = User.objects.filter(username="bob").values().get()
    alice = at_desk("alice")
    alice.work_as(cast, "bob")
    alice.get("/desk/")
    alice.get("/account/")
    assert User.objects.filter(username="bob").values().get() == before


def test_the_own_session_stays_as_it_was(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    own = Session.objects.filter(user=cast.user("alice"), login_as=None).values().get()
    alice.work_as(cast, "bob")
    assert Session.objects.filter(pk=own["id"]).values().get() == own


@pytest.mark.parametrize(
    "path", ["/desk/", "/account/", "/nowhere/", "/admin/", "/admin/nothing/here/", "/reset/", "/login-as/"]
)
def test_the_banner_stands_on_every_page(acting: Browser, cast: Cast, path: str) -> None:
    page = acting.get(path)
    assert f'data-login-as="{cast.user("bob").pk}"' in page.text
    assert 'action="/login-as/stop/"' in page.text


def test_the_banner_stands_on_the_page_about_a_missing_token_too(acting: Browser) -> None:
    page = acting.post("/desk/presence/", {}, headers={"Referer": "https://testserver/"})
    assert page.status_code == 403
    assert banner_of(page).startswith("alice is working as bob")


def test_the_admin_stays_the_own_one(acting: Browser, cast: Cast) -> None:
    page = acting.get("/admin/")
    assert page.status_code == 200
    assert page.context["principal"].name == "alice"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/desk/", "/\\evil.example/"])
def test_a_hostile_next_is_ignored(at_desk: AtDesk, cast: Cast, target: str) -> None:
    answer = at_desk("alice").work_as(cast, "bob", next=target)
    assert (answer.status_code, answer.url) == (302, "/desk/")


def test_next_leads_to_a_page_of_the_portal(at_desk: AtDesk, cast: Cast) -> None:
    assert at_desk("alice").work_as(cast, "bob", next="/account/").url == "/account/"


# --- no --------------------------------------------------------------------------------------------------------------------------
def lock(cast: Cast, console: Principal) -> None:
    users.lock(by=console, user=cast.user("bob"))


def protect(cast: Cast, console: Principal) -> None:
    users.protect(by=console, user=cast.user("bob"), is_protected=True)


def promote(cast: Cast, console: Principal) -> None:
    organizations.join(by=console, user=cast.user("bob"), organization=cast.organization("acme"), roles=[Role.ADMIN])


def serve(cast: Cast, console: Principal) -> None:
    User.objects.filter(username="bob").update(is_service=True)


def nothing(cast: Cast, console: Principal) -> None:
    pass


@pytest.mark.parametrize(
    ("actor", "target", "prepare", "rule"),
    [
        ("bob", "ivan", nothing, "not_allowed"),
        ("carol", "bob", nothing, "not_allowed"),
        ("alice", "alice", nothing, "self"),
        ("alice", "dave", nothing, "inactive"),
        ("alice", "bob", lock, "locked"),
        ("alice", "bob", protect, "protected"),
        ("alice", "bob", promote, "stronger"),
        ("alice", "bob", serve, "service"),
    ],
)
def test_a_refusal_names_its_rule(
    at_desk: AtDesk, cast: Cast, console: Principal, actor: str, target: str, prepare: Callable[..., None], rule: str
) -> None:
    prepare(cast, console)
    browser = at_desk(actor)

    page = browser.work_as(cast, target)

    assert page.status_code == 403
    assert re.findall(r'data-rule="([^"]*)"', page.text) == [rule]
    assert not browser.is_acting
    assert AuditEvent.objects.get(event="login_as.refused").rule == rule


def test_nobody_nests(acting: Browser, cast: Cast) -> None:
    page = acting.work_as(cast, "ivan")
    assert (page.status_code, re.findall(r'data-rule="([^"]*)"', page.text)) == (403, ["nested"])
    assert banner_of(acting.get("/desk/")).startswith("alice is working as bob")


def test_a_session_without_the_second_factor_is_too_little(at_desk: AtDesk, cast: Cast, console: Principal) -> None:
    alice = at_desk("alice")
    second_factor.enrol(by=console, user=cast.user("alice"))
    page = alice.work_as(cast, "bob")
    assert (page.status_code, re.findall(r'data-rule="([^"]*)"', page.text)) == (403, ["second_factor"])


def test_a_person_of_another_organisation_is_nobody(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    answers = [alice.work_as(cast, "erin")]
    for nobody in ("987654321", "x", "", "0", "-1", "9" * 40, "1\x00"):
        answers.append(alice.send("/login-as/", user_id=nobody, reason=REASON))
    assert [answer.status_code for answer in answers[:-1]] == [404] * 7
    assert answers[-1].status_code == 400
    assert not alice.is_acting


@pytest.mark.parametrize(
    "fields",
    [
        {"reason": "too short"},
        {"reason": "   short     "},
        {"reason": ""},
        {"reason": "Ticket\x00 4711"},
        {"reason": "Ticket \x1b[2J 4711"},
        {"mode": "rule"},
    ],
)
def test_a_reason_and_a_mode_have_to_make_sense(at_desk: AtDesk, cast: Cast, fields: dict[str, str]) -> None:
    alice = at_desk("alice")
    page = alice.work_as(cast, "bob", **fields)
    assert page.status_code == 400
    assert (alice.is_acting, LoginAs.objects.count()) == (False, 0)


def test_a_form_of_another_site_is_refused(at_desk: AtDesk, cast: Cast) -> None:
    alice = at_desk("alice")
    page = alice.post(
        "/login-as/", {"user_id": cast.user("bob").pk, "reason": REASON}, headers={"Referer": "https://testserver/"}
    )
    assert (page.status_code, alice.is_acting) == (403, False)


def test_strangers_sign_in_first(browser: Browser, cast: Cast) -> None:
    browser.get("/login/")
    assert browser.work_as(cast, "bob").url == "/login/?next=/"
    assert browser.send("/login-as/stop/").url == "/login/?next=/"


# --- looking and acting --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "path",
    [
        "/desk/presence/",
        "/desk/place/",
        "/account/password/",
        "/account/sessions/end/",
        "/account/tokens/",
        "/language/",
        "/reset/",
        "/account/second-factor/",
    ],
)
def test_looking_refuses_whatever_could_change_something(looking: Browser, cast: Cast, path: str) -> None:
    page = looking.send(path, name="Lunch", place="12", language="sv", email="bob@acme.example")
    assert page.status_code == 403
    assert "You are looking only." in page.text
    assert banner_of(page).startswith("alice is working as bob")
    assert (cast.agent("bob").profile_name, cast.agent("bob").place) == ("", "")


def test_looking_shows_no_form_that_would_be_refused(looking: Browser) -> None:
    page = looking.get("/desk/").text
    assert 'action="/desk/presence/"' not in page
    assert 'action="/desk/place/"' not in page


def test_acting_does_things_for_the_person(acting: Browser, cast: Cast) -> None:
    assert acting.send("/desk/presence/", name="Lunch", message="Back at one").status_code == 302
    assert (cast.agent("bob").profile_name, cast.agent("bob").is_available) == ("Lunch", False)
    assert agents.of_user(user_id=cast.user("alice").pk, organization_id=cast.organization("acme").pk) is None


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/account/password/", {"old_password": "x", "password": "three wild horses 9"}),
        ("/account/sessions/end/", {}),
        ("/account/tokens/", {"label": "phone", "domain": "desk.acme.example", "lifetime": "30"}),
        ("/account/second-factor/", {"otp": "123456"}),
        ("/account/backup-codes/", {}),
    ],
)
def test_the_account_of_the_person_is_out_of_reach(
    acting: Browser, cast: Cast, path: str, fields: dict[str, str]
) -> None:
    before, counters = (
        User.objects.filter(username="bob").values().get(),
        AuditEvent.objects.filter(event="login.failed").count(),
    )
    page = acting.send(path, **fields)
    assert page.status_code == 403
    assert "Nobody may do this while working as somebody else." in page.text
    assert User.objects.filter(username="bob").values().get() == before
    assert AuditEvent.objects.filter(event="login.failed").count() == counters, "nobody is locked out this way"


def test_the_sessions_of_the_person_cannot_be_ended(acting: Browser, cast: Cast) -> None:
    bobs = cast.session("bob", door="portal").session
    assert acting.send(f"/account/sessions/{bobs.pk}/end/").status_code == 403
    assert Session.objects.get(pk=bobs.pk).ended_at is None


def test_enrolling_for_the_person_is_refused_before_a_secret_is_shown(acting: Browser) -> None:
    assert acting.get("/account/second-factor/").status_code == 403


# --- out -------------------------------------------------------------------------------------------------------------------------------
def test_stop_gives_the_own_session_back(acting: Browser, cast: Cast) -> None:
    answer = acting.send("/login-as/stop/")

    assert (answer.status_code, answer.url) == (302, "/admin/")
    assert (acting.is_acting, acting.is_signed_in) == (False, True)
    page = acting.get("/desk/")
    assert (page.status_code, banner_of(page)) == (200, "")
    assert "Desk of alice" in page.text
    assert AuditEvent.objects.filter(event="login_as.ended", actor="alice").count() == 1


def test_stop_works_while_looking_and_a_second_time(looking: Browser) -> None:
    assert [looking.send("/login-as/stop/").status_code for _ in range(2)] == [302, 302]
    assert not looking.is_acting


def test_the_acting_cookie_is_dead_after_the_stop(acting: Browser) -> None:
    secret = acting.cookies[settings.ACTING_COOKIE].value
    acting.send("/login-as/stop/")
    acting.cookies[settings.ACTING_COOKIE] = secret
    assert banner_of(acting.get("/desk/")) == ""


def test_at_the_deadline_one_is_oneself_again_and_told_so(acting: Browser) -> None:
    LoginAs.objects.update(deadline_at=clock.now() - timedelta(seconds=1))

    page = acting.get("/desk/")

    assert (page.status_code, banner_of(page)) == (200, "")
    assert "Desk of alice" in page.text
    assert "Working as somebody else is over. You are yourself again." in page.text
    assert not acting.is_acting
    assert "You are yourself again" not in acting.get("/desk/").text


def test_what_is_posted_after_the_deadline_is_not_done_as_oneself_unseen(acting: Browser, cast: Cast) -> None:
    LoginAs.objects.update(deadline_at=clock.now() - timedelta(seconds=1))
    assert acting.send("/desk/presence/", name="Lunch").status_code == 404, "alice has no extension"
    assert cast.agent("bob").profile_name == ""


def test_an_admin_who_ends_it_is_felt_at_the_next_request(acting: Browser, cast: Cast) -> None:
    login_as.end(login_as=LoginAs.objects.get(), reason="ended")
    assert banner_of(acting.get("/desk/")) == ""


def test_the_acting_cookie_alone_opens_nothing(acting: Browser, cast: Cast) -> None:
    thief = Browser()
    thief.cookies[settings.ACTING_COOKIE] = acting.cookies[settings.ACTING_COOKIE].value
    assert thief.get("/desk/").url == "/login/?next=/desk/"
    assert not thief.is_acting


def test_the_acting_cookie_serves_nobody_else(acting: Browser, at_desk: AtDesk) -> None:
    carol = at_desk("carol")
    carol.cookies[settings.ACTING_COOKIE] = acting.cookies[settings.ACTING_COOKIE].value
    page = carol.get("/desk/")
    assert ("Desk of carol" in page.text, banner_of(page)) == (True, "")


def test_signing_in_anew_ends_what_ran(acting: Browser, cast: Cast) -> None:
    acting.cookies.pop(settings.PORTAL_COOKIE)
    acting.get("/login/")
    acting.sign_in(cast, "bob")
    assert (acting.is_acting, banner_of(acting.get("/desk/"))) == (False, "")


def test_working_as_another_keeps_the_own_session_awake(acting: Browser, cast: Cast) -> None:
    before = clock.now() - timedelta(minutes=10)
    Session.objects.filter(user=cast.user("alice")).update(last_seen_at=before)
    acting.get("/desk/")
    assert not Session.objects.filter(user=cast.user("alice"), last_seen_at=before).exists()


# --- the person ------------------------------------------------------------------------------------------------------------------------
def test_the_person_sees_who_worked_as_them_and_why(acting: Browser, at_desk: AtDesk) -> None:
    acting.send("/login-as/stop/")
    for path in ("/desk/", "/account/"):
        page = at_desk("bob").get(path).text
        assert "Alice Almgren" in page
        assert REASON in page


def test_the_actor_sees_in_another_browser_that_she_works_as_somebody(acting: Browser, at_desk: AtDesk) -> None:
    page = at_desk("alice").get("/account/").text
    assert "Working as bob" in page
    assert "Desk of alice" not in page


# --- numbers ------------------------------------------------------------------------------------------------------------------------------
def found_by(middleware: PortalAuthentication, browser: Browser, path: str) -> Any:
    request = HttpRequest()
    request.path = path
    request.COOKIES = {name: kept.value for name, kept in browser.cookies.items()}
    middleware.process_request(request)
    return request


@pytest.mark.parametrize("is_acting", [False, True])
def test_a_page_costs_two_queries_for_knowing_who_asks(
    at_desk: AtDesk, cast: Cast, django_assert_num_queries: Any, is_acting: bool
) -> None:
    alice = at_desk("alice")
    if is_acting:
        alice.work_as(cast, "bob")
    request = found_by(PortalAuthentication(lambda _: HttpResponse()), alice, "/desk/")
    with django_assert_num_queries(2):
        assert request.principal.name == ("bob" if is_acting else "alice")
        assert bool(request.acting) is is_acting
        assert request.user.username == request.principal.name


def test_the_desk_costs_the_same_however_many_sessions_there_are(
    acting: Browser, cast: Cast, django_assert_num_queries: Any
) -> None:
    for _ in range(5):
        cast.session("bob", door="portal")
    # Who asks, acting included: 2; the agent, the sessions, who worked as the person: 1 each.
    with django_assert_num_queries(5):
        acting.get("/desk/")
