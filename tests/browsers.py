"""A browser without a screen for the pages: it keeps cookies, sends the page's own token, and speaks https."""

from __future__ import annotations

import re
from base64 import b32decode
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django_otp.oath import TOTP

from identity import clock
from tests.cast import Cast

REASON = "Ticket 4711: no sound"


def code_of(secret: str) -> str:
    """Answer what an authenticator app with a secret in Base32 shows now."""
    bare = secret.replace(" ", "")
    app = TOTP(b32decode(bare + "=" * (-len(bare) % 8)))
    app.time = clock.now().timestamp()
    return f"{app.token():06d}"


class Browser(Client):
    """Django's client as a person uses it: every form carries the token of the page that was seen last."""

    def __init__(self, **more: Any) -> None:
        super().__init__(enforce_csrf_checks=True, **more)
        self.seen = ""

    def get(self, *args: Any, **more: Any) -> Any:
        return super().get(*args, **more)

    def generic(self, *args: Any, **more: Any) -> Any:
        return super().generic(*args, **{**more, "secure": True})

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        if 'name="csrfmiddlewaretoken"' in response.text:
            self.seen = response.text
        return response

    def send(self, path: str, **fields: Any) -> Any:
        """Post a form from the page that is on the screen."""
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.seen)
        token = found.group(1) if found else ""
        return self.post(path, {**fields, "csrfmiddlewaretoken": token}, headers={"Referer": "https://testserver/"})

    def sign_in(self, cast: Cast, name: str, **more: str) -> Browser:
        """Sign in as one of the cast, by the form."""
        self.get("/login/")
        answer = self.send("/login/", username=name, password=cast.password(name), **more)
        assert answer.status_code == 302, answer.text
        self.get(answer.url)
        return self

    def work_as(self, cast: Cast, name: str, *, mode: str = "act", **more: str) -> Any:
        """Press the button."""
        return self.send("/login-as/", **{"user_id": cast.user(name).pk, "reason": REASON, "mode": mode, **more})

    def has(self, cookie: str) -> bool:
        """Say whether a cookie is kept."""
        kept = self.cookies.get(cookie)
        return bool(kept and kept.value)

    @property
    def is_acting(self) -> bool:
        return self.has(settings.ACTING_COOKIE)

    @property
    def is_signed_in(self) -> bool:
        return self.has(settings.PORTAL_COOKIE)


@pytest.fixture
def browser() -> Browser:
    """A browser with no cookies yet."""
    return Browser()


@pytest.fixture
def at_desk(cast: Cast) -> Callable[[str], Browser]:
    """A function that answers a browser in which somebody of the cast has signed in."""
    return lambda name: Browser().sign_in(cast, name)
