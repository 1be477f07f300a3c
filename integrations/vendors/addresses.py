"""Looks up where a host is, once, and refuses what is not on the public internet (dialects.md 3.6, security.md threat 13)."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# Look-ups that hang are left behind, for the resolver cannot be called off; this many may hang at once.
MOST_LOOK_UPS = 256
# Of IPv6 only what is given out to the public, so that every form of an IPv4 address within one (mapped, compatible,
# NAT64) is out without being named; and of that not the transitions, the documentation and the protocols' own.
PUBLIC_V6 = IPv6Network("2000::/3")
NOT_PUBLIC_V6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# What Python takes for public although nobody's server is there: the protocols' own (RFC 6890), of which it knows a part,
# and the relays from IPv6 to IPv4 (RFC 7526).
NOT_PUBLIC_V4 = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))

_look_ups = threading.BoundedSemaphore(MOST_LOOK_UPS)


class NoAddress(Exception):
    """The host has no address, or none in time."""


class Forbidden(Exception):
    """One of the host's addresses is not on the public internet."""


def resolve(host: str, port: int, *, deadline: float, must_be_public: bool) -> list[str]:
    """Answer a host's addresses, each of them checked; `deadline` is on the monotonic clock.

    A single bad address spoils the host: whoever can mix one in could also have it chosen. Raises NoAddress, Forbidden,
    TimeoutError.
    """
    found = _look_up(host, port, deadline=deadline)
    if must_be_public and not all(map(is_public, found)):
        raise Forbidden(host)
    return found


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet's servers."""
    try:
        # A zone ("%eth0") belongs to local addresses only.
        found = ip_address(address)
    except ValueError:
        return False
    return _is_public_v4(found) if isinstance(found, IPv4Address) else _is_public_v6(found)


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved)
        and not any(address in network for network in NOT_PUBLIC_V4)
    )


def _is_public_v6(address: IPv6Address) -> bool:
    return (
        address.scope_id is None
        and address in PUBLIC_V6
        and not any(address in network for network in NOT_PUBLIC_V6)
    )  # fmt: skip


def _look_up(host: str, port: int, *, deadline: float) -> list[str]:
    if not _look_ups.acquire(blocking=False):
        raise NoAddress("too many look-ups hang")
    told: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()
    threading.Thread(target=_ask, args=(host, port, told), name="look-up", daemon=True).start()
    try:
        found = told.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise TimeoutError("the look-up takes too long") from None
    if not found:
        raise NoAddress(host)
    return found


def _ask(host: str, port: int, told: queue.SimpleQueue[list[str] | None]) -> None:
    """Ask the resolver, in a thread of its own: it knows no time-out."""
    found = None
    try:
        with contextlib.suppress(OSError, UnicodeError):
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    finally:
        _look_ups.release()
        told.put(found)
