"""A provider that says whatever a test wants it to: what a real one would never say, and what a hostile one would."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from identity import clock
from identity.models import Application
from tests.browsers import Browser

CLIENT_ID, CLIENT_SECRET = "switchboard", "between the two of us: ü"
Answer = tuple[int, dict[str, Any] | str]

_key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
_other_key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


class Elsewhere:
    """The provider. `claims` is what it says of whoever signs in; what is put into `answers` by path it says instead."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.claims: dict[str, Any] = {"sub": "248289761001", "email": "bob@acme.example", "email_verified": True}
        self.metadata: dict[str, Any] = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys", "end_session_endpoint": f"{self.url}/leave",
        }  # fmt: skip
        self.keys: list[dict[str, Any]] = [_key.as_dict(private=False)]
        self.answers: dict[str, Answer] = {}
        self.heard: list[tuple[str, dict[str, str], str]] = []
        self.nonce = ""
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: signed(claims)

    def say(self, path: str, headers: dict[str, str], body: str) -> Answer:
        self.heard.append((path, headers, body))
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata
        if path == "/keys":
            return 200, {"keys": self.keys}
        return (200, self.tokens()) if path == "/token" else (404, {})

    def tokens(self) -> dict[str, Any]:
        """What a code is traded for."""
        return {"access_token": "of no use to you", "token_type": "Bearer", "id_token": self.sign(self.whole())}

    def whole(self) -> dict[str, Any]:
        """The claims as an id_token has them; None takes one away."""
        now = int(clock.now().timestamp())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": self.nonce, **self.claims}
        return {name: value for name, value in claims.items() if value is not None}

    def asked(self, path: str) -> list[tuple[dict[str, str], dict[str, list[str]]]]:
        """What came to a path: headers, and the form."""
        return [(headers, parse_qs(body)) for at, headers, body in self.heard if at == path]


def signed(claims: dict[str, Any], *, key: Any = _key, **header: Any) -> str:
    """Sign claims with the provider's key, or another."""
    return jwt.encode({"alg": "RS256", "kid": "one", **header}, claims, key, algorithms=["RS256", "HS256"])


def signed_by_another(claims: dict[str, Any]) -> str:
    return signed(claims, key=_other_key)


def signed_with_our_secret(claims: dict[str, Any]) -> str:
    return signed(claims, key=OctKey.import_key(CLIENT_SECRET), alg="HS256")


def signed_with_the_public_key(claims: dict[str, Any]) -> str:
    return signed(claims, key=OctKey.import_key(json.dumps(_key.as_dict(private=False))), alg="HS256")


def signed_by_hand(claims: dict[str, Any], header: dict[str, Any], *, key: Any = None) -> str:
    """Sign what no library would."""
    said = ({"alg": "RS256", "kid": "one", **header}, claims)
    text = ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in said)
    signature = (key or _key.private_key).sign(text.encode(), PKCS1v15(), SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def unsigned(claims: dict[str, Any]) -> str:
    said = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in said) + "."


class Visitor(Browser):
    """A browser in which somebody signs in through an application."""

    def away(self, application: Application, target: str = "") -> dict[str, str]:
        """Press the button; answers what the provider is asked."""
        left = self.get(f"/login/with/{application.pk}/{target}")
        assert left.status_code == 302, left.text
        self.left = left
        return {name: values[0] for name, values in parse_qs(urlsplit(left.url).query).items()}

    def back(self, application: Application, **answer: Any) -> Any:
        """Come back with an answer."""
        return self.get(f"/login/with/{application.pk}/callback/", answer)

    def through(self, provider: Elsewhere, application: Application, target: str = "") -> Any:
        """Go there and come back with a code."""
        asked = self.away(application, target)
        provider.nonce = asked.get("nonce", "")
        return self.back(application, code="a-code", state=asked["state"])


def said(page: Any) -> str:
    """The sentence with which a page refuses."""
    found = re.search(r'<p class="sb-lead">(.*?)</p>', page.text, re.DOTALL)
    return " ".join(found.group(1).split()) if found else page.text


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2), computed apart from the product."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
