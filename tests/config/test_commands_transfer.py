"""An export read into an empty portal exports the same again; secrets stay at home or travel sealed (clarifications 65)."""

from __future__ import annotations

import json
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from agents import actions as agents
from agents.models import Agent
from config import strongbox, transfer
from identity import applications, clients, crypto, organizations, second_factor, users
from identity.models import ApiKey, Application, AuditEvent, Client, Key, Organization, TotpDevice, User
from identity.principal import Principal, Role, Via
from integrations.models import ExternalIdentity
from tests.cast import Cast
from tests.config.commands import manage, refusal

PASSPHRASE = "correct horse battery staple"


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return str(path)


def emptied() -> None:
    """Forget every organisation and person, as in a portal that was just installed."""
    Client.objects.all().delete()
    Organization.objects.all().delete()
    User.objects.all().delete()


def sealed_arguments(passphrase: str, is_sealed: bool) -> tuple[str, ...]:
    return ("--passphrase-file", passphrase) if is_sealed else ()


def furnish(cast: Cast, console: Principal) -> None:
    """Give the cast one of everything that an export can hold."""
    second_factor.enrol(by=console, user=cast.user("alice"))
    organizations.join(
        by=console, user=cast.user("bob"), organization=cast.organization("globex"), roles=[Role.SUPERVISOR]
    )
    users.create(
        by=cast.principal("alice"), username="grace", email="grace@acme.example", organization=cast.organization("acme")
    )
    organizations.change(by=console, organization=cast.organization("acme"), money_budget_per_day=Decimal("12.50"))
    through = Application.objects.get(pk=cast.said["applications"]["openid"])
    ExternalIdentity.objects.create(
        application=through, issuer="https://id.acme.example", subject="1", user=cast.user("bob")
    )
    key = Key(organization=cast.organization("acme"), type="RSA", size=2048, public_key="ssh-rsa AAAA", comment="desk")
    key.private_sealed = crypto.seal("-----BEGIN PRIVATE KEY-----", place=key.place())
    key.save()


@pytest.mark.parametrize("is_sealed", [False, True])
@pytest.mark.parametrize("only", [(), ("--organization", "acme")])
def test_an_export_read_into_an_empty_portal_exports_the_same_again(
    cast: Cast, console: Principal, tmp_path: Path, passphrase: str, is_sealed: bool, only: tuple[str, ...]
) -> None:
    furnish(cast, console)
    arguments = sealed_arguments(passphrase, is_sealed)
    before = manage("export", *only, *arguments)
    (tmp_path / "export").write_text(before, encoding="utf-8")

    emptied()
    said = manage("import", str(tmp_path / "export"), *arguments)

    assert said == f"{len(before.splitlines()) - 1} rows were made.\n"
    assert manage("export", *only, *arguments) == before
    assert AuditEvent.objects.filter(event="organization.created", details__imported=True).exists()


def test_an_export_without_a_passphrase_holds_no_secret(cast: Cast, console: Principal) -> None:
    furnish(cast, console)
    said = manage("export")

    assert all(isinstance(json.loads(line), dict) for line in said.splitlines())
    secrets = [
        cast.password("bob"),
        cast.said["api_keys"]["acme"],
        cast.said["clients"]["acme_service"]["client_secret"],
    ]
    secrets += [*User.objects.values_list("password", flat=True), *ApiKey.objects.values_list("digest", flat=True)]
    secrets += [*Application.objects.values_list("sealed", flat=True), "demo-genesys-secret", "PRIVATE KEY"]
    secrets += TotpDevice.objects.values_list("secret_sealed", flat=True)
    assert [secret for secret in secrets if secret in said] == []
    assert {json.loads(line).get("row") for line in said.splitlines()} == {
        None, "organization", "user", "membership", "agent", "client", "application", "external_identity",
    }  # fmt: skip


def test_a_sealed_export_shows_no_secret_either(cast: Cast, console: Principal, passphrase: str) -> None:
    furnish(cast, console)

    said = manage("export", "--passphrase-file", passphrase)

    assert "demo-genesys-secret" not in said
    assert "PRIVATE KEY" not in said
    assert cast.user("bob").password not in said


