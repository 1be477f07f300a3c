"""The cast of the contract, in every test that asks for it: alice, bob, carol, dave, ivan at acme; erin, frank at globex."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

from agents.models import Agent
from config import demo
from identity import clock, crypto, sessions, tokens
from identity.models import Membership, Organization, Session, SigningKey, User
from identity.principal import Principal, Role, Via, at_the_console

_signing_keys: list[SigningKey] = []
_rows: list[tuple[type[Model], list[Any]]] = []
_said: dict[str, Any] = {}


@dataclass
class Cast:
    """The people of the demo with their passwords, and ways to be one of them."""

    said: dict[str, Any]

    def entry(self, name: str) -> dict[str, Any]:
        return dict(self.said["users"][name])

    def password(self, name: str) -> str:
        return str(self.entry(name)["password"])

    def digest(self, name: str) -> str:
        return crypto.password_digest(self.password(name))

    def user(self, name: str) -> User:
        return User.objects.get(username=name)

    def agent(self, name: str) -> Agent:
        return Agent.objects.get(user__username=name)

    def organization(self, name: str) -> Organization:
        return Organization.objects.get(name=name)

    def membership(self, name: str) -> Membership:
        return Membership.objects.get(user__username=name)

    def session(self, name: str, *, door: str = "test", **more: Any) -> sessions.Opened:
        """Open a session of a person without signing in."""
        user = self.user(name)
        more.setdefault("lifetime", timedelta(hours=12))
        return sessions.open_(
            via=Via(door=door, address="127.0.0.1"), user=user, organization=user.default_organization, **more
        )

    def principal(self, name: str, *, door: str = "test", **more: Any) -> Principal:
        """Be somebody: open a session and answer who stands behind it."""
        return self.principal_of(self.session(name, door=door, **more).session)

    def principal_of(self, session: Session) -> Principal:
        found = sessions.find(session.pk, organization_id=session.organization_id)
        return sessions.principal_of(found, via=Via(door=found.door, address="127.0.0.1"), at=clock.now())

    def newcomer(
        self, name: str, *, organization: str = "acme", roles: tuple[Role, ...] = (Role.AGENT,), **more: Any
    ) -> User:
        """Make one more person, known like the cast."""
        entry = demo.person(at_the_console(), name, self.organization(organization), roles=list(roles), **more)
        self.said["users"][name] = entry
        return self.user(name)


@pytest.fixture
def cast(db: None, signing_keys: None) -> Cast:
    """The demo cast, with random passwords: made by the product once in a run, and put back as it was for every other test.

    Making it takes a tenth of a second, most of it hashes and audit rows; its rows are put back in a hundredth.
    """
    if User.objects.exists():  # a test that made somebody before it asked for the cast gets it made around them
        return Cast(demo.build())
    if not _rows:
        _said.update(demo.build())
        ours = [model for app in ("identity", "agents") for model in apps.get_app_config(app).get_models()]
        found = ((model, list(model._base_manager.all())) for model in ours)
        _rows.extend((model, rows) for model, rows in found if rows and model is not SigningKey)
    else:
        with transaction.atomic():
            for model, rows in _rows:
                model._base_manager.bulk_create([copy.copy(row) for row in rows])
        _count_on()
    return Cast(copy.deepcopy(_said))


def _count_on() -> None:
    """Let PostgreSQL number new rows after those that were put back: an import in another test may have set it back."""
    statements = connection.ops.sequence_reset_sql(no_style(), [model for model, _rows_of_it in _rows])
    if statements:
        with connection.cursor() as cursor:
            cursor.execute("".join(statements))


@pytest.fixture
def signing_keys(db: None) -> None:
    """Signing keys, made once for the whole run: making one costs a third of a second."""
    if not _signing_keys:
        tokens.ensure()
        _signing_keys.extend(SigningKey.objects.all())
    else:
        SigningKey.objects.bulk_create([copy.copy(key) for key in _signing_keys])


@pytest.fixture
def console() -> Principal:
    """Somebody at the operator's console."""
    return at_the_console()
