"""SVG elements whose text is always escaped, and the scales, ticks and label positions of a chart."""

import math
import unicodedata
from collections.abc import Callable, Sequence

from markupsafe import Markup

from pipeline.core.format import visible

Scale = Callable[[float], float]
CHART_WIDTH = 380.0  # of a chart in a column of the page; a chart's units are CSS pixels unless it is scaled
AXIS_NAME, TICK_GAP = 22.0, 7.0  # the width of a turned axis name with its gap, and the gap beside a tick's label
CHARACTER_WIDTH = 7.0  # of an average character of a chart's text: generous, since fonts differ


# ------------------------------------------------------------------------------------------------ elements
def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return `<name attributes>children</name>`; attributes are always escaped, children unless they are Markup.

    A trailing `_` of an attribute's name is dropped and other `_` become `-`; numbers are rounded to 0.01.
    """
    pairs = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _attribute(value))
        for key, value in attributes.items()
    )
    content = Markup("").join(child if isinstance(child, Markup) else visible(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, pairs, content)


def _attribute(value: object) -> str:
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:g}" if abs(value) < 1e5 else f"{value:.0f}"
    return visible(str(value))


def image(width: float, height: float, *children: str, title: str, description: str) -> Markup:
    """Return a whole SVG image, with a title and a description for screen readers."""
    return element(
        "svg",
        element("title", title),
        element("desc", description),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        width=width,
        height=height,
        role="img",
    )


def label(x: float, y: float, words: str, *, kind: str = "", anchor: str = "start", turn: float = 0) -> Markup:
    """Return text at (x, y); `anchor` is start, middle or end, `turn` is in degrees clockwise about that point."""
    rotation = {"transform": f"rotate({turn:g} {x:.2f} {y:.2f})"} if turn else {}
    return element("text", words, x=x, y=y, class_=kind or "label", text_anchor=anchor, **rotation)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def polyline(corners: Sequence[tuple[float, float]], kind: str) -> Markup:
    """Return a line through all corners."""
    return element("polyline", points=" ".join(f"{x:.2f},{y:.2f}" for x, y in corners), class_=kind)


def mark(shape: str, x: float, y: float, kind: str, *, size: float = 4) -> Markup:
    """Return a `circle`, `square` or `diamond` centred on (x, y)."""
    if shape == "circle":
        return element("circle", cx=x, cy=y, r=size, class_=kind)
    rotation = {"transform": f"rotate(45 {x:.2f} {y:.2f})"} if shape == "diamond" else {}
    side = 1.7 * size
    return element("rect", x=x - side / 2, y=y - side / 2, width=side, height=side, class_=kind, **rotation)


def text_width(words: str) -> float:
    """Return the approximate width of `words`; East Asian wide characters count twice."""
    return CHARACTER_WIDTH * sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in words)


# ------------------------------------------------------------------------------------------------ positions
def scale(domain: tuple[float, float], target: tuple[float, float]) -> Scale:
    """Return the linear map of `domain` onto `target`; a domain of width 0 maps to the middle."""
    (low, high), (start, stop) = domain, target
    if high == low:
        return lambda _: (start + stop) / 2
    return lambda value: start + (value - low) / (high - low) * (stop - start)


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Return at most `most` (>= 2) round numbers in [low, high], 1, 2 or 5 times a power of ten apart."""
    if high <= low:
        return [low]
    power = math.floor(math.log10((high - low) / most))
    for step in (factor * 10.0**exponent for exponent in (power, power + 1) for factor in (1, 2, 5)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(position * step, 12) + 0.0 for position in range(first, last + 1)]
    raise AssertionError("a step of 50 times the smallest always fits")


def name_ticks(values: Sequence[float]) -> list[str]:
    """Return the text of each tick, with as many decimals as the one that needs most, six at most."""
    decimals = max((len(f"{value:.6f}".rstrip("0").partition(".")[2]) for value in values), default=0)
    return [f"{value:,.{decimals}f}" for value in values]


def left_margin(tick_names: Sequence[str]) -> float:
    """Return the room that a turned axis name and tick labels to the left of a plot take."""
    return AXIS_NAME + max(map(text_width, tick_names), default=0.0) + TICK_GAP


def draw_levels(values: Sequence[float], y: Scale, *, start: float, stop: float) -> Markup:
    """Return a level line for each tick from `start` to `stop`, with its text to the left."""
    return Markup("").join(
        line(start, y(value), stop, y(value), "grid") + label(start - TICK_GAP, y(value) + 4, name, anchor="end")
        for value, name in zip(values, name_ticks(values), strict=True)
    )


def flow(widths: Sequence[float], *, start: float, stop: float) -> list[tuple[float, int]]:
    """Return the left edge and the line of each entry: from left to right, on the next line if there is no room."""
    places, left, row = [], start, 0
    for width in widths:
        if left > start and left + width > stop:
            left, row = start, row + 1
        places.append((left, row))
        left += width
    return places


def spread(positions: Sequence[float], *, gap: float) -> list[float]:
    """Return the positions in the order given, each moved down as little as keeps neighbours `gap` apart."""
    moved = [0.0] * len(positions)
    free = -math.inf
    for index in sorted(range(len(positions)), key=lambda index: positions[index]):
        moved[index] = max(positions[index], free)
        free = moved[index] + gap
    return moved
