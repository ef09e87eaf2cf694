"""Bars and intervals as SVG, small enough for a table cell that also shows the number."""

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.evaluate.estimate import Estimate
from pipeline.report.charts.svg import element, line, mark, scale

BAR_WIDTH, WHISKER_WIDTH = 96.0, 64.0


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
