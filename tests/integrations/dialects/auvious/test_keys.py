"""Keys: generated or imported, and whose private part is whose business (dialects.md 3.2, Keys; clarifications 35)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from identity import audit, keys
from identity.models import Key
from tests.integrations.dialects.auvious.conftest import Callers, refused

pytestmark = pytest.mark.wire("auvious", "3.2 Keys")

MASK = "********"
KEYS = {"id", "userId", "organizationId", "type", "keySize", "privateKey", "publicKey", "key", "comment", "createdAt"}
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505  # weak, to be refused
PAIR, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def private(form: PrivateFormat = PrivateFormat.PKCS8, pair: Any = PAIR, password: bytes | None = None) -> str:
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    return str(pair.private_bytes(Encoding.PEM, form, hidden).decode())


def public(encoding: Encoding, form: PublicFormat, pair: Any = PAIR) -> str:
    return str(pair.public_key().public_bytes(encoding, form).decode())


LINE = public(Encoding.OpenSSH, PublicFormat.OpenSSH)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer bits where their number is not what is tested: a key of 3072 costs most of a second."""
    monkeypatch.setattr(keys, "BITS", 2048)


def test_a_key_is_generated_and_its_private_part_is_for_services(callers: Callers) -> None:
    admin, service = callers.client("acme_admin"), callers.client("acme_service")

    made = admin.post("/keys", {"type": "SSH_RSA", "comment": "desk"}).json()

    assert set(made) == {"id", "publicKey", "key"}
    assert made["key"] is None
    whole = service.get(f"/keys/{made['id']}").json()
    assert set(whole) == KEYS
    acme = str(callers.cast.organization("acme").pk)
    assert (whole["userId"], whole["organizationId"]) == (callers.id_of("acme_admin"), acme)
    assert (whole["type"], whole["keySize"], whole["key"], whole["comment"]) == ("SSH_RSA", 3072, None, "desk")
    pair: Any = serialization.load_pem_private_key(whole["privateKey"].encode(), None)
    assert whole["privateKey"].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert public(Encoding.OpenSSH, PublicFormat.OpenSSH, pair) == made["publicKey"] == whole["publicKey"]
    for masked in (admin, callers.person("alice")):
        assert masked.get(f"/keys/{made['id']}").json() == {**whole, "privateKey": MASK}
    assert callers.client("internal").get(f"/keys/{made['id']}").json() == whole
    events = audit.rows().filter(event__startswith="key.").values_list("event", "actor", "details__is_private")
    assert list(events) == [
        ("key.created", callers.id_of("acme_admin"), None), ("key.read", callers.id_of("acme_service"), True),
        ("key.read", callers.id_of("acme_admin"), False), ("key.read", "alice", False), ("key.read", callers.id_of("internal"), True),
    ]  # fmt: skip
    assert "PRIVATE KEY" not in Key.objects.get().private_sealed


def test_keys_are_for_admins_and_services_of_the_organisation(callers: Callers, quick: None) -> None:
    url = f"/keys/{callers.client('acme_service').post('/keys', {'type': 'SSH_RSA'}).json()['id']}"
    refused(callers.stranger.get(url), 401)
    for caller in (callers.client("acme_agent"), callers.person("carol"), callers.person("bob")):
        refused(caller.get(url), 403)
        refused(caller.get("/keys/nobody"), 403)
        refused(caller.post("/keys", {"type": "DSA"}), 403)
    for unknown in (url, "/keys/nobody", "/keys/00000000-0000-4000-8000-000000000000", "/keys/a%00b"):
        refused(callers.client("globex_admin").get(unknown), 404)


@pytest.mark.parametrize(
    "text",
    [
        private(), private(PrivateFormat.TraditionalOpenSSL), private(PrivateFormat.OpenSSH), f"\n{private()}\n", private().replace("\n", "\r\n"),
    ],
)  # fmt: skip
def test_a_key_is_imported_in_every_form(callers: Callers, text: str) -> None:
    service = callers.client("acme_service")
    pem = public(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for told in (None, LINE, f"{LINE} a comment", pem):
        made = service.post("/keys", {"type": "SSH_RSA", "privateKey": text, "publicKey": told})
        assert made.json()["publicKey"] == LINE
    assert service.get(f"/keys/{made.json()['id']}").json()["privateKey"] == private()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"type": "DSA"}, "type"), ({"type": None}, "type"), ({"key": "x"}, "key"), ({"comment": "two\nlines"}, "comment"), ({"comment": "x" * 201}, "comment"),
        ({"publicKey": LINE}, "publicKey"), ({"privateKey": "nonsense"}, "privateKey"), ({"privateKey": ""}, "privateKey"), ({"privateKey": 5}, "privateKey"),
        ({"privateKey": "x" * 20_001}, "privateKey"), ({"privateKey": "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----"}, "privateKey"),
        ({"privateKey": private(password=b"secret")}, "privateKey"), ({"privateKey": private(PrivateFormat.OpenSSH, password=b"secret")}, "privateKey"),
        ({"privateKey": private(pair=WEAK)}, "privateKey"), ({"privateKey": private(pair=ed25519.Ed25519PrivateKey.generate())}, "privateKey"),
        ({"privateKey": private(), "publicKey": public(Encoding.OpenSSH, PublicFormat.OpenSSH, OTHER)}, "publicKey"), ({"privateKey": private(), "publicKey": "nonsense"}, "publicKey"),
        ({"privateKey": private(), "publicKey": public(Encoding.OpenSSH, PublicFormat.OpenSSH, ed25519.Ed25519PrivateKey.generate())}, "publicKey"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_a_bad_key_is_refused_by_its_field(callers: Callers, change: dict[str, Any], names: str) -> None:
    refused(callers.client("acme_service").post("/keys", {"type": "SSH_RSA", **change}), 400, names)
    assert not Key.objects.exists()


def test_an_id_is_none_of_its_fields_and_ignored(callers: Callers, quick: None) -> None:
    assert callers.client("acme_admin").post("/keys", {"type": "SSH_RSA", "id": "x"}).json()["id"] != "x"


def test_null_is_the_same_as_missing(callers: Callers, quick: None) -> None:
    body = {
        "type": "SSH_RSA",
        "organizationId": None,
        "privateKey": None,
        "publicKey": None,
        "key": None,
        "comment": None,
    }
    service = callers.client("acme_service")
    made = service.post("/keys", body).json()
    assert service.get(f"/keys/{made['id']}").json()["comment"] is None


def test_internal_services_say_for_whom(callers: Callers, quick: None) -> None:
    internal, globex = callers.client("internal"), str(callers.cast.organization("globex").pk)
    made = internal.post("/keys", {"type": "SSH_RSA", "organizationId": globex}).json()
    assert callers.client("globex_admin").get(f"/keys/{made['id']}").json()["organizationId"] == globex
    refused(internal.post("/keys", {"type": "SSH_RSA"}), 400, "organizationId")
    refused(internal.post("/keys", {"type": "SSH_RSA", "organizationId": "nobody"}), 404)
    refused(callers.client("acme_service").post("/keys", {"type": "SSH_RSA", "organizationId": globex}), 403)
