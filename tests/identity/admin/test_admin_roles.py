"""Who may open which page of the admin, and whose rows are on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from agents.models import Agent
from identity import audit, clients, clock, outbox
from identity.admin.people import DEEDS
from identity.models import (
    ApiKey,
    Application,
    AuditEvent,
    ClientUse,
    Key,
    LoginAs,
    Organization,
    OtpVerification,
    OutboxMessage,
    PrefixPause,
    Session,
    SigningKey,
    User,
)
from identity.models import Client as OAuthClient
from identity.principal import at_the_console
from integrations.models import Callback, ExternalIdentity
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of

OPEN, CLOSED = 200, 403
# Supervisors see people, agents and what is live; admins all of their organisation; operators also the signing keys.
TRUTH: dict[Any, dict[str, int]] = {
    User: {"carol": OPEN, "alice": OPEN, "olle": OPEN},
    Agent: {"carol": OPEN, "alice": OPEN, "olle": OPEN},
    Session: {"carol": OPEN, "alice": OPEN, "olle": OPEN},
    LoginAs: {"carol": OPEN, "alice": OPEN, "olle": OPEN},
    OAuthClient: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    ClientUse: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    ApiKey: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    Application: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    Key: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    OutboxMessage: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    OtpVerification: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    PrefixPause: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    Callback: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    ExternalIdentity: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    AuditEvent: {"carol": CLOSED, "alice": OPEN, "olle": OPEN},
    Organization: {"carol": CLOSED, "alice": 302, "olle": OPEN},  # an admin is led to the one page there is
    SigningKey: {"carol": CLOSED, "alice": CLOSED, "olle": OPEN},
}
ADDERS: dict[Any, set[str]] = {
    User: {"alice", "olle"},
    OAuthClient: {"alice", "olle"},
    ApiKey: {"alice", "olle"},
    Application: {"alice", "olle"},
    Key: {"alice", "olle"},
    Organization: {"olle"},
}
CHANGERS: dict[Any, set[str]] = {
    User: {"alice", "olle"},
    Agent: {"carol", "alice", "olle"},
    OAuthClient: {"alice", "olle"},
    Application: {"alice", "olle"},
    Organization: {"alice", "olle"},
}


def page(model: type[Model], name: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def row_of(cast: Cast, model: Any, organization: str) -> Any:
    """Answer a row of an organisation, made where the cast has none."""
    place = cast.organization(organization)
    somebody = cast.user("bob" if organization == "acme" else "erin")
    if model is Organization:
        return place
    if model is User:
        return somebody
    if model is SigningKey:
        return SigningKey.objects.order_by("kid").first()
    if model is Session:
        return cast.session(somebody.username).session
    if model is LoginAs:
        own = cast.session("alice" if organization == "acme" else "frank").session
        return LoginAs.objects.create(
            actor=own.user or somebody, subject=somebody, organization=place, actor_session=own, door="test", mode="look",
            reason="Ticket 4711: no sound", deadline_at=clock.now() + timedelta(minutes=5),
        )  # fmt: skip
    if model is Key:
        return Key.objects.create(organization=place, type="rsa", size=2048, public_key="ssh-rsa AAAA", comment="vpn")
    if model is OutboxMessage:
        said = {"link": "x"}
        return outbox.put(
            channel="EMAIL", to="x@y.example", locale="en", template="welcome", context=said, organization=place
        )
    if model is OtpVerification:
        return OtpVerification.objects.create(
            organization=place, recipient="+46701740601", recipient_key="+46701740601", code_digest="", expires_at=clock.now()
        )  # fmt: skip
    if model is PrefixPause:
        return PrefixPause.objects.update_or_create(
            organization=place, prefix="+46701", resumed_at=None, defaults={"numbers": 200}
        )[0]
    if model is AuditEvent:
        return audit.record("user.changed", by=at_the_console(), subject=somebody, organization=place)
    if model is Callback:
        return Callback.objects.create(organization=place, queue="q-1", requested_by="crm")
    if model is ExternalIdentity:
        through = Application.objects.create(id=f"provider of {organization}", organization=place, type="OTHER")
        return ExternalIdentity.objects.create(
            application=through, issuer="https://id.example", subject="1", user=somebody
        )
    if model is ClientUse:
        caller = OAuthClient.objects.filter(organization=place).order_by("pk").first()
        return ClientUse.objects.create(client=caller, endpoint="/security/clients", status=200)
    if model is Application and organization == "globex":
        return Application.objects.create(id="other", organization=place, type="OTHER")
    return model.objects.filter(organization=place).order_by("pk").first()


def test_every_registered_page_has_its_line_in_the_table() -> None:
    ours = {model for model in admin.site._registry if model._meta.app_label in ("identity", "agents", "integrations")}
    assert ours == set(TRUTH)


@pytest.mark.parametrize("name", ["carol", "alice", "olle"])
def test_who_opens_which_list_and_which_row_and_who_gets_which_form(cast: Cast, admin_of: Admin, name: str) -> None:
    rows = {model: row_of(cast, model, "acme") for model in TRUTH}
    client = admin_of(name)

    for model, row in rows.items():
        is_open = TRUTH[model][name] in (OPEN, 302)
        opened = client.get(page(model, "change", row.pk))
        assert client.get(page(model, "changelist")).status_code == TRUTH[model][name], model
        assert opened.status_code == (OPEN if is_open else CLOSED), model
        assert (b'name="_save"' in opened.content) is (is_open and name in CHANGERS.get(model, set())), model
        adds = client.get(page(model, "add"))
        assert adds.status_code == (OPEN if name in ADDERS.get(model, set()) else CLOSED), model


def test_nobody_deletes_a_row_behind_the_back_of_the_verbs(cast: Cast, admin_of: Admin) -> None:
    client = admin_of("olle")

    for model in TRUTH:
        row = row_of(cast, model, "acme")
        answer = client.post(page(model, "delete", row.pk), {"post": "yes"})
        assert answer.status_code == CLOSED, model
        assert model.objects.filter(pk=row.pk).exists(), model


def test_a_row_of_another_organization_does_not_exist(cast: Cast, admin_of: Admin) -> None:
    client = admin_of("alice")

    for model in TRUTH.keys() - {SigningKey}:
        foreign = row_of(cast, model, "globex").pk
        nobody = type(foreign)("0" * 32) if isinstance(foreign, UUID) else "0"
        deed = (admin.site.get_model_admin(model).deeds or DEEDS)[0].name  # type: ignore[attr-defined]
        for pk in (foreign, nobody):
            assert client.get(page(model, "change", pk)).status_code == 404, model
            assert client.get(page(model, "history", pk)).status_code == 404, model
            assert client.post(page(model, "do", pk, deed)).status_code == 404, model


def test_a_list_shows_the_rows_of_ones_own_organization_only(cast: Cast, admin_of: Admin) -> None:
    alice, olle = admin_of("alice"), admin_of("olle")

    for model in TRUTH.keys() - {Organization, SigningKey}:
        own, foreign = row_of(cast, model, "acme").pk, row_of(cast, model, "globex").pk
        seen = {row.pk for row in alice.get(page(model, "changelist")).context["cl"].result_list}
        seen_by_operator = {row.pk for row in olle.get(page(model, "changelist")).context["cl"].result_list}
        assert own in seen, model
        assert foreign not in seen, model
        assert {own, foreign} <= seen_by_operator, model


def test_an_agent_and_a_stranger_see_nothing(cast: Cast, admin_of: Admin) -> None:
    agent, stranger = admin_of("bob"), Client()

    for model in TRUTH:
        assert agent.get(page(model, "changelist")).status_code == CLOSED
        assert stranger.get(page(model, "changelist")).status_code == 302


@pytest.mark.parametrize(
    ("model", "lookup"),
    [(User, "password__startswith"), (User, "memberships__organization__name"), (ApiKey, "digest__startswith")],
)
def test_the_address_of_a_list_cannot_ask_for_columns_that_are_no_filter(
    cast: Cast, admin_of: Admin, model: Any, lookup: str
) -> None:
    answer = admin_of("alice").get(page(model, "changelist"), {lookup: "a"})

    assert answer.status_code == 400


def test_a_supervisor_sees_who_works_as_whom_now_and_nothing_of_the_past(cast: Cast, admin_of: Admin) -> None:
    running, over = row_of(cast, LoginAs, "acme"), row_of(cast, LoginAs, "acme")
    LoginAs.objects.filter(pk=over.pk).update(ended_at=clock.now())

    rows = admin_of("carol").get(page(LoginAs, "changelist")).context["cl"].result_list

    assert [row.pk for row in rows] == [running.pk]


def test_a_supervisor_can_do_none_of_the_deeds(cast: Cast, admin_of: Admin) -> None:
    carol, bob = admin_of("carol"), cast.user("bob")

    for deed in ("disable", "lock", "protect", "reset-factor", "send-reset", "end-all", "roles", "leave"):
        assert (
            carol.post(page(User, "do", bob.pk, deed), {"organization": cast.organization("acme").pk}).status_code
            == 403
        )

    bob.refresh_from_db()
    assert (bob.is_active, bob.locked_at, bob.is_protected) == (True, None, False)


def test_a_deed_needs_a_post_and_a_known_name(cast: Cast, admin_of: Admin) -> None:
    alice, bob = admin_of("alice"), cast.user("bob")

    assert alice.get(page(User, "do", bob.pk, "disable")).status_code == 405
    assert alice.post(page(User, "do", bob.pk, "promote")).status_code == 404


def test_api_keys_are_made_by_the_verb_for_the_own_organization(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").post(
        page(ApiKey, "add"), {"name": "crm", "organization": cast.organization("globex").pk}
    )

    made = ApiKey.objects.get(name="crm")
    assert made.organization == cast.organization("acme")
    secret = next(text for label, text in answer.context["secrets"] if label == "Secret")
    assert clients.by_api_key(secret, via=at_the_console().via).name == "crm"
    assert "no-store" in answer.headers["Cache-Control"]
