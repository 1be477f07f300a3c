"""The agents' pages: who is on which extension, what may be set for them, and the button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from agents.models import Agent
from identity.models import User
from tests.cast import Cast

pytestmark = pytest.mark.django_db

LIST = "/admin/agents/agent/"
PRESENCE = {
    "is_available": "", "profile_name": "Lunch", "profile_until_0": "2030-01-01", "profile_until_1": "12:00:00", "profile_message": "back at one",
    "key_words": "billing\nswedish", "place": "Desk 7",
}  # fmt: skip


@pytest.fixture
def admin_of(cast: Cast) -> Callable[[str], Client]:
    """A function that answers a browser in which somebody of the cast is signed in."""

    def sign_in(name: str) -> Client:
        client = Client()
        client.cookies[settings.PORTAL_COOKIE] = cast.session(name, door="portal").secret
        return client

    return sign_in


Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of


def page_of(agent: Agent) -> str:
    return reverse("admin:agents_agent_change", args=[agent.pk])


def do(client: Client, agent: Agent, deed: str, **fields: Any) -> Any:
    return client.post(reverse("admin:agents_agent_do", args=[agent.pk, deed]), fields, follow=True)


def found(client: Client, **query: str) -> list[str]:
    return [agent.user.username for agent in client.get(LIST, query).context["cl"].result_list]


@pytest.mark.parametrize("name", ["carol", "alice"])
def test_presence_and_place_are_set_by_supervisors_and_admins(cast: Cast, admin_of: Admin, name: str) -> None:
    answer = admin_of(name).post(page_of(cast.agent("bob")), PRESENCE)

    bob = cast.agent("bob")
    assert answer.status_code == 302
    assert (bob.is_available, bob.profile_name, bob.profile_message) == (False, "Lunch", "back at one")
    assert (bob.place, bob.key_words) == ("Desk 7", ["billing", "swedish"])
    assert bob.profile_until is not None
    assert bob.has_profile


def test_the_page_shows_who_it_is_whether_available_and_the_button(cast: Cast, admin_of: Admin) -> None:
    Agent.objects.filter(user__username="bob").update(devices=[{"id": "1", "name": "Softphone"}])
    cast.session("bob", door="bobs-door")

    text = admin_of("alice").get(page_of(cast.agent("bob"))).text

    assert "Bob Berg" in text
    assert "bob@acme.example" in text
    assert "Available" in text
    assert "bobs-door" in text
    assert "1 Softphone" in text
    assert 'action="/login-as/"' in text
    assert "Cannot sign in" in admin_of("alice").get(page_of(cast.agent("dave"))).text


def test_a_supervisor_reads_which_rule_keeps_the_button_away(cast: Cast, admin_of: Admin) -> None:
    text = admin_of("carol").get(page_of(cast.agent("bob"))).text

    assert 'data-rule="not_allowed"' in text
    assert 'action="/login-as/"' not in text
    assert "/do/end-all/" not in text


def test_the_sessions_of_an_agent_end_from_the_agents_page(cast: Cast, admin_of: Admin) -> None:
    alice, bob = admin_of("alice"), cast.agent("bob")
    one, other = cast.session("bob").session, cast.session("bob").session

    do(alice, bob, "end-session", session=one.pk)
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.ended_at is None, other.ended_at is None) == (False, True)

    do(alice, bob, "end-all")
    other.refresh_from_db()
    assert other.ended_at is not None


def test_a_supervisor_ends_no_session_of_an_agent(cast: Cast, admin_of: Admin) -> None:
    assert do(admin_of("carol"), cast.agent("bob"), "end-all").status_code == 403


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"q": "08123457"}, ["carol"]), ({"q": "BOB"}, ["bob"]), ({"q": "berg"}, ["bob"]), ({"q": "bob@acme"}, ["bob"]), ({"q": "erin"}, []),
        ({"available": "no"}, ["ivan"]), ({"available": "disabled"}, ["dave"]), ({"available": "yes"}, ["bob", "carol"]),
        ({"available": "odd"}, ["bob", "carol", "dave", "ivan"]),
    ],
)  # fmt: skip
def test_agents_are_found_and_filtered(cast: Cast, admin_of: Admin, query: dict[str, str], names: list[str]) -> None:
    Agent.objects.filter(user__username="ivan").update(is_available=False)

    assert found(admin_of("alice"), **query) == names


def test_an_agent_of_another_organization_does_not_exist(cast: Cast, admin_of: Admin) -> None:
    erin, alice = cast.agent("erin"), admin_of("alice")

    assert alice.get(page_of(erin)).status_code == 404
    assert alice.post(page_of(erin), PRESENCE).status_code == 404
    assert do(alice, erin, "end-all").status_code == 404


def test_an_operator_sees_the_agents_of_all_organizations(cast: Cast) -> None:
    olle = User.objects.create_superuser(username="olle", email="olle@operator.example", password=None)
    client = Client()
    client.cookies[settings.PORTAL_COOKIE] = cast.session("olle", door="portal").secret
    assert olle.is_superuser

    assert sorted(found(client)) == ["bob", "carol", "dave", "erin", "ivan"]
    assert found(client, organization__id__exact=str(cast.organization("globex").pk)) == ["erin"]


def test_somebody_on_two_extensions_shows_both(cast: Cast, admin_of: Admin) -> None:
    olle = User.objects.create_superuser(username="olle", email="olle@operator.example", password=None)
    Agent.objects.create(user=cast.user("bob"), organization=cast.organization("globex"), extension="0999")
    client = Client()
    client.cookies[settings.PORTAL_COOKIE] = cast.session(olle.username, door="portal").secret

    assert "08123456, 0999" in client.get("/admin/identity/user/").text
    assert "0999" not in admin_of("alice").get("/admin/identity/user/").text


def test_the_history_of_an_agent_is_that_of_the_person(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").get(reverse("admin:agents_agent_history", args=[cast.agent("bob").pk]))

    assert answer.url == "/admin/identity/auditevent/?subject=bob"
