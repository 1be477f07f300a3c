"""Reads settings from the environment: typed, checked at the start, and remembered for the settings page."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import SplitResult, parse_qs, urlsplit

from django.core.exceptions import ImproperlyConfigured

Value = TypeVar("Value")

ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", re.IGNORECASE)
SECONDS_OF = {"sec": 1, "min": 60, "hour": 3600, "day": 86400}


class Rate(NamedTuple):
    """How many are allowed in how many seconds; unpacks as `limit, seconds`."""

    limit: int
    seconds: int


@dataclass(frozen=True)
class Setting:
    """One documented name: what the settings page prints."""

    name: str
    kind: str
    default: str
    meaning: str
    is_secret: bool


class Environment:
    """Hands out the values of one environment and keeps a `Setting` for each name that was asked for.

    A senseless value raises `ImproperlyConfigured` naming the setting; the value itself is never printed, it may be a
    secret put in the wrong place. An empty value counts as not set.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.declared: dict[str, Setting] = {}

    def text(self, name: str, default: str, meaning: str, *, choices: Sequence[str] = (), secret: bool = False) -> str:
        def parse(raw: str) -> str:
            if choices and raw not in choices:
                raise ValueError(f"must be one of {', '.join(choices)}")
            return raw

        return self._read(name, "text", default, meaning, parse, secret=secret)

    def integer(
        self,
        name: str,
        default: int,
        meaning: str,
        *,
        least: int = 1,
        most: int | None = None,
        cut_to: int | None = None,
    ) -> int:
        """An integer from `least` to `most`; what is above `cut_to` is silently cut to it."""

        def parse(raw: str) -> int:
            if not raw.removeprefix("-").isascii() or not raw.removeprefix("-").isdigit():
                raise ValueError("must be a whole number")
            number = int(raw)
            if number < least or (most is not None and number > most):
                raise ValueError(f"must be {least} or more" if most is None else f"must be from {least} to {most}")
            return number if cut_to is None else min(number, cut_to)

        return self._read(name, "whole number", str(default), meaning, parse)

    def words(self, name: str, default: str, meaning: str, *, secret: bool = False) -> list[str]:
        """A comma-separated list; outer spaces and empty entries are dropped."""

        def parse(raw: str) -> list[str]:
            return [word for word in (part.strip() for part in raw.split(",")) if word]

        return self._read(name, "comma-separated list", default, meaning, parse, secret=secret)

    def origins(self, name: str, default: str, meaning: str) -> list[str]:
        """A comma-separated list of origins, exact or with `*.` in front of the host; `*` alone is refused."""

        def parse(raw: str) -> list[str]:
            origins = [word for word in (part.strip() for part in raw.split(",")) if word]
            if not all(ORIGIN.fullmatch(origin) for origin in origins):
                raise ValueError("must be origins like https://desk.example.com or https://*.example.com")
            return origins

        return self._read(name, "comma-separated origins", default, meaning, parse)

    def rate(self, name: str, default: str, meaning: str) -> Rate:
        """`<limit>/<sec|min|hour|day>`."""

        def parse(raw: str) -> Rate:
            limit, _, period = raw.partition("/")
            if not (limit.isascii() and limit.isdigit() and int(limit) > 0 and period in SECONDS_OF):
                raise ValueError(f"must look like 60/min; the periods are {', '.join(SECONDS_OF)}")
            return Rate(int(limit), SECONDS_OF[period])

        return self._read(name, "rate", default, meaning, parse)

    def path(self, name: str, default: str, meaning: str) -> Path:
        return self._read(name, "folder", default, meaning, lambda raw: Path(raw).expanduser().absolute())

    def url(
        self,
        name: str,
        default: str,
        meaning: str,
        *,
        schemes: Sequence[str],
        secret: bool = False,
        needs: Sequence[str] = (),
    ) -> str:
        """An absolute URL with one of the schemes, or empty; a trailing slash is dropped.

        `needs` are what it must not leave out: user, password, host, or a name of its query.
        """

        def parse(raw: str) -> str:
            if raw:
                parts = split_url(raw, schemes)
                if missing := [need for need in needs if not _part(parts, need)]:
                    raise ValueError(f"leaves out {' and '.join(missing)}")
            return raw.removesuffix("/") if set(schemes) <= {"http", "https"} else raw

        return self._read(name, "URL", default, meaning, parse, secret=secret)

    def _read(
        self, name: str, kind: str, default: str, meaning: str, parse: Callable[[str], Value], *, secret: bool = False
    ) -> Value:
        self.declared[name] = Setting(name, kind, default, meaning, secret)
        raw = self.values.get(name, "").strip() or (self._from_file(name) if secret else "") or default
        try:
            return parse(raw)
        except ValueError as problem:
            raise ImproperlyConfigured(f"{name} {problem}") from None

    def _from_file(self, name: str) -> str:
        where = self.values.get(f"{name}_FILE", "").strip()
        if not where:
            return ""
        try:
            return Path(where).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read") from None


def split_url(raw: str, schemes: Sequence[str]) -> SplitResult:
    """Splits an absolute URL; raises ValueError with words that do not repeat the URL, it may hold a password."""
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in schemes:
        raise ValueError(f"must start with {' or '.join(f'{scheme}:' for scheme in schemes)}")
    if parts.scheme in ("http", "https") and (not parts.hostname or parts.query or parts.fragment or parts.username):
        raise ValueError("must be scheme, host and perhaps a port and a path")
    return parts


def _part(parts: SplitResult, need: str) -> str:
    found = {"user": parts.username, "password": parts.password, "host": parts.hostname}
    return (found[need] if need in found else "".join(parse_qs(parts.query).get(need, []))) or ""


def kept_secret(path: Path) -> str:
    """The random secret kept in a file, made at the first call; every process of an installation reads the same one.

    Written aside and linked into place: of two first starts at once one link wins and both read the winner's. Raises
    ImproperlyConfigured naming DATA_DIR.
    """
    try:
        if not path.exists():
            _keep(path)
        return path.read_text(encoding="utf-8").strip()
    except OSError as refusal:
        raise ImproperlyConfigured(f"DATA_DIR cannot be used: {refusal.strerror}") from refusal


def _keep(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
