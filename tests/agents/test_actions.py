"""Agents: extension, presence, place; and an admin who works as one."""

from __future__ import annotations

import pytest

from agents import actions as agents
from agents.models import Agent
from identity.errors import Invalid, LoginAsActorRefused, LoginAsSubjectRefused, NotAllowed, NotFound
from identity.principal import Role, Via

VIA = Via(door="test", address="127.0.0.1")


def test_an_agent_gets_a_free_extension_or_the_one_that_is_said(cast, console):
    user = cast.newcomer("nils", roles=(Role.ADMIN,))

    agent = agents.create(by=cast.principal("alice"), user=user, organization=cast.organization("acme"))

    assert agent.extension.isdigit()
    assert len(agent.extension) == 9
    other = cast.newcomer("nora", roles=(Role.ADMIN,))
    with pytest.raises(Invalid) as refusal:
        agents.create(by=console, user=other, organization=cast.organization("acme"), extension=agent.extension)
    assert set(refusal.value.fields) == {"extension"}


def test_only_admins_give_extensions(cast):
    with pytest.raises(NotAllowed):
        agents.create(by=cast.principal("carol"), user=cast.user("alice"), organization=cast.organization("acme"))


def test_the_same_extension_may_exist_in_two_organisations(cast):
    assert cast.agent("bob").extension == cast.agent("erin").extension == "08123456"


@pytest.mark.parametrize("agent_id", [0, -1, 2**63, 987654])
def test_impossible_and_unknown_ids_are_nobody(cast, agent_id):
    with pytest.raises(NotFound):
        agents.find(agent_id=agent_id, organization_id=cast.organization("acme").pk)


def test_an_agent_of_another_organisation_is_nobody(cast):
    acme = cast.organization("acme").pk
    with pytest.raises(NotFound):
        agents.find(agent_id=cast.agent("erin").pk, organization_id=acme)
    assert agents.by_extension(extension="08123456", organization_id=acme) == cast.agent("bob")
    assert agents.of_user(user_id=cast.user("alice").pk, organization_id=acme) is None


def test_disabled_colleagues_are_not_listed(cast):
    listed = agents.listed(cast.organization("acme").pk)

    assert [a.user.username for a in listed] == ["bob", "carol", "ivan"]
    with pytest.raises(NotFound):
        agents.by_extension(extension="08123458", organization_id=cast.organization("acme").pk)


def test_an_admin_works_as_an_agent_by_the_id_of_the_agent_record(cast):
    agent, row = agents.work_as(
        by=cast.principal("alice"), agent_id=cast.agent("bob").pk, via=VIA, reason="Bob's headset"
    )

    assert (agent, row.subject, row.reason) == (cast.agent("bob"), cast.user("bob"), "Bob's headset")
    with pytest.raises(LoginAsSubjectRefused):
        agents.work_as(by=cast.principal("alice"), agent_id=cast.agent("dave").pk, via=VIA)
    with pytest.raises(LoginAsActorRefused):
        agents.work_as(by=cast.principal("bob"), agent_id=cast.agent("ivan").pk, via=VIA)


def test_presence_is_set_by_oneself_or_a_supervisor(cast):
    for who in ("bob", "carol", "alice"):
        agents.set_presence(
            by=cast.principal(who),
            agent=cast.agent("bob"),
            is_available=False,
            name="Lunch",
            message=who,
            key_words=["sv"],
        )
        assert (cast.agent("bob").profile_message, cast.agent("bob").is_available, cast.agent("bob").key_words) == (
            who,
            False,
            ["sv"],
        )
    for who, leaf in (("ivan", NotAllowed), ("frank", NotFound)):
        with pytest.raises(leaf):
            agents.set_presence(by=cast.principal(who), agent=cast.agent("bob"), is_available=True)


def test_key_words_that_are_not_said_stay(cast):
    bob = cast.principal("bob")
    agents.set_presence(by=bob, agent=cast.agent("bob"), is_available=True, key_words=["sv"])
    agents.set_presence(by=bob, agent=cast.agent("bob"), is_available=True)

    assert cast.agent("bob").key_words == ["sv"]


def test_a_place_is_taken_with_its_devices(cast):
    devices = [{"dn": "DN1", "switch": "Switch"}]
    agents.set_place(by=cast.principal("bob"), agent=cast.agent("bob"), place="A1", devices=devices)
    agents.set_place(by=cast.principal("bob"), agent=cast.agent("bob"), place="A2")

    assert (cast.agent("bob").place, cast.agent("bob").devices) == ("A2", devices)


def test_an_agent_says_its_extension_and_person(cast):
    assert str(cast.agent("bob")) == "08123456 bob"
    assert Agent.objects.count() == 5
