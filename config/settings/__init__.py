"""Chooses the settings by PORTAL_ENV: `production` is hardened, everything else is a laptop."""

import os


def chosen() -> str:
    """The settings module that this environment asks for; base refuses a PORTAL_ENV that nobody knows."""
    return "config.settings.production" if os.environ.get("PORTAL_ENV") == "production" else "config.settings.base"
