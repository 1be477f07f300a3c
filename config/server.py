"""The settings of gunicorn: threads, a bounded request line, and no belief in anybody's forwarded headers."""

from __future__ import annotations

import os

from config.logging import configured
from config.settings.declared import BIND, DATA_DIR, LOG_LEVEL, PORT, WEB_PROCESSES, WEB_THREADS

# The supervisor hands over a socket that it has bound: a taken port is its to report, and a restart loses no visitor.
bind = os.environ.get("SWITCHBOARD_SOCKET", f"{BIND}:{PORT}")
workers = WEB_PROCESSES
worker_class = "gthread"
threads = WEB_THREADS
preload_app = True  # imported once, shared by the processes
timeout = 60
graceful_timeout = 8
keepalive = 5
max_requests = 0
limit_request_line = 8190
limit_request_field_size = 8190
limit_request_fields = 100
# config.middleware.ClientAddress alone decides whom to believe, by TRUSTED_PROXIES: by default gunicorn would take
# the scheme from any peer on loopback.
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"
# Neither a control socket in somebody's home nor heartbeat files outside of the data folder.
control_socket_disable = True
worker_tmp_dir = str(DATA_DIR)
accesslog = None
logconfig_dict = configured(LOG_LEVEL)
proc_name = "switchboard"
