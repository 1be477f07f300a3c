"""Secrets: made at random, kept as digests, sealed to their place, opened after a turn of keys (security.md P8, P16)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from identity import clock, crypto


def test_secrets_are_long_random_and_recognisable():
    made = {crypto.make("swk") for _ in range(100)}

    assert len(made) == 100
    assert all(secret.startswith("swk_") and len(secret) == 47 for secret in made)
    assert len(crypto.make()) == 43


def test_what_people_type_has_no_lookalikes():
    text = "".join(crypto.make_readable(32) for _ in range(50))

    assert not set(text) & set("0O1lI")
    assert all(len(crypto.make_code()) == 6 and crypto.make_code().isdigit() for _ in range(50))


def test_a_digest_is_keyed_and_serves_one_purpose(settings):
    one = crypto.digest("secret", purpose="a")

    assert one != crypto.digest("secret", purpose="b") != hashlib.sha256(b"secret").hexdigest()
    assert crypto.matches("secret", one, purpose="a")
    assert not crypto.matches("other", one, purpose="a")


def test_old_digests_are_found_after_the_keys_were_turned_over(settings):
    old = crypto.digest("secret", purpose="a")
    settings.DIGEST_KEYS = ["a new key that is long enough for all", *settings.DIGEST_KEYS]

    assert crypto.digest("secret", purpose="a") != old
    assert crypto.matches("secret", old, purpose="a")


def test_a_sealed_text_opens_at_its_place_only():
    sealed = crypto.seal("åäö", place="table.column:1")

    assert crypto.open_sealed(sealed, place="table.column:1") == "åäö"
    for moved, place in (
        (sealed, "table.column:2"),
        (sealed[:-4] + "AAAA", "table.column:1"),
        ("00000000.x", "table.column:1"),
    ):
        with pytest.raises(crypto.SealBroken):
            crypto.open_sealed(moved, place=place)


def test_a_sealed_text_opens_after_the_keys_were_turned_over_and_not_after_they_were_lost(settings):
    sealed = crypto.seal("text", place="p")
    before = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = ["a new key that is long enough for all", *before]
    assert crypto.open_sealed(sealed, place="p") == "text"
    assert not crypto.is_sealed_under_newest(sealed)

    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]

    with pytest.raises(crypto.SealBroken):
        crypto.open_sealed(sealed, place="p")


def test_texts_are_compared_whole():
    assert crypto.same("å", "å")
    assert not crypto.same("å", "a")


def test_a_password_is_hashed_over_its_digest_and_nothing_else_fits():
    encoded = crypto.hash_password(crypto.password_digest("Vinterpäls"))

    assert encoded.startswith("sha256_argon2$argon2id$")
    assert crypto.check_password(encoded, clear="Vinterpäls")[0]
    assert crypto.check_password(encoded, password_sha256=hashlib.sha256("Vinterpäls".encode()).hexdigest())[0]
    for wrong in (
        {"clear": "vinterpäls"},
        {"clear": crypto.password_digest("Vinterpäls")},
        {"password_sha256": "0" * 64},
        {"clear": ""},
    ):
        assert crypto.check_password(encoded, **wrong) == (False, False)
    assert crypto.check_password("!", clear="") == crypto.check_password("", clear="x") == (False, False)


def test_a_hash_made_with_other_costs_is_hashed_anew(settings):
    encoded = crypto.hash_password(crypto.password_digest("Vinterpäls"))
    settings.PASSWORD_HASH_MEMORY_KIB = 16
    settings.PASSWORD_HASHERS = list(settings.PASSWORD_HASHERS)  # the hashers are made once; this makes them anew

    assert crypto.check_password(encoded, clear="Vinterpäls") == (True, True)


def test_digests_of_common_passwords_are_known():
    assert crypto.is_common_password_digest(crypto.password_digest("password1234"))
    assert not crypto.is_common_password_digest(crypto.password_digest("en ny lösenfras 2026"))


def test_a_fingerprint_names_a_value_without_telling_it():
    assert crypto.fingerprint("secret") == crypto.fingerprint("secret") != crypto.fingerprint("other")
    assert len(crypto.fingerprint("secret")) == 8


class FarOff:
    """A database whose clock is ten minutes ahead."""

    vendor = "postgresql"

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def execute(self, _sql):
        pass

    def fetchone(self):
        return (datetime.now(UTC) + timedelta(minutes=10),)


def test_a_process_whose_clock_is_off_goes_by_the_databases(db):
    try:
        assert clock.measure(FarOff()) > timedelta(minutes=9)
        assert clock.now() - datetime.now(UTC) > timedelta(minutes=9)
    finally:
        assert clock.measure(connection) == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=1)
