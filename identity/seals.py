"""Knows every sealed column, and moves all of them to the newest key (security.md P16)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Model, Q
from django.utils.functional import Promise

from identity import crypto


@dataclass(frozen=True, slots=True)
class Column:
    """A column whose texts are sealed; `place` binds each of them to its row."""

    model: type[Model]
    name: str
    place: Callable[[Any], str]

    @property
    def title(self) -> str | Promise:
        """What people call the rows."""
        return self.model._meta.verbose_name_plural or self.model.__name__


def columns() -> list[Column]:
    """Answer every sealed column of the house, whatever app it is in: its name ends so, and its model says the place."""
    return [
        Column(model, column.name, model.place)  # type: ignore[attr-defined]
        for model in apps.get_models()
        for column in model._meta.concrete_fields
        if column.name.endswith("sealed")
    ]


def move(column: Column) -> int:
    """Seal a column under the newest ENCRYPTION_KEY; answers how many values were moved. Raises crypto.SealBroken."""
    return crypto.reseal(column.model._default_manager.all(), column=column.name, place=column.place)


def count_under_former_keys(column: Column) -> int:
    """Answer how many values still need a key that is not the newest."""
    newest = Q(**{f"{column.name}__startswith": f"{crypto.newest_key_id()}."})
    return column.model._default_manager.exclude(**{column.name: ""}).exclude(newest).count()


def count_under_lost_keys(column: Column) -> int:
    """Answer how many values no key of ENCRYPTION_KEYS opens."""
    rows = column.model._default_manager.exclude(**{column.name: ""})
    for key_id in crypto.known_key_ids():
        rows = rows.exclude(**{f"{column.name}__startswith": f"{key_id}."})
    return rows.count()
