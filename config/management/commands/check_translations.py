"""Checks that every text is translated into every language and compiled: what `make lint` asks of the catalogues."""

from __future__ import annotations

import gettext
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.test.utils import override_settings

from identity import otp_texts

# The catalogue itself, too: makemessages would write what it finds beside it into the repository's own.
ELSEWHERE = [".venv", "tests", "config/locale"]
CATALOGUE = Path("LC_MESSAGES") / "django.po"


class Command(BaseCommand):
    """Needs the gettext programs; changes nothing."""

    help = "Checks that every text is translated into every language and compiled."

    def handle(self, *args: Any, **options: Any) -> None:
        (home,) = settings.LOCALE_PATHS
        languages = sorted(po.parent.parent.name for po in home.glob(f"*/{CATALOGUE}"))
        if not languages:
            raise CommandError(f"{home} holds no catalogue")
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "locale"
            copytree(home, fresh)
            with override_settings(LOCALE_PATHS=[fresh]):
                call_command("makemessages", locale=languages, no_obsolete=True, verbosity=0, ignore_patterns=ELSEWHERE)
            problems = [f"{name}: {problem}" for name in languages for problem in found(home / name, fresh / name)]
        problems += [f"{name}: {problem}" for name in otp_texts.LANGUAGES for problem in found_in_codes(name)]
        if problems:
            raise CommandError("\n".join([*problems, "`make messages` collects and compiles the texts."]))


def found(kept: Path, fresh: Path) -> list[str]:
    """What is wrong with one language: `kept` is the catalogue in the repository, `fresh` the one collected just now."""
    return told(
        {
            "texts without a translation": selected(fresh / CATALOGUE, "--untranslated"),
            "doubtful translations": selected(fresh / CATALOGUE, "--only-fuzzy"),
            "translations that are not compiled": sorted(compiled(kept / CATALOGUE) - catalogue(kept / CATALOGUE)),
        }
    )


def found_in_codes(language: str) -> list[str]:
    """What is wrong with what a code's message says in one language; nobody collects these texts, a module lists them."""
    po = otp_texts.catalogue_of(language)
    if not po.exists():
        return [f"{po} is missing"]
    texts = set(re.findall(r'^msgid "(.+)"$', po.read_text(encoding="utf-8"), re.MULTILINE))
    return told(
        {
            "texts that are missing": sorted(set(otp_texts.TEXTS) - texts),
            "texts that nobody uses": sorted(texts - set(otp_texts.TEXTS)),
            "texts without a translation": selected(po, "--untranslated"),
            "doubtful translations": selected(po, "--only-fuzzy"),
            "translations that are not compiled": sorted(compiled(po) ^ catalogue(po)),
        }
    )


def told(checks: dict[str, Sequence[object]]) -> list[str]:
    return [f"{len(texts)} {problem}, the first is {texts[0]!r}" for problem, texts in checks.items() if texts]


def selected(po: Path, which: str) -> list[str]:
    """The texts of a catalogue that msgattrib selects."""
    text = run("msgattrib", which, "--no-obsolete", "--no-wrap", str(po))
    return [line for line in text.splitlines() if line.startswith("msgid ") and line != 'msgid ""']


def compiled(po: Path) -> set[tuple[str, str]]:
    """What the catalogue would be if it were compiled now; refuses wrong placeholders."""
    with tempfile.TemporaryDirectory() as folder:
        mo = Path(folder) / "django.mo"
        run("msgfmt", "--check", f"--output-file={mo}", str(po))
        return texts_of(mo)


def catalogue(po: Path) -> set[tuple[str, str]]:
    mo = po.with_suffix(".mo")
    return texts_of(mo) if mo.exists() else set()


def texts_of(mo: Path) -> set[tuple[str, str]]:
    """Every text of a compiled catalogue with its translation; the header, which tells of times, is left out."""
    with mo.open("rb") as file:
        known: dict[object, str] = vars(gettext.GNUTranslations(file))["_catalog"]
    return {(str(text), translation) for text, translation in known.items() if text}


def run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own words
    except FileNotFoundError:
        raise CommandError(f"{command[0]} is missing: install gettext") from None
    if done.returncode:
        raise CommandError(done.stderr.strip())
    return done.stdout
