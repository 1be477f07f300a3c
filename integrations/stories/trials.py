"""Tries an application's connection the way its calls go, without changing anything there, and says how that went."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from identity import clock, crypto, limits, policy
from identity.errors import Invalid, NotFound, TooManyAttempts, UpstreamUnavailable
from identity.limits import Rate
from identity.models import Application
from identity.policy import Permission
from identity.principal import Principal
from integrations.providers import openid
from integrations.providers.openid import OpenIdProvider
from integrations.providers.policy import Policy
from integrations.providers.proof import Asked, SignInRefused
from integrations.stories import sign_in_with
from integrations.vendors import client, configs, genesys, genesys_callbacks, health, nice, partner_tokens, talkdesk

VENDORS = {
    "GENESYS": genesys.VENDOR, "TALKDESK_OPENID": talkdesk.VENDOR, "NICE_CXONE_OPENID": nice.VENDOR, "STANDALONE_OPENID": openid.VENDOR,
}  # fmt: skip
# Somebody who tries again and again must not make us the hammer.
AT_MOST = Rate(10, timedelta(minutes=1))


class Outcome(StrEnum):
    """How a trial went; each has words that say what to do."""

    GOOD = "good"
    FOUND = "found"
    INCOMPLETE = "incomplete"
    UNKNOWN_CLIENT = "unknown_client"
    NOT_PERMITTED = "not_permitted"
    UNDESCRIBED = "undescribed"
    REFUSED = "refused"
    NO_NAME = "no_name"
    NOT_PUBLIC = "not_public"
    SILENT = "silent"
    UNTRUSTED = "untrusted"
    UNREACHABLE = "unreachable"
    FAILING = "failing"
    STRANGE = "strange"
    RESTING = "resting"


# What the way out says of a call without an answer (vendors.transport); "status 503" and the like are FAILING.
OF_WORDS = {
    "dns": Outcome.NO_NAME, "address": Outcome.NOT_PUBLIC, "timeout": Outcome.SILENT, "tls": Outcome.UNTRUSTED, "connection": Outcome.UNREACHABLE,
    "garbage": Outcome.STRANGE, "too large": Outcome.STRANGE, "redirect": Outcome.STRANGE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial went, and how long it took; `detail` is the vendor's own word or the name of what is missing, `until` when to come again."""

    vendor: str
    outcome: Outcome
    took: timedelta
    detail: str = ""
    until: datetime | None = None

    @property
    def is_good(self) -> bool:
        return self.outcome in (Outcome.GOOD, Outcome.FOUND)


class _Stop(Exception):
    """The trial is over: this is how it went."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(outcome)
        self.outcome, self.detail = outcome, detail


def run(*, by: Principal, application: Application) -> Verdict:
    """Try an application's client at its vendor, through the guarded client, so that it counts like any call.

    Raises NotAllowed, NotFound (another organisation's, or a type that has no vendor), TooManyAttempts.
    """
    policy.require(by, Permission.APPLICATIONS_MANAGE)
    is_theirs = policy.may(by, Permission.ALL_ORGANIZATIONS) or by.organization_id == application.organization_id
    if application.type not in VENDORS or not is_theirs:
        raise NotFound("no such connection")
    at, vendor = clock.now(), VENDORS[application.type]
    charged = limits.charge(limits.key_for("vendor-trial", str(application.organization_id)), AT_MOST, at=at)
    if not charged.is_within:
        raise TooManyAttempts(retry_after=charged.until - at)
    resting = health.open_circuits(organization_id=application.organization_id, at=at).get(vendor)
    if resting is not None:
        return Verdict(vendor, Outcome.RESTING, timedelta(), until=resting)
    began = time.monotonic()
    stop = _tried(application)
    return Verdict(vendor, stop.outcome, timedelta(seconds=time.monotonic() - began), stop.detail)


def _tried(application: Application) -> _Stop:
    try:
        _TRIALS[application.type](application, configs.checked(application))
    except _Stop as e:
        return e
    except Invalid as e:
        return _Stop(Outcome.INCOMPLETE, ", ".join(e.fields))
    except crypto.SealBroken:
        return _Stop(Outcome.INCOMPLETE, "config.serviceParameters.clientSecret")
    except SignInRefused:
        return _Stop(Outcome.UNDESCRIBED)
    except client.Unanswered as e:
        return _Stop(OF_WORDS.get(e.word, Outcome.FAILING), e.word)
    except UpstreamUnavailable:
        # It answered, and refused to say what it is; or a call before this one failed too often just now.
        return _Stop(Outcome.UNDESCRIBED)
    return _Stop(Outcome.GOOD)


def _genesys(application: Application, config: dict[str, Any]) -> None:
    """Ask for a token, then for a queue, which is the least that callbacks need."""
    until = client.deadline()
    said = genesys.ask_for_token(application=application, config=config, until=until)
    if not said.is_success:
        raise _Stop(Outcome.UNKNOWN_CLIENT)
    answer = client.ask(
        place=client.place(genesys.VENDOR, f"https://api.{config['pcEnvironment']}"), organization_id=application.organization_id, method="GET",
        path=genesys_callbacks.QUEUES, query={"pageSize": "1"}, authorization=f"Bearer {said.json['access_token']}", until=until,
    )  # fmt: skip
    if not answer.is_success:
        raise _Stop(Outcome.NOT_PERMITTED, "routing:queue:view")


def _partner(application: Application, config: dict[str, Any]) -> None:
    """Ask to refresh a token that nobody handed out: who knows the client minds the token only (RFC 6749, 5.2)."""
    until, organization_id = client.deadline(), application.organization_id
    endpoint = partner_tokens.ENDPOINTS[application.type]
    place, path = endpoint(config=config, organization_id=organization_id, until=until)
    machine = config["serviceParameters"]
    answer = client.ask(
        place=place, organization_id=organization_id, method="POST", path=path, until=until,
        form={"grant_type": "refresh_token", "refresh_token": crypto.make()},
        authorization=client.basic(machine["clientId"], machine["clientSecret"]),
    )  # fmt: skip
    error = partner_tokens.error_of(answer.json)
    if answer.status == 401 or error == "invalid_client":
        raise _Stop(Outcome.UNKNOWN_CLIENT)
    if error == "unauthorized_client":
        raise _Stop(Outcome.NOT_PERMITTED, "refresh_token")
    if not answer.is_success and error != "invalid_grant":
        raise _Stop(Outcome.REFUSED, error or str(answer.status))
    if Policy.of(config).is_enabled:
        _provider(application, config)


def _provider(application: Application, config: dict[str, Any]) -> None:
    """Read the provider's description, and ask for tokens with a code that nobody handed out."""
    provider = OpenIdProvider.of(application, config)
    asked = Asked(crypto.make(), crypto.make(), crypto.make(), sign_in_with.redirect_uri(application))
    provider.authorization_address(asked)
    if not provider.client_id:
        raise _Stop(Outcome.FOUND)
    if not provider.knows_client(asked):
        raise _Stop(Outcome.UNKNOWN_CLIENT)


def _issuer(application: Application, config: dict[str, Any]) -> None:
    if not config.get("issuer"):
        raise _Stop(Outcome.INCOMPLETE, "config.issuer")
    _provider(application, config)


_TRIALS: dict[str, Callable[[Application, dict[str, Any]], None]] = {
    "GENESYS": _genesys, "TALKDESK_OPENID": _partner, "NICE_CXONE_OPENID": _partner, "STANDALONE_OPENID": _issuer,
}  # fmt: skip
