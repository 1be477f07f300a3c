"""Prints docs/settings.md from the declared settings; `--check` only says whether the page is current."""

from __future__ import annotations

import sys
from pathlib import Path

from config.environment import Setting
from config.settings.declared import environment

PAGE = Path(__file__).resolve().parents[1] / "docs" / "settings.md"
HEAD = """\
# Settings

Everything is set by environment variables and has a default that works on a laptop. A senseless value stops the start
and is named. An empty value counts as not set. `PORTAL_ENV=production` refuses to start on a missing or weak secret.

This page is printed by `python -m config.settings_page`.

| name | type | default | meaning |
| --- | --- | --- | --- |
"""
# Defaults that are worked out on the machine that prints the page, in words that hold on every machine.
IN_WORDS = {
    "DATA_DIR": "`var`",
    "MESSAGE_SPOOL": "`$DATA_DIR/messages`",
    "PUBLIC_URL": "`http://127.0.0.1:$PORT`",
    "WEB_PROCESSES": "one a core, at most 4",
}


def page() -> str:
    """The whole page as Markdown."""
    return HEAD + "".join(row(setting) for setting in environment.declared.values())


def row(setting: Setting) -> str:
    default = IN_WORDS.get(setting.name) or (f"`{setting.default}`" if setting.default else "empty")
    twin = f" Also read from the file that `{setting.name}_FILE` names." if setting.is_secret else ""
    return f"| `{setting.name}` | {setting.kind} | {default} | {setting.meaning}{twin} |\n"


def main() -> None:
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/settings.md is not current: run `python -m config.settings_page`")


if __name__ == "__main__":
    main()
