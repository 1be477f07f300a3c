"""Every address of the portal: probes first, then pages, then the dialects, each at the root of one host."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from config import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive),
    path("readyz", health.ready),
]
