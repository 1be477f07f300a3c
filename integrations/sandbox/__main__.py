"""Serves the stand-ins on a socket that somebody else bound: `python -m integrations.sandbox FD PORTAL VENDOR…` (config.stand_ins)."""

from __future__ import annotations

import socket
import sys

from integrations.sandbox import server

if __name__ == "__main__":
    number, portal, *vendors = sys.argv[1:]
    server.serve(socket.socket(fileno=int(number)), vendors, portal=portal)
