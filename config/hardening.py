"""What production refuses to start with, as sentences that name the setting and never its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

LEAST_SECRET_LENGTH = 32
KNOWN_DEFAULTS = ("changeme", "change-me", "change_me", "django-insecure", "secret", "password", "example", "default")


def weaknesses(given: Mapping[str, str], settings: Mapping[str, Any]) -> list[str]:
    """Every reason not to start; `given` is the raw environment, `settings` what it was read into."""
    return [*_secrets(settings), *_addresses(settings), *_gateways(given, settings)]


def _secrets(settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("SECRET_KEY", "ENCRYPTION_KEYS", "DIGEST_KEYS"):
        value = settings[name]
        if not value:
            yield f"{name} is missing"
        for secret in value if isinstance(value, list) else [value] if value else []:
            if reason := weakness(secret):
                yield f"{name} {reason}"
    for secret in settings["SECRET_KEY_FALLBACKS"]:
        if reason := weakness(secret):
            yield f"SECRET_KEY_FALLBACKS {reason}"
    if settings["METRICS_TOKEN"] and (reason := weakness(settings["METRICS_TOKEN"])):
        yield f"METRICS_TOKEN {reason}"


def weakness(secret: str) -> str:
    """Why a secret is weak, or an empty string."""
    if len(secret) < LEAST_SECRET_LENGTH:
        return f"is shorter than {LEAST_SECRET_LENGTH} characters"
    if len(set(secret)) < 8:
        return "repeats too few characters"
    if any(known in secret.lower() for known in KNOWN_DEFAULTS):
        return "contains a known default"
    return ""


def _addresses(settings: Mapping[str, Any]) -> Iterator[str]:
    if any("*" in host or host.startswith(".") for host in settings["ALLOWED_HOSTS"]):
        yield "ALLOWED_HOSTS must name exact hosts"
    if urlsplit(settings["PUBLIC_URL"]).scheme != "https":
        yield "PUBLIC_URL must start with https:"


def _gateways(given: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("EMAIL_URL", "SMS_URL"):
        if not settings[name]:
            yield f"{name} is missing, and MESSAGE_SPOOL is for laptops"
    if given.get("MESSAGE_SPOOL"):
        yield "MESSAGE_SPOOL is for laptops"
