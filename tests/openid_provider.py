"""Another company's OpenID provider, for tests that sign somebody in through it: a real one, in a process of its own."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.processes import Running

CLIENT_ID, CLIENT_SECRET = "switchboard-at-elsewhere", "a secret that only the two of us know"
PASSWORD = "open sesame"


def person(**claims: Any) -> dict[str, Any]:
    """Somebody whom the provider knows, and what it says about them."""
    return {"password": PASSWORD, "claims": claims}


class OpenIdProvider:
    """The provider; `issuer` is its address, known before it serves, for the portal has to know it and it the portal."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.issuer = f"http://127.0.0.1:{self.socket.getsockname()[1]}/o"
        self.process: Running | None = None

    def serve(self, portal: str, application_id: str, people: dict[str, dict[str, Any]]) -> None:
        """Start, for an application of a portal and with people, and come back when it answers."""
        number = self.socket.fileno()
        client = {
            "id": CLIENT_ID, "secret": CLIENT_SECRET, "redirect_uris": f"{portal}/login/with/{application_id}/callback/",
            "post_logout_redirect_uris": f"{portal}/login/",
        }  # fmt: skip
        command = (
            sys.executable, "-m", "gunicorn", "--bind", f"fd://{number}", "--graceful-timeout", "1", "--workers", "1", "--worker-class", "gthread", "--threads", "4",
            "tests.openid_project:application",
        )  # fmt: skip
        self.process = Running(
            command, self.log, (number,),
            PROVIDER_PEOPLE=json.dumps(people), PROVIDER_CLIENT=json.dumps(client), PROVIDER_DATABASE=str(self.log.with_suffix(".sqlite3")),
        )  # fmt: skip
        self.process.wait_until(self.answers)

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5) as answer:  # noqa: S310  # our own
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> None:
        if self.process:
            self.process.stop()
        self.socket.close()


@pytest.fixture
def openid_provider(tmp_path: Path) -> Iterator[OpenIdProvider]:
    """The provider, which does not serve yet."""
    provider = OpenIdProvider(tmp_path / "provider.log")
    yield provider
    provider.stop()
