"""Serves the portal: migrates, makes the demo cast on a laptop, runs the web server, the Celery worker and beat."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections
from django.utils.translation import gettext as _

from config import stand_ins
from config.stand_ins import StandIns
from config.supervisor import Child, Supervisor

ROOM_TO_LISTEN_SECONDS = 60.0
CELERY = (sys.executable, "-m", "celery", "--quiet", "-A", "config.celery")
WORKER = (*CELERY, "worker", "--without-mingle", "--without-gossip", "--without-heartbeat")
BEAT = (*CELERY, "beat", "--pidfile=")
WEB = (sys.executable, "-m", "gunicorn", "-c", "python:config.server", "config.wsgi:application")


class Command(BaseCommand):
    """Ends with status 0 when it was asked to stop, else names what is in the way; leaves no process in either case."""

    help = "Migrates and serves the portal with its Celery worker and beat until Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)  # what is written in DATA_DIR from here on is for its owner only
        supervisor = Supervisor()
        supervisor.obey_signals()
        with bound_socket(settings.BIND, settings.PORT) as bound:
            try:
                call_command("migrate", verbosity=0, interactive=False)
            except OperationalError as refusal:
                said = str(refusal).splitlines()[0]
                raise CommandError(
                    _("The database that DATABASE_URL or DATA_DIR names cannot be used: %s") % said
                ) from None
            vendors = stand_ins.wanted()
            if settings.PORTAL_ENV == "development":
                call_command("demo", stand_ins=vendors)
            connections.close_all()
            with stand_ins.prepared(vendors) as sandbox:
                try:
                    self.serve(supervisor, bound, sandbox)
                finally:
                    supervisor.stop()

    def serve(self, supervisor: Supervisor, bound: socket.socket, sandbox: StandIns | None) -> None:
        """Starts the web server first: it is what somebody waits for, and two cores import three programs slowly."""
        where = sandbox.environment if sandbox else {}
        web = child("web", WEB, bound, where)
        supervisor.start(web)
        deadline = time.monotonic() + ROOM_TO_LISTEN_SECONDS
        while not supervisor.is_stopping and not answers(bound):
            if not web.is_running() or time.monotonic() > deadline:
                raise CommandError(_("The web server did not start."))
            time.sleep(0.05)
        if supervisor.is_stopping:
            return
        self.say_where(sandbox)
        supervisor.start(child("worker", WORKER, environment=where))
        supervisor.start(child("beat", BEAT, environment=where))
        if sandbox:
            supervisor.start(sandbox.child())
        supervisor.run()

    def say_where(self, sandbox: StandIns | None) -> None:
        base = settings.PUBLIC_URL
        self.stdout.write(_("Switchboard answers at %(url)s") % {"url": f"{base}/"})
        for path, what in (
            ("/admin/", _("admin portal")),
            ("/login/", _("agents' login")),
            ("/desk/", _("agents' desk")),
        ):
            self.stdout.write(f"  {base}{path}  {what}")
        if settings.PORTAL_ENV == "development":
            self.stdout.write(_("The first passwords are in %(file)s") % {"file": settings.DATA_DIR / "demo.json"})
        if sandbox:
            said = {"vendors": sandbox.names, "url": f"{sandbox.url}/"}
            self.stdout.write(_("Stand-ins for %(vendors)s answer at %(url)s") % said)
        self.stdout.write(_("Ctrl-C stops everything."))
        self.stdout.flush()


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet; raises CommandError naming the setting."""
    try:
        family, kind, number, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise CommandError(_("BIND is not an address of this machine.")) from None
    bound = socket.socket(family, kind, number)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError as refusal:
        bound.close()
        raise CommandError(
            _("PORT %(port)s cannot be used at BIND %(host)s: %(reason)s.")
            % {"port": port, "host": host, "reason": refusal.strerror}
        ) from None
    # Wanted past the leftovers of a former run; kept on, a second start would share the port until somebody listens.
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return bound


def answers(bound: socket.socket) -> bool:
    """Whether somebody listens on the bound socket."""
    try:
        with socket.create_connection(bound.getsockname()[:2], timeout=1):
            return True
    except OSError:
        return False


def child(
    name: str,
    command: tuple[str, ...],
    bound: socket.socket | None = None,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """A process of the portal: the same environment and more, and the folder of counters that the web processes share."""
    given = {**os.environ, "DATA_DIR": str(settings.DATA_DIR), "PYTHONUNBUFFERED": "1", **(environment or {})}
    # Celery warns root of pickled messages; ours are JSON and nothing else is accepted.
    given["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser privileges"
    if bound is not None:
        given["PROMETHEUS_MULTIPROC_DIR"] = str(emptied(settings.DATA_DIR / "metrics"))
        given["SWITCHBOARD_SOCKET"] = f"fd://{bound.fileno()}"
    return Child(name, command, given, str(settings.BASE_DIR), (bound.fileno(),) if bound else ())


def emptied(folder: Path) -> Path:
    """The folder, new: counters of former processes would be added to today's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
