"""Issues and reads signed tokens, and turns the signing keys over; alone imports simplejwt (RFC 7519, 7517, 7638)."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import threading
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from django.conf import settings
from django.db import IntegrityError, transaction
from jwt.algorithms import RSAAlgorithm
from rest_framework_simplejwt.backends import TokenBackend

from identity import audit, clock, crypto, policy
from identity.errors import CredentialExpired, CredentialInvalid, NotFound
from identity.models import Session, SigningKey
from identity.principal import Principal

ALGORITHM = "RS256"
KEY_BITS = 3072
LEEWAY = timedelta(seconds=5)
# A retired key verifies until the longest-lived token that it signed is over.
RETIRED_VERIFIES = timedelta(days=366)
# The spelling of our key ids; anything else would reach a query, and PostgreSQL fails over a NUL (security.md M9).
KID = re.compile(r"[A-Za-z0-9_-]{1,64}")
REQUIRED = ("iss", "aud", "sub", "iat", "exp", "jti", "sid")

State = SigningKey.State
_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class Issued:
    """A signed token, its claims, and when it dies."""

    text: str
    claims: dict[str, Any]
    expires_at: datetime

    def __repr__(self) -> str:
        return f"Issued(jti={self.claims['jti']!r})"


class KeyedBackend(TokenBackend):
    """The stock backend, with the key's id in the header (RFC 7515, 4.1.4) and one key per id."""

    def __init__(self, kid: str, signing_key: Any, verifying_key: Any) -> None:
        super().__init__(ALGORITHM, signing_key, verifying_key)
        self.kid = kid

    def encode(self, payload: dict[str, Any]) -> str:
        return jwt.encode(payload, self.prepared_signing_key, algorithm=ALGORITHM, headers={"kid": self.kid})

    def decode_for(self, token: str, *, audience: str) -> dict[str, Any]:
        """Verify signature, audience, issuer and times, and that every claim we rely on is there (security.md M18)."""
        claims: dict[str, Any] = jwt.decode(
            token,
            self.prepared_verifying_key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=settings.PUBLIC_URL,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )
        return claims


