"""A real mail server on loopback that can misbehave on demand (RFC 5321)."""

from __future__ import annotations

import base64
import socket
import socketserver
import ssl
import struct
import threading
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

# What makes closing a connection a reset.
LINGER = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass
class Behaviour:
    """What the server does out of line: a reply to a command instead of the usual one, a hang-up, a long silence, a drip.

    A place is a command, "greeting", "354" (the content is to come) or "." (it has come).
    """

    replies: dict[str, str] = field(default_factory=dict)
    hangs_up_at: str = ""
    is_silent_at: str = ""
    drips_at: str = ""
    wants_login: tuple[str, str] | None = None
    tls: ssl.SSLContext | None = None
    is_tls_at_once: bool = False


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps every message that it said 250 to; `seen` are the commands without their arguments."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.behaviour = Behaviour()
        self.messages: list[EmailMessage] = []
        self.seen: list[str] = []
        self.began_to_send = threading.Event()
        self.may_go_on = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def url(self, login: str = "", query: str = "") -> str:
        return f"smtp://{login}{self.address}/{query}"

    def close(self) -> None:
        self.may_go_on.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed in the middle of a word is what the tests are about."""


class _Talk(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        if self.server.behaviour.is_tls_at_once:
            self.start_tls()
        does = self.server.behaviour
        if does.is_silent_at == "greeting":
            self.server.may_go_on.wait(30)
        self.say(does.replies.get("greeting", "220 mail.test ESMTP"), drips=does.drips_at == "greeting")
        while line := self.rfile.readline():
            verb = line.split()[0].decode().upper() if line.split() else ""
            self.server.seen.append(verb)
            if not self.answer(verb, line.decode().strip()):
                return

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def answer(self, verb: str, line: str) -> bool:
        does = self.server.behaviour
        if does.hangs_up_at == verb:
            return False
        if does.is_silent_at == verb:
            self.server.began_to_send.set()
            self.server.may_go_on.wait(30)
        if does.drips_at == verb:
            self.say("250 ok", drips=True)
        elif verb in does.replies:
            self.say(does.replies[verb])
        elif verb == "EHLO":
            offers = [
                "mail.test",
                *(["STARTTLS"] if does.tls and not does.is_tls_at_once else []),
                "AUTH PLAIN",
                "8BITMIME",
            ]
            self.say(*[f"250{'-' if offer is not offers[-1] else ' '}{offer}" for offer in offers])
        elif verb == "STARTTLS":
            self.say("220 go ahead")
            self.start_tls()
        elif verb == "AUTH":
            said = base64.b64decode(line.split()[2]).decode().split("\0")[1:]
            self.say("235 welcome" if tuple(said) == does.wants_login else "535 no")
        elif verb == "DATA":
            return self.take_message()
        elif verb == "QUIT":
            self.say("221 bye")
            return False
        else:
            self.say("250 ok")
        return True

    def take_message(self) -> bool:
        self.say("354 go ahead")
        if self.server.behaviour.hangs_up_at == "354":
            self.rfile.readline()
            self.request.setsockopt(*LINGER)
            return False
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        does = self.server.behaviour
        self.server.began_to_send.set()
        if does.is_silent_at == ".":
            self.server.may_go_on.wait(30)
        if does.hangs_up_at == ".":
            return False
        reply = does.replies.get(".", "250 taken")
        if reply.startswith("250"):
            self.server.messages.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.say(reply, drips=does.drips_at == ".")
        return True

    def start_tls(self) -> None:
        context = self.server.behaviour.tls
        assert context is not None
        self.request = context.wrap_socket(self.request, server_side=True)
        self.setup()

    def say(self, *lines: str, drips: bool = False) -> None:
        said = "".join(f"{line}\r\n" for line in lines).encode()
        for piece in (said[n : n + 1] for n in range(len(said))) if drips else (said,):
            self.wfile.write(piece)
            self.wfile.flush()
            if drips and self.server.may_go_on.wait(0.2):
                return
