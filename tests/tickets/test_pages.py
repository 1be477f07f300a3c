"""The customer's page: looking changes nothing, a button lets in, and every end is said plainly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
import time_machine

from identity import clock
from identity.models import Session
from identity.principal import at_the_console
from tests.browsers import Browser
from tests.tickets.conftest import New
from tickets import actions as tickets
from tickets import pages, redemptions
from tickets.models import Ticket

pytestmark = pytest.mark.django_db
CONSOLE = at_the_console()


def standing(answer: Any) -> tuple[int, str]:
    return answer.status_code, str(answer.context["standing"])


def join(browser: Browser, ticket_id: str) -> Any:
    browser.get(f"/t/{ticket_id}")
    answer = browser.send(f"/t/{ticket_id}")
    assert (answer.status_code, answer.url) == (302, f"/t/{ticket_id}")
    return browser.get(answer.url)


def test_looking_never_uses_a_ticket_up(new: New, browser: Browser) -> None:
    made = new(once=True, customer="kund-7", conference="c-99")
    for ask in (browser.get, browser.head, browser.get, browser.head):
        answer = ask(f"/t/{made.id}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
    assert (Ticket.objects.get().uses, Session.objects.filter(door=pages.DOOR).count()) == (0, 0)


def test_the_button_lets_in_and_the_page_may_be_loaded_anew(new: New, browser: Browser) -> None:
    made = new(once=True, customer="kund-7", conference="c-99")

    answers = [join(browser, made.id), browser.get(f"/t/{made.id}"), join(browser, made.id)]

    assert [standing(answer) for answer in answers] == [(200, "in")] * 3
    for answer in answers:
        assert "c-99" in answer.text
        assert "kund-7" in answer.text
    assert Ticket.objects.get().uses == 1
    cookie = browser.cookies[pages.COOKIE]
    assert (cookie["path"], cookie["secure"], cookie["httponly"], cookie["samesite"]) == (f"/t/{made.id}", True, True, "Lax")  # fmt: skip


def test_a_second_browser_with_a_used_link_is_refused(new: New, browser: Browser) -> None:
    made = new(once=True)
    join(browser, made.id)
    other = Browser()
    assert standing(other.get(f"/t/{made.id}")) == (410, "used")
    assert standing(join(other, made.id)) == (410, "used")


def test_a_link_for_many_lets_every_browser_in(new: New) -> None:
    made = new()
    answers = [join(Browser(), made.id) for _ in range(2)]
    assert [standing(answer) for answer in answers] == [(200, "in")] * 2
    # Nobody was named: what was made up for each of them is of no use to them.
    assert "You are<" not in answers[0].text


def test_the_cookie_of_one_ticket_opens_no_other(new: New, browser: Browser) -> None:
    one, other = new(), new()
    join(browser, one.id)
    browser.cookies[pages.COOKIE]["path"] = "/"
    assert standing(browser.get(f"/t/{other.id}")) == (200, "valid")


def test_a_press_without_the_pages_own_token_is_refused(new: New, browser: Browser) -> None:
    made = new(once=True)
    assert browser.post(f"/t/{made.id}").status_code == 403
    assert Ticket.objects.get().uses == 0


@pytest.mark.parametrize(
    ("verb", "said"), [(tickets.revoke, (410, "revoked")), (tickets.disable, (403, "disabled")), (tickets.delete, (404, "unknown"))]
)  # fmt: skip
def test_the_page_says_what_became_of_a_ticket(new: New, browser: Browser, verb: Any, said: Any) -> None:
    made = new()
    verb(by=CONSOLE, ticket=made.ticket)
    assert standing(browser.get(f"/t/{made.id}")) == said
    browser.send(f"/t/{made.id}")
    assert standing(browser.get(f"/t/{made.id}")) == said
    assert Ticket.objects.get().uses == 0


def test_an_expired_ticket_says_so(new: New, browser: Browser) -> None:
    made = new(ttl=60)
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert standing(browser.get(f"/t/{made.id}")) == (410, "expired")


def test_whoever_is_in_is_out_when_the_ticket_is_revoked(new: New, browser: Browser) -> None:
    made = new()
    join(browser, made.id)
    tickets.revoke(by=CONSOLE, ticket=made.ticket)
    assert standing(browser.get(f"/t/{made.id}")) == (410, "revoked")


def test_a_ticket_that_ends_between_look_and_press_is_told_by_its_page(
    new: New, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new()
    redeem = redemptions.redeem

    def overtaken(**asked: Any) -> Any:
        tickets.disable(by=CONSOLE, ticket=made.ticket)
        return redeem(**asked)

    browser.get(f"/t/{made.id}")
    monkeypatch.setattr(redemptions, "redeem", overtaken)
    assert browser.send(f"/t/{made.id}").url == f"/t/{made.id}"
    assert standing(browser.get(f"/t/{made.id}")) == (403, "disabled")


def test_an_unknown_ticket_is_said_so_and_guessing_is_slowed_down(new: New, browser: Browser, settings: Any) -> None:
    settings.THROTTLE_REDEEM_PER_ADDRESS = (2, 60)
    made = new()
    for path in ("/t/zzzzzz", "/t/%00"):
        assert standing(browser.get(path)) == (404, "unknown")
    answer = browser.get(f"/t/{made.id}")
    assert (answer.status_code, answer.headers["Retry-After"].isdigit()) == (429, True)


def test_early_visitors_wait_and_nothing_lets_them_in_before_the_time(new: New, browser: Browser) -> None:
    at = datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC)
    made = new(at=at, once=True)
    answer = join(browser, made.id)
    assert standing(answer) == (200, "waiting")
    assert 'datetime="2037-05-06T07:08:09+00:00"' in answer.text
    assert "Wednesday 6 May 2037, 07:08 UTC" in answer.text
    assert "data-countdown" not in answer.text
    with time_machine.travel(at - timedelta(minutes=30)):
        assert "data-countdown" in browser.get(f"/t/{made.id}").text
    with time_machine.travel(at):
        assert standing(browser.get(f"/t/{made.id}")) == (200, "valid")
        assert standing(join(browser, made.id)) == (200, "in")


def test_an_appointment_goes_into_the_calendar_while_it_is_valid(new: New, browser: Browser) -> None:
    made = new(at=datetime(2037, 5, 6, 7, 8, 9, tzinfo=UTC), once=True)
    answer = browser.get(f"/t/{made.id}/event.ics")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="meeting.ics"'
    (one,) = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert str(one["URL"]) == f"http://127.0.0.1:8000/t/{made.id}"
    tickets.revoke(by=CONSOLE, ticket=made.ticket)
    for ticket_id in (made.id, new().id, "zzzzzz"):
        assert browser.get(f"/t/{ticket_id}/event.ics").status_code == 404


def test_other_methods_are_not_known(new: New, browser: Browser) -> None:
    made = new()
    for path in (f"/t/{made.id}", f"/t/{made.id}/event.ics"):
        assert browser.options(path).status_code == 405


def test_the_page_costs_few_queries(new: New, browser: Browser, django_assert_max_num_queries: Any) -> None:
    made = new()
    with django_assert_max_num_queries(3):
        browser.get(f"/t/{made.id}")
    join(browser, made.id)
    with django_assert_max_num_queries(6):
        browser.get(f"/t/{made.id}")
