"""The development gateway: one complete file per message, numbered, for its owner's eyes only (operating.md 4)."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from identity.outbox import DeliveryFailed, Receipt
from integrations.gateways.spool import SpoolGateway
from tests.integrations.gateways.letters import letter


@pytest.fixture
def spool(tmp_path: Path) -> SpoolGateway:
    return SpoolGateway(tmp_path / "messages")


def names(spool: SpoolGateway) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir() if not path.name.startswith("."))


def test_a_message_is_one_file_that_says_everything(spool: SpoolGateway) -> None:
    sent = letter()

    number = spool.send(sent)

    assert number == Receipt("1")
    assert names(spool) == [f"0001-{sent.id}.json"]
    assert json.loads((spool.folder / f"0001-{sent.id}.json").read_text(encoding="utf-8")) == {
        "id": sent.id, "channel": "EMAIL", "to": "bob@acme.example", "locale": "sv", "template": "password_reset",
        "subject": "Välj ett nytt lösenord", "body": "Hej Bob,\n\nhttps://id.example/reset/?token=abc\n",
        "html": "<p>Hej Bob</p>", "organization": "acme", "created_at": "2026-11-21T10:00:00Z",
    }  # fmt: skip


def test_a_message_that_is_sent_twice_is_there_once(spool: SpoolGateway) -> None:
    first, second = letter(), letter()

    numbers = [spool.send(first), spool.send(second), spool.send(first)]

    assert numbers == [Receipt("1"), Receipt("2"), Receipt("1")]
    assert names(spool) == [f"0001-{first.id}.json", f"0002-{second.id}.json"]


def test_the_spool_can_be_asked_whether_it_has_a_message(spool: SpoolGateway) -> None:
    sent, unsent = letter(), letter()
    assert spool.was_sent(sent) is False

    spool.send(sent)

    assert (spool.was_sent(sent), spool.was_sent(unsent)) == (True, False)


def test_a_message_that_was_only_begun_was_not_sent(spool: SpoolGateway) -> None:
    begun = letter()
    spool.folder.mkdir()
    (spool.folder / f".0001-{begun.id}.json.new").write_text("{")

    assert spool.was_sent(begun) is False
    spool.send(begun)

    assert names(spool) == [f"0001-{begun.id}.json"]
    assert json.loads((spool.folder / f"0001-{begun.id}.json").read_text())["id"] == begun.id


def test_many_at_once_get_numbers_without_a_gap_or_a_twin(spool: SpoolGateway) -> None:
    letters = [letter() for _each in range(40)]

    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(
            int(receipt.id) for receipt in pool.map(SpoolGateway(spool.folder).send, letters + letters[:10])
        )

    assert sorted(set(numbers)) == list(range(1, 41))
    assert len(names(spool)) == 40


def test_messages_hold_live_links_and_are_for_their_owner_only(spool: SpoolGateway) -> None:
    spool.send(letter())

    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in spool.folder.iterdir()} == {0o600}


def test_production_writes_no_message_into_a_folder(spool: SpoolGateway, settings) -> None:  # type: ignore[no-untyped-def]
    settings.PORTAL_ENV = "production"

    with pytest.raises(DeliveryFailed) as refusal:
        spool.send(letter())

    assert refusal.value.permanent is False
    assert not spool.folder.exists()
