"""Accuracy by number of labels as SVG: a line with intervals per arm, and the names below, the most accurate first."""

import math
import zlib
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, share, shorten
from pipeline.report.charts.svg import (
    Scale,
    draw_levels,
    flow,
    image,
    label,
    left_margin,
    line,
    mark,
    name_ticks,
    polyline,
    scale,
    text_width,
    ticks,
)

STUDY_WIDTH, TOP, FLOOR = 480.0, 14.0, 300.0
MORE_LEFT = 8.0  # for letters that are larger on a phone
# The names stand below the plot, each after a piece of its line.
NAMES_TOP, NAME_HEIGHT, KEY_WIDTH = FLOOR + 76, 20.0, 40.0
LARGEST_SHIFT = 7.0  # between neighbouring arms, so that their intervals do not hide one another
# The colour, a class of the style sheet, and the mark of each arm by its name: the same in every chart. Arms with other
# names get what is free.
ARM_LOOKS = {
    "majority": ("rest", "circle"),
    "tfidf": ("second", "diamond"),
    "probe": ("third", "square"),
    "pretrained": ("first", "circle"),
    "adapted": ("fourth", "diamond"),
    "scratch": ("fifth", "square"),
    "random": ("sixth", "circle"),
    "": ("seventh", "diamond"),
}


def draw_study(task: Document) -> Markup:
    """Return the accuracy of a task's arms by labels, on a logarithmic axis: each doubling is equally wide."""
    arms = task["arms"]
    sizes = [point["train"] for point in arms[0]["points"]]
    levels = ticks(*_extent(arms), most=7)
    start, stop = left_margin(name_ticks(levels)) + MORE_LEFT, STUDY_WIDTH - 8
    y = scale(_extent(arms), (FLOOR, TOP))
    looks = find_looks([arm["arm"] for arm in arms])
    places = _place_arms(sizes, len(arms), start, stop)
    names, bottom = _draw_names(arms, looks)
    x = _label_scale(sizes, start, stop)
    return image(
        STUDY_WIDTH,
        bottom,
        draw_levels(levels, y, start=start, stop=stop),
        line(start, FLOOR, stop, FLOOR, "base"),
        *(_draw_size(point, x(point["train"])) for point in arms[0]["points"]),
        label((start + stop) / 2, FLOOR + 48, "labelled training examples (log scale)", kind="axis", anchor="middle"),
        label(11, (TOP + FLOOR) / 2, "test accuracy", kind="axis", anchor="middle", turn=-90),
        *(_draw_intervals(arm, place, y, look) for arm, place, (look, _) in zip(arms, places, looks, strict=True)),
        *(_draw_curve(arm, place, y, *look) for arm, place, look in zip(arms, places, looks, strict=True)),
        names,
        title=f"Accuracy on {task['task']} by labelled training examples",
        description=" ".join(_describe_arm(arm) for arm in arms),
    )


def find_looks(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Return the CSS classes and the mark of each arm, by its name; arms beyond the number of colours are dashed."""
    looks = {arm: ARM_LOOKS[arm] for arm in arms if arm in ARM_LOOKS}
    every = [*ARM_LOOKS.values()]
    for arm in arms:
        if arm not in looks:
            first = zlib.crc32(arm.encode()) % len(every)  # the same for this name whatever else is drawn, mostly
            ranked = [*every[first:], *every[:first]]
            free = [look for look in ranked if look not in looks.values()]
            looks[arm] = free[0] if free else (f"{ranked[0][0]} dashed", ranked[0][1])
    return [looks[arm] for arm in arms]


def _label_scale(sizes: Sequence[int], start: float, stop: float) -> Scale:
    place = scale((math.log2(sizes[0]), math.log2(sizes[-1])), (start + 30, stop - 30))
    return lambda size: place(math.log2(size))


def _place_arms(sizes: Sequence[int], arms: int, start: float, stop: float) -> list[list[float]]:
    """Return the place of each point of each arm: around its number of labels, the first arm leftmost."""
    x = _label_scale(sizes, start, stop)
    nearest = min((x(right) - x(left) for left, right in pairwise(sizes)), default=stop - start)
    shift = min(LARGEST_SHIFT, nearest / (1.5 * arms))
    return [[x(size) + (arm - (arms - 1) / 2) * shift for size in sizes] for arm in range(arms)]


def _extent(arms: Sequence[Document]) -> tuple[float, float]:
    accuracies = [point["accuracy"] for arm in arms for point in arm["points"]]
    numbers = [metric[key] for metric in accuracies for key in ("value", "low", "high") if metric[key] is not None]
    room = 0.03 * (max(numbers) - min(numbers)) or 0.01
    return max(0.0, min(numbers) - room), min(1.0, max(numbers) + room)


def _draw_size(point: Document, x: float) -> Markup:
    """Return the number of labels, and below it whether these are all: beside it there may be no room."""
    number = label(x, FLOOR + 18, count(point["train"]), anchor="middle")
    return number + (label(x, FLOOR + 32, "(all)", anchor="middle") if point["labels"] == "all" else Markup(""))


def _describe_sizes(arm: Document) -> list[str]:
    return [
        f"all {count(point['train'])}" if point["labels"] == "all" else count(point["train"]) for point in arm["points"]
    ]


def _draw_intervals(arm: Document, places: Sequence[float], y: Scale, look: str) -> Markup:
    return Markup("").join(
        line(x, y(point["accuracy"]["low"]), x, y(point["accuracy"]["high"]), f"{look} range")
        for x, point in zip(places, arm["points"], strict=True)
        if point["accuracy"]["low"] is not None
    )


def _draw_curve(arm: Document, places: Sequence[float], y: Scale, look: str, shape: str) -> Markup:
    spots = [(x, y(point["accuracy"]["value"])) for x, point in zip(places, arm["points"], strict=True)]
    marks = Markup("").join(mark(shape, *spot, f"{look} spot", size=4.5) for spot in spots)
    return polyline(spots, f"{look} line") + marks


def _draw_names(arms: Sequence[Document], looks: Sequence[tuple[str, str]]) -> tuple[Markup, float]:
    """Return the names in the order of the lines' ends, from the top, and the bottom of the last line of names."""
    ranked = sorted(zip(arms, looks, strict=True), key=lambda pair: -pair[0]["points"][-1]["accuracy"]["value"])
    names = [shorten(arm["title"], 40) for arm, _ in ranked]
    widest = KEY_WIDTH + max(map(text_width, names))
    column = STUDY_WIDTH / max(1, int(STUDY_WIDTH / widest))
    places = flow([column] * len(names), start=0.0, stop=STUDY_WIDTH)
    parts = [
        _draw_key(left, NAMES_TOP + row * NAME_HEIGHT, *look) + label(left + 32, NAMES_TOP + row * NAME_HEIGHT, name)
        for name, (_, look), (left, row) in zip(names, ranked, places, strict=True)
    ]
    return Markup("").join(parts), NAMES_TOP + places[-1][1] * NAME_HEIGHT + 8


def _draw_key(left: float, baseline: float, look: str, shape: str) -> Markup:
    middle = baseline - 4
    piece = line(left + 2, middle, left + 26, middle, f"{look} line")
    return piece + mark(shape, left + 14, middle, f"{look} spot", size=4.5)


def _describe_arm(arm: Document) -> str:
    accuracies = ", ".join(
        f"{share(point['accuracy']['value'])} with {words}"
        for point, words in zip(arm["points"], _describe_sizes(arm), strict=True)
    )
    return f"{arm['title']}: {accuracies}."
