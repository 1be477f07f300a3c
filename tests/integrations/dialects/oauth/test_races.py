"""Many at once: what serves once is had by one (operating.md 6.2; security.md M3, P1, P4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from identity import authorization_codes, tokens
from identity.models import AuthorizationCode, RefreshToken, Session
from identity.pages.middleware import DOOR
from identity.principal import at_the_console
from tests.cast import Cast
from tests.integrations.dialects.oauth.conftest import Endpoint

pytestmark = pytest.mark.wire("auvious", "3.0 single use")

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]
MANY = 64
VERIFIER = "v" * 50
BACK = "http://127.0.0.1:8000/desk/callback"


def statuses(answers: list[Any]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def of_own(endpoint: Endpoint) -> Endpoint:
    """A caller with a client of its own: the test client keeps state between requests."""
    return Endpoint(endpoint.cast, Client())


def test_a_refresh_token_is_used_by_one_of_many(endpoint: Endpoint, at_once: AtOnce) -> None:
    body = endpoint.person("bob")

    answers = at_once(MANY, lambda _: of_own(endpoint).refresh(body["refresh_token"]))

    assert statuses(answers) == {200: 1, 400: MANY - 1}
    # The others took it for stolen: what the winner got is dead, too.
    session = Session.objects.get(pk=RefreshToken.objects.latest("pk").session_id)
    assert session.end_reason == "token reused"
    assert endpoint.applications(body["access_token"]).status_code == 401


def test_an_operators_code_is_used_by_one_of_many(endpoint: Endpoint, at_once: AtOnce) -> None:
    form = {"grant_type": "password", "username": "bob", "password": endpoint.code("bob")}

    answers = at_once(MANY, lambda _: of_own(endpoint).ask(form, by="agent_sso"))

    assert statuses(answers) == {200: 1, 400: MANY - 1}
    assert Session.objects.filter(client__isnull=False, user__username="bob").count() == 1
    (token,) = (answer.json()["access_token"] for answer in answers if answer.status_code == 200)
    assert endpoint.applications(token).status_code == 200


def test_a_browsers_code_is_used_by_one_of_many(endpoint: Endpoint, at_once: AtOnce) -> None:
    bob, organization = endpoint.cast.user("bob"), endpoint.cast.organization("acme")
    code = authorization_codes.issue(
        by=at_the_console(), user=bob, client=authorization_codes.sign_in_client(organization), organization=organization,
        session=endpoint.cast.session("bob", door=DOOR).session, redirect_uri=BACK, code_challenge=authorization_codes.challenge_of(VERIFIER),
    )  # fmt: skip
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}

    answers = at_once(MANY, lambda _: of_own(endpoint).ask(form, by="agent_sso"))

    assert statuses(answers) == {200: 1, 400: MANY - 1}
    assert AuthorizationCode.objects.get().opened is not None


def test_keys_turn_over_while_tokens_are_asked_for_and_used(cast: Cast, endpoint: Endpoint, at_once: AtOnce) -> None:
    old = endpoint.bearer("acme_service")

    def deed(number: int) -> Any:
        caller = of_own(endpoint)
        if number % 8 == 0:
            tokens.rotate(by=at_the_console())
        return caller.applications(caller.bearer("acme_service")), caller.applications(old)

    answers = at_once(24, deed)

    assert statuses([answer for pair in answers for answer in pair]) == {200: 48}
    dropped = [key["kid"] for key in tokens.jwks()["keys"]]
    for kid in dropped:
        tokens.drop(by=at_the_console(), kid=kid)
    assert endpoint.applications(old).status_code == 401
    assert endpoint.applications(endpoint.bearer("acme_service")).status_code == 200
