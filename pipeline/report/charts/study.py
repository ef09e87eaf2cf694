"""Accuracy against labels as SVG: one line an arm with its band, named where it ends."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, share, shorten
from pipeline.report.charts.svg import Scale, drawing, element, line, mark, path, scale, spread, text, text_width, ticks

HEIGHT, TOP, FLOOR = 430.0, 14.0, 376.0
LEFT, PLOT, GAP = 56.0, 470.0, 17.0
SHAPES = ("circle", "diamond", "square")
COLOURS = 6  # that the style sheet has for arms; later ones take them again, with another mark and dashes


def transfer(task: Document) -> Markup:
    """Return the learning curves of a task's arms; the axis of labels is logarithmic, so each doubling is as wide."""
    arms = task["arms"]
    sizes = [point["train"] for point in arms[0]["points"]]
    names = [shorten(arm["title"], 40) for arm in arms]
    x, y = _across(sizes), _up(arms)
    looks = _looks(arms)
    ends = [y(arm["points"][-1]["accuracy"]["value"]) for arm in arms]
    places = _apart(ends)
    stop = LEFT + PLOT
    return drawing(
        stop + 36 + max(map(text_width, names)),
        HEIGHT,
        *(_height(tick, y(tick), stop) for tick in _values(arms)),
        *(line(x(size), TOP, x(size), FLOOR, "grid") for size in sizes),
        line(LEFT, FLOOR, stop, FLOOR, "base"),
        *(
            text(x(size), FLOOR + 18, words, anchor="middle")
            for size, words in zip(sizes, _sizes(arms[0]), strict=True)
        ),
        text(LEFT + PLOT / 2, FLOOR + 40, "labelled training examples (log scale)", kind="axis", anchor="middle"),
        text(14, (TOP + FLOOR) / 2, "test accuracy", kind="axis", anchor="middle", turn=-90),
        *(_band(arm, x, y, look) for arm, (look, _) in zip(arms, looks, strict=True)),
        *(_curve(arm, x, y, look, shape) for arm, (look, shape) in zip(arms, looks, strict=True)),
        *(
            _name(name, look, x(sizes[-1]), end, place, stop)
            for name, (look, _), end, place in zip(names, looks, ends, places, strict=True)
        ),
        title=f"Accuracy on {task['task']} by labelled training examples",
        description=" ".join(_words(arm) for arm in arms),
    )


def _across(sizes: Sequence[int]) -> Scale:
    """Return the place of a number of labels."""
    low, high = math.log2(sizes[0]), math.log2(sizes[-1])
    inner = scale((low, high), (LEFT + 22, LEFT + PLOT - 10))
    return lambda size: inner(math.log2(size))


def _extent(arms: Sequence[Document]) -> tuple[float, float]:
    found = [point["accuracy"] for arm in arms for point in arm["points"]]
    numbers = [one[key] for one in found for key in ("value", "low", "high") if one[key] is not None]
    room = 0.03 * (max(numbers) - min(numbers)) or 0.01
    return max(0.0, min(numbers) - room), min(1.0, max(numbers) + room)


def _up(arms: Sequence[Document]) -> Scale:
    return scale(_extent(arms), (FLOOR, TOP))


def _values(arms: Sequence[Document]) -> list[float]:
    return ticks(*_extent(arms), most=7)


def _height(tick: float, y: float, stop: float) -> Markup:
    return line(LEFT, y, stop, y, "grid") + text(LEFT - 8, y + 4, f"{tick:g}", anchor="end")


def _sizes(arm: Document) -> list[str]:
    return [f"all {count(one['train'])}" if one["labels"] == "all" else count(one["train"]) for one in arm["points"]]


def _looks(arms: Sequence[Document]) -> list[tuple[str, str]]:
    """Return the class and the mark of each arm: those without an encoder are grey, the others have colours."""
    looks, rivals, others = [], 0, 0
    for arm in arms:
        if arm["encoder"] is None:
            looks.append((f"rival{' dashed' if rivals % 2 else ''}", SHAPES[rivals % 3]))
            rivals += 1
        else:
            again = " dashed" if others >= COLOURS else ""
            looks.append((f"arm{others % COLOURS}{again}", SHAPES[others % 3]))
            others += 1
    return looks


def _apart(ends: Sequence[float]) -> list[float]:
    """Return where the names stand: at the ends of their lines, moved as little as keeps them apart and inside."""
    moved = spread(ends, gap=GAP)
    below = max(0.0, max(moved) - FLOOR)
    pushed = spread([-place for place in (one - below for one in moved)], gap=GAP) if below else None
    return moved if pushed is None else [-place for place in pushed]


def _band(arm: Document, x: Scale, y: Scale, look: str) -> Markup:
    """Return the interval of each point, joined to an area."""
    known = [point for point in arm["points"] if point["accuracy"]["low"] is not None]
    upper = [(x(point["train"]), y(point["accuracy"]["high"])) for point in known]
    lower = [(x(point["train"]), y(point["accuracy"]["low"])) for point in reversed(known)]
    return element("polygon", points=" ".join(f"{a:.2f},{b:.2f}" for a, b in upper + lower), class_=f"{look} band")


def _curve(arm: Document, x: Scale, y: Scale, look: str, shape: str) -> Markup:
    spots = [(x(point["train"]), y(point["accuracy"]["value"])) for point in arm["points"]]
    return path(spots, f"{look} line") + Markup("").join(mark(shape, *spot, f"{look} spot", size=4.5) for spot in spots)


def _name(name: str, look: str, x: float, end: float, place: float, stop: float) -> Markup:
    """Return the name of a line beside its end, and what leads from one to the other where it had to move."""
    leader = path([(x + 8, end), (stop + 4, end), (stop + 16, place), (stop + 20, place)], f"{look} leader")
    return leader + text(stop + 25, place + 4, name, kind=f"{look} name")


def _words(arm: Document) -> str:
    found = ", ".join(
        f"{share(point['accuracy']['value'])} with {words}"
        for point, words in zip(arm["points"], _sizes(arm), strict=True)
    )
    return f"{arm['title']}: {found}."


# ------------------------------------------------------------------------------------------------ a file of its own
def standalone(chart: Markup, css: str) -> str:
    """Return a chart as an SVG file that needs nothing else; `css` are the rules it is drawn with."""
    head, _, rest = str(chart).partition(">")
    opened = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f'{opened}><style>{css}</style><rect class="ground" width="100%" height="100%"/>{rest}\n'
