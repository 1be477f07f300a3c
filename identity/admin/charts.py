"""Draws bars of days as geometry for a template: no script, and texts stand outside, where they keep their size on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _

# The picture's own units; it is stretched to where it stands.
WIDTH, HEIGHT = 300.0, 100.0
GAP = 2.0
# A budget so many times higher than the highest bar would flatten the bars; it is said in words only.
FAR = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the units of the picture as SVG writes them, and what it says."""

    x: str
    y: str
    width: str
    height: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of days with a line for the budget; `rows` say the same as a table."""

    name: str
    title: Promise | str
    summary: str
    bars: list[Bar]
    rows: list[tuple[date, str]]
    top: str
    limit_y: str
    limit: str
    width: str = f"{WIDTH:.0f}"
    height: str = f"{HEIGHT:.0f}"

    @property
    def ends(self) -> tuple[date, date]:
        """The first day and the last one."""
        return self.rows[0][0], self.rows[-1][0]


def of_days(
    name: str,
    title: Promise | str,
    days: Sequence[tuple[date, Decimal]],
    *,
    limit: Decimal | int | None,
    places: int = 0,
) -> Chart:
    """Answer a chart of values by day, of at least one day, oldest first; `limit` is the day's budget, `places` are decimals."""
    highest = max(value for _day, value in days)
    bound = Decimal(limit) if limit is not None else None
    is_near = bound is not None and Decimal(0) < bound <= FAR * highest
    scale = float(max(highest, bound) if bound is not None and is_near else highest) or 1.0
    step = WIDTH / len(days)
    bars = []
    for place, (day, value) in enumerate(days):
        height = HEIGHT * float(value) / scale
        words = f"{day}: {number(value, places)}"
        bars.append(Bar(_unit(place * step + GAP / 2), _unit(HEIGHT - height), _unit(step - GAP), _unit(height), words))  # fmt: skip
    best = max(days, key=lambda one: one[1])
    summary = _("%(sum)s in %(days)d days; most on %(day)s: %(most)s.") % {
        "sum": number(sum((value for _day, value in days), Decimal(0)), places), "days": len(days), "day": best[0], "most": number(best[1], places),
    }  # fmt: skip
    return Chart(
        name=name, title=title, summary=summary if highest else _("Nothing in %d days.") % len(days), bars=bars,
        rows=[(day, number(value, places)) for day, value in days], top=number(Decimal(str(scale)), places) if highest else "",
        limit_y=_unit(HEIGHT * (1 - float(bound) / scale)) if bound is not None and is_near else "",
        limit="" if bound is None else number(bound, places),
    )  # fmt: skip


def number(value: Decimal | int, places: int = 0) -> str:
    """Answer a number as the language of the page writes it, with so many decimals."""
    return str(formats.number_format(value, places, force_grouping=True))


def _unit(length: float) -> str:
    # The point is SVG's, whatever the language of the page.
    return f"{length:.2f}"
