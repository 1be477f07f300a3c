"""Bodies and cookies that no browser sends: a page answers with a page, never with a fault."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings

from identity.pages import cookies
from tests.browsers import Browser

AtDesk = Callable[[str], Browser]
FORM = "application/x-www-form-urlencoded"
PATHS = (
    "/",
    "/login/",
    "/login-as/",
    "/reset/",
    "/account/password/",
    "/desk/presence/",
    "/nowhere/",
    "/account/sessions/x/end/",
)


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_cannot_be_read_is_refused_with_a_page(at_desk: AtDesk, path: str) -> None:
    bob = at_desk("bob")
    for body, content_type in (
        (b"", "multipart/form-data"),
        (b"--x", "multipart/form-data; boundary=x"),
        (b"a=1", f"{FORM}; charset=utf-16"),
        (b"a=1", f"{FORM}; charset=nonsense"),
        (b"&".join(b"a=1" for _ in range(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)), FORM),
        (b"a=" + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE, FORM),
        (b"\xff\xfe\x00", FORM),
        (b"{}", "application/json"),
    ):
        answer = bob.generic("POST", path, body, content_type, headers={"Referer": "https://testserver/"})
        assert answer.status_code in (400, 403, 404, 405), (content_type, answer.status_code)
        assert "What to do next" in answer.text, content_type


@pytest.mark.parametrize(
    "name", [cookies.PORTAL, cookies.ACTING, cookies.RESET, "csrftoken", "messages", "django_language"]
)
@pytest.mark.parametrize("value", ["", "x", "x" * 3000, '"\\000"', "%00", "å", "[[]]", "1:2:3"])
def test_a_cookie_of_somebody_s_own_making_opens_and_breaks_nothing(
    browser: Browser, db: None, name: str, value: str
) -> None:
    browser.cookies[name] = value
    assert browser.get("/login/").status_code == 200
    assert browser.get("/desk/").url == "/login/?next=/desk/"
    assert browser.get("/reset/choose/").status_code == 410
