"""The portal's own cookies, all with the same flags: no script reads them, no other site sends them, no plain http carries them."""

from __future__ import annotations

from django.conf import settings
from django.http.response import HttpResponseBase

PORTAL: str = settings.PORTAL_COOKIE
ACTING: str = settings.ACTING_COOKIE
RESET = "switchboard_reset"


def keep(response: HttpResponseBase, name: str, value: str, *, path: str = "/", seconds: int | None = None) -> None:
    """Let a browser keep a cookie: as long as it is open, or for so many seconds."""
    response.set_cookie(name, value, max_age=seconds, path=path, secure=True, httponly=True, samesite="Lax")


def forget(response: HttpResponseBase, name: str, *, path: str = "/") -> None:
    """Let a browser forget a cookie; with the same flags, or it would keep the old one."""
    keep(response, name, "", path=path, seconds=0)
