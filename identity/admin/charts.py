"""Draws bars of days or hours as geometry for a template: no script, and texts stand outside, where they keep their size on a phone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# The picture's own units; it is stretched to where it stands.
WIDTH, HEIGHT = 300.0, 100.0
GAP = 2.0
# A budget so many times higher than the highest bar would flatten the bars; it is said in words only.
FAR = 3
DAY, HOUR = gettext_lazy("Day"), gettext_lazy("Hour")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the units of the picture as SVG writes them, and what it says; `tone` is bad or nothing."""

    x: str
    y: str
    width: str
    height: str
    words: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of days or hours, maybe with a line for the budget; `rows` say the same as a table, times written as `form` says."""

    name: str
    title: Promise | str
    summary: str
    bars: list[Bar]
    rows: list[tuple[date | datetime, str]]
    top: str
    limit_y: str = ""
    limit: str = ""
    unit: Promise | str = DAY
    form: str = "Y-m-d"
    width: str = f"{WIDTH:.0f}"
    height: str = f"{HEIGHT:.0f}"

    @property
    def ends(self) -> tuple[date | datetime, date | datetime]:
        """The first day or hour and the last one."""
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


def of_hours(name: str, title: Promise | str, hours: Sequence[tuple[datetime, int, int]]) -> Chart:
    """Answer a chart of calls by hour, of at least one hour, oldest first; each hour has its calls and the failures among them."""
    highest = max(calls for _hour, calls, _failures in hours)
    scale, step = float(highest) or 1.0, WIDTH / len(hours)
    bars, rows = [], list[tuple[date | datetime, str]]()
    for place, (hour, calls, failures) in enumerate(hours):
        words = _("%(calls)s, %(failures)s failed") % {"calls": number(calls), "failures": number(failures)} if failures else number(calls)  # fmt: skip
        rows.append((hour, words))
        for count, tone in ((calls, ""), (failures, "bad")):
            height = HEIGHT * count / scale
            bars.append(Bar(_unit(place * step + GAP / 2), _unit(HEIGHT - height), _unit(step - GAP), _unit(height), f"{hour:%H:%M}: {words}", tone))  # fmt: skip
    sums = {
        "calls": number(sum(calls for _hour, calls, _failures in hours)), "failures": number(sum(failures for _hour, _calls, failures in hours)),
        "hours": len(hours),
    }  # fmt: skip
    summary = (
        _("%(calls)s in %(hours)d hours, %(failures)s of them failed.") if highest else _("Nothing in %(hours)d hours.")
    )
    return Chart(
        name=name, title=title, summary=summary % sums, bars=bars, rows=rows, top=number(highest) if highest else "",
        unit=HOUR, form="Y-m-d H:i",
    )  # fmt: skip


def number(value: Decimal | int, places: int = 0) -> str:
    """Answer a number as the language of the page writes it, with so many decimals."""
    return str(formats.number_format(value, places, force_grouping=True))


def _unit(length: float) -> str:
    # The point is SVG's, whatever the language of the page.
    return f"{length:.2f}"
