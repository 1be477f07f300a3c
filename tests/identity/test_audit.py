"""The audit trail: sealed into a chain that shows every change (security.md P13)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from identity import audit, clock
from identity.models import AuditEvent, AuditSeal
from identity.principal import Via

VIA = Via(door="test", address="127.0.0.1", request_id="r1")


def write(n, *, age=timedelta(hours=1)):
    for number in range(n):
        audit.record("thing.done", via=VIA, actor_name="alice", subject=f"thing {number}")
    AuditEvent.objects.update(at=clock.now() - age)


def test_a_row_says_who_did_what_to_what_by_which_way(cast):
    row = audit.record(
        "thing.done",
        by=cast.principal("alice"),
        subject=cast.user("bob"),
        organization=cast.organization("acme"),
        size=3,
    )

    said = audit.as_dict(AuditEvent.objects.get(pk=row.pk))
    assert said.pop("at").endswith("Z")
    assert said == {
        "id": row.pk, "event": "thing.done", "door": "test", "actor": "alice", "acting_as": None, "subject": "bob", "organization": "acme",
        "rule": None, "address": "127.0.0.1", "request_id": "", "count": 1, "details": {"size": 3},
    }  # fmt: skip


def test_settled_rows_are_sealed_in_order_and_verify(db, monkeypatch):
    monkeypatch.setattr(audit, "BATCH", 3)
    write(7)

    assert audit.seal() == 7

    assert list(AuditSeal.objects.order_by("pk").values_list("rows", flat=True)) == [3, 3, 1]
    assert audit.verify() == []


def test_a_row_that_may_still_gain_a_count_is_not_sealed_yet(db):
    write(1, age=timedelta(seconds=30))

    assert audit.seal() == 0


TAMPERINGS = {
    "a changed row": lambda: AuditEvent.objects.filter(subject="thing 1").update(actor="mallory"),
    "a deleted row": lambda: AuditEvent.objects.filter(subject="thing 1").delete(),
    "a changed count": lambda: AuditEvent.objects.filter(subject="thing 1").update(count=9),
    "a changed time": lambda: AuditEvent.objects.filter(subject="thing 1").update(at=clock.now()),
    "a forged seal": lambda: AuditSeal.objects.filter(pk=AuditSeal.objects.earliest("pk").pk).update(digest="0" * 64),
}


@pytest.mark.parametrize("tamper", list(TAMPERINGS.values()), ids=list(TAMPERINGS))
def test_the_chain_shows(db, monkeypatch, tamper):
    monkeypatch.setattr(audit, "BATCH", 2)
    write(4)
    audit.seal()

    tamper()

    assert audit.verify()


def test_the_chain_shows_a_missing_link(db, monkeypatch):
    monkeypatch.setattr(audit, "BATCH", 1)
    write(3)
    audit.seal()
    _first, second, third = AuditSeal.objects.order_by("pk")
    AuditEvent.objects.filter(seal=second).delete()
    AuditSeal.objects.filter(pk=third.pk).update(previous=None)
    second.delete()

    assert audit.verify() == [f"seal {third.pk} does not follow the seal before it", *audit.verify()[1:]]


def test_the_chain_holds_after_the_digest_keys_were_turned_over(db, settings):
    write(1)
    audit.seal()
    settings.DIGEST_KEYS = ["another key of sufficient length 123", *settings.DIGEST_KEYS]

    assert audit.verify() == []


def test_rows_are_read_after_an_id_and_per_organisation(cast):
    acme, globex = cast.organization("acme"), cast.organization("globex")
    before = AuditEvent.objects.latest("pk").pk
    for organization in (acme, globex):
        audit.record("thing.done", via=VIA, organization=organization)

    assert [row.organization for row in audit.rows(after=before)] == [acme, globex]
    (line,) = audit.as_json_lines(audit.rows(after=before, organization=globex))
    assert json.loads(line)["organization"] == "globex"


@pytest.mark.django_db(transaction=True)
def test_sealers_at_once_seal_every_row_once(db, at_once):
    write(20)

    sealed = at_once(8, lambda _n: audit.seal())

    assert sum(sealed) + audit.seal() == 20
    assert not AuditEvent.objects.filter(seal=None).exists()
    assert audit.verify() == []
