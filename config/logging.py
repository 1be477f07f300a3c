"""Log lines as JSON objects: with the request's number and route, without a path, without a secret."""

from __future__ import annotations

import json
import logging
import re
import time
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest

request_id: ContextVar[str] = ContextVar("request_id", default="")
route: ContextVar[str] = ContextVar("route", default="")

GONE = "[redacted]"
TELLING_NAMES = (
    "authorization|cookie|x-auth-token|x-lsid|x-api-key|api[_-]?key|lsid|password(?:hash)?|passwd|secret|token|ticket|"
    "code|otp|private[_-]?key|credentials?"
)
SECRET_KEY = re.compile(rf"(?i)(?:^|[_-])(?:{TELLING_NAMES})(?:$|[_-])|(?:{TELLING_NAMES})$")
SECRETS_IN_TEXT = (
    # Whole header lines: what follows the name up to the end of the line or quote.
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*['\"]?)[^\r\n'\"]+"),
        rf"\1\2{GONE}",
    ),
    (re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9._~+/=-]{6,}"), rf"\1 {GONE}"),
    # name=value, "name": "value", ;name=value, name%3Dvalue
    (re.compile(rf"(?i)([\w-]*(?:{TELLING_NAMES}))(['\"]?\s*(?:=|:|%3D)\s*['\"]?)[^\s'\"&;,)}}\]]+"), rf"\1\2{GONE}"),
    # A signed token, wherever it stands.
    (re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"), GONE),
    # A secret of our own making (identity.crypto.make), wherever it stands.
    (re.compile(r"\bsw[a-z]_[\w-]{20,}"), GONE),
    # user:password@ of a URL, and the addresses whose last segment is a credential.
    (re.compile(r"(://)[^/\s@]+@"), rf"\1{GONE}@"),
    (re.compile(r"(/t/|/reset/|/ticket/|/tickets/|/session/)[^/\s?\"'<]+"), rf"\1{GONE}"),
)
# What a LogRecord has of its own; everything else came with `extra`.
OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "request", "response"}


def redacted(text: str) -> str:
    """The text without what looks like a credential; a net under the rule that none is logged, not a licence."""
    for pattern, replacement in SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


class WithoutPaths(logging.Filter):
    """Puts the route where Django's own warnings name the path: a path may hold a ticket or a session id."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and isinstance(record.args, tuple):
            where = f"{request.method} {request.resolver_match.route if request.resolver_match else 'unmatched'}"
            spoken = {request.path, request.get_full_path(), request.path_info}
            record.args = tuple(where if arg in spoken else arg for arg in record.args)
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: at (UTC), level, logger, message, request_id, route, and the values that came along."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        line |= {name: said for name, said in belonging(record) if said}
        line |= {name: shown(name, value) for name, value in vars(record).items() if name not in OWN}
        if record.exc_info:
            line["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def belonging(record: logging.LogRecord) -> tuple[tuple[str, str], ...]:
    """The number and route of the request that a line is about; Django's own lines come when it is over."""
    request = getattr(record, "request", None)
    match = getattr(request, "resolver_match", None)
    return (
        ("request_id", request_id.get() or getattr(request, "id", "")),
        ("route", route.get() or getattr(match, "route", "")),
    )


def shown(name: str, value: object) -> object:
    """A value that came with `extra`: numbers as they are, texts redacted, nothing under a secret's name."""
    if value is None or isinstance(value, bool | int | float):
        return value
    return GONE if SECRET_KEY.search(name) else redacted(str(value))


def configured(level: str) -> dict[str, Any]:
    """The logging settings of every process: one handler, one form, to the standard error."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_paths": {"()": "config.logging.WithoutPaths"}},
        "formatters": {"json": {"()": "config.logging.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "filters": ["without_paths"]}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django would add handlers of its own: a console and mails to administrators.
            "django": {"handlers": [], "level": level, "propagate": True},
            "gunicorn.error": {"handlers": [], "level": level, "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
            # It says at every HEAD that the server leaves out the body, which is what a server is for.
            "gunicorn.http.wsgi": {"level": "ERROR"},
            # Three lines for each task that went well drown the one that did not.
            "celery.beat": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }
