"""The demo cast: made once, for its owner only, and never changed (operating.md 3, clarifications 65, 72)."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from config import demo
from identity import clients, sessions, users
from identity.models import ApiKey, Application, Client, Organization, User
from identity.principal import Via, at_the_console
from tests.config.commands import manage, refusal


@pytest.fixture
def file(settings: Any, tmp_path: Path, signing_keys: None) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    return tmp_path / "data" / "demo.json"


def test_the_demo_command_makes_the_promised_cast_for_its_owner_only(file: Path, settings: Any) -> None:
    said = manage("demo")

    cast = json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not list(file.parent.glob("*.new"))
    assert said == f"The demo cast is described in {file}\n"
    assert set(cast) == {"base_url", "organizations", "users", "api_keys", "clients", "applications", "ping_tokens"}
    assert cast["base_url"] == settings.PUBLIC_URL
    assert {name: entry["domain"] for name, entry in cast["organizations"].items()} == {
        "acme": "acme.example", "globex": "globex.example",
    }  # fmt: skip
    assert {name: (u["organization"], u["roles"], u.get("extension"), u.get("disabled")) for name, u in cast["users"].items()} == {
        "alice": ("acme", ["Admin"], None, None), "bob": ("acme", ["Agent"], "08123456", None),
        "carol": ("acme", ["Supervisor"], "08123457", None), "dave": ("acme", ["Agent"], "08123458", True),
        "ivan": ("acme", ["Agent"], "08123459", None), "erin": ("globex", ["Agent"], "08123456", None),
        "frank": ("globex", ["Admin"], None, None),
    }  # fmt: skip
    assert {name: (c["roles"], c.get("organization"), c.get("internal")) for name, c in cast["clients"].items()} == {
        "acme_service": (["ClientService"], "acme", None), "acme_admin": (["Admin"], "acme", None),
        "acme_agent": (["Agent"], "acme", None), "globex_admin": (["Admin"], "globex", None),
        "internal": (["ClientService"], None, True), "agent_sso": (["Agent"], "acme", None), "globex_sso": (["Agent"], "globex", None),
    }  # fmt: skip
    assert cast["clients"]["agent_sso"]["redirect_uris"] == [f"{settings.PUBLIC_URL}/desk/callback"]
    assert (set(cast["api_keys"]), set(cast["ping_tokens"])) == ({"acme", "globex"}, {"bob"})
    assert set(cast["applications"]) == {"genesys", "talkdesk", "nice", "openid"}


def test_every_secret_of_the_demo_file_works(file: Path) -> None:
    cast = demo.write(file)
    via = Via(door="test")

    for entry in cast["users"].values():
        assert User.objects.get(pk=entry["user_id"]).check_password(entry["password"])
    for entry in cast["clients"].values():
        clients.authenticate(client_id=entry["client_id"], secret=entry["client_secret"], via=via)
    assert {clients.by_api_key(key, via=via).organization_name for key in cast["api_keys"].values()} == {
        "acme",
        "globex",
    }
    token, claims = sessions.by_token(cast["ping_tokens"]["bob"], audience="ping:acme.example", via=via)
    assert (token.name, claims["exp"] - claims["iat"]) == ("bob", 90 * 86400)


def test_the_settings_of_the_demo_organisations_are_the_promised_ones(file: Path, settings: Any) -> None:
    demo.write(file)

    acme = Organization.objects.get(name="acme")
    assert acme.link_bases == ["https://auvious.video", "https://portal.acme.example", settings.PUBLIC_URL]
    assert sorted(acme.otp_countries) == ["DE", "GB", "GR", "SE", "US"]
    assert acme.cors_origins == ["https://desk.acme.example", "http://localhost:3000"]
    grants = {
        u.username: u.memberships.get().grants for u in User.objects.filter(username__in=("alice", "bob", "carol"))
    }
    kinds = ("add", "delete", "edit", "view")
    assert grants == {
        "alice": [f"integrations:integration:{kind}" for kind in kinds], "bob": [], "carol": ["integrations:integration:view"],
    }  # fmt: skip
    assert not Application.objects.filter(allows_anonymous_registration=True).exists()
    assert not Application.objects.exclude(organization=acme).exists()


def test_a_second_time_nothing_is_made_and_nothing_is_changed(file: Path) -> None:
    manage("demo")
    before = file.read_bytes(), file.stat().st_mtime_ns, counts()

    said = manage("demo")

    assert (file.read_bytes(), file.stat().st_mtime_ns, counts()) == before
    assert json.loads(before[0])["users"]["alice"]["password"] not in said


def counts() -> list[int]:
    return [model.objects.count() for model in (Organization, User, Client, ApiKey, Application)]


def test_what_is_missing_is_added_and_the_rest_stays(file: Path) -> None:
    before = demo.write(file)
    User.objects.get(username="ivan").delete()
    known = json.loads(file.read_text())
    del known["users"]["ivan"]
    file.write_text(json.dumps(known))

    after = demo.write(file)

    ivan = after["users"].pop("ivan")
    assert User.objects.get(username="ivan").check_password(ivan["password"])
    assert (ivan["extension"], ivan["roles"]) == ("08123459", ["Agent"])
    assert before["users"].pop("ivan")["user_id"] != ivan["user_id"]
    assert after == before


def test_a_secret_that_was_lost_is_not_made_up(file: Path) -> None:
    demo.write(file)
    file.unlink()

    again = demo.write(file)

    assert (again["users"], again["api_keys"], again["clients"]) == ({}, {}, {})
    assert set(again["organizations"]) == {"acme", "globex"}


def test_no_two_installations_share_a_password(file: Path) -> None:
    one = demo.write(file)["users"]["bob"]["password"]
    users.set_password(by=at_the_console(), user=User.objects.get(username="bob"), clear="another long passphrase")
    User.objects.all().delete()
    file.unlink()

    assert demo.write(file)["users"]["bob"]["password"] != one


def test_a_demo_file_of_another_database_is_left_alone(file: Path) -> None:
    manage("demo")
    said = file.read_bytes()
    User.objects.all().delete()

    assert refusal("demo").startswith(f"{file} tells of people whom this database does not know")

    assert (file.read_bytes(), User.objects.count()) == (said, 0)


def test_a_cast_that_cannot_be_written_down_is_not_made(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        demo.write(file)

    assert (User.objects.count(), file.exists()) == (0, False)


def test_where_vendors_have_stand_ins_acmes_people_sign_in_with_them(file: Path) -> None:
    manage("demo", "--stand-in", "genesys", "--stand-in", "openid")

    offered = {row.type: row.config.get("signIn") for row in Application.objects.all()}
    assert offered == {
        "GENESYS": demo.SIGN_IN, "STANDALONE_OPENID": demo.SIGN_IN, "TALKDESK_OPENID": None, "NICE_CXONE_OPENID": None,
    }  # fmt: skip
    assert Organization.objects.get(name="acme").sign_in_domains == ["acme.example"]


def test_a_demo_without_stand_ins_offers_no_other_way_in_and_is_not_changed_later(file: Path) -> None:
    manage("demo")
    manage("demo", "--stand-in", "genesys")

    assert [row for row in Application.objects.all() if "signIn" in row.config] == []
    assert Organization.objects.get(name="acme").sign_in_domains == []


def test_production_has_no_demo_cast(file: Path, settings: Any) -> None:
    settings.PORTAL_ENV = "production"

    assert refusal("demo") == "The demo cast is for laptops; PORTAL_ENV is production."

    assert (User.objects.count(), file.exists()) == (0, False)
