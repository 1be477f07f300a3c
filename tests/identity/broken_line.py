"""A line to a service that can be cut and mended: a port on loopback that hands everything through."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit


class BrokenLine:
    """Stands between a client and the service at a URL; `url` is the same service through this line.

    A broker without a host, the embedded one, is in the database and has no line that could be cut: its URL stays.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.there = (parts.hostname or "", parts.port or {"redis": 6379, "amqp": 5672}.get(parts.scheme, 0))
        self.is_whole, self.open = True, list[socket.socket]()
        self.listener = socket.create_server(("127.0.0.1", 0))
        login, at, _host = parts.netloc.rpartition("@")
        here = f"{login}{at}127.0.0.1:{self.listener.getsockname()[1]}"
        self.url = parts._replace(netloc=here).geturl() if self.there[1] else url
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return  # closed
            if not self.is_whole:
                near.close()
                continue
            far = socket.create_connection(self.there)
            self.open += [near, far]
            threading.Thread(target=self.hand_on, args=(near, far), daemon=True).start()
            threading.Thread(target=self.hand_on, args=(far, near), daemon=True).start()

    def hand_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return  # cut, or one of the ends went away
        finally:
            source.close()

    def cut(self) -> None:
        """End what is open and take nothing new."""
        self.is_whole = False
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its other end was first
        self.open.clear()

    def mend(self) -> None:
        self.is_whole = True

    def close(self) -> None:
        self.cut()
        self.listener.close()
