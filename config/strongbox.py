"""Seals texts under a passphrase that a person chose, for files that leave the house (RFC 7914, RFC 5297)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

LEAST_LENGTH = 12
KEY_BYTES, COST, BLOCK, LANES = 64, 2**15, 8, 1


class WrongPassphrase(Exception):
    """The passphrase does not open the file, or the file was changed."""


class Strongbox:
    """Seals and opens texts, the same text in the same place always to the same letters: two equal exports are equal files.

    What is learned from that is only that a secret did not change between two files under one passphrase and label.
    """

    def __init__(self, passphrase: str, *, label: str) -> None:
        self.label = label
        salt = hashlib.sha256(b"switchboard export\0" + label.encode()).digest()
        key = Scrypt(salt=salt, length=KEY_BYTES, n=COST, r=BLOCK, p=LANES).derive(passphrase.encode())
        self.cipher = AESSIV(key)

    def header(self) -> dict[str, Any]:
        """Answer what whoever opens has to know."""
        return {"kdf": "scrypt", "n": COST, "r": BLOCK, "p": LANES, "cipher": "AES-SIV", "label": self.label}

    def put(self, plain: str, *, place: str) -> str:
        """Seal a text; it opens only for the same place."""
        return base64.b64encode(self.cipher.encrypt(plain.encode(), [place.encode()])).decode()

    def take(self, sealed: str, *, place: str) -> str:
        """Open what `put` made for the same place. Raises WrongPassphrase."""
        try:
            return self.cipher.decrypt(base64.b64decode(sealed, validate=True), [place.encode()]).decode()
        except (InvalidTag, ValueError, binascii.Error) as refusal:
            raise WrongPassphrase from refusal
