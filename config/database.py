"""Turns DATABASE_URL into Django's connection settings, with the options that correctness under load needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# IMMEDIATE: a deferred transaction that turns into a writer fails at once with "database is locked". FULL: an
# acknowledged revocation survives a power cut.
SQLITE_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
# One stuck statement, lock or forgotten transaction must not hold up a call floor.
POSTGRES_TIMEOUTS = "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000"
# The query behind every request joins seven tables: planned once per connection and not each time, it costs a third less.
POSTGRES_PREPARED = {"server_side_binding": True, "prepare_threshold": 3}


def database(url: str, data_dir: Path) -> dict[str, Any]:
    """Django's settings for one DATABASE_URL that the environment has accepted; empty: SQLite in `data_dir`."""
    parts = urlsplit(url or f"sqlite:///{data_dir / 'portal.sqlite3'}")
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path.removeprefix("/"))), data_dir)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,  # without it the first requests after a database restart fail
        "OPTIONS": {
            "options": POSTGRES_TIMEOUTS,
            "connect_timeout": 5,
            **POSTGRES_PREPARED,
            **dict(parse_qsl(parts.query)),
        },
    }


def _sqlite(path: Path, data_dir: Path) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)  # SQLite makes its journals with the mode that the file has
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": 600,
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 5, "init_command": SQLITE_PRAGMAS},
        # A file and not memory: a worker started by a test opens the same one.
        "TEST": {"NAME": data_dir / "test.sqlite3"},
    }
