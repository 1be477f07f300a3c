"""How a process starts: production refuses what is weak, a laptop makes its own secrets, nobody shows a traceback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from config import settings_page
from config.settings.declared import environment


def strong(name: str) -> str:
    """A secret that looks random and is the same in every run: test names are made of it."""
    return hashlib.sha256(name.encode()).hexdigest()


SAFE = {
    "PORTAL_ENV": "production",
    "PUBLIC_URL": "https://portal.example",
    "ALLOWED_HOSTS": "portal.example",
    "SECRET_KEY": strong("signing"),
    "ENCRYPTION_KEYS": f"{strong('new')},{strong('old')}",
    "DIGEST_KEYS": strong("digest"),
    "EMAIL_URL": "smtp://mail.example",
    "SMS_URL": "twilio://AC1:token@default/?from=+46700000000",
}
SHOW = (
    "from django.conf import settings as s; import json; "
    "print(json.dumps({n: getattr(s, n, None) for n in ('PORTAL_COOKIE', 'ACTING_COOKIE', 'CSRF_COOKIE_NAME', "
    "'CSRF_COOKIE_SECURE', 'SECURE_HSTS_SECONDS', 'DEBUG', 'GATEWAYS', 'ALLOWED_HOSTS', 'CSRF_TRUSTED_ORIGINS')}))"
)


def manage(*words: str, folder: Path, **names: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` as an operator types it, with nothing in the environment but the given names."""
    return python("manage.py", *words, folder=folder, **names)


def production(folder: Path, **names: str) -> subprocess.CompletedProcess[str]:
    """The production settings alone: a quarter of the time that a whole command takes."""
    return python("-c", "import config.settings.production", folder=folder, **names)


def python(*words: str, folder: Path, **names: str) -> subprocess.CompletedProcess[str]:
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, *words],
        env={**clean, "DATA_DIR": str(folder / "var"), **names},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_production_starts_with_safe_settings(tmp_path: Path) -> None:
    done = manage("check", "--deploy", folder=tmp_path, **SAFE)

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "var" / "secret_key").exists()


def test_production_is_hardened(tmp_path: Path) -> None:
    done = manage("shell", "-v0", "-c", SHOW, folder=tmp_path, **SAFE)

    assert json.loads(done.stdout) == {
        "PORTAL_COOKIE": "__Host-switchboard",
        "ACTING_COOKIE": "__Host-switchboard_acting",
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "CSRF_COOKIE_SECURE": True,
        "SECURE_HSTS_SECONDS": 31536000,
        "DEBUG": False,
        "GATEWAYS": {
            "EMAIL": "integrations.gateways.email.SmtpGateway",
            "SMS": "integrations.gateways.twilio.TwilioGateway",
            "VOICE": "integrations.gateways.twilio.TwilioGateway",
        },
        "ALLOWED_HOSTS": ["portal.example"],
        "CSRF_TRUSTED_ORIGINS": ["https://portal.example"],
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "short-but-random-8f3b"),
        ("SECRET_KEY", "x" * 64),
        ("SECRET_KEY", "django-insecure-" + SAFE["SECRET_KEY"]),
        ("SECRET_KEY", "change-me-" + SAFE["SECRET_KEY"]),
        ("SECRET_KEY_FALLBACKS", "short"),
        ("ENCRYPTION_KEYS", ""),
        ("ENCRYPTION_KEYS", f"{SAFE['ENCRYPTION_KEYS']},short"),
        ("DIGEST_KEYS", ""),
        ("DIGEST_KEYS", "0" * 40),
        ("METRICS_TOKEN", "letmein"),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", ".example.com"),
        ("PUBLIC_URL", "http://portal.example"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("EMAIL_URL", ""),
        ("SMS_URL", ""),
        ("MESSAGE_SPOOL", "spool"),
        ("PORT", "eighty"),
    ],
)
def test_production_refuses_a_missing_or_weak_setting_by_name(tmp_path: Path, name: str, value: str) -> None:
    done = production(tmp_path, **{**SAFE, name: value})

    assert done.returncode != 0
    assert name in done.stderr.rpartition("ImproperlyConfigured: ")[2]
    assert not value or len(value) < 10 or value not in done.stdout + done.stderr


def test_production_names_everything_that_is_wrong_at_once(tmp_path: Path) -> None:
    done = manage("check", "--deploy", folder=tmp_path, PORTAL_ENV="production")

    missing = ("SECRET_KEY", "ENCRYPTION_KEYS", "DIGEST_KEYS", "PUBLIC_URL", "EMAIL_URL", "SMS_URL")
    assert done.returncode != 0
    assert [name for name in missing if name not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_production_makes_no_demo_cast(tmp_path: Path) -> None:
    done = manage("demo", folder=tmp_path, **SAFE)

    assert done.returncode != 0
    assert "PORTAL_ENV" in done.stderr
    assert not (tmp_path / "var" / "demo.json").exists()


def test_an_unknown_environment_is_neither_laptop_nor_production(tmp_path: Path) -> None:
    done = manage("check", folder=tmp_path, PORTAL_ENV="staging")

    assert done.returncode != 0
    assert "PORTAL_ENV must be one of development, production" in done.stderr


def test_a_laptop_makes_its_secrets_once(tmp_path: Path) -> None:
    show = "from django.conf import settings as s; print(s.SECRET_KEY, *s.ENCRYPTION_KEYS, *s.DIGEST_KEYS)"

    first, second = (manage("shell", "-v0", "-c", show, folder=tmp_path).stdout.split() for _ in range(2))

    assert first == second
    assert len(set(first)) == 3
    kept = [tmp_path / "var" / name for name in ("secret_key", "encryption_keys", "digest_keys")]
    assert [path.stat().st_mode & 0o777 for path in kept] == [0o600] * 3


def test_the_settings_page_is_current() -> None:
    assert settings_page.PAGE.read_text(encoding="utf-8") == settings_page.page()


def test_the_settings_page_has_a_line_for_every_setting_and_knows_no_machine() -> None:
    page = settings_page.page()

    assert [name for name in environment.declared if f"| `{name}` |" not in page] == []
    assert str(settings.BASE_DIR) not in page


def test_every_declared_setting_is_a_setting_of_that_name() -> None:
    assert [name for name in environment.declared if not hasattr(settings, name)] == []
