"""Testing a connection: each way in which it can go wrong has a verdict of its own, over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from identity import applications, clock
from identity.errors import NotAllowed, NotFound, TooManyAttempts
from identity.models import Application, AuditEvent
from identity.principal import at_the_console
from integrations.models import VendorHealth, VendorToken
from integrations.sandbox.server import Sandbox
from integrations.stories import trials
from integrations.stories.trials import Outcome
from tests.cast import Cast
from tests.integrations.sandbox.conftest import sandbox
from tests.integrations.vendors.stand_in import Asked, StandIn, said

__all__ = ["sandbox"]  # the fixture
pytestmark = pytest.mark.django_db
TYPES = tuple(trials.VENDORS)


def of(type_: str) -> Application:
    return Application.objects.get(type=type_)


def changed(type_: str, **config: Any) -> Application:
    """The demo's application of a type with other entries."""
    row = of(type_)
    grant = "integrations:integration:edit" if type_ == "GENESYS" else ""
    stored = applications.config_of(row)
    applications.change(by=at_the_console(), application=row, type_=type_, config={**stored, **config}, grant=grant)
    return of(type_)


def verdict(cast: Cast, type_: str, application: Application | None = None) -> tuple[Outcome, str]:
    found = trials.run(by=cast.principal("alice"), application=application or of(type_))
    assert found.vendor == trials.VENDORS[type_]
    return found.outcome, found.detail


@pytest.fixture
def there(settings: Any) -> Iterator[Callable[..., StandIn]]:
    """A function that puts a server in the place of every vendor, with what it answers."""
    servers: list[StandIn] = []

    def put(answer: Callable[[Asked], bytes]) -> StandIn:
        server = StandIn()
        server.behaviour.answer = answer
        servers.append(server)
        for vendor in trials.VENDORS.values():
            setattr(settings, f"{vendor.upper()}_BASE_URL", server.url)
        return server

    yield put
    for server in servers:
        server.close()


def description(server_host: str) -> dict[str, str]:
    base = f"http://{server_host}"
    return {
        "issuer": base, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token", "jwks_uri": f"{base}/jwks",
    }  # fmt: skip


def describes(asked: Asked, otherwise: bytes) -> bytes:
    """Answer a provider's description where that is asked for, and something else elsewhere."""
    if asked.path.endswith("/.well-known/openid-configuration"):
        return said(200, description(asked.headers["host"]))
    return otherwise


# --- the verdicts -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("type_", TYPES)
def test_a_connection_that_works_is_good_and_nothing_is_kept_of_it(sandbox: Sandbox, cast: Cast, type_: str) -> None:
    before = AuditEvent.objects.count()

    assert verdict(cast, type_) == (Outcome.GOOD, "")

    assert (VendorToken.objects.count(), AuditEvent.objects.count()) == (0, before)
    counted = VendorHealth.objects.get(vendor=trials.VENDORS[type_])
    assert (counted.calls > 0, counted.failures) == (True, 0)


@pytest.mark.parametrize("type_", TYPES)
def test_a_client_that_is_not_known_there_is_named(sandbox: Sandbox, cast: Cast, type_: str) -> None:
    changed(type_, serviceParameters={"clientId": "somebody", "clientSecret": "else"})

    assert verdict(cast, type_) == (Outcome.UNKNOWN_CLIENT, "")


@pytest.mark.parametrize("type_", ["TALKDESK_OPENID", "NICE_CXONE_OPENID"])
def test_signing_in_is_tested_where_it_is_offered(sandbox: Sandbox, cast: Cast, type_: str) -> None:
    calls = {}
    for offered in (False, True):
        changed(type_, signIn={"enabled": offered})
        assert verdict(cast, type_) == (Outcome.GOOD, "")
        calls[offered] = VendorHealth.objects.get().calls

    assert calls[True] - calls[False] > calls[False]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (said(503), (Outcome.FAILING, "status 503")), (said(200, b"<html>", content_type="text/html"), (Outcome.STRANGE, "garbage")),
        (said(302, Location="/elsewhere"), (Outcome.STRANGE, "redirect")), (b"", (Outcome.STRANGE, "garbage")),
    ],
    ids=["fault", "a page", "redirect", "hangs up"],
)  # fmt: skip
@pytest.mark.parametrize("type_", TYPES)
def test_what_is_no_answer_is_told_apart(
    there: Callable[..., StandIn], cast: Cast, type_: str, answer: bytes, found: tuple[Outcome, str]
) -> None:
    there(lambda _asked: answer)

    outcome, detail = verdict(cast, type_)

    assert (outcome, detail) == found or (answer == b"" and outcome is Outcome.UNREACHABLE)


