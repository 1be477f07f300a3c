"""The admin site: who gets in, what its first page counts, what quick search finds, and for whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import include, path

from agents.models import Agent
from config.admin import TASKS, SwitchboardAdminSite
from identity import audit, login_as
from identity.models import AuditSeal, Organization, OutboxMessage, Session, User
from identity.principal import Role, Via
from tests.cast import Cast


class OpenModelAdmin(ModelAdmin):  # type: ignore[type-arg]  # Django does not know the argument at run time
    """A page for everybody whom the site lets in: who may see which model is not this test's subject."""

    def has_module_permission(self, request: Any) -> bool:
        return True

    def has_view_permission(self, request: Any, obj: Any = None) -> bool:
        return True

    has_add_permission = has_change_permission = has_delete_permission = lambda *args, **kwargs: False


site = SwitchboardAdminSite(name="admin")
site.register([User, Agent, Organization, Session, AuditSeal, OutboxMessage, Group], OpenModelAdmin)
urlpatterns = [path("admin/", site.urls), path("i18n/", include("django.conf.urls.i18n"))]
handler400, handler500 = "config.pages.bad_request", "config.pages.server_error"

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def browser_of(cast: Cast, name: str) -> Client:
    """A browser that is signed in as somebody."""
    client = Client()
    client.cookies[settings.PORTAL_COOKIE] = cast.session(name, door="portal").secret
    return client


def operator() -> User:
    return User.objects.create_superuser(username="olle", email="olle@operator.example")


