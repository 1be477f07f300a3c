"""What stands in front of every page: the methods it knows, and who may see it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from identity.errors import CredentialMissing, MethodUnknown
from identity.pages.middleware import PortalRequest
from identity.principal import Principal

P = ParamSpec("P")
Page = Callable[Concatenate[PortalRequest, P], HttpResponse]
OwnPage = Callable[Concatenate[PortalRequest, Principal, P], HttpResponse]
AnyPage = Callable[Concatenate[HttpRequest, P], HttpResponse]


def methods(*known: str) -> Callable[[Page[P]], AnyPage[P]]:
    """Answer a page that refuses other methods before it asks who comes, and that nobody stores."""

    def guard(page: Page[P]) -> AnyPage[P]:
        @wraps(page)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if request.method not in known and not (request.method == "HEAD" and "GET" in known):
                raise MethodUnknown(allowed=known)
            response = page(cast(PortalRequest, request), *args, **kwargs)
            response.headers["Cache-Control"] = "no-store"
            return response

        return guarded

    return guard


def signed_in(page: OwnPage[P]) -> Page[P]:
    """Answer a page that is handed who decides here, and sends strangers to sign in first."""

    @wraps(page)
    def guarded(request: PortalRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.principal:
            raise CredentialMissing("nobody is signed in")
        return page(request, request.principal, *args, **kwargs)

    return guarded


def own_path(text: str, *, otherwise: str) -> str:
    """Answer a path of this portal, or another when the text leads anywhere else (an open redirect serves phishing)."""
    is_path = text.startswith("/") and text.isprintable() and len(text) <= 2000
    is_own = is_path and url_has_allowed_host_and_scheme(text, allowed_hosts=None)
    return text if is_own else otherwise
