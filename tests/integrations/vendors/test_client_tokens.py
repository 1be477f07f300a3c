"""Our clients' tokens at Genesys: fetched once, kept sealed, dropped when they are not taken (RFC 6749, 4.4; clarifications 38)."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as configured

from identity import applications, clock, seals
from identity.errors import Invalid, UpstreamUnavailable
from identity.models import Application
from identity.principal import at_the_console
from integrations.models import VendorToken
from integrations.vendors import client, client_tokens, configs, genesys
from tests.cast import Cast
from tests.integrations.vendors.stand_in import Asked, StandIn, said
from tests.processes import environment_of_tests

pytestmark = [pytest.mark.django_db, pytest.mark.wire("auvious", "3.2 Facades")]
CONFIG: dict[str, Any] = {
    "organizationId": "gc-org", "pcEnvironment": "mypurecloud.ie",
    "serviceParameters": {"clientId": "gc-id", "clientSecret": "gc-s3cret"},
}  # fmt: skip


class Cloud:
    """A Genesys that hands out numbered tokens and takes those that it was not told to forget."""

    def __init__(self, stand_in: StandIn) -> None:
        self.there = stand_in
        self.numbers = itertools.count(1)
        self.life: Any = 3600
        self.refuses: set[str] = set()
        self.status = 200
        stand_in.behaviour.answer = self.answer

    def answer(self, asked: Asked) -> bytes:
        if asked.path == "/oauth/token":
            token = {"access_token": f"token-{next(self.numbers)}", "token_type": "bearer", "expires_in": self.life}
            return said(self.status, token)
        if asked.headers["authorization"] in self.refuses:
            return said(401, {"message": "expired"})
        return said(self.status, {"with": asked.headers["authorization"]})

    @property
    def fetched(self) -> list[Asked]:
        return [asked for asked in self.there.asked if asked.path == "/oauth/token"]


@pytest.fixture
def cloud(stand_in: StandIn, settings: Any) -> Cloud:
    settings.UPSTREAM_TIMEOUT_SECONDS = 30  # on a busy machine
    settings.GENESYS_BASE_URL = stand_in.url
    return Cloud(stand_in)


@pytest.fixture
def application(cast: Cast) -> Application:
    by, acme = at_the_console(), cast.organization("acme")
    return applications.create(by=by, organization=acme, type_="GENESYS", config=CONFIG)


def used(application: Application, **more: Any) -> Any:
    """Ask the API and answer which token it was asked with."""
    config = configs.checked(application)
    answer = genesys.ask(application=application, config=config, method="GET", path="/api/v2/users", **more)
    return answer.json["with"]


def test_a_token_is_fetched_once_and_used_again(application: Application, cloud: Cloud) -> None:
    assert [used(application) for _ in range(3)] == ["Bearer token-1"] * 3

    (fetched,) = cloud.fetched
    assert (fetched.method, fetched.form) == ("POST", {"grant_type": "client_credentials"})
    assert fetched.headers["authorization"] == "Basic Z2MtaWQ6Z2MtczNjcmV0"


def test_a_body_and_a_query_go_to_the_api(application: Application, cloud: Cloud) -> None:
    genesys.ask(
        application=application, config=CONFIG, method="POST", path="/api/v2/x", query={"a": "b c"}, body={"name": "Åsa"}
    )  # fmt: skip
    sent = cloud.there.asked[-1]
    assert (sent.method, sent.target, sent.body) == ("POST", "/api/v2/x?a=b+c", b'{"name": "\\u00c5sa"}')


@pytest.mark.parametrize(
    ("life", "good_for"), [(3600, 3540), (100, 90), (None, 270), ("3600", 270), (-5, 270), (True, 270), (10**12, 86_340)],
    ids=["an hour", "short", "unsaid", "text", "negative", "true", "for ever"],
)  # fmt: skip
def test_a_token_is_renewed_shortly_before_it_ends(
    application: Application, cloud: Cloud, life: Any, good_for: int
) -> None:
    cloud.life = life
    with time_machine.travel(clock.now(), tick=False) as now:
        used(application)
        now.shift(good_for - 1)
        assert used(application) == "Bearer token-1"
        now.shift(2)
        assert used(application) == "Bearer token-2"


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_fetches(at_once: Callable[..., list[Any]], application: Application, cloud: Cloud) -> None:
    slow = cloud.answer

    def answer(asked: Asked) -> bytes:
        if asked.path == "/oauth/token":
            cloud.there.over.wait(0.3)
        return slow(asked)

    cloud.there.behaviour.answer = answer
    assert at_once(16, lambda _number: used(application)) == ["Bearer token-1"] * 16
    assert len(cloud.fetched) == 1


SCRIPT = """
import django; django.setup()
from identity.models import Application
from integrations.vendors import configs, genesys
application = Application.objects.get(pk={pk!r})
answer = genesys.ask(application=application, config=configs.checked(application), method="GET", path="/api/v2/users")
print(answer.json["with"])
"""


@pytest.mark.django_db(transaction=True)
def test_of_several_processes_one_fetches(application: Application, cloud: Cloud) -> None:
    slow = cloud.answer

    def answer(asked: Asked) -> bytes:
        if asked.path == "/oauth/token":
            cloud.there.over.wait(1)
        return slow(asked)

    cloud.there.behaviour.answer = answer
    command = [sys.executable, "-c", SCRIPT.format(pk=str(application.pk))]
    env = environment_of_tests(GENESYS_BASE_URL=cloud.there.url, UPSTREAM_TIMEOUT_SECONDS="30")
    running = [
        subprocess.Popen(command, env=env, cwd=configured.BASE_DIR, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in running] == ["Bearer token-1\n"] * 3
    assert len(cloud.fetched) == 1


def test_a_token_that_is_not_taken_is_dropped_once(application: Application, cloud: Cloud) -> None:
    until = client.deadline()
    held = genesys.token(application=application, config=CONFIG, until=until)
    cloud.refuses.add("Bearer token-1")

    with pytest.raises(UpstreamUnavailable, match="our own credentials were refused with 401"):
        used(application)
    assert used(application) == "Bearer token-2"

    # Somebody else was refused with the old one, too: the new one stays.
    client_tokens.drop(held)
    assert used(application) == "Bearer token-2"
    assert len(cloud.fetched) == 2


def test_what_is_forbidden_to_us_is_a_failure_and_keeps_the_token(application: Application, cloud: Cloud) -> None:
    used(application)
    cloud.status = 403
    with pytest.raises(UpstreamUnavailable, match="our own credentials were refused with 403"):
        used(application)
    cloud.status = 200
    assert used(application) == "Bearer token-1"


def test_what_the_api_refuses_is_an_answer(application: Application, cloud: Cloud) -> None:
    used(application)
    for status in (400, 404, 409, 422, 429):
        cloud.status = status
        answer = genesys.ask(application=application, config=CONFIG, method="GET", path="/api/v2/users")
        assert (answer.status, answer.is_success) == (status, False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_where_no_token_is_given_nothing_is_kept(application: Application, cloud: Cloud, status: int) -> None:
    cloud.status = status
    with pytest.raises(UpstreamUnavailable):
        used(application)
    assert len(cloud.there.asked) == 1
    cloud.status = 200
    assert used(application) == "Bearer token-2"


@pytest.mark.parametrize(
    "answer", [{}, {"access_token": ""}, {"access_token": 5}, {"access_token": "a b"}, {"access_token": "a\r\nX: y"}, {"access_token": "å"}], ids=str
)  # fmt: skip
def test_what_cannot_be_sent_is_no_token(application: Application, cloud: Cloud, answer: dict[str, Any]) -> None:
    cloud.there.answers(200, answer)
    with pytest.raises(UpstreamUnavailable, match="genesys: garbage"):
        used(application)


def test_another_secret_is_another_client(application: Application, cloud: Cloud) -> None:
    used(application)
    config = {**CONFIG, "serviceParameters": {"clientId": "gc-id", "clientSecret": "another"}}
    applications.change(by=at_the_console(), application=application, type_="GENESYS", config=config)
    assert used(application) == "Bearer token-2"
    assert cloud.fetched[1].headers["authorization"] == client.basic("gc-id", "another")


def test_each_application_has_its_own(cast: Cast, application: Application, cloud: Cloud) -> None:
    globex = applications.create(
        by=at_the_console(), organization=cast.organization("globex"), type_="GENESYS", config=CONFIG
    )
    assert [used(application), used(globex), used(application)] == [
        "Bearer token-1",
        "Bearer token-2",
        "Bearer token-1",
    ]


def test_a_token_is_kept_sealed_and_moves_with_the_keys(application: Application, cloud: Cloud, settings: Any) -> None:
    used(application)
    row = VendorToken.objects.get()
    assert "token-1" not in str(vars(row))

    settings.ENCRYPTION_KEYS = ["a new key of thirty-two characters", *settings.ENCRYPTION_KEYS]
    (column,) = [one for one in seals.columns() if one.model is VendorToken]
    assert seals.move(column) == 1
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    held = client_tokens.get(
        application=application,
        credentials=(cloud.there.url, "gc-id", "gc-s3cret"),
        fetch=dict,
        until=client.deadline(),
    )
    assert held.token == "token-1"
    assert "token-1" not in repr(held)


def test_a_token_whose_key_is_gone_is_fetched_anew(application: Application, cloud: Cloud) -> None:
    used(application)
    VendorToken.objects.update(sealed="00000000.AAAA")
    assert used(application) == "Bearer token-2"


def test_a_process_that_died_while_fetching_holds_nobody_up_for_long(application: Application, cloud: Cloud) -> None:
    lease = clock.now() + timedelta(seconds=0.3)
    VendorToken.objects.create(application=application, claimed_until=lease)
    assert used(application) == "Bearer token-1"
    assert clock.now() >= lease


def test_whoever_waits_in_vain_gives_up_in_time(application: Application, cloud: Cloud, settings: Any) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = 0.3
    VendorToken.objects.create(application=application, claimed_until=clock.now() + timedelta(minutes=1))
    began = time.monotonic()
    with pytest.raises(UpstreamUnavailable):
        used(application)
    assert time.monotonic() - began < 10
    assert cloud.there.asked == []


def test_an_application_without_credentials_says_so(cast: Cast, cloud: Cloud) -> None:
    config = {"organizationId": "gc-org", "pcEnvironment": "mypurecloud.ie"}
    bare = applications.create(
        by=at_the_console(), organization=cast.organization("acme"), type_="GENESYS", config=config
    )
    with pytest.raises(Invalid) as refused:
        used(bare)
    assert set(refused.value.fields) == {"config.serviceParameters.clientId", "config.serviceParameters.clientSecret"}
    assert cloud.there.asked == []


def test_a_region_hands_out_tokens_at_its_own_host(application: Application, names: Any) -> None:
    names["login.mypurecloud.ie"] = [[]]
    with pytest.raises(UpstreamUnavailable, match="genesys: dns"):
        used(application)
