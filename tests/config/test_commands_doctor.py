"""The doctor finds each illness, says what to do, and ends with status 1 only for illnesses (clarifications 51, 62, 65)."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as of_the_house
from django.contrib.auth.hashers import make_password

from config import examination
from identity import clock, organizations, outbox
from identity.models import AuditEvent, ClientSecret, Membership, OutboxMessage, SigningKey, TotpDevice, User
from identity.principal import Principal
from tests.cast import Cast
from tests.config.commands import manage
from tests.processes import environment_of_tests

State = OutboxMessage.State
Finding = examination.Finding


@pytest.fixture(autouse=True)
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the doctor measures corrects the clock of its process, which here is everybody's."""
    monkeypatch.setattr(clock, "_offset", timedelta(0))


def found() -> list[tuple[bool, str]]:
    """What the doctor finds, as (is it an illness, the sentence)."""
    return [(not one.is_note, one.said) for one in examination.examine()]


def put(**changes: Any) -> None:
    message = outbox.put(channel="EMAIL", to="b@x.example", template="welcome", context={"link": "x"}, locale="en")
    OutboxMessage.objects.filter(pk=message.pk).update(**changes)


def test_a_portal_that_is_well_is_called_well(cast: Cast) -> None:
    assert manage("doctor") == "The portal is well.\n"


def test_a_note_alone_is_no_illness(cast: Cast) -> None:
    User.objects.filter(username="bob").update(password=make_password("old", hasher="pbkdf2_sha256"))

    assert manage("doctor") == (
        "- note: 1 people have an imported password hash; it is upgraded when they next type their password.\n"
        "The portal is well.\n"
    )


def test_an_illness_ends_with_status_1_and_says_what_to_do(transactional_db: None, cast: Cast, settings: Any) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"], cwd=of_the_house.BASE_DIR, capture_output=True, text=True, timeout=60, check=False,
        env=environment_of_tests(CELERY_BROKER_URL="redis://127.0.0.1:1/0"),
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "- wrong: The broker does not answer; look at CELERY_BROKER_URL. Messages wait until it does.\n",
        "CommandError: 1 thing is wrong.\n",
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://nobody@127.0.0.1:1/nowhere", "The database does not answer; look at DATABASE_URL and at the database's own log."),
        ("", "Migrations are missing; run `manage.py migrate`."),
    ],
)  # fmt: skip
def test_without_a_database_nothing_else_is_asked(tmp_path: Path, url: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"], cwd=of_the_house.BASE_DIR, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "DATA_DIR": str(tmp_path), "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings.base"},
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, f"- wrong: {said}\n")


@pytest.mark.parametrize(("url", "is_noted"), [
    ("http://portal.example", True), ("https://portal.example", False), ("http://127.0.0.1:8000", False), ("http://localhost", False),
])  # fmt: skip
def test_plain_http_off_loopback_is_noted(cast: Cast, settings: Any, url: str, is_noted: bool) -> None:
    settings.PUBLIC_URL = url

    said = "PUBLIC_URL is plain http: cookies are Secure, so browsers off this machine cannot sign in. Use https."
    assert found() == ([(False, said)] if is_noted else [])


def test_a_secret_that_others_can_read_is_an_illness(cast: Cast, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    for name, mode in (("secret_key", 0o600), ("demo.json", 0o640)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)

    assert found() == [(True, f"{tmp_path / 'demo.json'} can be read by others; run `chmod 600` on it.")]


@pytest.mark.parametrize(
    ("changes", "age"),
    [
        ({"state": State.PENDING}, 11),
        ({"state": State.UNKNOWN}, 11),
        ({"state": State.SENDING, "lease_until": None}, 0),
    ],
)
def test_a_message_that_waits_too_long_is_an_illness(cast: Cast, changes: dict[str, Any], age: int) -> None:
    before = clock.now() - examination.OVERDUE - timedelta(minutes=1)
    put(**{**changes, "next_at": before} | ({"lease_until": before} if "lease_until" in changes else {}))
    put(state=State.SENT, next_at=before)

    assert found() == [(True, "1 message waits longer than it should; is the Celery worker running, and beat?")]


def test_a_message_that_waits_a_moment_is_none(cast: Cast) -> None:
    put()

    assert found() == []


def test_messages_that_fail_or_failed_are_told(cast: Cast) -> None:
    put(attempts=5)
    put(state=State.DEAD)
    put(state=State.DEAD, context_sealed="")

    assert found() == [
        (True, "1 messages fail again and again; the admin's Messages page says why."),
        (False, "1 messages were given up; the admin's Messages page repeats them."),
    ]


def test_an_audit_trail_that_nobody_seals_is_an_illness(cast: Cast) -> None:
    AuditEvent.objects.update(at=clock.now() - examination.OVERDUE - timedelta(minutes=1))

    assert found() == [(True, "The audit trail is not being sealed; is the Celery worker running, and beat?")]


def test_a_clock_that_was_set_back_is_an_illness(cast: Cast) -> None:
    latest = AuditEvent.objects.latest("pk")
    AuditEvent.objects.filter(pk=latest.pk).update(at=clock.now() + timedelta(hours=1))

    said = "The clock was set back: the latest audit row lies in the future. Synchronise the clock."
    assert found() == [(True, said)]


def test_a_clock_that_differs_from_the_databases_is_an_illness(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "measure", lambda connection: timedelta(seconds=-42))

    assert found() == [(True, "This machine's clock is -42 seconds off the database's; synchronise it.")]


def test_a_former_key_is_noted_and_a_lost_one_is_an_illness(cast: Cast, settings: Any) -> None:
    former = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = ["the new key, more than thirty-two characters", *former]
    count = SigningKey.objects.count()
    assert found() == [
        (False, "applications: 4 secrets are sealed under a former key; run `manage.py reseal`."),
        (False, f"signing keys: {count} secrets are sealed under a former key; run `manage.py reseal`."),
    ]

    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert found() == [
        (True, "applications: 4 secrets are sealed under a key that is not in ENCRYPTION_KEYS; put it back."),
        (True, f"signing keys: {count} secrets are sealed under a key that is not in ENCRYPTION_KEYS; put it back."),
        (True, "The signing key cannot be opened: no token can be issued. Put its key back into ENCRYPTION_KEYS."),
    ]


def test_a_portal_without_a_signing_key_makes_one_when_it_needs_it(cast: Cast) -> None:
    SigningKey.objects.all().delete()

    assert found() == []


def test_a_factor_that_nobody_has_is_an_illness(cast: Cast, console: Principal) -> None:
    manage("set_user", "--username", "bob", "--enroll-totp")
    TotpDevice.objects.all().delete()

    assert found() == [
        (True, "A second factor is asked of people who have none, reset it on their page in the admin: bob")
    ]


def test_weak_accounts_and_things_of_no_use_are_noted(cast: Cast, console: Principal) -> None:
    organizations.change(by=console, organization=cast.organization("acme"), requires_second_factor=True)
    Membership.objects.filter(user=cast.user("frank")).delete()
    ClientSecret.objects.filter(client_id=cast.said["clients"]["acme_agent"]["client_id"]).delete()

    assert found() == [
        (False, "1 admins have no second factor where their organisation asks everybody for one."),
        (False, "globex has no enabled admin; make one with `manage.py create_user --role Admin`."),
        (False, "1 clients have no secret and cannot be used; rotate them in the admin."),
    ]
