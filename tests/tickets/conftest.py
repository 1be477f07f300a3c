"""What the tests of tickets share: a way to make one of any kind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.cast import Cast
from tests.identity.admin.conftest import admin_of
from tickets import actions as tickets
from tickets.actions import Issued, Meaning

__all__ = ["admin_of"]
New = Callable[..., Issued]


@pytest.fixture
def new(cast: Cast) -> New:
    """A function that makes a ticket at acme; its properties are its meaning's own words."""

    def make(*, by: str = "bob", once: bool = False, at: datetime | None = None, **more: Any) -> Issued:
        said = {name: more.pop(name) for name in ("conference", "customer", "interaction") if name in more}
        principal = cast.principal(by)
        return tickets.issue(
            by=principal, organization=cast.organization(principal.organization_name), type_="KIND", properties=dict(said),
            read=lambda type_, properties: Meaning(scheduled_at=at, **properties), is_single_use=once, **more,
        )  # fmt: skip

    return make
