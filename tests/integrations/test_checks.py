"""The portal does not start with two dialects at one address, or with a refusal that a dialect has no words for."""

from __future__ import annotations

from identity import errors
from integrations import checks


def test_two_dialects_at_one_address_and_method_are_named():
    claims = [
        ("ping", "get", "api/<str:one>"),
        ("genesys", "get", "api/<int:two>"),
        ("genesys", "post", "api/<int:two>"),
        ("ping", "get", "api/me"),
    ]

    assert list(checks.claimed_twice(claims)) == ["GET /api/<> is claimed by genesys and ping"]


def test_one_dialect_may_spell_an_address_twice():
    assert not list(checks.claimed_twice([("genesys", "get", "ping"), ("genesys", "get", "ping")]))


def test_a_table_without_a_row_or_an_ancestors_row_is_named():
    everything_else = [leaf for leaf in errors.DomainError.__subclasses__() if leaf is not errors.Spent]

    assert list(checks.unworded(everything_else)) == [errors.Spent]
    assert list(checks.unworded([errors.DomainError])) == []


def test_the_dialects_as_they_are_pass():
    assert checks.addresses_belong_to_one_dialect(None) == []
    assert checks.refusals_have_words(None) == []
