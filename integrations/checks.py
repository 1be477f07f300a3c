"""System checks of the dialects: no two claim one address and method, and each has words for every refusal."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from django.core.checks import Error, register
from django.urls import URLPattern

from identity.errors import DomainError
from integrations import edge, urls

VARIABLE = re.compile(r"<[^>]*>")


def claimed_twice(claims: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Answer a sentence for each (method, address) that more than one dialect claims; `claims` are (dialect, method, address)."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for dialect, method, address in claims:
        found[method, VARIABLE.sub("<>", address)].add(dialect)
    for (method, address), dialects in sorted(found.items()):
        if len(dialects) > 1:
            yield f"{method.upper()} /{address} is claimed by {' and '.join(sorted(dialects))}"


def leaves(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    """Answer every refusal that the domain knows; what a dialect made for itself concerns no other."""
    for child in kind.__subclasses__():
        if not child.__module__.startswith("integrations.dialects."):
            yield child
            yield from leaves(child)


def unworded(table: Iterable[type[DomainError]]) -> Iterator[type[DomainError]]:
    """Answer the refusals for which a dialect's table has neither their own row nor an ancestor's."""
    rows = tuple(table)
    return (leaf for leaf in leaves() if not issubclass(leaf, rows))


def _claims() -> Iterator[tuple[str, str, str]]:
    for dialect, module in urls.MODULES.items():
        for pattern in module.urlpatterns:
            # A page of a dialect, which is no ViewSet, answers every method.
            methods = getattr(pattern.callback, "actions", edge.METHODS)
            yield from ((dialect, method, _address(pattern)) for method in methods)


def _address(pattern: URLPattern) -> str:
    return str(pattern.pattern)


@register()
def addresses_belong_to_one_dialect(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse to start where the order of a list would decide which dialect answers."""
    return [Error(said, id="integrations.E001") for said in claimed_twice(_claims())]


@register()
def refusals_have_words(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Refuse to start where a refusal would be rendered as our own failure."""
    return [
        Error(f"{dialect} has no words for {leaf.__name__}", id="integrations.E002")
        for dialect in urls.MODULES
        for leaf in unworded(import_module(f"integrations.dialects.{dialect}.errors").TABLE)
    ]