def test_what_was_sealed_works_after_the_import(
    cast: Cast, console: Principal, tmp_path: Path, passphrase: str, settings: Any
) -> None:
    furnish(cast, console)
    (tmp_path / "export").write_text(manage("export", "--passphrase-file", passphrase), encoding="utf-8")
    emptied()
    settings.ENCRYPTION_KEYS = ["the other portal has a key of its own, of course"]

    manage("import", str(tmp_path / "export"), "--passphrase-file", passphrase)

    assert cast.user("bob").check_password(cast.password("bob"))
    entry = cast.said["clients"]["acme_admin"]
    assert clients.authenticate(client_id=entry["client_id"], secret=entry["client_secret"], via=Via(door="test"))
    genesys = applications.find(application_id=cast.said["applications"]["genesys"])
    assert applications.config_of(genesys)["serviceParameters"]["clientSecret"] == "demo-genesys-secret"
    key = Key.objects.get()
    assert crypto.open_sealed(key.private_sealed, place=key.place()) == "-----BEGIN PRIVATE KEY-----"
    device = TotpDevice.objects.get()
    assert len(crypto.open_sealed(device.secret_sealed, place=device.place())) == 40


def test_without_secrets_nobody_gets_in_by_a_password(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "export").write_text(manage("export"), encoding="utf-8")
    emptied()

    manage("import", str(tmp_path / "export"))

    assert not cast.user("bob").has_usable_password()
    assert cast.user("bob").pk == cast.entry("bob")["user_id"]
    assert not ApiKey.objects.exists()


def test_new_rows_are_numbered_after_those_that_were_read(cast: Cast, console: Principal, tmp_path: Path) -> None:
    (tmp_path / "export").write_text(manage("export"), encoding="utf-8")
    highest = User.objects.latest("pk").pk, Agent.objects.latest("pk").pk
    emptied()

    manage("import", str(tmp_path / "export"))
    made = users.create(
        by=console, username="grace", email="grace@acme.example", organization=cast.organization("acme")
    )
    agent = agents.create(by=console, user=made.user, organization=cast.organization("acme"))

    assert made.user.pk > highest[0]
    assert agent.pk > highest[1]


def test_an_export_of_one_organisation_tells_nothing_of_another(cast: Cast, console: Principal) -> None:
    furnish(cast, console)

    said = manage("export", "--organization", "globex")

    assert "acme_agent" not in said
    assert {json.loads(line)["username"] for line in said.splitlines() if '"row": "user"' in line} == {
        "erin",
        "frank",
        "bob",
    }
    bob = next(json.loads(line) for line in said.splitlines() if '"username": "bob"' in line)
    assert bob["default_organization_id"] is None, "he is at home elsewhere"


def test_an_extension_of_somebody_who_has_left_does_not_travel(cast: Cast, console: Principal) -> None:
    organizations.leave(by=console, user=cast.user("ivan"), organization=cast.organization("acme"))

    said = manage("export", "--organization", "acme")

    assert '"08123459"' not in said
    assert '"08123456"' in said


def test_legacy_people_come_in_with_the_hashes_of_their_clear_passwords(cast: Cast, tmp_path: Path) -> None:
    lines = manage("export").splitlines()
    emptied()
    legacy = make_password("Vinterpäls i maj 42", hasher="pbkdf2_sha256")
    lines = [
        json.dumps(json.loads(line) | ({"secrets": {"password": legacy}} if '"username": "bob"' in line else {}))
        for line in lines
    ]
    (tmp_path / "export").write_text("\n".join(lines), encoding="utf-8")

    manage("import", str(tmp_path / "export"))

    assert cast.user("bob").has_imported_hash()
    assert cast.user("bob").check_password("Vinterpäls i maj 42")


# --- what is refused ----------------------------------------------------------------------------------------------------
def test_a_portal_that_has_somebody_takes_no_import(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "export").write_text(manage("export"), encoding="utf-8")

    said = refusal("import", str(tmp_path / "export"))

    assert said == "This portal has organisations or people; an import needs an empty one."


