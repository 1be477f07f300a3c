"""The WSGI entry that gunicorn loads."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from config.settings import chosen

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LONGEST_BODY = 1_048_576


class WholeBodies:
    """Gives a body that was sent in chunks a length: Django would take it for empty and skip what reads it.

    One byte beyond the limit is enough for the rooms behind to refuse the whole as too large.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(LONGEST_BODY + 1)
            environ["wsgi.input"] = io.BytesIO(body)
            environ["CONTENT_LENGTH"] = str(len(body))
        return self.application(environ, start_response)


os.environ.setdefault("DJANGO_SETTINGS_MODULE", chosen())
application = WholeBodies(get_wsgi_application())
