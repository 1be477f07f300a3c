"""Which browser pages of other origins may read a dialect's answers (clarifications 27 and 56; dialects.md 4.1).

django-cors-headers writes the headers and answers pre-flights; what it cannot know is decided here: origins belong to
organisations, whoever has proven himself is served to his own organisation's pages only, and the portal's pages to none. Its
signal would be asked twice without saying whether a credential has been looked at yet, hence a subclass. An OPTIONS request that
is no pre-flight (no Access-Control-Request-Method) goes through to the views, which answer it where their vendor wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult

from corsheaders.middleware import CorsMiddleware
from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve

from identity import organizations
from identity.principal import Principal
from integrations.edge import DialectViewSet

ANY = "://*."
LABELS = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class Cors(CorsMiddleware):
    """Adds CORS headers to the answers of dialects, refusals too, for origins that are listed."""

    def is_enabled(self, request: HttpRequest) -> bool:
        """Say whether headers are to be thought of; who asks is not known yet, so only a pre-flight is judged."""
        if "Origin" not in request.headers:
            return False
        return not is_preflight(request) or self.check_signal(request)

    def check_signal(self, request: HttpRequest) -> bool:
        """Say whether this page may read this answer."""
        if not _is_of_a_dialect(request):
            return False
        principal = getattr(request, "auth", None)
        return admits(request.headers.get("Origin", ""), principal if isinstance(principal, Principal) else None)

    def origin_found_in_white_lists(self, origin: str, url: SplitResult) -> bool:
        """Leave the setting to `admits`: here it would open the portal's own pages too."""
        return False


def admits(origin: str, principal: Principal | None) -> bool:
    """Say whether a page of an origin is served: before anybody is proven by any organisation's list, then by his own."""
    own = organizations.cors_origins() if principal is None else organizations.cors_origins_of(principal)
    return is_listed(origin, own.union(settings.CORS_ALLOWED_ORIGINS))


def is_listed(origin: str, listed: Iterable[str]) -> bool:
    """Say whether an origin is on a list: literally, or as a subdomain of any depth of a `https://*.example.com`.

    Scheme and port are the same in both; a lone `*`, and `null`, are on no list.
    """
    said = origin.lower()
    return said != "null" and any(_fits(said, entry.lower()) for entry in listed)


def is_preflight(request: HttpRequest) -> bool:
    """Say whether a browser asks before it sends the real request."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def _fits(origin: str, entry: str) -> bool:
    if ANY not in entry:
        return origin == entry.rstrip("/")
    scheme, _, parent = entry.rstrip("/").partition(ANY)
    start, end = f"{scheme}://", f".{parent}"
    if not parent or not origin.startswith(start) or not origin.endswith(end):
        return False
    return LABELS.fullmatch(origin[len(start) : -len(end)]) is not None


def _is_of_a_dialect(request: HttpRequest) -> bool:
    try:
        found = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return False
    view = getattr(found.func, "cls", None)
    return isinstance(view, type) and issubclass(view, DialectViewSet)
