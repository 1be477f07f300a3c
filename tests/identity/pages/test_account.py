"""The account page: password, sessions, tokens and the second factor, each with its proof and its limits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from identity import clock, personal_tokens, second_factor, sessions
from identity.errors import CredentialRevoked, NotAllowed, NotFound
from identity.models import AuditEvent, BackupCode, Session, TotpDevice, User
from identity.principal import Principal, Via
from tests.browsers import Browser, code_of
from tests.cast import Cast

AtDesk = Callable[[str], Browser]
NEW = "three wild horses 9"


# --- password ------------------------------------------------------------------------------------------------------------------
def test_a_password_is_changed_with_the_old_one_and_the_other_sessions_end(at_desk: AtDesk, cast: Cast) -> None:
    here, there = at_desk("bob"), at_desk("bob")

    answer = here.send("/account/password/", old_password=cast.password("bob"), password=NEW)

    assert (answer.status_code, answer.url) == (302, "/account/")
    assert "Your password is changed" in here.get("/account/").text
    assert there.get("/account/").url == "/login/?next=/account/"
    assert cast.user("bob").check_password(NEW)
    assert personal_tokens.of_user(cast.user("bob")).count() == 1, "personal tokens outlive a change"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("wrong", NEW, "This is not your password."),
        (None, "short", "too short"),
        (None, "password1234", "too common"),
        (None, "bob@acme.example", "too similar"),
        (None, "", "This field is required."),
        ("", NEW, "This field is required."),
    ],
)
def test_a_password_that_will_not_do_is_named(
    at_desk: AtDesk, cast: Cast, old: str | None, new: str, words: str
) -> None:
    bob = at_desk("bob")
    page = bob.send("/account/password/", old_password=cast.password("bob") if old is None else old, password=new)
    assert page.status_code == 400
    assert words in page.text
    assert cast.user("bob").check_password(cast.password("bob"))


def test_guesses_at_the_old_password_are_counted_like_sign_ins(at_desk: AtDesk, cast: Cast) -> None:
    bob = at_desk("bob")
    statuses = [
        bob.send("/account/password/", old_password="wrong", password=NEW).status_code
        for _ in range(settings.LOCKOUT_FAILURES + 1)
    ]
    assert statuses == [400] * settings.LOCKOUT_FAILURES + [429]
    bob.get("/account/")
    right = bob.send("/account/password/", old_password=cast.password("bob"), password=NEW)
    assert (right.status_code, cast.user("bob").check_password(NEW)) == (429, False)


# --- sessions ------------------------------------------------------------------------------------------------------------------
def test_one_session_is_ended_and_dead_at_its_next_request(at_desk: AtDesk, cast: Cast) -> None:
    here, there = at_desk("bob"), at_desk("bob")
    other = Session.objects.filter(user=cast.user("bob"), door="portal").latest("created_at")
    here.get("/account/")

    assert here.send(f"/account/sessions/{other.pk}/end/", next="/desk/").url == "/desk/"

    assert there.get("/desk/").url == "/login/?next=/desk/"
    assert "The session has ended." in here.get("/desk/").text


def test_all_other_sessions_end_at_once(at_desk: AtDesk, cast: Cast) -> None:
    here, one, two = (at_desk("bob") for _ in range(3))
    here.get("/account/")

    here.send("/account/sessions/end/")

    assert "2 sessions have ended." in here.get("/account/").text
    assert {one.get("/account/").status_code, two.get("/account/").status_code} == {302}
    assert personal_tokens.of_user(cast.user("bob")).count() == 1


@pytest.mark.parametrize("where", ["sessions", "tokens"])
def test_what_belongs_to_somebody_else_cannot_be_ended(at_desk: AtDesk, cast: Cast, where: str) -> None:
    ivans = cast.session("ivan", door="portal", is_personal_token=where == "tokens").session
    bob = at_desk("bob")
    bob.get("/account/")
    word = "end" if where == "sessions" else "revoke"
    assert bob.send(f"/account/{where}/{ivans.pk}/{word}/").status_code == 404
    assert bob.send(f"/account/{where}/00000000-0000-4000-8000-000000000000/{word}/").status_code == 404
    assert bob.send(f"/account/{where}/x/{word}/").status_code == 404
    assert Session.objects.get(pk=ivans.pk).ended_at is None


def test_nobody_ends_the_sessions_of_others_by_the_verb(cast: Cast) -> None:
    with pytest.raises(NotFound):
        sessions.close_others(by=cast.principal("alice"), user=cast.user("bob"))


# --- tokens ----------------------------------------------------------------------------------------------------------------------
def test_a_token_is_shown_once_and_revoked_for_good(at_desk: AtDesk, cast: Cast) -> None:
    bob = at_desk("bob")

    made = bob.send("/account/tokens/", label="My phone", domain="desk.acme.example", lifetime="30")

    assert made.status_code == 200
    text = re.search(r'<code class="sb-secret">([^<]+)</code>', made.text)
    assert text is not None
    audience = personal_tokens.audience("desk.acme.example")
    principal, _claims = sessions.by_token(text.group(1), audience=audience, via=Via(door="test"))
    assert principal.name == "bob"
    page = bob.get("/account/").text
    assert "My phone" in page
    assert text.group(1) not in page
    assert bob.send(f"/account/tokens/{principal.session_id}/revoke/").url == "/account/"
    with pytest.raises(CredentialRevoked):
        sessions.by_token(text.group(1), audience=audience, via=Via(door="test"))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"domain": "no domain"}, "A domain looks like"),
        ({"label": "   "}, "This field is required."),
        ({"lifetime": "366"}, "less than or equal to 365"),
        ({"lifetime": "0"}, "greater than or equal to 1"),
        ({"label": "a\x00b"}, "Null characters"),
    ],
)
def test_a_token_that_will_not_do_is_named(at_desk: AtDesk, fields: dict[str, str], words: str) -> None:
    page = at_desk("bob").send(
        "/account/tokens/", **{"label": "phone", "domain": "desk.acme.example", "lifetime": "9"} | fields
    )
    assert page.status_code == 400
    assert words in page.text
    assert Session.objects.filter(is_personal_token=True, details__domain="desk.acme.example").count() == 0


# --- second factor ---------------------------------------------------------------------------------------------------------------
def test_a_factor_is_enrolled_with_a_code_and_asked_for_from_then_on(
    at_desk: AtDesk, cast: Cast, browser: Browser
) -> None:
    bob = at_desk("bob")
    page = bob.get("/account/second-factor/")
    secret = page.context["secret"]
    assert page.context["qr"].startswith("data:image/svg+xml")

    wrong = bob.send("/account/second-factor/", otp="000000")
    again = wrong.context["secret"]
    shown = bob.send("/account/second-factor/", otp=code_of(secret))

    assert (wrong.status_code, "This code is wrong" in wrong.text, again) == (400, True, secret)
    codes = re.findall(r"<li>([A-Z0-9]{5}-[A-Z0-9]{5})</li>", shown.text)
    assert (shown.status_code, len(codes)) == (200, 10)
    assert "10 backup codes are left." in bob.get("/account/").text
    browser.get("/login/")
    assert browser.send("/login/", username="bob", password=cast.password("bob")).status_code == 401
    assert browser.send("/login/", username="bob", password=cast.password("bob"), otp=codes[0]).status_code == 302
    assert "9 backup codes are left." in browser.get("/account/").text
    other = Browser()
    other.get("/login/")
    assert other.send("/login/", username="bob", password=cast.password("bob"), otp=codes[0]).status_code == 401


def test_a_stolen_session_cannot_put_its_own_factor_in_place(at_desk: AtDesk, cast: Cast, console: Principal) -> None:
    bob = at_desk("bob")
    second_factor.enrol(by=console, user=cast.user("bob"))
    before = TotpDevice.objects.values_list("pk", flat=True).get()

    assert bob.get("/account/second-factor/").url == "/account/"
    assert bob.send("/account/second-factor/", otp="123456").url == "/account/"

    assert TotpDevice.objects.values_list("pk", flat=True).get() == before
    for verb in (
        lambda: second_factor.begin(by=cast.principal("bob"), user=cast.user("bob")),
        lambda: second_factor.confirm(by=cast.principal("bob"), user=cast.user("bob"), code="1"),
    ):
        with pytest.raises(NotAllowed):
            verb()


def test_a_secret_waits_an_hour_for_its_code(cast: Cast) -> None:
    bob, by = cast.user("bob"), cast.principal("bob")
    first = second_factor.begin(by=by, user=bob)
    assert second_factor.begin(by=by, user=bob) == first
    TotpDevice.objects.update(created_at=clock.now() - second_factor.WAITING)
    assert second_factor.begin(by=by, user=bob) != first
    assert TotpDevice.objects.count() == 1


def test_new_backup_codes_replace_the_old(at_desk: AtDesk, cast: Cast, console: Principal) -> None:
    bob = at_desk("bob")
    second_factor.enrol(by=console, user=cast.user("bob"))
    before = set(BackupCode.objects.values_list("digest", flat=True))
    bob.get("/account/")

    page = bob.send("/account/backup-codes/")

    assert len(re.findall(r"<li>[A-Z0-9]{5}-[A-Z0-9]{5}</li>", page.text)) == 10
    assert not before & set(BackupCode.objects.values_list("digest", flat=True))


def test_backup_codes_are_for_people_with_a_factor(at_desk: AtDesk) -> None:
    assert at_desk("bob").send("/account/backup-codes/").status_code == 403
    assert BackupCode.objects.count() == 0


def test_a_factor_goes_with_the_password_and_a_code_only(at_desk: AtDesk, cast: Cast, console: Principal) -> None:
    bob = at_desk("bob")
    secret = second_factor.enrol(by=console, user=cast.user("bob")).secret
    assert 'name="otp"' in bob.get("/account/second-factor/remove/").text
    for password, otp in (("wrong", code_of(secret)), (cast.password("bob"), "000000")):
        page = bob.send("/account/second-factor/remove/", password=password, otp=otp)
        assert (page.status_code, "do not fit" in page.text) == (400, True)
    assert bob.send("/account/second-factor/remove/", password="x").status_code == 400
    assert cast.user("bob").has_second_factor

    answer = bob.send("/account/second-factor/remove/", password=cast.password("bob"), otp=code_of(secret))

    assert (answer.status_code, answer.url) == (302, "/account/")
    assert not cast.user("bob").has_second_factor
    assert bob.get("/account/second-factor/remove/").url == "/account/"
    assert AuditEvent.objects.filter(event="factor.removed").count() == 1


def test_guesses_at_the_code_are_counted_like_sign_ins(at_desk: AtDesk, cast: Cast, console: Principal) -> None:
    bob = at_desk("bob")
    second_factor.enrol(by=console, user=cast.user("bob"))
    bob.get("/account/second-factor/remove/")
    statuses = [
        bob.send("/account/second-factor/remove/", password=cast.password("bob"), otp=f"{n:06d}").status_code
        for n in range(settings.LOCKOUT_FAILURES + 1)
    ]
    assert statuses == [400] * settings.LOCKOUT_FAILURES + [429]


# --- all of it -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/desk/", "/account/"])
def test_pages_with_people_s_data_are_stored_nowhere(at_desk: AtDesk, path: str) -> None:
    assert at_desk("bob").get(path).headers["Cache-Control"] == "no-store"


def test_an_operator_has_an_account_too(browser: Browser, db: None) -> None:
    User.objects.create_superuser("olga", "olga@portal.example", "correct horse battery")
    browser.get("/login/")
    browser.send("/login/", username="olga", password="correct horse battery")
    assert browser.get("/account/").status_code == 200
    assert browser.get("/account/second-factor/").status_code == 200


def test_the_account_costs_the_same_however_much_it_shows(
    at_desk: AtDesk, cast: Cast, django_assert_num_queries: Any
) -> None:
    bob = at_desk("bob")
    for _ in range(4):
        cast.session("bob", door="portal")
        cast.session("bob", door="personal-token", is_personal_token=True)
    # Who asks: 2; backup codes, sessions, tokens, who worked as the person: 1 each.
    with django_assert_num_queries(6):
        bob.get("/account/")
