"""A service that asks a running portal for codes and checks them, over HTTP, and the gateways of a stage of its own."""

from __future__ import annotations

import re
from email.message import EmailMessage

import requests

from tests.cast import Cast
from tests.integrations.gateways.twilio_server import TwilioServer
from tests.processes import Portal

# What stops one address, or one range of numbers, from asking so often.
OPEN = {
    "OTP_RESEND_SECONDS": "0",
    "THROTTLE_OTP_PER_ADDRESS": "1000000/hour",
    "OTP_PER_PREFIX": "1000000/hour",
    "OTP_PREFIX_UNENTERED": "1000000/day",
}


class CodeCaller:
    """Asks for codes as acme's service."""

    def __init__(self, portal: Portal, cast: Cast) -> None:
        known = cast.said["clients"]["acme_service"]
        self.portal, self.line = portal, requests.Session()
        self.line.trust_env = False
        answer = self.line.post(
            f"{portal.url}/security/oauth/token",
            auth=(known["client_id"], known["client_secret"]),
            data={"grant_type": "client_credentials"},
        )
        self.line.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def ask(self, to: str, *, key: str = "", **more: str) -> str:
        """Ask for a code that must be granted, and answer its id."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = self.line.post(f"{self.portal.url}/security/otp", json={"to": to, **more}, headers=headers, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def check(self, id_: str, to: str, code: str) -> int:
        """Answer the status of a check."""
        said = {"to": to, "code": code, "verificationId": id_}
        return self.line.post(f"{self.portal.url}/security/otp/verify", json=said, timeout=30).status_code


def code_in(text: str) -> str:
    """Answer the one code that stands in a message, written, or spoken digit by digit, however often."""
    (code,) = {re.sub(r"\D", "", found) for found in re.findall(r"(?<!\d)\d(?:[ ,.]{0,2}\d){5}(?!\d)", text)}
    return code


def texted(twilio: TwilioServer) -> list[tuple[str, str]]:
    """Answer every text message that Twilio took: to whom, and the code in it."""
    return [(str(kept["to"]), code_in(str(kept["body"]))) for kept in twilio.kept["Messages"]]


def mailed(messages: list[EmailMessage]) -> list[tuple[str, str]]:
    """Answer the same of mails."""
    return [(str(mail["To"]), code_in(mail.get_body(("plain",)).get_content())) for mail in messages]  # type: ignore[union-attr]
