"""The test examples on a plane as SVG, a colour and a shape a class; colours come from the page's style sheet."""

from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, percent, plural, shorten
from pipeline.report.charts.svg import Scale, drawing, element, scale, text, text_width

WIDTH, HEIGHT, LEFT, GAP = 380.0, 300.0, 22.0, 18.0
# What to draw from a point on; the shapes have about the same area. With the colour each is a class of its own.
SHAPES = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",  # circle
    "m-2.6-2.6h5.2v5.2h-5.2z",  # square
    "m-3.4 2.4h6.8l-3.4-5.9z",  # triangle
    "m-3.8 0l3.8-3.8 3.8 3.8-3.8 3.8z",  # diamond
    "m-3.4-2.4h6.8l-3.4 5.9z",  # triangle on its tip
    "m-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z",  # cross
    "m-4-1.4h8v2.8h-8z",  # bar
)
REST = "m-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0"  # of all classes that have no shape of their own
RING = "m-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0"  # around an error


def projection(labels: Sequence[str], found: Document) -> Markup:
    """Return the points, a ring around each that the model gets wrong, and the legend below.

    The classes with the most points have a colour and a shape each, all others share one.
    """
    points = found["points"]
    sizes = Counter(point["actual"] for point in points)
    ranked = sorted(sizes, key=lambda index: (-sizes[index], index))
    own = sorted(ranked[: len(SHAPES)])
    looks = {index: (place, SHAPES[place]) for place, index in enumerate(own)}
    x, y = _scales(points)
    parts = []
    for index in ranked:  # rare classes last, on top
        places = [f"M{x(one['x']):.1f} {y(one['y']):.1f}" for one in points if one["actual"] == index]
        kind, shape = _look(looks, index)
        parts.append(element("path", d="".join(place + shape for place in places), class_=f"{kind} dot"))
    wrong = [one for one in points if one["actual"] != one["predicted"]]
    rings = "".join(f"M{x(one['x']):.1f} {y(one['y']):.1f}{RING}" for one in wrong)
    legend, bottom = _legend(labels, own, looks, rest=len(ranked) > len(own), wrong=bool(wrong))
    across, up = found["explained"]
    return drawing(
        WIDTH,
        bottom,
        element("rect", x=LEFT, y=1.0, width=WIDTH - LEFT - 1, height=HEIGHT - 2, class_="frame"),
        *parts,
        *([element("path", d=rings, class_="ring")] if wrong else []),
        text((LEFT + WIDTH) / 2, HEIGHT + 14, f"first direction: {percent(round(across, 3))} of the variance",
             kind="axis", anchor="middle"),
        text(13, HEIGHT / 2, f"second direction: {percent(round(up, 3))}", kind="axis", anchor="middle", turn=-90),
        *legend,
        title="Test examples as the frozen encoder sees them",
        description=f"{plural(len(points), 'test example')} on two principal components of their features. "
        + "; ".join(f"{labels[index]}: {count(sizes[index])}" for index in own)
        + f". {count(len(wrong))} of them the fine-tuned model gets wrong.",
    )  # fmt: skip


def _scales(points: Sequence[Document]) -> tuple[Scale, Scale]:
    """Return the scales of both axes: the points fill the frame."""
    spans = []
    for axis in ("x", "y"):
        values = [point[axis] for point in points] or [0.0]
        room = 0.03 * (max(values) - min(values))
        spans.append((min(values) - room, max(values) + room))
    return scale(spans[0], (LEFT + 8, WIDTH - 9)), scale(spans[1], (HEIGHT - 9, 9))


def _look(looks: Mapping[int, tuple[int, str]], index: int) -> tuple[str, str]:
    place, shape = looks.get(index, (-1, REST))
    return ("rest" if place < 0 else f"class-{place}"), shape


def _legend(
    labels: Sequence[str], own: Sequence[int], looks: Mapping[int, tuple[int, str]], *, rest: bool, wrong: bool
) -> tuple[list[Markup], float]:
    """Return the entries, from left to right and line by line, and where they end."""
    entries = [(shorten(labels[index], 24), *_look(looks, index)) for index in own]
    entries += [("other classes", "rest", REST)] if rest else []
    entries += [("fine-tuned model wrong", "ring", RING)] if wrong else []
    parts, left, line = [], LEFT, HEIGHT + 38
    for name, kind, shape in entries:
        needed = text_width(name) + 30
        if left > LEFT and left + needed > WIDTH:
            left, line = LEFT, line + GAP
        spot = f"M{left + 6:.1f} {line - 4:.1f}{shape}"
        parts += [
            element("path", d=spot, class_=kind if kind == "ring" else f"{kind} dot"),
            text(left + 16, line, name),
        ]
        left += needed
    return parts, line + 6
