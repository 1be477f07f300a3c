"""Auvious' paging: `page`, `size` and `sort`, or the same three inside the document's own `pageable`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from identity.errors import Invalid

DEFAULT_SIZE = 20
LARGEST_SIZE = 100
# No list is that long; a larger number would overflow the database's.
LAST_PAGE = 1_000_000
# What the document prints where a property's name belongs.
PLACEHOLDER = "string"


def page_of(rows: Any, query: QueryDict, *, sortable: Mapping[str, str]) -> list[Any]:
    """Answer one page of a query set, oldest first unless sorted.

    `sortable` maps their properties to our columns. Raises Invalid naming `page`, `size` or `sort`.
    """
    wanted = {name: query.getlist(name) for name in ("page", "size", "sort")}
    if "pageable" in query:
        wanted = _unfolded(str(query["pageable"]), wanted)
    page = _number("page", wanted["page"], default=0, least=0, most=LAST_PAGE)
    size = _number("size", wanted["size"], default=DEFAULT_SIZE, least=1, most=LARGEST_SIZE)
    columns = [_column(one, sortable) for one in wanted["sort"] if one]
    return list(rows.order_by(*columns, "created_at", "pk")[page * size : (page + 1) * size])


def _unfolded(text: str, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    """Read `page,0,size,1,sort,name,desc`: names and values in one list, as the document's own example has them."""
    words, found = text.split(","), {name: list(values) for name, values in wanted.items()}
    name = ""
    for word in words:
        if word in found:
            name = word
        elif not name:
            raise Invalid("pageable", fields={"pageable": ["Cannot be read."]})
        elif name == "sort" and word in ("asc", "desc") and found["sort"]:
            found["sort"][-1] += f",{word}"
        elif not (name == "sort" and word == PLACEHOLDER):
            found[name].append(word)
    return found


def _number(name: str, given: list[str], *, default: int, least: int, most: int) -> int:
    if not given:
        return default
    text = given[-1]
    if len(given) > 1 or not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise Invalid(name, fields={name: [f"An integer from {least} to {most}."]})
    return int(text)


def _column(text: str, sortable: Mapping[str, str]) -> str:
    name, _, direction = text.partition(",")
    if name not in sortable or direction not in ("", "asc", "desc"):
        raise Invalid("sort", fields={"sort": [f"One of {', '.join(sortable)}, then asc or desc."]})
    return f"-{sortable[name]}" if direction == "desc" else sortable[name]