def issue(
    *, session: Session, audience: str, subject: str, expires_at: datetime, at: datetime, **claims: Any
) -> Issued:
    """Sign a token for a session.

    `sub` is the subject, `sid` the session's id; a login-as adds `act` with the real person (RFC 8693, 4.1) from `claims`.
    Times are whole seconds.
    """
    payload = {
        "iss": settings.PUBLIC_URL,
        "aud": audience,
        "sub": subject,
        "iat": int(at.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": str(uuid.uuid4()),
        "sid": str(session.pk),
        **claims,
    }
    return Issued(_current().encode(payload), payload, datetime.fromtimestamp(payload["exp"], tz=at.tzinfo))


def read(token: str, *, audience: str) -> dict[str, Any]:
    """Verify a token and answer its claims.

    Whether its session is still open, and its key still published, is asked by sessions.by_token in one query. Raises
    CredentialInvalid (malformed, forged, of another audience) or CredentialExpired.
    """
    claims, _kid = read_with_key(token, audience=audience)
    return claims


def read_with_key(token: str, *, audience: str) -> tuple[dict[str, Any], str]:
    """Verify a token and answer its claims and the id of the key that signed it. Raises as `read`."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        backend = _verifier(kid) if isinstance(kid, str) and KID.fullmatch(kid) else None
        if backend is None:
            raise CredentialInvalid("no such key")
        claims = backend.decode_for(token, audience=audience)
        uuid.UUID(claims["sid"])
    except jwt.ExpiredSignatureError as e:
        raise CredentialExpired("the token is over") from e
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError) as e:
        raise CredentialInvalid("not a token of ours") from e
    if not (isinstance(claims["exp"], int) and isinstance(claims["sub"], str)):
        raise CredentialInvalid("a claim has the wrong type")
    return claims, backend.kid


def audience_said(token: str) -> str:
    """Answer the `aud` that a token claims, unproven; empty where none can be read.

    Only to choose the audience that `read_with_key` then verifies.
    """
    try:
        said = jwt.decode(token, options={"verify_signature": False}).get("aud")
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""


def jwks() -> dict[str, list[dict[str, Any]]]:
    """Answer the published keys: next, current, and retired ones that still verify (RFC 7517)."""
    found = SigningKey.objects.exclude(state=State.RETIRED, verifies_until__lte=clock.now()).order_by("-created_at")
    rows = list(found.values_list("state", "kid", "public_jwk"))
    if not {State.CURRENT, State.NEXT} <= {state for state, _kid, _jwk in rows}:
        ensure()
        rows = list(found.values_list("state", "kid", "public_jwk"))
    return {"keys": [{**jwk, "kid": kid, "alg": ALGORITHM, "use": "sig"} for _state, kid, jwk in rows]}


def ensure() -> None:
    """Make the first signing key, and the one that follows it, where there are none."""
    for state in (State.CURRENT, State.NEXT):
        if not SigningKey.objects.filter(state=state).exists():
            with _making:
                _make(state)


def rotate(*, by: Principal) -> str:
    """Sign with the next key from now on, publish a new next one, and let the old verify what it signed; answers the kid.

    Raises NotAllowed: only for operators and at the console.
    """
    policy.require_operator(by)
    ensure()
    at = clock.now()
    with transaction.atomic():
        # Whoever waited here for somebody else's rotation finds no published next key, and his is done by that.
        living = SigningKey.objects.select_for_update().filter(state__in=(State.CURRENT, State.NEXT)).order_by("kid")
        if {key.state for key in living} == {State.CURRENT, State.NEXT}:
            SigningKey.objects.filter(state=State.CURRENT).update(
                state=State.RETIRED, retired_at=at, verifies_until=at + RETIRED_VERIFIES
            )
            SigningKey.objects.filter(state=State.NEXT).update(state=State.CURRENT, current_at=at)
            audit.record("signing_key.rotated", by=by)
    ensure()
    return SigningKey.objects.get(state=State.CURRENT).pk


def drop(*, by: Principal, kid: str) -> str:
    """Refuse everything that a key signed, at the next request: for the day it leaks.

    Answers the kid that signs from now on; when it was the current key, the published next one takes its place. Raises
    NotAllowed, NotFound.
    """
    policy.require_operator(by)
    ensure()
    with transaction.atomic():
        if not SigningKey.objects.filter(pk=kid).delete()[0]:
            raise NotFound("no such signing key")
        if not SigningKey.objects.filter(state=State.CURRENT).exists():
            SigningKey.objects.filter(state=State.NEXT).update(state=State.CURRENT, current_at=clock.now())
        audit.record("signing_key.dropped", by=by, subject=kid)
    ensure()
    return SigningKey.objects.get(state=State.CURRENT).pk


def _current() -> KeyedBackend:
    row = SigningKey.objects.filter(state=State.CURRENT).values_list("kid", "private_sealed").first()
    if row is None:
        ensure()
        row = SigningKey.objects.filter(state=State.CURRENT).values_list("kid", "private_sealed").get()
    return _signer(*row)


@functools.lru_cache(maxsize=8)
def _signer(kid: str, sealed: str) -> KeyedBackend:
    # Parsed once per process: PEM parsing would cost a hundred times the signature (performance.md).
    key = load_pem_private_key(crypto.open_sealed(sealed, place=SigningKey(kid=kid).place()).encode(), password=None)
    return KeyedBackend(kid, key, None)


def _verifier(kid: str) -> KeyedBackend | None:
    known = _verifiers.get(kid)
    if known is None:
        jwk = SigningKey.objects.filter(pk=kid[:64]).values_list("public_jwk", flat=True).first()
        if jwk is None:
            return None
        known = _verifiers[kid] = KeyedBackend(kid, None, RSAAlgorithm.from_jwk(json.dumps(jwk)))
    return known


# Immutable parsed material only; whether a key is still published is asked with the session, at every request.
_verifiers: dict[str, KeyedBackend] = {}


def _make(state: SigningKey.State) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    jwk = {k: v for k, v in RSAAlgorithm.to_jwk(private.public_key(), as_dict=True).items() if k in ("kty", "n", "e")}
    kid = _thumbprint(jwk)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = SigningKey(
        kid=kid, state=state, public_jwk=jwk, private_sealed=crypto.seal(pem, place=SigningKey(kid=kid).place())
    )
    if state == State.CURRENT:
        key.current_at = key.created_at
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError:
        # Another process made one at the same time; its key serves.
        return


def _thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638, section 3: the SHA-256 of the required members in lexicographic order."""
    said = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(said.encode()).digest()).rstrip(b"=").decode()
