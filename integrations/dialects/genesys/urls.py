"""Genesys' addresses, each with and without a slash at its end, as its examples have it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, path, re_path

from integrations import edge
from integrations.dialects.genesys import errors
from integrations.dialects.genesys.views import PREFLIGHT, Me, Ping, Version


def both(route: str, view: Any, actions: dict[str, str]) -> Iterator[URLPattern]:
    """Answer an address in its two spellings; the OpenAPI page knows the first alone."""
    yield path(route, view.as_view({**actions, "options": PREFLIGHT}))
    yield path(f"{route}/", view.as_view({**actions, "options": PREFLIGHT}, schema=None))


urlpatterns: list[URLPattern] = [
    *both("api/v2/me", Me, {"get": "sign_in", "post": "post"}),
    *both("ping", Ping, {"get": "ping"}),
    *both("version", Version, {"get": "version"}),
]
# Whatever else begins so is ours to refuse (clarifications 1).
rest = [re_path(r"^/*(?:api/+v2|ping|version)", edge.nowhere(errors))]
