"""Genesys Cloud: what an application must hold, and how its API is asked with our own client's token (clarifications 38)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from identity.errors import Invalid, UpstreamUnavailable
from identity.models import Application
from integrations.vendors import client, client_tokens

VENDOR = "genesys"
# The regions that the vendor names; anything else would be a host that a tenant chose for us to call (dialects.md 3.6).
ENVIRONMENT = (
    r"^(mypurecloud\.(com|ie|de|jp|com\.au)|[a-z]{2,5}[0-9]\.(pure\.cloud|us-gov-pure\.cloud|gc-fedramp\.cloud))\Z"
)

CONFIG: dict[str, Any] = {
    "type": "object",
    "required": ["organizationId", "pcEnvironment"],
    "properties": {
        "organizationId": {"title": _("Organisation id"), "type": "string", "minLength": 1, "maxLength": 100},
        "pcEnvironment": {"title": _("Region’s domain"), "type": "string", "pattern": ENVIRONMENT},
        "integrationId": {"title": _("Integration id"), "type": "string", "maxLength": 100},
        "serviceParameters": {
            "type": "object",
            "properties": {
                "clientId": {"title": _("Client id"), "type": "string"},
                "clientSecret": {"title": _("Client secret"), "type": "string"},
                # The vendor's clients serve one grant each: signing people in takes another one.
                "signInClientId": {"title": _("Client id for signing in"), "type": "string"},
                "signInClientSecret": {"title": _("Client secret for signing in"), "type": "string"},
            },
        },
        "agentParameters": {"type": "object"},
        "customerParameters": {"type": "object"},
    },
}


def ask(
    *,
    application: Application,
    config: dict[str, Any],
    method: str,
    path: str,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    until: float | None = None,
    fits: Callable[[Any], bool] = client.is_object,
) -> client.Answer:
    """Ask the API of an application's region and answer its success, or its refusal of what was asked (4xx).

    `config` is the application's, checked (`configs.checked`); `fits` says whether the JSON of a success is what was asked for.
    Our own credentials being refused is a failure; a token that is not taken is forgotten, so that the next call brings a new
    one. Raises UpstreamUnavailable, Invalid (no credentials).
    """
    until = client.deadline() if until is None else until
    held = token(application=application, config=config, until=until)
    answer = client.ask(
        place=client.place(VENDOR, f"https://api.{config['pcEnvironment']}"), organization_id=application.organization_id,
        method=method, path=path, query=query, body=body, authorization=f"Bearer {held.token}", until=until, fits=fits,
    )  # fmt: skip
    if answer.status == 401:
        client_tokens.drop(held)
    if answer.status in (401, 403):
        raise UpstreamUnavailable(f"{VENDOR}: our own credentials were refused with {answer.status}")
    return answer


def token(*, application: Application, config: dict[str, Any], until: float) -> client_tokens.Held:
    """Answer the access token of an application's client, kept or fetched. Raises UpstreamUnavailable, Invalid."""
    place = client.place(VENDOR, f"https://login.{config['pcEnvironment']}")
    client_id, secret = _credentials(config)

    def fetch() -> dict[str, Any]:
        said = ask_for_token(application=application, config=config, until=until)
        if not said.is_success:
            raise UpstreamUnavailable(f"{VENDOR}: our own credentials were refused with {said.status}")
        answered: dict[str, Any] = said.json
        return answered

    credentials = (place.base, client_id, secret)
    return client_tokens.get(application=application, credentials=credentials, fetch=fetch, until=until)


def ask_for_token(*, application: Application, config: dict[str, Any], until: float) -> client.Answer:
    """Ask for a token of an application's client anew, and answer what was said. Raises UpstreamUnavailable, Invalid."""
    client_id, secret = _credentials(config)
    return client.ask(
        place=client.place(VENDOR, f"https://login.{config['pcEnvironment']}"), organization_id=application.organization_id,
        method="POST", path="/oauth/token", form={"grant_type": "client_credentials"}, authorization=client.basic(client_id, secret),
        until=until, fits=client_tokens.is_token_answer,
    )  # fmt: skip


def _credentials(config: dict[str, Any]) -> tuple[str, str]:
    """Answer our client's id and secret; a Genesys application may be without them until somebody asks. Raises Invalid."""
    said = config.get("serviceParameters", {})
    missing = [name for name in ("clientId", "clientSecret") if not said.get(name)]
    if missing:
        raise Invalid("config", fields={f"config.serviceParameters.{name}": ["Missing."] for name in missing})
    return said["clientId"], said["clientSecret"]