def search(client: Client, query: str) -> list[tuple[str, str]]:
    answer = client.get("/admin/search/", {"q": query}, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    return [(row["title"], row["detail"]) for row in answer.json()["results"]]


# --- who gets in ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["alice", "carol", "frank"])
def test_admins_and_supervisors_get_in(cast: Cast, name: str) -> None:
    assert browser_of(cast, name).get("/admin/").status_code == 200


def test_an_operator_gets_in_without_an_organisation(cast: Cast) -> None:
    operator()
    page = browser_of(cast, "olle").get("/admin/")
    assert page.status_code == 200
    assert "All organisations" in page.text


@pytest.mark.parametrize("where", ["/admin/", "/admin/identity/user/", "/admin/search/?q=bob"])
def test_a_stranger_is_sent_to_the_login_page_and_back(client: Client, where: str) -> None:
    answer = client.get(where)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/login/?next=/admin/")


def test_an_agent_is_refused_with_a_way_to_the_desk(cast: Cast) -> None:
    page = browser_of(cast, "bob").get("/admin/")
    assert page.status_code == 403
    assert 'href="/desk/"' in page.text


def test_whoever_has_a_second_factor_and_did_not_show_it_is_asked_to_sign_in(cast: Cast) -> None:
    User.objects.filter(username="alice").update(has_second_factor=True)
    answer = browser_of(cast, "alice").get("/admin/")
    assert answer.status_code == 302
    assert answer.headers["location"] == "/login/?next=/admin/"


@pytest.mark.parametrize("door", ["login", "logout", "password_change"])
def test_djangos_own_doors_are_not_there(cast: Cast, door: str) -> None:
    assert browser_of(cast, "alice").get(f"/admin/{door}/").status_code == 404


# --- what the pages show -------------------------------------------------------------------------------------------------
def test_the_sidebar_is_sorted_by_task_and_leaves_out_what_has_no_page(cast: Cast) -> None:
    page = browser_of(cast, "alice").get("/admin/").text
    sidebar = page[page.index('id="sb-side"') : page.index("sb-side__me")]
    assert re.findall(r'<h2 id="task-\d+">(.+?)</h2>', sidebar) == ["People", "Live", "Messages", "Audit", "Settings"]
    assert "/admin/identity/user/" in sidebar
    assert "/admin/auth/group/" not in sidebar


def test_what_no_task_names_stands_under_settings(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.admin.TASKS", TASKS[-1:])
    page = browser_of(cast, "alice").get("/admin/").text
    assert "/admin/agents/agent/" in page[page.index('<h2 id="task-1">Settings') : page.index("sb-side__me")]


def test_one_apps_own_page_keeps_djangos_order(cast: Cast) -> None:
    page = browser_of(cast, "alice").get("/admin/agents/")
    assert page.status_code == 200
    assert "/admin/agents/agent/" in page.text


def test_an_admin_sees_five_numbers_of_the_own_organisation(cast: Cast) -> None:
    frank, alice = cast.principal("frank", door="portal"), cast.principal("alice", door="portal")
    login_as.start(
        by=alice, subject_id=cast.user("bob").pk, via=Via(door="portal"), reason="A look at the desk", mode="look"
    )
    audit.refused(
        "login.failed", via=Via(door="portal"), subject=cast.user("bob"), organization=cast.organization("acme")
    )

    assert numbers(browser_of(cast, "alice")) == {
        "People": 4, "Open sessions": 2, "Working as others": 1, "Waiting messages": 0, "Refused sign-ins today": 1,
    }  # fmt: skip
    assert numbers(browser_of(cast, "frank"))["Working as others"] == 0
    assert frank.organization_id != alice.organization_id


def test_a_supervisor_sees_neither_messages_nor_audit_in_the_numbers(cast: Cast) -> None:
    assert set(numbers(browser_of(cast, "carol"))) == {"People", "Open sessions", "Working as others"}


def test_the_first_page_costs_one_query_per_number(cast: Cast, django_assert_max_num_queries: Any) -> None:
    client = browser_of(cast, "alice")
    client.get("/admin/")
    with django_assert_max_num_queries(5 + 2):
        client.get("/admin/")


def test_a_page_holds_no_inline_script_and_no_inline_style(cast: Cast) -> None:
    client = browser_of(cast, "alice")
    for where in (
        "/admin/",
        "/admin/identity/user/",
        "/admin/search/",
        f"/admin/identity/user/{cast.user('bob').pk}/change/",
    ):
        page = client.get(where)
        assert page.status_code == 200
        assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", page.text), where


def test_an_empty_list_says_what_will_be_there_and_a_filtered_one_what_to_change(cast: Cast) -> None:
    client = browser_of(cast, "alice")
    assert "No audit seals yet" in client.get("/admin/identity/auditseal/").text
    assert "Nothing fits" in client.get("/admin/identity/user/", {"username": "nobody"}).text


# --- quick search -----------------------------------------------------------------------------------------------------------
def test_people_are_found_by_name_and_mail_and_agents_by_extension(cast: Cast) -> None:
    client = browser_of(cast, "alice")
    assert search(client, "BOB") == [(cast.user("bob").get_full_name(), "bob@acme.example")]
    assert search(client, "carol@acme") == [(cast.user("carol").get_full_name(), "carol@acme.example")]
    assert search(client, "08123459") == [(cast.user("ivan").get_full_name(), "08123459")]


def test_search_leads_to_the_page_of_what_was_found(cast: Cast) -> None:
    answer = browser_of(cast, "carol").get("/admin/search/", {"q": "bob"}, headers={"Accept": "application/json"})
    assert answer.json()["results"][0]["url"] == f"/admin/identity/user/{cast.user('bob').pk}/change/"
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("query", ["erin", "globex", "frank@globex.example"])
def test_search_never_leaves_the_own_organisation(cast: Cast, query: str) -> None:
    assert search(browser_of(cast, "alice"), query) == []


def test_an_operator_finds_everybody_and_organisations(cast: Cast) -> None:
    operator()
    client = browser_of(cast, "olle")
    assert ("globex.example") in [detail for _, detail in search(client, "globex")]
    assert [detail for _, detail in search(client, "08123456")] == ["08123456", "08123456"]


@pytest.mark.parametrize("query", ["", "   ", "\x00", "%", "x" * 5000, "' OR 1=1 --", "a b c d e f g h"])
def test_search_takes_any_text(cast: Cast, query: str) -> None:
    assert search(browser_of(cast, "alice"), query) == []


def test_every_word_must_fit(cast: Cast) -> None:
    User.objects.filter(username="bob").update(first_name="Bob", last_name="Berg")
    client = browser_of(cast, "alice")
    assert search(client, "ber bob") == [("Bob Berg", "bob@acme.example")]
    assert search(client, "bob nobody") == []


def test_search_is_a_page_for_browsers_without_javascript(cast: Cast) -> None:
    client = browser_of(cast, "alice")
    assert "bob@acme.example" in client.get("/admin/search/", {"q": "bob"}).text
    assert "Nothing found" in client.get("/admin/search/", {"q": "nobody at all"}).text
    assert "Look for somebody" in client.get("/admin/search/").text


def test_search_costs_the_same_however_many_are_found(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for n in range(12):
        cast.newcomer(f"bobby{n}", roles=(Role.AGENT,))
    client = browser_of(cast, "alice")
    client.get("/admin/search/")
    with django_assert_max_num_queries(2 + 2):
        assert len(search(client, "bob")) == 6


# --- the banner --------------------------------------------------------------------------------------------------------------
def test_the_admin_shows_the_banner_while_one_works_as_somebody(cast: Cast) -> None:
    own = cast.session("alice", door="portal")
    by = cast.principal_of(own.session)
    row = login_as.start(
        by=by, subject_id=cast.user("bob").pk, via=Via(door="portal"), reason="A look at <the> desk", mode="look"
    )
    acting = login_as.open_session(by=by, login_as=row, via=Via(door="portal-acting"))
    client = Client()
    client.cookies[settings.PORTAL_COOKIE] = own.secret
    client.cookies[settings.ACTING_COOKIE] = acting.secret

    for where, status in (("/admin/", 200), ("/admin/nothing/here/", 404), ("/nowhere/", 404)):
        page = client.get(where)
        assert page.status_code == status
        banner = page.text[page.text.index('<section class="sb-acting"') : page.text.index("</section>")]
        assert f'data-login-as="{cast.user("bob").pk}"' in banner
        for part in (
            'action="/login-as/stop/"',
            "csrfmiddlewaretoken",
            "alice",
            "bob",
            "Look only",
            "&lt;the&gt; desk",
        ):
            assert part in banner
        assert re.search(r'data-seconds="1[78]\d\d"', banner)


def numbers(client: Client) -> dict[str, int]:
    page = client.get("/admin/").text
    figures = re.findall(
        r'sb-figure__label">.*?</svg>\s*(.+?)</span>\s*<strong class="sb-figure__value">(\d+)<', page, re.S
    )
    return {label: int(value) for label, value in figures}
