"""The OpenAPI documents, whole and per dialect, and the page that shows them (clarifications 41 and 61)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from csp.decorators import csp_update
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views.decorators.cache import never_cache
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from integrations import urls
from integrations.dialects import DIALECTS

View = Callable[..., HttpResponseBase]

# The SHA-256 of the one style element in drf-spectacular's own page.
SWAGGER_STYLE = "'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"


def for_portal_people_in_production(view: View) -> View:
    """Ask for a portal login where it is for real: elsewhere the documents are open."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if settings.PORTAL_ENV == "production" and not getattr(request, "principal", None):
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return asked


def _document(patterns: list[URLPattern]) -> View:
    return never_cache(for_portal_people_in_production(SpectacularAPIView.as_view(patterns=patterns)))


# Without OPTIONS: DRF would describe the view, in a template that a page of HTML does not have.
_page = SpectacularSwaggerSplitView.as_view(url_name="schema", http_method_names=["get", "head"])

urlpatterns: list[URLPattern] = [
    path("schema/", _document(urls.urlpatterns), name="schema"),
    *(path(f"schema/{name}/", _document(urls.addresses_of(name)), name=f"schema-{name}") for name in DIALECTS),
    path("docs/", for_portal_people_in_production(csp_update({"style-src": [SWAGGER_STYLE]})(_page)), name="docs"),
]
