"""Every address of the portal: probes first, then pages, then the dialects, each at the root of one host."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config import health, metrics

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics.page),
    path("admin/", admin.site.urls),
    path("", include("identity.pages.urls")),
    path("", include("integrations.pages.urls")),
    path("", include("agents.desk.urls")),
    path("", include("tickets.urls")),
    path("", include("config.schema")),
    path("", include("integrations.urls")),
]
handler400 = "config.pages.bad_request"
handler403 = "config.pages.denied"
handler404 = "config.pages.not_found"
handler500 = "config.pages.server_error"
