"""Says which values an organisation's settings may take (clarifications 27, 44 and 63)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from identity import otp_texts
from identity.errors import Invalid
from identity.models import OutboxMessage
from identity.principal import Role

HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
ORIGIN = re.compile(rf"https?://(\*\.)?{HOST}(:[1-9]\d{{0,4}})?")
DOMAIN = re.compile(HOST)
COUNTRY = re.compile("[A-Z]{2}")
CHANNELS = tuple(OutboxMessage.Channel.values)
PRICE = re.compile(r"\d{1,6}(\.\d{1,4})?", re.ASCII)
# A channel, and how many seconds after the step before it is tried; a plan longer than this outlives every code.
STEP = re.compile(rf"({'|'.join(CHANNELS)})( (?P<seconds>[1-9]\d{{0,3}}))?", re.ASCII)
LEAST_SECONDS, MOST_SECONDS, MOST_STEPS = 5, 3600, 5


def check(values: Mapping[str, Any]) -> None:
    """Go on only with values that can be meant; settings without a rule here are free. Raises Invalid naming each."""
    wrong = {name: [str(_RULES[name][1])] for name in values if name in _RULES and not _RULES[name][0](values[name])}
    wrong |= _wrong_texts(values.get("message_templates"))
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


def is_step(line: Any) -> bool:
    """Say whether this is a step of a fallback plan: a channel, and seconds, as in "VOICE 60"."""
    found = STEP.fullmatch(line) if isinstance(line, str) else None
    return found is not None and LEAST_SECONDS <= int(found["seconds"] or LEAST_SECONDS) <= MOST_SECONDS


def is_price_table(table: Any) -> bool:
    """Say whether these are prices per country and channel, as texts with at most four decimals: {"SE": {"SMS": "0.05"}}."""
    return isinstance(table, dict) and all(
        isinstance(country, str) and COUNTRY.fullmatch(country) and isinstance(of, dict)
        and all(channel in CHANNELS and isinstance(price, str) and PRICE.fullmatch(price) for channel, price in of.items())
        for country, of in table.items()
    )  # fmt: skip


def _is_budget(value: Any) -> bool:
    return value is None or (isinstance(value, int | Decimal) and value >= 0)


def _wrong_texts(texts: Any) -> dict[str, list[str]]:
    """Answer what is wrong with an organisation's own texts, in the sentences of whoever knows them."""
    if texts is None:
        return {}
    if not isinstance(texts, Mapping):
        return {"message_templates": [str(_("Own texts stand by message, language and channel."))]}
    try:
        otp_texts.check_own(texts)
    except Invalid as e:
        return {name: list(sentences) for name, sentences in e.fields.items()}
    return {}


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
    "message_budget_per_day": (_is_budget, _("A budget is not below nought.")),
    "money_budget_per_day": (_is_budget, _("A budget is not below nought.")),
    "message_prices": (
        is_price_table,
        _("Prices stand by country and channel (SMS, VOICE, EMAIL), with a point and at most four decimals."),
    ),
    "message_fallbacks": (
        lambda plan: _each(is_step)(plan) and len(plan) <= MOST_STEPS,
        _("A step looks like VOICE 60: SMS, VOICE or EMAIL, and 5 to 3600 seconds; at most five steps."),
    ),
    "ping_mechanisms": (_among("basic", "cookie", "jwt"), _("Known are: %s") % "basic, cookie, jwt"),
    "ticket_length": (_between(6, 32), _("Between 6 and 32 characters.")),
    "usage_retention_days": (_between(1, 3650), _("Between 1 and 3650 days.")),
    "sign_in_hosts": (_each(_matches(DOMAIN)), _("A host looks like login.example.com.")),
    "sign_in_domains": (_each(_matches(DOMAIN)), _("A domain looks like example.com.")),
}
