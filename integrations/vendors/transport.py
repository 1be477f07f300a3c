"""Carries one request to one checked address and its answer back, all of it before one deadline; never again, never elsewhere."""

from __future__ import annotations

import functools
import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.vendors import addresses

USUAL = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
USUAL_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request goes: scheme, host, port. What the operator named himself may be anywhere, also without TLS."""

    scheme: str
    host: str
    port: int
    is_operators: bool = False

    @property
    def url(self) -> str:
        """Scheme, host and port as one text (RFC 6454, 6.2)."""
        return f"{self.scheme}://{self.name}"

    @property
    def name(self) -> str:
        """The host as the Host header says it (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == USUAL_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, unread; headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Response({self.status}, {len(self.body)} bytes)"


class Failed(Exception):
    """There is no answer to speak of; `word` says why, and holds nothing of what was sent or received.

    `is_begun` says whether the request was on its way: then nobody knows whether it was taken.
    """

    def __init__(self, word: str, *, is_begun: bool = True) -> None:
        super().__init__(word)
        self.word, self.is_begun = word, is_begun


def exchange(
    *, method: str, origin: Origin, target: str, headers: Mapping[str, str], body: bytes, deadline: float, largest: int
) -> Response:
    """Send a request and answer what came back, whatever its status: redirects are not followed, proxies not looked for.

    `target` is path and query; `deadline` on the monotonic clock bounds look-up, connection, handshake and every read;
    a body of more than `largest` bytes is not read on. Raises Failed.
    """
    if origin.scheme != "https" and not origin.is_operators:
        raise Failed("address", is_begun=False)
    is_begun = False
    try:
        where = addresses.resolve(origin.host, origin.port, deadline=deadline, must_be_public=not origin.is_operators)
        with connected(origin, where, deadline) as line:
            connection = http.client.HTTPConnection(origin.host, origin.port)
            connection.sock, connection.auto_open = line, 0  # it connects nowhere by itself
            is_begun = True
            connection.request(method, target, body=body or None, headers={**USUAL, "Host": origin.name, **headers})
            with connection.getresponse() as response:
                return _read(response, largest)
    except (addresses.NoAddress, addresses.Forbidden) as e:
        raise Failed("dns" if isinstance(e, addresses.NoAddress) else "address", is_begun=False) from None
    except TimeoutError:
        raise Failed("timeout", is_begun=is_begun) from None
    except ssl.SSLError:
        raise Failed("tls", is_begun=is_begun) from None
    except OSError:
        raise Failed("connection", is_begun=is_begun) from None
    except (http.client.HTTPException, ValueError):
        # From None, all of them: what a parser could not read may be what somebody echoed of ours.
        raise Failed("garbage", is_begun=is_begun) from None


def _read(response: http.client.HTTPResponse, largest: int) -> Response:
    if response.length is not None and response.length > largest:
        raise Failed("too large")
    body = response.read(largest + 1)
    if len(body) > largest:
        raise Failed("too large")
    if response.length:
        raise Failed("garbage")  # cut off: less than was announced
    return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def connected(origin: Origin, where: list[str], deadline: float) -> socket.socket:
    """Connect to the first of the checked addresses that takes us, each with its share of what is left of the time.

    Every read and write of what is answered ends at its `deadline`, which may be moved. Raises OSError.
    """
    for left in range(len(where), 0, -1):
        address = where[-left]
        plain = _Bounded(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            plain.deadline = time.monotonic() + _left(deadline) / left
            plain.tighten()
            plain.connect((address, origin.port))
            plain.deadline = deadline
            return plain if origin.scheme == "http" else _secured(plain, origin.host)
        except ssl.SSLError:
            plain.close()
            raise
        except OSError:
            plain.close()
            if left == 1:
                raise
    raise addresses.NoAddress(origin.host)


def _secured(plain: _Bounded, host: str) -> socket.socket:
    """Shake hands under the name that was asked for, not the address that is spoken to."""
    plain.tighten()
    secured = trust().wrap_socket(plain, server_hostname=host)
    secured.deadline = plain.deadline  # type: ignore[attr-defined]  # it is a _BoundedTls: `trust` says so
    return secured


@functools.cache
def trust() -> ssl.SSLContext:
    """Answer what TLS has to prove: the system's authorities, the host's own name."""
    context = ssl.create_default_context()
    context.sslsocket_class = _BoundedTls
    return context


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    return left


class _Bounded(socket.socket):
    """A socket whose every read ends at one moment: a time-out of its own would begin anew with each byte that drips in."""

    deadline: float

    def tighten(self) -> None:
        self.settimeout(_left(self.deadline))

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.tighten()
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.tighten()
        super().sendall(*args, **kwargs)


class _BoundedTls(ssl.SSLSocket):
    """The same under TLS."""

    deadline: float

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(_left(self.deadline))
        return super().send(*args, **kwargs)
