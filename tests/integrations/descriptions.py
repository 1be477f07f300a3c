"""What a dialect tells about itself so that the common rules can be asked of it.

A new dialect joins by putting a `description.py` with a `DESCRIPTION` into its own test folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from django.test import Client

from integrations import urls
from tests.cast import Cast

Headers = dict[str, str]


@dataclass(frozen=True)
class Ask:
    """One request: method, address, body and its media type."""

    method: str
    path: str
    body: bytes = b""
    media: str = "application/json"

    def send(self, client: Client, *, method: str = "", body: bytes | None = None, media: str = "", **more: Any) -> Any:
        return client.generic(
            method or self.method, self.path, self.body if body is None else body, media or self.media, **more
        )


@dataclass(frozen=True)
class Description:
    """One dialect: a closed address that reads a body, one that is read, an unknown one, a credential, an envelope."""

    name: str
    closed: Ask
    read: Ask
    unknown: str
    # Answers the headers with which alice proves herself.
    credential: Callable[[Client, Cast], Headers]
    # The same headers, with a credential that never was one.
    dead_credential: Headers
    # How WWW-Authenticate begins.
    challenge: str
    # Asserts that an answer is a refusal in the dialect's own shape.
    is_refusal: Callable[[Any], None]
    reads_json: bool = True
    answers_options: bool = False

    def __str__(self) -> str:
        return self.name


def _found() -> Iterator[Description]:
    for name in urls.MODULES:
        where = f"tests.integrations.dialects.{name}.description"
        try:
            is_there = find_spec(where) is not None
        except ModuleNotFoundError:
            is_there = False
        if is_there:
            yield import_module(where).DESCRIPTION


DESCRIPTIONS = list(_found())
each_dialect = pytest.mark.parametrize("dialect", DESCRIPTIONS, ids=str)
