"""The story of presence: changed on the desk or in the admin, told by the extensions API and the wall at once."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from tests.browsers import Browser
from tests.cast import Cast

AtDesk = Callable[[str], Browser]


def told(cast: Cast) -> dict[str, Any]:
    """Answer what carol's telephone program is told of bob."""
    basic = base64.b64encode(f"carol:{cast.password('carol')}".encode()).decode()
    path = f"/api/extensions/{cast.agent('bob').extension}"
    answer = Client().get(path, headers={"Authorization": f"Basic {basic}"})
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def seen(carol: Browser, cast: Cast) -> str:
    """Answer bob's tile on the wall."""
    page = carol.get("/wall/now/").text
    return str(page.partition(f'data-extension="{cast.agent("bob").extension}"')[2].partition("</li>")[0])


def test_what_an_agent_says_on_the_desk_is_told_at_once(at_desk: AtDesk, cast: Cast) -> None:
    bob, carol = at_desk("bob"), at_desk("carol")
    before = told(cast)

    bob.send(
        "/desk/presence/", name="Lunch", until="2030-01-31T12:30", message="Back soon", key_words="invoices, Swedish"
    )

    profile = {"available": False, "name": "Lunch", "until": "2030-01-31 12:30:00", "message": "Back soon"}
    assert told(cast) == before | {"profile": profile, "keyWords": ["invoices", "Swedish"]}
    tile = seen(carol, cast)
    for words in ("Not available", "Lunch", "until", "2030-01-31 12:30 UTC", "Back soon"):
        assert words in tile


def test_what_a_supervisor_says_in_the_admin_is_told_at_once(at_desk: AtDesk, cast: Cast) -> None:
    carol = at_desk("carol")
    page = reverse("admin:agents_agent_change", args=[cast.agent("bob").pk])
    before = told(cast)
    assert "bob@acme.example" in carol.get("/admin/agents/agent/?q=bob").text + carol.get(page).text

    away = {
        "profile_name": "Course", "profile_until_0": "2030-02-01", "profile_until_1": "08:00:00", "profile_message": "All day",
        "key_words": "invoices", "place": "Room 3",
    }  # fmt: skip
    assert carol.send(page, **away).status_code == 302

    profile = {"available": False, "name": "Course", "until": "2030-02-01 08:00:00", "message": "All day"}
    assert told(cast) == before | {"profile": profile, "keyWords": ["invoices"]}
    tile = seen(carol, cast)
    for words in ("Not available", "Course", "All day", "Room 3"):
        assert words in tile

    carol.get(page)
    assert (
        carol.send(page, is_available="on", profile_name="", profile_message="", key_words="", place="").status_code
        == 302
    )
    profile = {"available": True, "name": "", "until": "0000-00-00 00:00:00", "message": None}
    assert told(cast) == before | {"profile": profile, "keyWords": []}
    assert "Available" in seen(carol, cast)


def test_an_agent_changes_nobody_else_s_presence(at_desk: AtDesk, cast: Cast) -> None:
    ivan, bob = cast.agent("ivan"), at_desk("bob")
    page = reverse("admin:agents_agent_change", args=[ivan.pk])
    assert bob.get(page).status_code == 403
    bob.get("/desk/")
    assert bob.send(page, profile_name="Gone").status_code == 403
    ivan.refresh_from_db()
    assert ivan.profile_name == ""
