"""Keeps the key pairs of organisations: the private part sealed, each reading audited (clarifications 35)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_private_key,
    load_ssh_public_key,
)
from django.db import transaction
from django.utils.translation import gettext as _

from identity import audit, crypto, policy
from identity.errors import Invalid, NotFound
from identity.models import Key, Organization
from identity.principal import Principal

BITS = 3072
FEWEST_BITS = 2048
# Checking a larger one would cost seconds of arithmetic.
MOST_BITS = 8192
LONGEST_TEXT = 20_000
LONGEST_COMMENT = 200
P = policy.Permission


@dataclass(frozen=True, slots=True)
class Read:
    """A key as one caller may see it; without the right to it, the private part is None."""

    row: Key
    private_pem: str | None

    def __repr__(self) -> str:
        return f"Read({self.row.pk})"


@transaction.atomic
def create(
    *, by: Principal, organization: Organization, type_: str, private_key: str | None = None, public_key: str | None = None,
    comment: str = "",
) -> Key:  # fmt: skip
    """Keep a key pair: a new one, or one that is imported as PKCS#1, PKCS#8 or OpenSSH text, unencrypted.

    `type_` is the caller's word for it and kept. Raises NotAllowed, NotFound (a foreign organisation), Invalid naming
    `private_key`, `public_key` or `comment`.
    """
    require_keeper(by)
    if not (by.is_internal or by.is_operator) and by.organization_id != organization.pk:
        raise NotFound("no such organisation")
    _check_comment(comment)
    if private_key is None and public_key is not None:
        raise _invalid("public_key", _("A public key alone is of no use here."))
    pair = generate_private_key(65537, BITS) if private_key is None else _imported(private_key)
    if public_key is not None and _public(public_key).public_numbers() != pair.public_key().public_numbers():
        raise _invalid("public_key", _("It does not belong to the private key."))
    pem = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    line = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    row = Key(
        organization=organization, created_by=by.id, type=type_, size=pair.key_size, public_key=line, comment=comment
    )  # fmt: skip
    row.private_sealed = crypto.seal(pem, place=row.place())
    row.save(force_insert=True)
    audit.record(
        "key.created", by=by, subject=str(row.pk), organization=organization, type=type_, bits=row.size, is_imported=private_key is not None
    )  # fmt: skip
    return row


@transaction.atomic
def read(*, by: Principal, key_id: str) -> Read:
    """Answer a key of the caller's organisation, the private part only to services; the reading is audited.

    Raises NotAllowed, NotFound.
    """
    require_keeper(by)
    found = Key.objects.select_related("organization").filter(pk=_uuid(key_id))
    row = (found if by.is_internal else found.filter(organization_id=by.organization_id)).first()
    if row is None:
        raise NotFound("no such key")
    sees_all = policy.may(by, P.KEYS_PRIVATE)
    audit.record("key.read", by=by, subject=str(row.pk), organization=row.organization, is_private=sees_all)
    return Read(row, crypto.open_sealed(row.private_sealed, place=row.place()) if sees_all else None)


def fingerprint(row: Key) -> str:
    """Answer the fingerprint of a kept key, as `ssh-keygen -l` shows it: the SHA-256 of the public part, in base64."""
    blob = base64.b64decode(row.public_key.split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def require_keeper(by: Principal) -> None:
    """Go on only if the caller may keep and read keys at all. Raises NotAllowed."""
    policy.forbid_while_acting(by)
    policy.require(by, P.KEYS_MANAGE)


def _imported(text: str) -> RSAPrivateKey:
    loader = load_ssh_private_key if "OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        pair: Any = loader(_bytes(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        # TypeError is how the library says that the key is encrypted.
        raise _invalid("private_key", _("No unencrypted RSA key in PKCS#1, PKCS#8 or OpenSSH form.")) from e
    if not isinstance(pair, RSAPrivateKey):
        raise _invalid("private_key", _("Only RSA keys are kept."))
    if not FEWEST_BITS <= pair.key_size <= MOST_BITS:
        raise _invalid("private_key", _("An RSA key has 2048 to 8192 bits."))
    return pair


def _public(text: str) -> RSAPublicKey:
    loader = load_pem_public_key if text.lstrip().startswith("-----") else load_ssh_public_key
    try:
        key: Any = loader(_bytes(text))
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise _invalid("public_key", _("No public key as an OpenSSH line or as PEM.")) from e
    if not isinstance(key, RSAPublicKey):
        raise _invalid("public_key", _("It does not belong to the private key."))
    return key


def _bytes(text: str) -> bytes:
    if len(text) > LONGEST_TEXT:
        raise ValueError("too long")
    return text.strip().encode()


def _check_comment(comment: str) -> None:
    if len(comment) > LONGEST_COMMENT or not (comment.isprintable() or not comment):
        raise _invalid("comment", _("One line of at most 200 characters."))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as e:
        raise NotFound("no such key") from e


def _invalid(field: str, said: str) -> Invalid:
    return Invalid(field, fields={field: [said]})
