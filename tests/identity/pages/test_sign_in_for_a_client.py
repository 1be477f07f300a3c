"""The sign-in page on the way to a client: its form may end where the client registered, and nowhere else."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from identity import clients
from identity.principal import at_the_console
from tests.browsers import Browser
from tests.cast import Cast

HOME = "https://desk.elsewhere.example:8443/callback"
INJECTED = "https://desk.elsewhere.example;script-src/callback"


def form_action(policy: str) -> str:
    return next(one for one in policy.split("; ") if one.startswith("form-action"))


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (HOME, "form-action 'self' https://desk.elsewhere.example:8443"),
        (INJECTED, "form-action 'self'"),
        ("elsewhere:/callback", "form-action 'self'"),
        ("https://user@elsewhere.example/callback", "form-action 'self'"),
        ("https://evil.example/callback", "form-action 'self'"),
    ],
)
def test_the_form_may_end_at_the_registered_origin_alone(cast: Cast, asked: str, allowed: str) -> None:
    registered = [HOME, INJECTED, "elsewhere:/callback", "https://user@elsewhere.example/callback"]
    made = clients.create(by=at_the_console(), organization=cast.organization("acme"), redirect_uris=[HOME])
    # Registering refuses such addresses; rows of older days may hold them.
    made.row.redirect_uris = registered
    made.row.save()
    target = "/oauth/authorize?" + urlencode({"client_id": made.row.pk, "redirect_uri": asked})
    browser = Browser()
    page = browser.get("/login/?" + urlencode({"next": target}))
    assert form_action(page.headers["Content-Security-Policy"]) == allowed
    again = browser.send("/login/", username="bob", password="wrong", next=target)
    assert (again.status_code, form_action(again.headers["Content-Security-Policy"])) == (401, allowed)


def test_an_unknown_client_changes_nothing(cast: Cast) -> None:
    for client_id in ("nobody", "\0"):
        target = "/oauth/authorize?" + urlencode({"client_id": client_id, "redirect_uri": HOME})
        page = Browser().get("/login/?" + urlencode({"next": target}))
        assert form_action(page.headers["Content-Security-Policy"]) == "form-action 'self'"
