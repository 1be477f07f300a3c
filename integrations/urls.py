"""All dialects' addresses at the root of one host: every dialect's own first, then what each refuses below its prefixes."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from django.urls import URLPattern, path

from integrations.dialects import DIALECTS
from integrations.gateways import callbacks


def _urls_of(dialect: str) -> ModuleType | None:
    name = f"integrations.dialects.{dialect}"
    return import_module(f"{name}.urls") if find_spec(name) and find_spec(f"{name}.urls") else None


# The url modules of the dialects that are there, by name.
MODULES: dict[str, ModuleType] = {name: found for name in DIALECTS if (found := _urls_of(name)) is not None}


def addresses_of(dialect: str) -> list[URLPattern]:
    """Answer a dialect's own addresses; none for one that is not written yet."""
    module = MODULES.get(dialect)
    return list(module.urlpatterns) if module else []


urlpatterns: list[URLPattern] = [
    path("gateways/twilio/status/<uuid:message_id>", callbacks.status),
    *(pattern for module in MODULES.values() for pattern in module.urlpatterns),
    *(pattern for module in MODULES.values() for pattern in module.rest),
]
