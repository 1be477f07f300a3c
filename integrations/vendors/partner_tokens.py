"""Refreshes a person's token at Talkdesk or NICE with an application's client (dialects.md 3.2, Partner token refresh)."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q

from identity import clock, policy
from identity.errors import NotFound, UpstreamRefused, UpstreamUnavailable
from identity.models import Application, Organization
from identity.policy import Permission
from identity.principal import Principal
from integrations.vendors import client, configs, nice, talkdesk

ENDPOINTS = {"TALKDESK_OPENID": talkdesk.token_endpoint, "NICE_CXONE_OPENID": nice.token_endpoint}
# What an error may be written with (RFC 6749, 5.2), and at most so long.
ERROR = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}\Z")


def require_refresher(by: Principal) -> None:
    """Go on only if the caller may have tokens refreshed: people, and clients with a role. Raises NotAllowed."""
    policy.require(by, Permission.PARTNER_TOKENS)


def refresh(*, by: Principal, organization: Organization, type_: str, refresh_token: str) -> bytes:
    """Have a token refreshed through the organisation's oldest visible application of a type.

    Answers the partner's JSON as it came: its refresh token is often a new one, so nothing of it is kept or read here, and
    nothing asked twice. Raises NotAllowed, NotFound (no such application), Invalid (its configuration), UpstreamRefused with
    the partner's own word (400 and 401), UpstreamUnavailable (everything else).
    """
    require_refresher(by)
    application = _serving(organization, type_)
    config, until = configs.checked(application), client.deadline()
    place, path = ENDPOINTS[type_](config=config, organization_id=organization.pk, until=until)

    credentials = config["serviceParameters"]
    answer = client.ask(
        place=place, organization_id=organization.pk, method="POST", path=path,
        form={"grant_type": "refresh_token", "refresh_token": refresh_token},
        authorization=client.basic(credentials["clientId"], credentials["clientSecret"]), until=until,
    )  # fmt: skip

    if answer.status in (400, 401):
        raise UpstreamRefused(error_of(answer.json))
    if answer.status != 200:
        raise UpstreamUnavailable(f"{place.vendor}: status {answer.status}")
    return answer.body


def _serving(organization: Organization, type_: str) -> Application:
    found = Application.objects.filter(organization=organization, type=type_, is_visible=True)
    alive = found.filter(Q(expires_at=None) | Q(expires_at__gt=clock.now()))
    application = alive.order_by("created_at", "pk").first()
    if application is None:
        raise NotFound("no such application")
    return application


def error_of(said: Any) -> str:
    """Answer the partner's word for its refusal, or nothing where it has none that can be repeated."""
    word = said.get("error") if isinstance(said, dict) else None
    return word if isinstance(word, str) and ERROR.match(word) else ""
