"""OpenID providers: found by discovery, asked with PKCE and nonce, believed after signature and claims (OpenID Connect Core 1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.discovery import OpenIDProviderMetadata
from django.conf import settings
from django.core.cache import cache

from identity import crypto
from identity.errors import UpstreamUnavailable
from identity.models import Application
from identity.principal import Role
from integrations.providers import id_tokens
from integrations.providers.policy import Policy
from integrations.providers.proof import Asked, Proof, SignInRefused, Why, text
from integrations.vendors import client, nice, talkdesk

VENDOR = "openid"
SCOPES = ("openid", "profile", "email")
NEEDED = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
DISCOVERY = "/.well-known/openid-configuration"
KNOWN_FOR_SECONDS = 300
# "More than one factor" (RFC 8176, 2).
MULTIPLE_FACTORS = "mfa"


@dataclass(frozen=True, slots=True)
class OpenIdProvider:
    """The provider of one application, asked for one request: everything it is asked has to be over by `until`."""

    place: client.Place
    organization_id: Any
    client_id: str
    client_secret: str
    policy: Policy
    until: float

    @classmethod
    def of(cls, application: Application, config: Mapping[str, Any]) -> OpenIdProvider:
        """Answer the provider of an application's configuration, checked (`configs.checked`)."""
        machine = config.get("serviceParameters", {})
        return cls(
            place=_place_of(application.type, config), organization_id=application.organization_id,
            client_id=machine.get("clientId", ""), client_secret=machine.get("clientSecret", ""),
            policy=Policy.of(config), until=client.deadline(),
        )  # fmt: skip

    def authorization_address(self, asked: Asked) -> str:
        endpoint = self._metadata()["authorization_endpoint"]
        address: str = prepare_grant_uri(
            endpoint, self.client_id, "code", redirect_uri=asked.redirect_uri, scope=[*SCOPES, *self.policy.scopes], state=asked.state,
            nonce=asked.nonce, code_challenge=create_s256_code_challenge(asked.verifier), code_challenge_method="S256", prompt=asked.prompt,
        )  # fmt: skip
        return address

    def prove(self, asked: Asked, answer: Mapping[str, str]) -> Proof:
        metadata = self._metadata()
        self._check_issuer(metadata, answer)
        tokens = self._tokens(metadata, asked, answer["code"])
        claims = signed = self._claims(metadata, asked, tokens)
        wanted = {"email", *filter(None, [self.policy.role_claim])}
        if not wanted <= set(signed):
            claims = _joined(signed, self._about(metadata, tokens, signed["sub"]))
        # How somebody signed in is believed of the signed token only.
        passed = self._passed_second_factor(signed)
        return self._proof(metadata, claims, tokens["id_token"], passed_second_factor=passed)

    def knows_client(self, asked: Asked) -> bool:
        """Say whether the provider takes our client: a code that nobody handed out is then all that it minds (RFC 6749, 5.2).

        Raises SignInRefused (its description is not one), UpstreamUnavailable.
        """
        metadata = self._metadata()
        try:
            self._tokens(metadata, asked, crypto.make())
        except SignInRefused as e:
            return e.why is Why.UNPROVEN
        return True

    # --- what is asked ----------------------------------------------------------------------------------------------

    def _metadata(self) -> OpenIDProviderMetadata:
        """Answer the provider's own description, ours for five minutes. Raises SignInRefused when it is not its own."""
        found, _was_known = self._document("metadata", self._address_of(DISCOVERY))
        metadata = OpenIDProviderMetadata(found)
        if not all(isinstance(metadata.get(name), str) for name in NEEDED):
            raise SignInRefused(Why.MISCONFIGURED, "the discovery document is not one")
        try:
            metadata.validate_issuer()
            metadata.validate_authorization_endpoint()
            metadata.validate_token_endpoint()
            metadata.validate_jwks_uri()
        except ValueError as e:
            raise SignInRefused(Why.MISCONFIGURED, "the discovery document is not one") from e
        # An operator's stand-in may speak under the name of what it stands for; everybody else under his own (4.3).
        if not self.place.is_operators and metadata["issuer"].removesuffix("/") != self.place.base:
            raise SignInRefused(Why.MISCONFIGURED, "the discovery document is somebody else's")
        for name in NEEDED[1:]:
            self._at(metadata[name])
        return metadata

    def _tokens(self, metadata: Mapping[str, Any], asked: Asked, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": asked.redirect_uri, "code_verifier": asked.verifier,
        }  # fmt: skip
        authorization = ""
        methods = metadata.get("token_endpoint_auth_methods_supported")
        if not self.client_secret:
            form["client_id"] = self.client_id
        elif not isinstance(methods, list) or "client_secret_basic" in methods:
            # Encoded before they are joined (RFC 6749, 2.3.1).
            authorization = client.basic(quote(self.client_id, safe=""), quote(self.client_secret, safe=""))
        else:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        said = self._ask(
            "POST", metadata["token_endpoint"], form=form, authorization=authorization, fits=_is_token_answer
        )
        if said.is_success:
            tokens: dict[str, Any] = said.json
            return tokens
        error = said.json.get("error") if isinstance(said.json, dict) else None
        # What is wrong with the code is the browser's affair, everything else the administrator's (RFC 6749, 5.2).
        raise SignInRefused(Why.UNPROVEN if error == "invalid_grant" else Why.MISCONFIGURED, "the code was not taken")

    def _claims(self, metadata: Mapping[str, Any], asked: Asked, tokens: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what the id_token proves. Raises SignInRefused."""
        keys, was_known = self._document("keys", metadata["jwks_uri"])
        token = id_tokens.read(tokens["id_token"], keys=keys)
        if token is None and was_known:
            # The provider may have turned its keys over since we asked for them.
            keys, _was_known = self._document("keys", metadata["jwks_uri"], anew=True)
            token = id_tokens.read(tokens["id_token"], keys=keys)
        if token is None:
            raise SignInRefused(Why.UNPROVEN, "the id_token cannot be read")
        return id_tokens.claims_of(
            token, asked=asked, issuer=metadata["issuer"], client_id=self.client_id, access_token=tokens.get("access_token")
        )  # fmt: skip

    def _about(self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """Answer what the userinfo endpoint tells beside the id_token (5.4), if it speaks of the same person (5.3.2)."""
        endpoint, access_token = metadata.get("userinfo_endpoint"), tokens.get("access_token")
        if not isinstance(endpoint, str) or not isinstance(access_token, str):
            return {}
        said = self._ask("GET", endpoint, authorization=f"Bearer {access_token}")
        if not said.is_success:
            return {}
        if said.json.get("sub") != subject:
            raise SignInRefused(Why.UNPROVEN, "userinfo speaks of somebody else")
        about: dict[str, Any] = said.json
        return about

    # --- how it is read ---------------------------------------------------------------------------------------------

    def _check_issuer(self, metadata: Mapping[str, Any], answer: Mapping[str, str]) -> None:
        """Go on only with an answer of this very provider, where it says whose it is (RFC 9207, 2.4)."""
        said = answer.get("iss")
        promises = metadata.get("authorization_response_iss_parameter_supported") is True
        if said is None and not promises:
            return
        if said != metadata["issuer"]:
            raise SignInRefused(Why.UNPROVEN, "the answer is another provider's")

    def _proof(
        self, metadata: Mapping[str, Any], claims: Mapping[str, Any], id_token: str, *, passed_second_factor: bool
    ) -> Proof:
        return Proof(
            issuer=metadata["issuer"], subject=claims["sub"], email=text(claims, "email", longest=254),
            # The one value that means yes: a text "false" would be true as well.
            is_email_verified=claims.get("email_verified") is True,
            username=text(claims, "preferred_username"), first_name=text(claims, "given_name"), last_name=text(claims, "family_name"),
            roles=self._roles(claims), passed_second_factor=passed_second_factor,
            logout_address=self._logout_address(metadata, id_token),
        )  # fmt: skip

    def _roles(self, claims: Mapping[str, Any]) -> tuple[Role, ...] | None:
        """Answer agent by default, and what the claim's values add by the administrator's map (dialects.md 3.1)."""
        if not self.policy.role_claim:
            return None
        said = _at_path(claims, self.policy.role_claim)
        values = said if isinstance(said, list) else [said]
        given = {self.policy.roles[value] for value in values if isinstance(value, str) and value in self.policy.roles}
        return tuple(role for role in (Role.AGENT, Role.SUPERVISOR, Role.ADMIN) if role in given | {Role.AGENT})

    def _passed_second_factor(self, claims: Mapping[str, Any]) -> bool:
        methods = claims.get("amr")
        is_said = isinstance(methods, list) and MULTIPLE_FACTORS in methods
        wanted = self.policy.second_factor_acr
        return self.policy.accepts_second_factor and (is_said or bool(wanted and claims.get("acr") == wanted))

    def _logout_address(self, metadata: Mapping[str, Any], id_token: str) -> str:
        """Answer where the browser logs out there (OpenID Connect RP-Initiated Logout 1.0, 2), or nothing."""
        endpoint = metadata.get("end_session_endpoint")
        if not (self.policy.logs_out and isinstance(endpoint, str)):
            return ""
        self._at(endpoint)
        params = {
            "id_token_hint": id_token, "client_id": self.client_id, "post_logout_redirect_uri": f"{settings.PUBLIC_URL}{settings.LOGIN_URL}",
        }  # fmt: skip
        address: str = add_params_to_uri(endpoint, list(params.items()))
        return address

    # --- the way there ----------------------------------------------------------------------------------------------

    def _address_of(self, path: str) -> str:
        return self.place.base.removesuffix("/") + path

    def _document(self, name: str, address: str, *, anew: bool = False) -> tuple[dict[str, Any], bool]:
        """Answer a public document of the provider, and whether we knew it already."""
        # By organisation: what one organisation's provider answers is nobody else's.
        key = (
            f"openid:{name}:{crypto.fingerprint(self.organization_id)}:{crypto.digest(address, purpose='openid')[:40]}"
        )
        known = None if anew else cache.get(key)
        if known is not None:
            return known, True
        said = self._ask("GET", address, largest=client.LARGEST_DOCUMENT)
        if not said.is_success:
            raise UpstreamUnavailable(f"{self.place.vendor}: no {name}")
        cache.set(key, said.json, KNOWN_FOR_SECONDS)
        found: dict[str, Any] = said.json
        return found, False

    def _ask(self, method: str, address: str, **more: Any) -> client.Answer:
        parts = urlsplit(address)
        return client.ask(
            place=self._at(address), organization_id=self.organization_id, method=method, path=parts.path,
            query=dict(parse_qsl(parts.query)), until=self.until, **more,
        )  # fmt: skip

    def _at(self, address: str) -> client.Place:
        """Answer the place of an endpoint: the provider's own origin, or a host that the administrator named.

        Whoever could name any other would have our secret sent there. Raises SignInRefused.
        """
        try:
            origin = client.origin_of(address)
        except ValueError:
            origin = ""
        if origin and origin == self.place.origin:
            return client.Place(self.place.vendor, origin, self.place.is_operators)
        parts = urlsplit(origin)
        if parts.scheme == "https" and parts.netloc in self.policy.hosts:
            return client.Place(self.place.vendor, origin, is_operators=False)
        raise SignInRefused(Why.MISCONFIGURED, "an endpoint is not at the provider's")


def _place_of(type_: str, config: Mapping[str, Any]) -> client.Place:
    if type_ == "TALKDESK_OPENID":
        return client.place(talkdesk.VENDOR, f"https://{config['account']}.{talkdesk.REGIONS[config['region']]}")
    return client.place(nice.VENDOR if type_ == "NICE_CXONE_OPENID" else VENDOR, config["issuer"])


def _is_token_answer(said: Any) -> bool:
    return isinstance(said, dict) and isinstance(said.get("id_token"), str)


def _joined(signed: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what both documents say, the signed one first; that an address is verified counts of the document's own only."""
    claims = {**about, **signed}
    said = [
        one["email_verified"]
        for one in (signed, about)
        if "email_verified" in one and one.get("email") == claims.get("email")
    ]
    return {**claims, "email_verified": next(iter(said), None)}


def _at_path(claims: Mapping[str, Any], path: str) -> Any:
    """Answer a claim by its name, or by names joined with dots, as `realm_access.roles`."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found
