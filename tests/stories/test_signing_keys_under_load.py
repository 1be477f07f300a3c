"""Signing keys turn over while several processes issue and read tokens: no good token is refused, no dead one taken."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests

from identity import tokens
from identity.principal import at_the_console
from tests.cast import Cast
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)

CALLERS = 3


class Caller:
    """A service that asks for tokens and uses them at once, each on a connection of its own, until it is told to stop."""

    def __init__(self, portal: Portal, cast: Cast) -> None:
        known = cast.said["clients"]["acme_service"]
        self.pair = (known["client_id"], known["client_secret"])
        self.portal = portal
        self.application = f"{portal.url}/security/applications/{cast.said['applications']['openid']}"
        self.issued: list[str] = []
        self.refused: list[tuple[str, int]] = []
        self.line = requests.Session()
        self.line.trust_env = False

    def token(self) -> str:
        answer = self.line.post(
            f"{self.portal.url}/security/oauth/token", auth=self.pair, data={"grant_type": "client_credentials"}
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def status(self, token: str) -> int:
        """Use a token on a new connection: any process may answer."""
        return requests.get(
            self.application, headers={"Authorization": f"Bearer {token}"}, proxies={"http": ""}, timeout=30
        ).status_code

    def work(self, is_over: threading.Event) -> None:
        while not is_over.is_set():
            self.issued.append(self.token())
            # the newest, and the very first, which an older key signed
            for token in (self.issued[-1], self.issued[0]):
                status = self.status(token)
                if status != 200:
                    self.refused.append((kid_of(token), status))


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])


def test_keys_rotated_and_dropped_under_load(live_portal: Portal, cast: Cast) -> None:
    console = at_the_console()
    callers, is_over = [Caller(live_portal, cast) for _ in range(CALLERS)], threading.Event()
    first = kid_of(callers[0].token())

    # when keys rotate twice while all work
    with ThreadPoolExecutor(CALLERS) as pool:
        working = [pool.submit(caller.work, is_over) for caller in callers]
        try:
            for turn in (1, 2):
                wait_for_tokens(callers, 3 * turn)
                second_last = tokens.rotate(by=console)
            wait_for_tokens(callers, 12)
        finally:
            is_over.set()
        for one in working:
            one.result()

    # then tokens of three keys were issued and none was refused
    issued = [token for caller in callers for token in caller.issued]
    assert [caller.refused for caller in callers] == [[]] * CALLERS
    assert {first, second_last} < {kid_of(token) for token in issued}

    # and when the current key is dropped, every process refuses what it signed, takes what others signed, and issues anew
    dropped = second_last
    following = tokens.drop(by=console, kid=dropped)
    told = {token: {callers[0].status(token) for _ in range(4)} for token in one_of_each_key(issued)}
    assert told == {token: {401 if kid_of(token) == dropped else 200} for token in told}
    fresh = callers[0].token()
    assert (kid_of(fresh), callers[0].status(fresh)) == (following, 200)


def wait_for_tokens(callers: list[Caller], number: int) -> None:
    """Let every caller go on until it holds so many tokens."""
    pause = threading.Event()
    for _ in range(600):
        if all(len(caller.issued) >= number for caller in callers):
            return
        pause.wait(0.05)
    raise AssertionError(f"callers hold {[len(caller.issued) for caller in callers]} tokens")


def one_of_each_key(issued: list[str]) -> list[str]:
    return list({kid_of(token): token for token in issued}.values())
