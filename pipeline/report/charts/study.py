"""Accuracy by number of labels as SVG: a line and a band per arm, named at its end."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, share, shorten
from pipeline.report.charts.svg import (
    Scale,
    element,
    image,
    label,
    line,
    mark,
    polyline,
    scale,
    spread,
    text_width,
    ticks,
)

STUDY_HEIGHT, TOP, FLOOR = 430.0, 14.0, 376.0
BEGIN, PLOT, GAP = 56.0, 470.0, 17.0
END = BEGIN + PLOT
ARM_MARKS = ("circle", "diamond", "square")
ARM_COLOURS = 6  # in the style sheet; further arms repeat them with another mark and dashes


def draw_study(task: Document) -> Markup:
    """Return the accuracy of a task's arms by labels, on a logarithmic axis: each doubling is equally wide."""
    arms = task["arms"]
    sizes = [point["train"] for point in arms[0]["points"]]
    names = [shorten(arm["title"], 40) for arm in arms]
    x, y = _label_scale(sizes), scale(_extent(arms), (FLOOR, TOP))
    looks = _looks(arms)
    ends = [y(arm["points"][-1]["accuracy"]["value"]) for arm in arms]
    return image(
        END + 36 + max(map(text_width, names)),
        STUDY_HEIGHT,
        *(_draw_level(tick, y(tick)) for tick in ticks(*_extent(arms), most=7)),
        *(line(x(size), TOP, x(size), FLOOR, "grid") for size in sizes),
        line(BEGIN, FLOOR, END, FLOOR, "base"),
        *(
            label(x(size), FLOOR + 18, words, anchor="middle")
            for size, words in zip(sizes, _describe_sizes(arms[0]), strict=True)
        ),
        label(BEGIN + PLOT / 2, FLOOR + 40, "labelled training examples (log scale)", kind="axis", anchor="middle"),
        label(14, (TOP + FLOOR) / 2, "test accuracy", kind="axis", anchor="middle", turn=-90),
        *(_draw_band(arm, x, y, look) for arm, (look, _) in zip(arms, looks, strict=True)),
        *(_draw_curve(arm, x, y, look, shape) for arm, (look, shape) in zip(arms, looks, strict=True)),
        *(
            _draw_name(name, look, x(sizes[-1]), end, place)
            for name, (look, _), end, place in zip(names, looks, ends, _keep_apart(ends), strict=True)
        ),
        title=f"Accuracy on {task['task']} by labelled training examples",
        description=" ".join(_describe_arm(arm) for arm in arms),
    )


def _label_scale(sizes: Sequence[int]) -> Scale:
    low, high = math.log2(sizes[0]), math.log2(sizes[-1])
    place = scale((low, high), (BEGIN + 22, END - 10))
    return lambda size: place(math.log2(size))


def _extent(arms: Sequence[Document]) -> tuple[float, float]:
    accuracies = [point["accuracy"] for arm in arms for point in arm["points"]]
    numbers = [metric[key] for metric in accuracies for key in ("value", "low", "high") if metric[key] is not None]
    room = 0.03 * (max(numbers) - min(numbers)) or 0.01
    return max(0.0, min(numbers) - room), min(1.0, max(numbers) + room)


def _draw_level(tick: float, y: float) -> Markup:
    return line(BEGIN, y, END, y, "grid") + label(BEGIN - 8, y + 4, f"{tick:g}", anchor="end")


def _describe_sizes(arm: Document) -> list[str]:
    return [
        f"all {count(point['train'])}" if point["labels"] == "all" else count(point["train"]) for point in arm["points"]
    ]


def _looks(arms: Sequence[Document]) -> list[tuple[str, str]]:
    """Return the CSS class and the mark of each arm: arms without an encoder are grey, the others have colours."""
    looks, rivals, others = [], 0, 0
    for arm in arms:
        if arm["encoder"] is None:
            looks.append((f"rival{' dashed' if rivals % 2 else ''}", ARM_MARKS[rivals % 3]))
            rivals += 1
        else:
            repeated = " dashed" if others >= ARM_COLOURS else ""
            looks.append((f"arm{others % ARM_COLOURS}{repeated}", ARM_MARKS[others % 3]))
            others += 1
    return looks


def _keep_apart(ends: Sequence[float]) -> list[float]:
    """Return the heights of the names: the ends of their lines, moved as little as keeps them apart and inside."""
    moved, free = spread(ends, gap=GAP), FLOOR
    for index in sorted(range(len(moved)), key=moved.__getitem__, reverse=True):
        moved[index] = min(moved[index], free)
        free = moved[index] - GAP
    return moved


def _draw_band(arm: Document, x: Scale, y: Scale, look: str) -> Markup:
    """Return the intervals of all points, joined to an area."""
    known = [point for point in arm["points"] if point["accuracy"]["low"] is not None]
    upper = [(x(point["train"]), y(point["accuracy"]["high"])) for point in known]
    lower = [(x(point["train"]), y(point["accuracy"]["low"])) for point in reversed(known)]
    return element("polygon", points=" ".join(f"{a:.2f},{b:.2f}" for a, b in upper + lower), class_=f"{look} band")


def _draw_curve(arm: Document, x: Scale, y: Scale, look: str, shape: str) -> Markup:
    spots = [(x(point["train"]), y(point["accuracy"]["value"])) for point in arm["points"]]
    marks = Markup("").join(mark(shape, *spot, f"{look} spot", size=4.5) for spot in spots)
    return polyline(spots, f"{look} line") + marks


def _draw_name(name: str, look: str, x: float, end: float, place: float) -> Markup:
    """Return the name of a line at height `place`, and a leader from the end of the line to it."""
    leader = polyline([(x + 8, end), (END + 4, end), (END + 16, place), (END + 20, place)], f"{look} leader")
    return leader + label(END + 25, place + 4, name, kind=f"{look} name")


def _describe_arm(arm: Document) -> str:
    accuracies = ", ".join(
        f"{share(point['accuracy']['value'])} with {words}"
        for point, words in zip(arm["points"], _describe_sizes(arm), strict=True)
    )
    return f"{arm['title']}: {accuracies}."