@pytest.mark.parametrize(
    ("number", "line", "said"),
    [
        (1, "", "line 2: is not the first line of an export that this version reads"),
        (1, '{"format": "another"}', "line 1: is not the first line of an export that this version reads"),
        (3, "{", "line 3: is not JSON"),
        (3, "[]", "line 3: is not an object"),
        (3, '{"row": "session"}', "line 3: is no known sort of row"),
        (3, '{"row": "user", "is_god": true}', "line 3: has no column is_god"),
        (3, '{"row": "user", "secrets": {"password": "plain"}}', "line 3: cannot be stored as user: ValueError"),
        (3, '{"row": "user", "secrets": "c2VhbGVk"}', "line 3: cannot be stored as user: ValueError"),
        (3, '{"row": "organization", "id": "no id"}', "line 3: cannot be stored as organization: ValidationError"),
        (4, '{"row": "organization", "name": "acme", "domain": "other.example"}', "line 5: cannot be stored as organization: IntegrityError"),
        (9, '{"row": "membership", "user_id": 99999, "organization_id": "00000000-0000-4000-8000-000000000000"}',
         "a row points at one that is not in the file"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_made(
    cast: Cast, tmp_path: Path, number: int, line: str, said: str
) -> None:
    lines = manage("export", "--organization", "acme").splitlines()
    emptied()
    if number == 4:
        lines.insert(4, line)
    else:
        lines[number - 1] = line
    (tmp_path / "export").write_text("\n".join(lines), encoding="utf-8")

    assert refusal("import", str(tmp_path / "export")) == said

    assert (Organization.objects.count(), User.objects.count()) == (0, 0)


def test_a_wrong_passphrase_or_a_changed_secret_opens_nothing(cast: Cast, tmp_path: Path, passphrase: str) -> None:
    export = manage("export", "--passphrase-file", passphrase)
    emptied()
    (tmp_path / "export").write_text(export, encoding="utf-8")
    (tmp_path / "other").write_text("wrong horse battery staple")
    said = "The passphrase does not open this file, or the file was changed."

    assert refusal("import", str(tmp_path / "export"), "--passphrase-file", str(tmp_path / "other")) == said
    assert refusal("import", str(tmp_path / "export")) == "line 1: the secrets are sealed; give the passphrase"

    lines = export.splitlines()
    first, second = (i for i, line in enumerate(lines) if '"username": "bob"' in line or '"username": "alice"' in line)
    one, other = json.loads(lines[first]), json.loads(lines[second])
    one["secrets"], other["secrets"] = other["secrets"], one["secrets"]
    lines[first], lines[second] = json.dumps(one), json.dumps(other)
    (tmp_path / "export").write_text("\n".join(lines), encoding="utf-8")
    assert refusal("import", str(tmp_path / "export"), "--passphrase-file", passphrase) == said
    assert User.objects.count() == 0


def test_secrets_sealed_in_an_unknown_way_are_refused(cast: Cast, tmp_path: Path, passphrase: str) -> None:
    lines = manage("export", "--passphrase-file", passphrase).splitlines()
    emptied()
    header = json.loads(lines[0])
    header["secrets"]["n"] = 2
    (tmp_path / "export").write_text("\n".join([json.dumps(header), *lines[1:]]), encoding="utf-8")

    said = refusal("import", str(tmp_path / "export"), "--passphrase-file", passphrase)

    assert said == "line 1: the secrets are sealed in a way that this version does not know"


def test_a_passphrase_is_long_and_stands_in_a_file(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("eleven char")
    (tmp_path / "empty").write_text("")

    for name in ("short", "empty"):
        assert refusal("export", "--passphrase-file", str(tmp_path / name)) == "A passphrase has 12 characters or more."
    assert refusal("export", "--passphrase-file", str(tmp_path / "none")) == f"{tmp_path / 'none'} cannot be read."
    assert refusal("import", str(tmp_path / "none")) == f"{tmp_path / 'none'} cannot be read."
    assert refusal("export", "--organization", "nowhere") == "There is no organisation named 'nowhere'."


def test_an_export_into_a_file_is_for_its_owner_only_and_overwrites_nothing(cast: Cast, tmp_path: Path) -> None:
    path = tmp_path / "export"

    assert manage("export", "--output", str(path)) == f"Written to {path}\n"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text(encoding="utf-8") == manage("export")
    assert refusal("export", "--output", str(path)) == f"{path} cannot be written: File exists"


def test_an_export_can_be_piped_in(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = manage("export").splitlines(keepends=True)
    emptied()
    monkeypatch.setattr("sys.stdin", iter(lines))

    assert manage("import", "-") == f"{len(lines) - 1} rows were made.\n"


def test_a_strongbox_binds_a_text_to_its_place() -> None:
    box = strongbox.Strongbox(PASSPHRASE, label="acme")
    sealed = box.put("secret", place="user:1")

    assert box.take(sealed, place="user:1") == "secret"
    assert sealed == box.put("secret", place="user:1")
    assert sealed != strongbox.Strongbox(PASSPHRASE, label="globex").put("secret", place="user:1")
    for wrong in (sealed[:-4] + "AAA=", "no base64!", ""):
        with pytest.raises(strongbox.WrongPassphrase):
            box.take(wrong, place="user:1")
    with pytest.raises(strongbox.WrongPassphrase):
        box.take(sealed, place="user:2")


def test_reading_is_refused_before_anything_is_opened(cast: Cast, console: Principal) -> None:
    with pytest.raises(transfer.NotEmpty):
        transfer.read(by=console, lines=iter(()))
