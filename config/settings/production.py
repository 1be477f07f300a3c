"""The hardened settings: they refuse to load while a secret is missing or weak, and name what is wrong."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from config.hardening import weaknesses
from config.settings.base import *
from config.settings.declared import environment

if problems := weaknesses(environment.values, globals()):
    raise ImproperlyConfigured("the production settings are not safe:\n  " + "\n  ".join(problems))

PORTAL_COOKIE = "__Host-switchboard"
ACTING_COOKIE = "__Host-switchboard_acting"
CSRF_COOKIE_NAME = "__Host-csrf"
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
