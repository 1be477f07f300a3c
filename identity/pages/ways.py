"""Other ways in than a password: they live further up and are found by setting, so that nothing here looks uphill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Way:
    """A button of the sign-in page: where it leads, and what stands on it."""

    address: str
    label: str


class Ways(Protocol):
    """What the class that the setting OTHER_WAYS_IN names can do."""

    def are_there(self) -> bool:
        """Say whether anybody could be offered one."""

    def offered(self, *, host: str = "", email: str = "") -> list[Way]:
        """Answer the ways of whoever comes to this host, or has an e-mail address of this domain; nobody is looked up."""

    def way_out(self, *, session_id: Any) -> str:
        """Answer the path of our own page at which an ended session goes on to be ended elsewhere too, or nothing."""


def ways() -> Ways:
    """Answer the other ways in."""
    found: Ways = import_string(settings.OTHER_WAYS_IN)()
    return found
