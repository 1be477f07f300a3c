"""The admin's pages of kept keys: generated, imported, the public part to copy, the private part nowhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.urls import reverse

from identity.models import AuditEvent, Key
from tests.cast import Cast

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of
ADD = "/admin/identity/key/add/"


def page_of(row: Key) -> str:
    return reverse("admin:identity_key_change", args=[row.pk])


def test_a_key_is_made_here_and_its_public_part_shown_to_copy(cast: Cast, admin_of: Admin) -> None:
    alice = admin_of("alice")

    alice.post(ADD, {"comment": "sftp", "private_key": ""})

    made = Key.objects.get()
    assert (made.organization, made.comment, made.type, made.size) == (
        cast.organization("acme"),
        "sftp",
        "SSH_RSA",
        3072,
    )
    shown, listed = alice.get(page_of(made)).text, alice.get("/admin/identity/key/").text
    print_ = hashlib.sha256(base64.b64decode(made.public_key.split()[1])).digest()
    fingerprint = "SHA256:" + base64.b64encode(print_).decode().rstrip("=")
    for text in (shown, listed):
        assert fingerprint.replace("+", "&#x2B;") in text or fingerprint in text
        assert "PRIVATE KEY" not in text
        assert made.private_sealed not in text
    assert f"{made.public_key} sftp" in shown.replace("&#x2B;", "+")
    assert AuditEvent.objects.get(event="key.created").actor == "alice"
    assert not AuditEvent.objects.filter(event="key.read").exists()


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
def test_a_key_is_imported_in_each_of_its_three_forms(cast: Cast, admin_of: Admin, form: PrivateFormat) -> None:
    pair = rsa.generate_private_key(65537, 2048)
    text = pair.private_bytes(Encoding.PEM, form, NoEncryption()).decode()

    admin_of("alice").post(ADD, {"comment": "", "private_key": text})

    line = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert Key.objects.get().public_key == line


def test_a_refused_key_is_not_repeated_on_the_page(cast: Cast, admin_of: Admin) -> None:
    answer = admin_of("alice").post(ADD, {"comment": "x", "private_key": "-----BEGIN my dear secret"})

    assert set(answer.context["adminform"].form.errors) == {"private_key"}
    assert "my dear secret" not in answer.text
    assert not Key.objects.exists()


def test_an_operator_names_whose_key_it_is(cast: Cast, admin_of: Admin) -> None:
    globex = cast.organization("globex")

    admin_of("olle").post(ADD, {"comment": "theirs", "organization": globex.pk, "private_key": ""})

    made = Key.objects.get()
    assert made.organization == globex
    assert admin_of("alice").get(page_of(made)).status_code == 404


def test_a_supervisor_makes_and_sees_no_key(cast: Cast, admin_of: Admin) -> None:
    carol = admin_of("carol")

    assert carol.post(ADD, {"comment": "x"}).status_code == 403
    assert carol.get("/admin/identity/key/").status_code == 403
    assert not Key.objects.exists()
