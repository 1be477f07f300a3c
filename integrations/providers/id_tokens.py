"""Believes an id_token, or does not: signature, issuer, audience, times, nonce and hash (OpenID Connect Core 1.0, 3.1.3.7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, import_key

from identity import clock
from integrations.providers.proof import Asked, SignInRefused, Why, text

# Signatures that are taken; never a provider's own list, or the weakest of it would count.
ALGORITHMS = ["RS256", "ES256"]
KEY_TYPES = ("RSA", "EC")
LEEWAY_SECONDS = 30
LONGEST_SUBJECT = 255
# A modulus of 2048 bits: 256 bytes are so many characters (RFC 7518, 3.3).
SHORTEST_MODULUS = 342
# What the libraries raise for a token, a key or a claim that is none; the types in them are a stranger's choice.
UNREADABLE = (JoseError, ValueError, TypeError, KeyError, AttributeError)


def read(id_token: str, *, keys: Mapping[str, Any]) -> jwt.Token | None:
    """Answer a token that one of a provider's keys has signed, or None; its claims are not looked at yet."""
    said = keys.get("keys")
    offered = [key for key in said if isinstance(key, dict)] if isinstance(said, list) else []
    known = KeySet([key for one in offered if _is_usable(one) and (key := _read(one)) is not None])
    try:
        return jwt.decode(id_token, known, algorithms=ALGORITHMS)
    except UNREADABLE:
        return None


def claims_of(
    token: jwt.Token, *, asked: Asked, issuer: str, client_id: str, access_token: str | None
) -> dict[str, Any]:
    """Answer the claims of a signed token that was made by this issuer, for this client, for this very sign-in.

    Raises SignInRefused.
    """
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    params = {"nonce": asked.nonce, "client_id": client_id, "access_token": access_token}
    claims = CodeIDToken(token.claims, token.header, options, params)
    try:
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY_SECONDS)
    except UNREADABLE as e:
        raise SignInRefused(Why.UNPROVEN, f"the id_token does not hold: {type(e).__name__}") from None
    if not text(claims, "sub", longest=LONGEST_SUBJECT):
        raise SignInRefused(Why.UNPROVEN, "the id_token names nobody")
    return dict(claims)


def _read(key: Mapping[str, Any]) -> Any:
    """Answer a key as the library has it, or None for one that it cannot read."""
    try:
        found = import_key(dict(key))
        found.ensure_kid()
    except UNREADABLE:
        return None
    return found


def _is_usable(key: Mapping[str, Any]) -> bool:
    """Say whether a key is of a kind that we take, for signatures, and strong; others are left aside (RFC 7517, 5)."""
    is_strong = key.get("kty") != "RSA" or len(str(key.get("n"))) >= SHORTEST_MODULUS
    return key.get("kty") in KEY_TYPES and key.get("use", "sig") == "sig" and is_strong
