"""Says which values an organisation's settings may take (clarifications 27, 44 and 63)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from identity.errors import Invalid
from identity.principal import Role

HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
ORIGIN = re.compile(rf"https?://(\*\.)?{HOST}(:[1-9]\d{{0,4}})?")
DOMAIN = re.compile(HOST)
COUNTRY = re.compile("[A-Z]{2}")


def check(values: Mapping[str, Any]) -> None:
    """Go on only with values that can be meant; settings without a rule here are free. Raises Invalid naming each."""
    wrong = {name: [str(_RULES[name][1])] for name in values if name in _RULES and not _RULES[name][0](values[name])}
    if wrong:
        raise Invalid(", ".join(wrong), fields=wrong)


def is_link_base(base: Any) -> bool:
    """Say whether links may begin with this: https (or the portal itself), a plain host, no query, nobody's name in it."""
    if not isinstance(base, str) or len(base) > 300:
        return False
    parts = urlsplit(base)
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc or "\\" in base or "*" in base)
    is_host = bool(parts.hostname and DOMAIN.fullmatch(parts.hostname))
    return base == settings.PUBLIC_URL or (is_plain and is_host and parts.scheme == "https")


def _each(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(rule(one) for one in value)


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and len(value) <= 253 and pattern.fullmatch(value) is not None


def _among(*known: str) -> Callable[[Any], bool]:
    return _each(lambda value: value in known)


def _between(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


_RULES: dict[str, tuple[Callable[[Any], bool], str | Promise]] = {
    "login_as_roles": (
        _among(Role.ADMIN.value, Role.SUPERVISOR.value),
        _("Only Admin and Supervisor can be allowed to log in as others."),
    ),
    "link_bases": (_each(is_link_base), _("A base looks like https://portal.example.com, without a query.")),
    "cors_origins": (
        _each(_matches(ORIGIN)),
        _("An origin looks like https://desk.example.com or https://*.example.com; a lone * is not accepted."),
    ),
    "otp_countries": (_each(_matches(COUNTRY)), _("Countries are two capital letters each, like SE.")),
    "ping_mechanisms": (_among("basic", "cookie", "jwt"), _("Known are: %s") % "basic, cookie, jwt"),
    "ticket_length": (_between(6, 32), _("Between 6 and 32 characters.")),
    "usage_retention_days": (_between(1, 3650), _("Between 1 and 3650 days.")),
    "sign_in_hosts": (_each(_matches(DOMAIN)), _("A host looks like login.example.com.")),
    "sign_in_domains": (_each(_matches(DOMAIN)), _("A domain looks like example.com.")),
}
