"""What every page is told, and the error pages where Django's own would miss the request or trip over it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.shortcuts import render
from django.template.loader import render_to_string

logger = logging.getLogger(__name__)


def environment(request: HttpRequest) -> dict[str, str]:
    """Answer the label of the environment, for the badge beside the product's name."""
    return {"environment_label": settings.PORTAL_ENV}


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400 with the banner of a running login-as, which Django's own page would leave out (clarifications 21)."""
    return _with_request_if_possible(request, "400.html", status=400)


def denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403 without reading the body, as Django's own page does: one that cannot be read would make it a fault."""
    return _with_request_if_possible(request, "403.html", status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404 without reading the body, as Django's own page does."""
    return _with_request_if_possible(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 with the banner of a running login-as, or without it when the fault keeps us from looking that up."""
    return _with_request_if_possible(request, "500.html", status=500)


def _with_request_if_possible(request: HttpRequest, template: str, *, status: int) -> HttpResponse:
    try:
        return render(request, template, status=status)
    except Exception:
        # Anything may be broken here, the database first of all: the page must come out all the same.
        logger.exception("error page rendered without its request")
        return HttpResponseServerError(render_to_string(template))
