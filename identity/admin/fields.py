"""Form fields for what the tables keep as lists: a line of text for each entry."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class LinesField(forms.CharField):
    """A list of texts, shown and typed as one per line; empty lines and repetitions fall away."""

    def __init__(self, *, each: Callable[[str], str] = str, rows: int = 4, **kwargs: Any) -> None:
        self.each = each
        widget = forms.Textarea(attrs={"rows": rows, "class": "vLargeTextField", "spellcheck": "false"})
        super().__init__(widget=widget, **{"required": False, "max_length": 10_000, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(_text(entry) for entry in value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        lines = [line.strip() for line in (value or "").splitlines()] if not isinstance(value, list) else value
        return list(dict.fromkeys(self.each(line) for line in lines if line))

    def run_validators(self, value: Any) -> None:
        super().run_validators("\n".join(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != [_text(entry) for entry in initial or []])
        except ValidationError:
            return True


class PricesField(LinesField):
    """Prices per country and channel, as lines like "SE SMS 0.05"; kept as {"SE": {"SMS": "0.05"}}."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(_price_lines(value)) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> Any:
        prices: dict[str, dict[str, str]] = {}
        for line in super().to_python(value):
            words = line.split()
            if len(words) != 3 or not _is_price(words[2]):
                raise ValidationError(_("A line looks like “SE SMS 0.05”: country, channel, price."))
            prices.setdefault(words[0].upper(), {})[words[1].upper()] = words[2]
        return prices

    def run_validators(self, value: Any) -> None:
        super().run_validators(_price_lines(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True


def network(line: str) -> str:
    """Answer an address or a network in its usual spelling. Raises ValidationError."""
    try:
        return str(ipaddress.ip_network(line, strict=False)) if "/" in line else str(ipaddress.ip_address(line))
    except ValueError as e:
        raise ValidationError(_("“%s” is neither an address nor a network.") % line) from e


def _text(entry: Any) -> str:
    # Addresses that came over the wire are kept as objects with an `ip`.
    return str(entry["ip"] if isinstance(entry, dict) else entry)


def _price_lines(prices: dict[str, dict[str, str]]) -> list[str]:
    return [f"{country} {channel} {price}" for country, of in prices.items() for channel, price in of.items()]


def _is_price(word: str) -> bool:
    whole, _dot, part = word.partition(".")
    return whole.isascii() and whole.isdigit() and (not part or (part.isascii() and part.isdigit())) and len(word) < 12
