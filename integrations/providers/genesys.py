"""Genesys Cloud as a provider: OAuth with PKCE, and who somebody is and may by asking its API (dialects.md 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.conf import settings

from identity.models import Application
from identity.policy import GRANTS
from identity.principal import Role
from integrations.providers.policy import Policy
from integrations.providers.proof import Asked, Proof, SignInRefused, Why, text
from integrations.vendors import client, genesys

SUPERVISOR = ("ui:supervisorAgentDetails:view",)
ADMIN = ("integrations:integration:add", "integrations:integration:edit")


@dataclass(frozen=True, slots=True)
class GenesysProvider:
    """The Genesys organisation of one application, asked for one request."""

    login: client.Place
    api: client.Place
    organization_id: Any
    # Which of the vendor's organisations the application is connected with.
    theirs: str
    client_id: str
    client_secret: str
    policy: Policy
    until: float

    @classmethod
    def of(cls, application: Application, config: Mapping[str, Any]) -> GenesysProvider:
        """Answer the provider of an application's configuration, checked (`configs.checked`)."""
        machine, region = config.get("serviceParameters", {}), config["pcEnvironment"]
        # A client of its own where there is one, and then with its own secret or none.
        own = "signInClient" if machine.get("signInClientId") else "client"
        return cls(
            login=client.place(genesys.VENDOR, f"https://login.{region}"), api=client.place(genesys.VENDOR, f"https://api.{region}"),
            organization_id=application.organization_id, theirs=config["organizationId"],
            client_id=machine.get(f"{own}Id", ""), client_secret=machine.get(f"{own}Secret", ""),
            policy=Policy.of(config), until=client.deadline(),
        )  # fmt: skip

    def authorization_address(self, asked: Asked) -> str:
        address: str = prepare_grant_uri(
            f"{self.login.base}/oauth/authorize", self.client_id, "code", redirect_uri=asked.redirect_uri, state=asked.state,
            code_challenge=create_s256_code_challenge(asked.verifier), code_challenge_method="S256", prompt=asked.prompt,
        )  # fmt: skip
        return address

    def prove(self, asked: Asked, answer: Mapping[str, str]) -> Proof:
        person = self._person(self._token(asked, answer["code"]))
        held = _texts(person.get("authorization", {}).get("permissions"))
        return Proof(
            # The address itself is the word of the organisation that the application belongs to: it manages its people there.
            issuer=self.login.base, subject=person["id"], email=text(person, "email", longest=254), is_email_verified=True,
            first_name=text(person, "name").partition(" ")[0], last_name=text(person, "name").partition(" ")[2],
            roles=roles_of(held), grants=tuple(grant for grant in GRANTS if _holds(held, grant)),
            logout_address=self._logout_address(),
        )  # fmt: skip

    def _token(self, asked: Asked, code: str) -> str:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": asked.redirect_uri, "code_verifier": asked.verifier,
        }  # fmt: skip
        if not self.client_secret:
            form["client_id"] = self.client_id
        said = client.ask(
            place=self.login, organization_id=self.organization_id, method="POST", path="/oauth/token", form=form, until=self.until,
            authorization=client.basic(self.client_id, self.client_secret) if self.client_secret else "", fits=_is_token_answer,
        )  # fmt: skip
        if said.is_success:
            return str(said.json["access_token"])
        error = said.json.get("error") if isinstance(said.json, dict) else None
        raise SignInRefused(Why.UNPROVEN if error == "invalid_grant" else Why.MISCONFIGURED, "the code was not taken")

    def _person(self, access_token: str) -> dict[str, Any]:
        said = client.ask(
            place=self.api, organization_id=self.organization_id, method="GET", path="/api/v2/users/me", query={"expand": "authorization,organization"},
            authorization=f"Bearer {access_token}", until=self.until, largest=client.LARGEST_DOCUMENT, fits=_is_person,
        )  # fmt: skip
        if not said.is_success:
            raise SignInRefused(Why.MISCONFIGURED, "the API does not say who it is")
        person: dict[str, Any] = said.json
        if person.get("state", "active") != "active":
            raise SignInRefused(Why.SHUT, "not active there")
        if not self._is_of_ours(person):
            raise SignInRefused(Why.UNLINKED, "of another organisation there")
        return person

    def _is_of_ours(self, person: Mapping[str, Any]) -> bool:
        """Say whether somebody belongs to the organisation that the application is connected with.

        A client may be let into several there, and in each of them others say whose address is whose. Genesys names the
        organisation, being asked to; where nothing does, there is but one.
        """
        if "organization" not in person:
            return True
        said = person["organization"]
        return isinstance(said, dict) and text(said, "id", longest=100).lower() == self.theirs.lower()

    def _logout_address(self) -> str:
        if not self.policy.logs_out:
            return ""
        back = f"{settings.PUBLIC_URL}{settings.LOGIN_URL}"
        return f"{self.login.base}/logout?{urlencode({'client_id': self.client_id, 'redirect_uri': back})}"


def roles_of(permissions: Iterable[str]) -> tuple[Role, ...]:
    """Answer the roles that Genesys permissions stand for: agent by default, supervisor and admin added (dialects.md 3.1)."""
    held = list(permissions)
    added = ((Role.SUPERVISOR, SUPERVISOR), (Role.ADMIN, ADMIN))
    return (Role.AGENT, *(role for role, needed in added if all(_holds(held, one) for one in needed)))


def _holds(permissions: Iterable[str], wanted: str) -> bool:
    """Say whether a permission is among those held, any part of which may be a `*`."""
    parts = wanted.split(":")
    return any(
        len(held := one.split(":")) == len(parts)
        and all(mine in ("*", theirs) for mine, theirs in zip(held, parts, strict=True))
        for one in permissions
    )


def _is_token_answer(said: Any) -> bool:
    return isinstance(said, dict) and isinstance(said.get("access_token"), str)


def _is_person(said: Any) -> bool:
    is_known = isinstance(said, dict) and text(said, "id", longest=100) != ""
    return is_known and isinstance(said.get("authorization", {}), dict)


def _texts(said: Any) -> list[str]:
    return [one for one in said if isinstance(one, str)] if isinstance(said, list) else []