@pytest.mark.parametrize("type_", TYPES)
def test_where_nothing_listens_it_is_unreachable(settings: Any, cast: Cast, type_: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        for vendor in trials.VENDORS.values():
            setattr(settings, f"{vendor.upper()}_BASE_URL", f"http://127.0.0.1:{bound.getsockname()[1]}")

        assert verdict(cast, type_) == (Outcome.UNREACHABLE, "connection")


@pytest.mark.parametrize("type_", TYPES)
def test_who_says_nothing_is_silent(there: Callable[..., StandIn], settings: Any, cast: Cast, type_: str) -> None:
    settings.UPSTREAM_TIMEOUT_SECONDS = 0.3
    server = there(lambda _asked: b"")
    server.behaviour.answer = lambda _asked: (server.over.wait(10), b"")[1]

    assert verdict(cast, type_) == (Outcome.SILENT, "timeout")


@pytest.mark.parametrize("type_", TYPES)
def test_a_vendor_that_failed_too_often_is_left_alone(there: Callable[..., StandIn], cast: Cast, type_: str) -> None:
    server = there(lambda _asked: said(503))
    with time_machine.travel(clock.now(), tick=False):
        outcomes = [verdict(cast, type_)[0] for _ in range(6)]
        asked = len(server.asked)
        until = trials.run(by=cast.principal("alice"), application=of(type_)).until
        assert until is not None
        assert timedelta(0) <= until - clock.now() - timedelta(seconds=30) < timedelta(seconds=10)

    assert outcomes == [Outcome.FAILING] * 5 + [Outcome.RESTING]
    assert (asked, len(server.asked)) == (5, 5)


def test_a_genesys_client_that_may_not_read_queues_is_told_what_to_allow(
    there: Callable[..., StandIn], cast: Cast
) -> None:
    there(lambda asked: said(200, {"access_token": "t"}) if asked.path == "/oauth/token" else said(403, {}))

    assert verdict(cast, "GENESYS") == (Outcome.NOT_PERMITTED, "routing:queue:view")


@pytest.mark.parametrize(
    ("status", "error", "found"),
    [
        (400, "invalid_grant", (Outcome.GOOD, "")), (400, "invalid_client", (Outcome.UNKNOWN_CLIENT, "")), (401, "", (Outcome.UNKNOWN_CLIENT, "")),
        (400, "unauthorized_client", (Outcome.NOT_PERMITTED, "refresh_token")), (400, "invalid_request", (Outcome.REFUSED, "invalid_request")),
        (404, "", (Outcome.REFUSED, "404")), (400, "line\nbreak", (Outcome.REFUSED, "400")),
    ],
    ids=["wrong token", "wrong client", "no words", "not for it", "other words", "no such page", "words nobody repeats"],
)  # fmt: skip
@pytest.mark.parametrize("type_", ["TALKDESK_OPENID", "NICE_CXONE_OPENID"])
def test_the_partners_word_decides(
    there: Callable[..., StandIn], cast: Cast, type_: str, status: int, error: str, found: tuple[Outcome, str]
) -> None:
    there(lambda asked: describes(asked, said(status, {"error": error})))

    assert verdict(cast, type_) == found


@pytest.mark.parametrize("type_", ["NICE_CXONE_OPENID", "STANDALONE_OPENID"])
@pytest.mark.parametrize("status", [200, 404])
def test_a_provider_without_a_description_is_named(
    there: Callable[..., StandIn], cast: Cast, type_: str, status: int
) -> None:
    there(lambda _asked: said(status, {"issuer": "https://somebody.example"}))

    # To NICE an unfit description is none; a person's provider is asked for more before it counts as one.
    expected = Outcome.STRANGE if (type_, status) == ("NICE_CXONE_OPENID", 200) else Outcome.UNDESCRIBED
    assert verdict(cast, type_)[0] is expected


def test_a_provider_without_a_client_is_only_found(sandbox: Sandbox, cast: Cast) -> None:
    changed("STANDALONE_OPENID", serviceParameters={})

    assert verdict(cast, "STANDALONE_OPENID") == (Outcome.FOUND, "")


def test_what_is_missing_is_named_and_nobody_is_asked(there: Callable[..., StandIn], cast: Cast) -> None:
    server = there(lambda _asked: said(200, {}))
    changed("GENESYS", serviceParameters={})
    row = changed("STANDALONE_OPENID")
    row.config.pop("issuer")
    row.save(update_fields=["config"])

    assert verdict(cast, "GENESYS") == (
        Outcome.INCOMPLETE,
        "config.serviceParameters.clientId, config.serviceParameters.clientSecret",
    )
    assert verdict(cast, "STANDALONE_OPENID") == (Outcome.INCOMPLETE, "config.issuer")
    assert server.asked == []


# --- who may ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["bob", "carol"])
def test_only_those_who_manage_applications_may_try_them(sandbox: Sandbox, cast: Cast, name: str) -> None:
    with pytest.raises(NotAllowed):
        trials.run(by=cast.principal(name), application=of("GENESYS"))

    assert VendorHealth.objects.count() == 0


def test_another_organisations_application_is_not_there(sandbox: Sandbox, cast: Cast) -> None:
    with pytest.raises(NotFound):
        trials.run(by=cast.principal("frank"), application=of("GENESYS"))


def test_a_type_without_a_vendor_cannot_be_tried(cast: Cast) -> None:
    made = applications.create(by=at_the_console(), organization=cast.organization("acme"), type_="TEST", config={})

    with pytest.raises(NotFound):
        trials.run(by=cast.principal("alice"), application=made)


def test_who_presses_again_and_again_has_to_wait(sandbox: Sandbox, cast: Cast) -> None:
    with time_machine.travel(clock.now(), tick=False):
        outcomes = {verdict(cast, "GENESYS")[0] for _ in range(trials.AT_MOST.limit)}
        with pytest.raises(TooManyAttempts):
            verdict(cast, "TALKDESK_OPENID")

    assert outcomes == {Outcome.GOOD}
