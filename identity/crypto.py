"""Makes, digests, compares, seals and opens secrets; nothing else in the house does."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password, verify_password
from django.db.models import QuerySet

NONCE_BYTES = 12
# No 0/O, 1/l/I: tickets are read aloud and typed (54 characters, 5.75 bits each).
UNAMBIGUOUS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"

# Hashing is the one costly act in a request: more at once than cores only queues the rest behind memory.
_hashing = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))


class SealBroken(Exception):
    """A sealed value cannot be opened: its key is gone, or it was moved or changed."""


class DigestArgon2Hasher(Argon2PasswordHasher):
    """Argon2id over the lower-case hex SHA-256 of a password (dialects.md 0.3), at OWASP's floor by default."""

    algorithm = "sha256_argon2"
    parallelism = 1

    def __init__(self) -> None:
        self.time_cost = settings.PASSWORD_HASH_TIME_COST
        self.memory_cost = settings.PASSWORD_HASH_MEMORY_KIB


def make(prefix: str = "") -> str:
    """Make a secret of 256 random bits, URL-safe; a prefix lets leak scanners recognise it."""
    bare = secrets.token_urlsafe(32)
    return f"{prefix}_{bare}" if prefix else bare


def make_readable(length: int) -> str:
    """Make a secret that a person can type: `length` characters of an unambiguous alphabet."""
    return "".join(secrets.choice(UNAMBIGUOUS) for _ in range(length))


def make_code(digits: int = 6) -> str:
    """Make a decimal code, uniformly, leading zeros included."""
    return f"{secrets.randbelow(10**digits):0{digits}d}"


def make_password_text() -> str:
    """Make a password for a person to copy: 20 unambiguous characters in four groups."""
    return "-".join(make_readable(5) for _ in range(4))


def digest(secret: str, *, purpose: str) -> str:
    """Digest a secret under the newest DIGEST_KEY: 64 lower-case hex characters, different for each purpose."""
    return digests(secret, purpose=purpose)[0]


def digests(secret: str, *, purpose: str) -> list[str]:
    """Digest a secret under every DIGEST_KEY, newest first: what a look-up has to try."""
    said = purpose.encode() + b"\0" + secret.encode("utf-8", "surrogatepass")
    return [hmac.new(key.encode(), said, hashlib.sha256).hexdigest() for key in settings.DIGEST_KEYS]


def matches(secret: str, stored: str, *, purpose: str) -> bool:
    """Compare a secret with a stored digest in constant time."""
    return sum(hmac.compare_digest(one, stored) for one in digests(secret, purpose=purpose)) > 0


def same(one: str, other: str) -> bool:
    """Compare two texts in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def seal(plain: str, *, place: str) -> str:
    """Encrypt a text with AES-256-GCM under the newest ENCRYPTION_KEY.

    `place` names where it is kept (table, column, row, organisation): a value copied to another place does not open there.
    """
    key = settings.ENCRYPTION_KEYS[0]
    nonce = secrets.token_bytes(NONCE_BYTES)
    cipher = AESGCM(_key_bytes(key)).encrypt(nonce, plain.encode(), place.encode())
    return f"{_key_id(key)}.{base64.urlsafe_b64encode(nonce + cipher).decode()}"


def open_sealed(sealed: str, *, place: str) -> str:
    """Decrypt what `seal` made for the same place. Raises SealBroken."""
    key_id, _, body = sealed.partition(".")
    for key in settings.ENCRYPTION_KEYS:
        if _key_id(key) == key_id:
            raw = base64.urlsafe_b64decode(body)
            try:
                return AESGCM(_key_bytes(key)).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], place.encode()).decode()
            except InvalidTag as e:
                raise SealBroken(place) from e
    raise SealBroken(place)


def is_sealed_under_newest(sealed: str) -> bool:
    """Say whether a sealed value needs no re-sealing."""
    return sealed.partition(".")[0] == _key_id(settings.ENCRYPTION_KEYS[0])


def reseal(rows: QuerySet[Any], *, column: str, place: Callable[[Any], str]) -> int:
    """Seal a column of these rows under the newest key, row by row; answers how many were moved.

    Cut off at any row, the next run goes on from there. Raises SealBroken naming the place whose key is gone.
    """
    moved = 0
    for row in rows.exclude(**{column: ""}).exclude(**{f"{column}__startswith": newest_key_id() + "."}).iterator():
        sealed = getattr(row, column)
        again = seal(open_sealed(sealed, place=place(row)), place=place(row))
        # Only if it is still what was opened: a value that was wiped or replaced meanwhile must not come back.
        moved += rows.model._default_manager.filter(pk=row.pk, **{column: sealed}).update(**{column: again})
    return moved


def newest_key_id() -> str:
    """Answer the name of the key that seals: what stands before the dot of a sealed value."""
    return _key_id(settings.ENCRYPTION_KEYS[0])


def known_key_ids() -> list[str]:
    """Answer the names of all keys that open, newest first."""
    return [_key_id(key) for key in settings.ENCRYPTION_KEYS]


def password_digest(clear: str) -> str:
    """Answer the lower-case hex SHA-256 of a clear password: itself a password equivalent, never logged or stored."""
    return hashlib.sha256(clear.encode("utf-8", "surrogatepass")).hexdigest()


def hash_password(password_sha256: str) -> str:
    """Hash a password digest for storing."""
    with _hashing:
        return make_password(password_sha256, hasher=DigestArgon2Hasher.algorithm)


def check_password(encoded: str, *, clear: str | None = None, password_sha256: str | None = None) -> tuple[bool, bool]:
    """Check a clear password, or its digest, against what is stored.

    Answers (is right, should be hashed anew). Imported hashes are of the clear password, so a digest never fits them; the
    same work is done for every refusal, so that time tells nothing about the account.
    """
    is_ours = encoded.startswith(DigestArgon2Hasher.algorithm + "$")
    if password_sha256 is None:
        candidate = password_digest(clear or "") if is_ours else clear or ""
    else:
        candidate = password_sha256
    if not encoded or encoded.startswith("!") or (password_sha256 is not None and not is_ours):
        equalise()
        return False, False
    with _hashing:
        is_right, must_update = verify_password(candidate, encoded, preferred=DigestArgon2Hasher.algorithm)
    return is_right, is_right and must_update


def equalise() -> None:
    """Spend the time of one password check where there is nothing to check."""
    with _hashing:
        make_password("nobody", hasher=DigestArgon2Hasher.algorithm)


def is_common_password_digest(password_sha256: str) -> bool:
    """Say whether a digest is that of one of the 20,000 most common passwords."""
    return password_sha256 in _common_digests()


@functools.cache
def _common_digests() -> frozenset[str]:
    words = Path(password_validation.__file__).resolve().parent / "common-passwords.txt.gz"
    with gzip.open(words, "rt", encoding="utf-8") as lines:
        return frozenset(password_digest(line.strip()) for line in lines)


@functools.cache
def _key_bytes(key: str) -> bytes:
    return hashlib.sha256(b"switchboard seal\0" + key.encode()).digest()


@functools.cache
def _key_id(key: str) -> str:
    return hashlib.sha256(b"switchboard key id\0" + key.encode()).hexdigest()[:8]


def fingerprint(value: Any) -> str:
    """Answer eight hex characters that name a value in a log without telling it."""
    return hashlib.sha256(str(value).encode("utf-8", "surrogatepass")).hexdigest()[:8]
