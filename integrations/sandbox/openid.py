"""A small OpenID provider: discovery, keys, a page to choose who signs in, tokens with PKCE, userinfo, logout (OpenID Connect Core 1.0)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from integrations.sandbox import pages
from integrations.sandbox.grants import Grant, Grants, Holder
from integrations.sandbox.known import PEOPLE, Credentials
from integrations.sandbox.wire import Answer, Refused, Request, client_of, redirect, refused, said

ID_TOKEN_SECONDS = 300
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
ASKED = (
    "response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
)  # fmt: skip


class SigningKey:
    """The key that id_tokens are signed with: made at its first use, gone with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: rsa.RSAPrivateKey | None = None
        self.id = secrets.token_hex(8)

    @property
    def private(self) -> rsa.RSAPrivateKey:
        with self._lock:
            if self._key is None:
                self._key = rsa.generate_private_key(65537, 2048)
            return self._key

    @property
    def public(self) -> dict[str, Any]:
        """The key as others check with it (RFC 7517)."""
        half: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return {name: half[name] for name in ("kty", "n", "e")} | {"kid": self.id, "use": "sig", "alg": "RS256"}


class OpenIdStandIn:
    """A provider at `base`, for one client of a portal; browsers are sent back to that portal only."""

    name = "an OpenID provider"
    token_path = "/token"  # noqa: S105  # an address
    authorize_path = "/authorize"

    def __init__(self, base: str, portal: str, client: Credentials) -> None:
        self.base, self.portal, self.client = base, portal, client
        self.grants, self.key = Grants(), SigningKey()
        self.callback = re.compile(re.escape(portal) + r"/login/with/[^/?#]+/callback/\Z")

    def answer(self, request: Request) -> Answer | None:
        """Answer a request, or None where there is nothing at its address."""
        there = {
            ("GET", "/.well-known/openid-configuration"): self._discovery, ("GET", "/jwks"): self._keys, ("GET", self.authorize_path): self._ask_who,
            ("POST", self.authorize_path): self._send_back, ("POST", self.token_path): self._token, ("GET", "/userinfo"): self._userinfo,
            ("GET", "/logout"): self._log_out, ("POST", "/refresh-token"): self._begin_refreshing,
        }  # fmt: skip
        view = there.get((request.method, request.path))
        try:
            return None if view is None else view(request)
        except Refused as e:
            return refused(e)

    # --- what is known without asking -------------------------------------------------------------------------------

    def _discovery(self, _request: Request) -> Answer:
        return said(200, {
            "issuer": self.base, "authorization_endpoint": self.base + self.authorize_path, "token_endpoint": self.base + self.token_path,
            "userinfo_endpoint": f"{self.base}/userinfo", "jwks_uri": f"{self.base}/jwks", "end_session_endpoint": f"{self.base}/logout",
            "response_types_supported": ["code"], "response_modes_supported": ["query"], "subject_types_supported": ["public"],
            "grant_types_supported": ["authorization_code", "refresh_token"], "scopes_supported": ["openid", "profile", "email"],
            "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "claims_supported": ["sub", "name", "given_name", "family_name", "preferred_username", "email", "email_verified"],
            "authorization_response_iss_parameter_supported": True,
        })  # fmt: skip

    def _keys(self, _request: Request) -> Answer:
        return said(200, {"keys": [self.key.public]})

    # --- the browser ------------------------------------------------------------------------------------------------

    def _ask_who(self, request: Request) -> Answer:
        asked = self._asked(request.parameters)
        if isinstance(asked, Answer):
            return asked
        return pages.choice(self.name, self.base + self.authorize_path, asked)

    def _send_back(self, request: Request) -> Answer:
        form = request.parameters
        asked = self._asked(form)
        if isinstance(asked, Answer):
            return asked
        where, state = asked["redirect_uri"], asked.get("state", "")
        if form.get("person") not in PEOPLE:
            return redirect(where, error="access_denied", state=state, iss=self.base)
        grant = Grant(
            self.client.id, form["person"], where, asked["code_challenge"], asked.get("nonce", ""), int(time.time())
        )
        return redirect(where, code=self.grants.code(grant), state=state, iss=self.base)

    def _asked(self, parameters: dict[str, str]) -> dict[str, str] | Answer:
        """Answer what a portal asks for, or what is answered in its stead: a page where the browser must not be sent on."""
        asked = {name: parameters[name] for name in ASKED if name in parameters}
        if asked.get("client_id") != self.client.id or not self.callback.match(asked.get("redirect_uri", "")):
            words = "<p>The client or the address to go back to is not the demo’s.</p>"
            return pages.page("This is not for us", words, status=400)
        is_challenge = CHALLENGE.match(asked.get("code_challenge", "")) and asked.get("code_challenge_method") == "S256"
        error = "" if is_challenge else "invalid_request"
        if asked.get("response_type") != "code":
            error = "unsupported_response_type"
        if error:
            return redirect(asked["redirect_uri"], error=error, state=asked.get("state", ""), iss=self.base)
        return asked

    def _log_out(self, request: Request) -> Answer:
        """End a session of which there is none: who signs in is asked each time (RP-Initiated Logout 1.0)."""
        asked = request.parameters
        back = asked.get("post_logout_redirect_uri", asked.get("redirect_uri", ""))
        if back == f"{self.portal}/login/":
            return redirect(back, state=asked.get("state", ""))
        return pages.page("Goodbye", f"<p>You are logged out of {self.name}.</p>")

    # --- the portal -------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Answer:
        return said(200, self._tokens(request))

    def _tokens(self, request: Request) -> dict[str, Any]:
        """Answer the tokens for a code or a refresh token (RFC 6749, 5.1). Raises Refused."""
        client_id, form = client_of(request, self.client), request.parameters
        if form.get("grant_type") == "refresh_token":
            refresh_token, holder = self.grants.rotate(form.get("refresh_token", ""), client_id=client_id)
            return {**self._access(holder), "refresh_token": refresh_token}
        if form.get("grant_type") != "authorization_code":
            raise Refused("unsupported_grant_type")
        grant = self.grants.redeem(
            form.get("code", ""), client_id=client_id, redirect_uri=form.get("redirect_uri", ""), verifier=form.get("code_verifier", ""),
        )  # fmt: skip
        holder = Holder(client_id, grant.person)
        tokens = {**self._access(holder), "refresh_token": self.grants.refresh_token(holder)}
        return {**tokens, "id_token": self._id_token(grant, tokens["access_token"])}

    def _access(self, holder: Holder) -> dict[str, Any]:
        return {"access_token": self.grants.access(holder), "token_type": "Bearer", "expires_in": 3600}

    def _id_token(self, grant: Grant, access_token: str) -> str:
        now, half = int(time.time()), hashlib.sha256(access_token.encode()).digest()[:16]
        claims = {
            "iss": self.base, "aud": grant.client_id, "iat": now, "exp": now + ID_TOKEN_SECONDS, "auth_time": grant.at, "amr": ["pwd"],
            "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="), **({"nonce": grant.nonce} if grant.nonce else {}),
            **_about(grant.person),
        }  # fmt: skip
        return jwt.encode(claims, self.key.private, algorithm="RS256", headers={"kid": self.key.id})

    def _userinfo(self, request: Request) -> Answer:
        holder = self.grants.holder(request.bearer)
        if holder is None or holder.person not in PEOPLE:
            raise Refused("invalid_token", status=401)
        return said(200, _about(holder.person))

    def _begin_refreshing(self, _request: Request) -> Answer:
        """Hand out a refresh token to begin with: who has none yet wants to see what becomes of one."""
        return said(201, {"refresh_token": self.grants.refresh_token(Holder(self.client.id, "bob"))})


def _about(key: str) -> dict[str, Any]:
    person = PEOPLE[key]
    return {
        "sub": person.subject, "name": person.name, "given_name": person.first_name, "family_name": person.last_name,
        "preferred_username": person.key, "email": person.email, "email_verified": True,
    }  # fmt: skip
