"""The people's pages: one more person, changes, states, roles, sessions, second factor, and lists that stay flat."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from agents.models import Agent
from identity import clock, second_factor, sessions, sign_in
from identity.models import AuditEvent, LoginAs, Membership, OutboxMessage, Session, User
from identity.principal import Role, Via, at_the_console
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of

LIST = "/admin/identity/user/"
ADD = f"{LIST}add/"
NEW = {"username": "greta", "email": "greta@acme.example", "first_name": "Greta", "last_name": "Gran"}
PERSON = {
    "username": "bob", "email": "bob@acme.example", "first_name": "Bob", "last_name": "Berg", "phone": "", "mobile": "",
    "language": "", "auth_ip": "", "expires_at_0": "", "expires_at_1": "",
}  # fmt: skip


def page_of(user: User) -> str:
    return reverse("admin:identity_user_change", args=[user.pk])


def do(client: Client, user: User, deed: str, **fields: Any) -> Any:
    return client.post(reverse("admin:identity_user_do", args=[user.pk, deed]), fields, follow=True)


def more(cast: Cast, count: int) -> None:
    """Make agents with a session each, quickly."""
    acme, start, at = cast.organization("acme"), User.objects.count(), clock.now()
    names = [f"n{start + i}" for i in range(count)]
    users = User.objects.bulk_create(
        User(
            username=n,
            username_key=n,
            email=f"{n}@acme.example",
            email_key=f"{n}@acme.example",
            default_organization=acme,
        )
        for n in names
    )
    Membership.objects.bulk_create(Membership(user=user, organization=acme, is_agent=True) for user in users)
    Agent.objects.bulk_create(Agent(user=u, organization=acme, extension=f"08{u.pk:07}") for u in users)
    ends = at + timedelta(hours=1)
    Session.objects.bulk_create(
        Session(user=u, digest=f"{u.pk:064}", organization=acme, door="test", expires_at=ends) for u in users
    )


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def errors(answer: Any) -> dict[str, list[str]]:
    return dict(answer.context["adminform"].form.errors)


def found(client: Client, query: str) -> list[str]:
    return [user.username for user in client.get(LIST, {"q": query}).context["cl"].result_list]


# --- one more person -----------------------------------------------------------------------------------------------------


def test_a_new_person_gets_a_password_that_is_shown_once_and_an_extension(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").post(ADD, {**NEW, "roles": ["Agent"], "extension": "0812"})

    greta = User.objects.get(username="greta")
    password = dict(answer.context["secrets"])["Password"]
    proven = sign_in.prove(name="greta", clear=password, via=Via(door="test", address="127.0.0.1"))
    assert proven.user == greta
    assert proven.membership is not None
    assert proven.membership.roles == [Role.AGENT]
    assert Agent.objects.get(user=greta).extension == "0812"
    assert "no-store" in answer.headers["Cache-Control"]
    assert greta.created_by == cast.user("alice")


def test_a_welcome_mail_takes_the_place_of_the_shown_password(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").post(ADD, {**NEW, "roles": ["Admin"], "sends_welcome": "on"})

    greta = User.objects.get(username="greta")
    assert answer.status_code == 302
    assert OutboxMessage.objects.get(user=greta).template == "welcome"
    assert not Agent.objects.filter(user=greta).exists()


def test_what_the_verbs_refuse_is_said_at_the_field_and_nobody_is_made(cast: Cast, admin_of: Admin) -> None:
    alice, before = admin_of("alice"), User.objects.count()

    taken = alice.post(ADD, {**NEW, "username": "BOB", "roles": ["Agent"]})
    extension = alice.post(ADD, {**NEW, "roles": ["Agent"], "extension": cast.agent("bob").extension})

    assert errors(taken) == {"username": ["This is taken."]}
    assert errors(extension) == {"extension": ["This extension is taken."]}
    assert User.objects.count() == before


def test_an_operator_says_to_which_organization_somebody_new_belongs(cast: Cast, admin_of: Admin) -> None:
    globex = cast.organization("globex")

    admin_of("olle").post(ADD, {**NEW, "roles": ["Supervisor"], "organization": globex.pk})

    assert Membership.objects.get(user__username="greta").organization == globex


def test_an_admin_cannot_place_somebody_new_elsewhere(cast: Cast, admin_of: Admin) -> None:
    admin_of("alice").post(ADD, {**NEW, "roles": ["Agent"], "organization": cast.organization("globex").pk})

    assert Membership.objects.get(user__username="greta").organization == cast.organization("acme")


# --- changes -------------------------------------------------------------------------------------------------------------


def test_changing_a_person_goes_through_the_verb_and_names_the_fields(cast: Cast, admin_of: Admin) -> None:
    bob = cast.user("bob")

    answer = admin_of("alice").post(page_of(bob), {**PERSON, "first_name": "Bobby", "auth_ip": "10.0.0.0/8\n127.0.0.1"})

    bob.refresh_from_db()
    assert answer.status_code == 302
    assert (bob.first_name, bob.auth_ip) == ("Bobby", ["10.0.0.0/8", "127.0.0.1"])
    row = AuditEvent.objects.filter(event="user.changed").latest("id")
    assert (row.actor, row.subject, row.details) == ("alice", "bob", {"fields": ["auth_ip", "first_name"]})


def test_a_refused_change_is_said_at_the_field_and_changes_nothing(cast: Cast, admin_of: Admin) -> None:
    bob, alice = cast.user("bob"), admin_of("alice")

    taken = alice.post(page_of(bob), {**PERSON, "first_name": "Bobby", "email": "ALICE@acme.example"})
    nonsense = alice.post(page_of(bob), {**PERSON, "auth_ip": "everywhere"})

    bob.refresh_from_db()
    assert errors(taken) == {"email": ["This is taken."]}
    assert errors(nonsense) == {"auth_ip": ["“everywhere” is neither an address nor a network."]}
    assert (bob.first_name, bob.email) == ("Bob", "bob@acme.example")


def test_an_expiry_in_the_past_ends_the_sessions(cast: Cast, admin_of: Admin) -> None:
    bob, open_one = cast.user("bob"), cast.session("bob").session

    admin_of("alice").post(page_of(bob), {**PERSON, "expires_at_0": "2020-01-01", "expires_at_1": "00:00:00"})

    open_one.refresh_from_db()
    assert open_one.end_reason == "expired"


# --- states --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("deed", "undo", "is_so"),
    [
        ("disable", "enable", lambda user: not user.is_active),
        ("lock", "unlock", lambda user: user.locked_at is not None),
        ("protect", "unprotect", lambda user: user.is_protected),
    ],
)
def test_a_state_is_set_and_taken_back_by_a_button(
    cast: Cast, admin_of: Admin, deed: str, undo: str, is_so: Callable[[User], bool]
) -> None:
    alice, bob = admin_of("alice"), cast.user("bob")
    assert f"/do/{deed}/" in alice.get(page_of(bob)).text

    done = do(alice, bob, deed)
    bob.refresh_from_db()
    assert is_so(bob)
    assert f"/do/{deed}/" not in done.text
    assert f"/do/{undo}/" in done.text

    do(alice, bob, undo)
    bob.refresh_from_db()
    assert not is_so(bob)


def test_the_last_admin_reads_why_he_cannot_disable_himself(cast: Cast, admin_of: Admin) -> None:
    alice = cast.user("alice")

    answer = do(admin_of("alice"), alice, "disable")

    alice.refresh_from_db()
    assert said(answer) == ["The last admin cannot disable himself; make somebody else an admin first."]
    assert alice.is_active


def test_resetting_a_second_factor_takes_it_away_and_is_audited(cast: Cast, admin_of: Admin) -> None:
    bob = cast.user("bob")
    second_factor.enrol(by=at_the_console(), user=bob)

    do(admin_of("alice"), bob, "reset-factor")

    bob.refresh_from_db()
    assert not bob.has_second_factor
    assert AuditEvent.objects.get(event="factor.reset").actor == "alice"


def test_a_password_link_goes_out_by_mail(cast: Cast, admin_of: Admin) -> None:
    answer = do(admin_of("alice"), cast.user("bob"), "send-reset")

    assert said(answer) == ["If the account may sign in, a mail with a link is on its way."]
    assert OutboxMessage.objects.get(user=cast.user("bob")).template == "password_reset"


# --- roles ---------------------------------------------------------------------------------------------------------------


def test_roles_and_grants_are_saved_by_the_verbs(cast: Cast, admin_of: Admin) -> None:
    acme, ivan = cast.organization("acme"), cast.user("ivan")
    view = "integrations:integration:view"

    do(
        admin_of("alice"),
        ivan,
        "roles",
        organization=acme.pk,
        roles=["Agent", "Supervisor"],
        grants=[view],
        with_grants="1",
    )
    held = cast.membership("ivan")
    assert (held.roles, held.grants) == ([Role.AGENT, Role.SUPERVISOR], [view])

    do(admin_of("alice"), ivan, "roles", organization=acme.pk, roles=["Agent"], with_grants="1")
    held = cast.membership("ivan")
    assert (held.roles, held.grants) == ([Role.AGENT], [])


def test_nobody_gives_a_grant_that_he_does_not_hold(cast: Cast, admin_of: Admin) -> None:
    cast.newcomer("hanna", roles=(Role.ADMIN,))
    acme, ivan = cast.organization("acme"), cast.user("ivan")

    answer = do(
        admin_of("hanna"), ivan, "roles", organization=acme.pk, roles=["Agent"], with_grants="1",
        grants=["integrations:integration:view"],
    )  # fmt: skip

    assert said(answer) == ["You can give only the grants that you hold yourself."]
    assert cast.membership("ivan").grants == []


def test_roles_of_another_organization_are_out_of_reach(cast: Cast, admin_of: Admin) -> None:
    alice, bob, globex = admin_of("alice"), cast.user("bob"), cast.organization("globex")

    assert do(alice, bob, "roles", organization=globex.pk, roles=["Admin"]).status_code == 404
    assert do(alice, bob, "leave", organization=globex.pk).status_code == 404
    assert do(alice, bob, "leave", organization="nonsense").status_code == 404
    assert Membership.objects.filter(user=bob).count() == 1


def test_an_operator_adds_somebody_to_another_organization_and_each_admin_sees_his_own_part(
    cast: Cast, admin_of: Admin
) -> None:
    bob, globex = cast.user("bob"), cast.organization("globex")

    do(admin_of("olle"), bob, "roles", organization=globex.pk, roles=["Supervisor"])

    assert [held.organization for held in admin_of("frank").get(page_of(bob)).context["memberships"]] == [globex]
    assert len(admin_of("olle").get(page_of(bob)).context["memberships"]) == 2
    roles = {row.username: row for row in admin_of("olle").get(LIST).context["cl"].result_list}
    assert len(roles["bob"].seen_memberships) == 2


def test_whoever_is_removed_from_an_organization_is_gone_from_its_list(cast: Cast, admin_of: Admin) -> None:
    alice, bob = admin_of("alice"), cast.user("bob")

    answer = do(alice, bob, "leave", organization=cast.organization("acme").pk)

    assert said(answer) == ["bob no longer belongs to Acme."]
    assert answer.redirect_chain == [(LIST, 302)]
    assert found(alice, "bob") == []


# --- sessions ------------------------------------------------------------------------------------------------------------


def test_one_session_ends_and_the_others_stay(cast: Cast, admin_of: Admin) -> None:
    bob = cast.user("bob")
    one, other = cast.session("bob").session, cast.session("bob").session

    answer = do(admin_of("alice"), bob, "end-session", session=one.pk)

    one.refresh_from_db()
    other.refresh_from_db()
    assert said(answer) == ["The session is ended."]
    assert (one.ended_at is None, other.ended_at is None) == (False, True)
    assert AuditEvent.objects.get(event="session.ended").actor == "alice"


def test_all_sessions_of_a_person_end_at_once(cast: Cast, admin_of: Admin) -> None:
    bob = cast.user("bob")
    for _one in range(3):
        cast.session("bob")

    answer = do(admin_of("alice"), bob, "end-all")

    assert said(answer) == ["Sessions ended: 3."]
    assert not sessions.live(user=bob).filter(is_personal_token=False).exists()


def test_an_admin_neither_sees_nor_ends_what_a_person_does_in_another_organization(cast: Cast, admin_of: Admin) -> None:
    bob, globex = cast.user("bob"), cast.organization("globex")
    do(admin_of("olle"), bob, "roles", organization=globex.pk, roles=["Agent"])
    there = cast.session("bob").session
    Session.objects.filter(pk=there.pk).update(organization=globex)
    alice = admin_of("alice")

    assert there.pk not in [row.pk for row in alice.get(page_of(bob)).context["sessions"]]
    assert do(alice, bob, "end-session", session=there.pk).status_code == 404
    assert do(alice, bob, "end-session", session="nonsense").status_code == 404
    do(alice, bob, "end-all")
    there.refresh_from_db()
    assert there.ended_at is None

    do(admin_of("olle"), bob, "end-all")
    there.refresh_from_db()
    assert there.ended_at is not None


# --- the button ----------------------------------------------------------------------------------------------------------


def test_the_button_asks_for_a_reason_and_a_mode_and_shows_for_how_long(cast: Cast, admin_of: Admin) -> None:
    text = admin_of("alice").get(page_of(cast.user("bob"))).text

    assert 'action="/login-as/"' in text
    assert re.search(r'name="reason"[^>]*minlength="10"', text)
    assert re.findall(r'name="mode" value="(\w+)"', text) == ["look", "act"]
    assert f'name="user_id" value="{cast.user("bob").pk}"' in text
    assert "Ends by itself after 30 minutes" in text


@pytest.mark.parametrize(
    ("asker", "subject", "rule"),
    [
        ("alice", "alice", "self"), ("alice", "dave", "inactive"), ("carol", "bob", "not_allowed"), ("olle", "bob", "not_allowed"),
    ],
)  # fmt: skip
def test_a_refusal_names_its_rule_in_the_place_of_the_button(
    cast: Cast, admin_of: Admin, asker: str, subject: str, rule: str
) -> None:
    text = admin_of(asker).get(page_of(cast.user(subject))).text

    assert f'data-rule="{rule}"' in text
    assert 'action="/login-as/"' not in text


def test_who_worked_as_a_person_stands_on_the_persons_page(cast: Cast, admin_of: Admin) -> None:
    bob, own = cast.user("bob"), cast.session("alice").session
    LoginAs.objects.create(
        actor=cast.user("alice"), subject=bob, organization=cast.organization("acme"), actor_session=own, door="portal", mode="look",
        reason="Ticket 4711: no sound", deadline_at=clock.now(), ended_at=clock.now(),
    )  # fmt: skip

    assert "Ticket 4711: no sound" in admin_of("alice").get(page_of(bob)).text
    assert "Ticket 4711: no sound" not in admin_of("carol").get(page_of(bob)).text


# --- the list ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("BO", ["bob"]), ("bob@acme", ["bob"]), ("08123456", ["bob"]), ("berg", ["bob"]), ("bob berg", ["bob"]), ("erin", []),
        ("' OR 1=1", []), ("0812345", ["bob", "carol", "dave", "ivan"]),
    ],
)  # fmt: skip
def test_people_are_found_by_the_beginning_of_what_is_known_of_them(
    cast: Cast, admin_of: Admin, query: str, names: list[str]
) -> None:
    assert found(admin_of("alice"), query) == names


def test_an_extension_of_another_organization_finds_nobody(cast: Cast, admin_of: Admin) -> None:
    Membership.objects.create(user=cast.user("erin"), organization=cast.organization("acme"), is_agent=True)
    Agent.objects.filter(user=cast.user("erin")).update(extension="09999")

    assert found(admin_of("alice"), "09999") == []
    assert found(admin_of("frank"), "09999") == ["erin"]


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"role": "Admin"}, ["alice"]), ({"role": "Supervisor"}, ["carol"]), ({"state": "disabled"}, ["dave"]),
        ({"state": "locked"}, ["ivan"]), ({"state": "protected"}, ["bob"]), ({"state": "expired"}, ["carol"]),
        ({"state": "enabled", "role": "Agent"}, ["bob"]), ({"state": "no_second_factor", "role": "Admin"}, ["alice"]),
        ({"role": "Emperor", "state": "odd"}, ["alice", "bob", "carol", "dave", "ivan"]),
    ],
)  # fmt: skip
def test_people_are_filtered_by_role_and_state(
    cast: Cast, admin_of: Admin, filters: dict[str, str], names: list[str]
) -> None:
    at = clock.now()
    User.objects.filter(username="ivan").update(locked_at=at)
    User.objects.filter(username="bob").update(is_protected=True)
    alice = admin_of("alice")
    User.objects.filter(username="carol").update(expires_at=at)

    assert [user.username for user in alice.get(LIST, filters).context["cl"].result_list] == names


def test_an_operator_filters_people_by_organization(cast: Cast, admin_of: Admin) -> None:
    olle, globex = admin_of("olle"), cast.organization("globex")

    rows = olle.get(LIST, {"organization": globex.pk}).context["cl"].result_list
    nonsense = olle.get(LIST, {"organization": "nonsense"}).context["cl"].result_list

    assert [user.username for user in rows] == ["erin", "frank"]
    assert len(nonsense) == User.objects.count()


@pytest.mark.parametrize(
    "path", [LIST, "/admin/agents/agent/", "/admin/identity/session/", f"{LIST}?q=08", "/admin/agents/agent/?q=n"]
)
def test_a_list_costs_the_same_queries_for_5_rows_as_for_50(
    cast: Cast, admin_of: Admin, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    alice = admin_of("alice")
    more(cast, 5)
    with CaptureQueriesContext(connection) as few:
        alice.get(path)
    more(cast, 45)

    with django_assert_num_queries(len(few)):
        answer = alice.get(path)

    assert len(answer.context["cl"].result_list) >= 45


def test_the_history_of_a_person_is_the_audit_trail(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").get(f"{LIST}{cast.user('bob').pk}/history/")

    assert answer.status_code == 302
    assert answer.url == "/admin/identity/auditevent/?subject=bob"
    assert admin_of("carol").get(f"{LIST}{cast.user('bob').pk}/history/").status_code == 403


def test_going_back_never_leaves_the_admin(cast: Cast, admin_of: Admin) -> None:
    alice, bob = admin_of("alice"), cast.user("bob")
    url = reverse("admin:identity_user_do", args=[bob.pk, "protect"])

    assert alice.post(url, {"back": "//evil.example/admin/"}).url == page_of(bob)
    assert alice.post(url, {"back": "https://evil.example/"}).url == page_of(bob)
    assert alice.post(url, {"back": "list"}).url == LIST
    assert alice.post(url, {"back": "/admin/agents/agent/"}).url == "/admin/agents/agent/"
