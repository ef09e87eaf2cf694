"""Bars and intervals as SVG: a chart with a row a number, and marks small enough for a table cell."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from pipeline.core.format import shorten
from pipeline.evaluate.estimate import Estimate
from pipeline.report.charts.svg import CHART_WIDTH, Scale, element, image, label, line, mark, scale, text_width, ticks

ROW_HEIGHT = 30.0
BAR_WIDTH, WHISKER_WIDTH = 96.0, 64.0
Show = Callable[[float | None], str]


class RangeRow(NamedTuple):
    """A row of `draw_ranges`: its name, the number with its interval, and the mark that stands for it."""

    name: str
    estimate: Estimate
    shape: str = "circle"
    kind: str = "first"


def draw_ranges(rows: Sequence[RangeRow], *, title: str, axis: str, show: Show, domain: tuple[float, float]) -> Markup:
    """Return a chart with a row a number: its name, a mark with its interval on a shared axis, and its value as text.

    The axis covers `domain` and every number; a `domain` that starts or ends at 0 shows its zero line.
    """
    names = [shorten(row.name, 18) for row in rows]
    left = max(map(text_width, names), default=0.0) + 12
    low, high = extent([*(row.estimate for row in rows), *map(Estimate, domain)])
    x = scale((low, high), (left, CHART_WIDTH - 62))
    bottom = ROW_HEIGHT * len(rows) + 6
    steps = ticks(low, high)
    return image(
        CHART_WIDTH,
        bottom + 38,
        *(line(x(tick), 4, x(tick), bottom, "base" if tick == 0 else "grid") for tick in steps),
        *(label(x(tick), bottom + 16, show(tick).rstrip("0").rstrip("."), anchor="middle") for tick in steps),
        label(x((low + high) / 2), bottom + 33, axis, kind="axis", anchor="middle"),
        *(
            _draw_row(row, name, x, 6 + (index + 0.5) * ROW_HEIGHT, show)
            for index, (row, name) in enumerate(zip(rows, names, strict=True))
        ),
        title=title,
        description=" ".join(f"{row.name}: {_describe(row.estimate, show)}." for row in rows),
    )


def _draw_row(row: RangeRow, name: str, x: Scale, y: float, show: Show) -> Markup:
    value, low, high, _ = row.estimate
    parts = [label(0, y + 4, name), label(CHART_WIDTH, y + 4, show(value), kind="value", anchor="end")]
    if low is not None and high is not None:
        parts.append(line(x(low), y, x(high), y, f"{row.kind} whisker"))
    if value is not None:
        parts.append(mark(row.shape, x(value), y, f"{row.kind} spot", size=5))
    return Markup("").join(parts)


def _describe(estimate: Estimate, show: Show) -> str:
    if estimate.value is None:
        return "not measured"
    if estimate.low is None or estimate.high is None:
        return show(estimate.value)
    return f"{show(estimate.value)}, interval {show(estimate.low)} to {show(estimate.high)}"


def extent(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return the smallest and the largest of all values and interval ends; (0, 1) if there are none."""
    numbers = [number for estimate in estimates for number in estimate[:3] if number is not None]
    return min(numbers, default=0.0), max(numbers, default=1.0)


def draw_bar(value: float | None) -> Markup:
    """Return a share as a bar for a table cell that also shows the number; nothing for None."""
    if value is None:
        return Markup("")
    return _inline(
        BAR_WIDTH,
        "inline stretch",
        element("rect", x=0, y=0, width=BAR_WIDTH, height=6, class_="track"),
        element("rect", x=0, y=0, width=BAR_WIDTH * min(max(value, 0.0), 1.0), height=6, class_="first bar"),
    )


def draw_whisker(estimate: Estimate, domain: tuple[float, float]) -> Markup:
    """Return a number and its interval on `domain` for a table cell that also shows the number; nothing for None."""
    if estimate.value is None:
        return Markup("")
    x = scale(domain, (3, WHISKER_WIDTH - 3))
    low, high = (estimate.value if edge is None else edge for edge in (estimate.low, estimate.high))
    return _inline(
        WHISKER_WIDTH,
        "inline",
        element("rect", x=0, y=2.5, width=WHISKER_WIDTH, height=1, class_="track"),
        line(x(low), 3, x(high), 3, "first whisker"),
        mark("circle", x(estimate.value), 3, "first spot", size=3),
    )


def _inline(width: float, kind: str, *children: Markup) -> Markup:
    """Return a small image that screen readers skip, since the cell holds the number as text."""
    box = {"viewBox": f"0 0 {width:g} 6", "preserveAspectRatio": "none"}
    return element("svg", *children, **box, width=width, height=6, class_=kind, aria_hidden="true")
