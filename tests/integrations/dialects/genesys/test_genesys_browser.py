"""A desktop's page on another site, in real Chromium: it logs in, pings and logs out; a page that is not listed cannot."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Page

from identity.models import Organization, Session
from tests.integrations.dialects.genesys.conftest import DONE, Desktop
from tests.processes import Portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.wire("genesys", "58 from another site")]

# What a desktop's script does: it sends its request along with whatever cookie the browser keeps.
ASK = """async ([address, options]) => {
  try {
    const answer = await fetch(address, {credentials: "include", ...options});
    const text = answer.type === "opaque" ? "" : await answer.text();
    return {
      status: answer.status, body: text ? JSON.parse(text) : null,
      token: answer.headers.get("X-CSRF-TOKEN"), named: answer.headers.get("X-CSRF-HEADER"),
    };
  } catch (refusal) {
    return String(refusal);
  }
}"""
BLOCKED = "TypeError: Failed to fetch"


class Blank(BaseHTTPRequestHandler):
    """An empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve_page() -> Iterator[Callable[[], str]]:
    """A function that serves an empty page on a port of its own, under a name that is another site than the portal's address."""
    servers: list[ThreadingHTTPServer] = []

    def serve() -> str:
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Blank))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://localhost:{servers[-1].server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def listed(serve_page: Callable[[], str], desktop: Desktop) -> str:
    """The origin of a page that acme lists."""
    origin = serve_page()
    Organization.objects.filter(name="acme").update(cors_origins=[origin])
    return origin


def asker(page: Page, portal: Portal) -> Callable[..., Any]:
    """Answer a function that has the page send a request to the portal."""
    return lambda path, **options: page.evaluate(ASK, [portal.url + path, options])


def logout(**headers: str) -> dict[str, Any]:
    body = '{"operationName": "EndContactCenterSession"}'
    return {"method": "POST", "body": body, "headers": {"Content-Type": "application/json", **headers}}


def test_a_page_of_another_site_logs_in_pings_and_logs_out(
    page: Page, listed: str, live_portal: Portal, desktop: Desktop
) -> None:
    page.goto(listed)
    ask = asker(page, live_portal)

    said = ask("/api/v2/me", headers=desktop.basic("bob"))
    assert (said["status"], said["body"]["user"]["userName"], said["token"]) == (200, "bob", None)
    (cookie,) = page.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (
        "JSESSIONID",
        True,
        True,
        "None",
    )

    assert ask("/ping")["body"] == DONE
    assert ask("/api/v2/me")["body"]["user"]["userName"] == "bob"
    assert ask("/api/v2/me", **logout())["body"] == DONE
    assert page.context.cookies() == []
    assert ask("/ping")["body"] == {"statusCode": 20, "statusMessage": "Access denied"}


def test_with_protection_the_page_reads_a_token_and_needs_it(
    page: Page, listed: str, live_portal: Portal, desktop: Desktop
) -> None:
    page.goto(listed)
    ask = asker(page, live_portal)
    place = '[{"name": "place", "value": "Plats 7"}]'
    headers = {**desktop.basic("bob"), "X-Support-CSRFP": "True", "Content-Type": "application/json"}

    said = ask("/api/v2/me", method="POST", body=place, headers=headers)
    assert (said["status"], said["named"]) == (200, "X-CSRF-TOKEN")
    assert desktop.cast.agent("bob").seat == "Plats 7"
    refused = ask("/api/v2/me", **logout())
    assert (refused["status"], refused["body"]["statusMessage"]) == (403, "Missing or invalid Csrf token")
    assert ask("/ping")["status"] == 200

    assert ask("/api/v2/me", **logout(**{said["named"]: said["token"]}))["body"] == DONE
    assert desktop.cast.agent("bob").seat == ""


def test_a_page_that_is_not_listed_cannot(
    page: Page, listed: str, serve_page: Callable[[], str], live_portal: Portal, desktop: Desktop
) -> None:
    page.goto(listed)
    ask = asker(page, live_portal)
    assert ask("/api/v2/me", headers=desktop.basic("bob"))["status"] == 200
    # The same site, so the browser sends the cookie along: another port is another origin all the same.
    page.goto(serve_page())

    assert ask("/api/v2/me", headers=desktop.basic("bob")) == BLOCKED
    assert ask("/api/v2/me") == ask("/ping") == ask("/api/v2/me", **logout()) == BLOCKED
    sent = ask("/api/v2/me", method="POST", mode="no-cors", body='{"operationName": "EndContactCenterSession"}')
    assert (sent["status"], sent["body"]) == (0, None)  # it went out, and the page may not see what became of it
    live_portal.wait_until(lambda: '"status_code": 403' in live_portal.log.read_text(), 5)

    assert Session.objects.filter(door="genesys", ended_at=None).count() == 1
    page.goto(listed)
    assert ask("/ping")["body"] == DONE
