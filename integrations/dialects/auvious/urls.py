"""Auvious' addresses below `/security`."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from integrations import edge
from integrations.dialects.auvious import errors
from integrations.dialects.auvious.views import Applications

urlpatterns: list[URLPattern] = [
    path("security/applications", Applications.as_view({"get": "all"})),
    path("security/applications/<str:application_id>", Applications.as_view({"get": "one"})),
]
# Whatever else begins with /security is ours to refuse; tried after the addresses of all dialects.
rest = [re_path(r"^security", edge.nowhere(errors))]
