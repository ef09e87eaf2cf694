"""Bars and intervals as SVG: rows of a chart, and marks small enough to stand in a table's cell."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from pipeline.core.format import shorten
from pipeline.evaluate.outcome import Measure
from pipeline.report.charts.svg import Scale, drawing, element, line, mark, scale, text, text_width, ticks

WIDTH, ROW = 380.0, 30.0
BAR, WHISKER = 96.0, 64.0


class Row(NamedTuple):
    """A row of `ranges`: its name, the number with its interval, and the mark that stands for it."""

    name: str
    found: Measure
    shape: str = "circle"
    kind: str = "first"


def ranges(
    rows: Sequence[Row], *, title: str, axis: str, show: Callable[[float | None], str], domain: tuple[float, float]
) -> Markup:
    """Return one row a number: its name, a mark with its interval on a common axis, and the number in words.

    The axis covers `domain` and every number; a `domain` that starts or ends at 0 shows its zero line.
    """
    names = [shorten(row.name, 18) for row in rows]
    left = max(map(text_width, names), default=0.0) + 12
    low, high = extent([*(row.found for row in rows), *map(Measure, domain)])
    x = scale((low, high), (left, WIDTH - 62))
    bottom = ROW * len(rows) + 6
    return drawing(
        WIDTH,
        bottom + 38,
        *(line(x(tick), 4, x(tick), bottom, "base" if tick == 0 else "grid") for tick in ticks(low, high)),
        *(text(x(tick), bottom + 16, show(tick).rstrip("0").rstrip("."), anchor="middle") for tick in ticks(low, high)),
        text(x((low + high) / 2), bottom + 33, axis, kind="axis", anchor="middle"),
        *(
            _row(row, name, x, 6 + (index + 0.5) * ROW, show)
            for index, (row, name) in enumerate(zip(rows, names, strict=True))
        ),
        title=title,
        description=" ".join(f"{row.name}: {_words(row.found, show)}." for row in rows),
    )


def _row(row: Row, name: str, x: Scale, y: float, show: Callable[[float | None], str]) -> Markup:
    value, low, high, _ = row.found
    parts = [text(0, y + 4, name), text(WIDTH, y + 4, show(value), kind="value", anchor="end")]
    if low is not None and high is not None:
        parts.append(line(x(low), y, x(high), y, f"{row.kind} whisker"))
    if value is not None:
        parts.append(mark(row.shape, x(value), y, f"{row.kind} spot", size=5))
    return Markup("").join(parts)


def _words(found: Measure, show: Callable[[float | None], str]) -> str:
    if found.value is None:
        return "not measured"
    if found.low is None or found.high is None:
        return show(found.value)
    return f"{show(found.value)}, interval {show(found.low)} to {show(found.high)}"


def bar(value: float | None) -> Markup:
    """Return a share as a bar for a table's cell that also has the number; nothing for None."""
    if value is None:
        return Markup("")
    return _inline(
        BAR,
        "inline stretch",
        element("rect", x=0, y=0, width=BAR, height=6, class_="track"),
        element("rect", x=0, y=0, width=BAR * min(max(value, 0.0), 1.0), height=6, class_="first bar"),
    )


def extent(measures: Sequence[Measure]) -> tuple[float, float]:
    """Return the least and the greatest of all numbers and ends of intervals; (0, 1) when there are none."""
    numbers = [number for found in measures for number in found[:3] if number is not None]
    return min(numbers, default=0.0), max(numbers, default=1.0)


def whisker(found: Measure, domain: tuple[float, float]) -> Markup:
    """Return a number and its interval on `domain` for a table's cell that also has the number; nothing for None."""
    if found.value is None:
        return Markup("")
    x = scale(domain, (3, WHISKER - 3))
    low, high = (found.value if edge is None else edge for edge in (found.low, found.high))
    return _inline(
        WHISKER,
        "inline",
        element("rect", x=0, y=2.5, width=WHISKER, height=1, class_="track"),
        line(x(low), 3, x(high), 3, "first whisker"),
        mark("circle", x(found.value), 3, "first spot", size=3),
    )


def _inline(width: float, kind: str, *children: Markup) -> Markup:
    """Return a drawing that assistive technology passes over, because the number stands beside it."""
    box = {"viewBox": f"0 0 {width:g} 6", "preserveAspectRatio": "none"}
    return element("svg", *children, **box, width=width, height=6, class_=kind, aria_hidden="true")
