"""Test examples on a plane as SVG, a colour and a shape per class; the page's style sheet gives the colours."""

from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, percent, plural, shorten
from pipeline.report.charts.svg import CHART_WIDTH, Scale, element, flow, image, label, scale, text_width

PLANE, MARGIN, LINE_HEIGHT = 300.0, 22.0, 18.0
# SVG path segments drawn from a point on, all of about the same area. A class is told by its colour and its shape.
CLASS_SHAPES = (
    "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",  # circle
    "m-2.6-2.6h5.2v5.2h-5.2z",  # square
    "m-3.4 2.4h6.8l-3.4-5.9z",  # triangle
    "m-3.8 0l3.8-3.8 3.8 3.8-3.8 3.8z",  # diamond
    "m-3.4-2.4h6.8l-3.4 5.9z",  # triangle on its tip
    "m-1.2-3.6h2.4v2.4h2.4v2.4h-2.4v2.4h-2.4v-2.4h-2.4v-2.4h2.4z",  # cross
    "m-4-1.4h8v2.8h-8z",  # bar
)
OTHER_SHAPE = "m-1.8 0a1.8 1.8 0 1 0 3.6 0a1.8 1.8 0 1 0-3.6 0"  # of all classes without a shape of their own
RING = "m-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0"  # around an error


def draw_projection(labels: Sequence[str], document: Document) -> Markup:
    """Return the points, a ring around each that the model gets wrong, and the legend below.

    The classes with the most points have a colour and a shape each; all others share one.
    """
    points = document["points"]
    sizes = Counter(point["actual"] for point in points)
    ranked = sorted(sizes, key=lambda index: (-sizes[index], index))
    own = sorted(ranked[: len(CLASS_SHAPES)])
    looks = {index: (place, CLASS_SHAPES[place]) for place, index in enumerate(own)}
    x, y = _scales(points)
    parts = []
    for index in ranked:  # rare classes last, on top
        places = [f"M{x(point['x']):.1f} {y(point['y']):.1f}" for point in points if point["actual"] == index]
        kind, shape = _look(looks, index)
        parts.append(element("path", d="".join(place + shape for place in places), class_=f"{kind} dot"))
    wrong = [point for point in points if point["actual"] != point["predicted"]]
    rings = "".join(f"M{x(point['x']):.1f} {y(point['y']):.1f}{RING}" for point in wrong)
    legend, bottom = _draw_legend(labels, own, looks, others=len(ranked) > len(own), wrong=bool(wrong))
    across, up = document["explained"]
    return image(
        CHART_WIDTH,
        bottom,
        element("rect", x=MARGIN, y=1.0, width=CHART_WIDTH - MARGIN - 1, height=PLANE - 2, class_="frame"),
        *parts,
        *([element("path", d=rings, class_="ring")] if wrong else []),
        label((MARGIN + CHART_WIDTH) / 2, PLANE + 14,
              f"first component: {percent(round(across, 3))} of the variance", kind="axis", anchor="middle"),
        label(13, PLANE / 2, f"second component: {percent(round(up, 3))}", kind="axis", anchor="middle", turn=-90),
        *legend,
        title="Features of the frozen encoder for test examples",
        description=f"{plural(len(points), 'test example')} on the first two principal components of their features. "
        + "; ".join(f"{labels[index]}: {count(sizes[index])}" for index in own)
        + f". The fine-tuned model gets {count(len(wrong))} of them wrong.",
    )  # fmt: skip


def _scales(points: Sequence[Document]) -> tuple[Scale, Scale]:
    """Return the scales of both axes; the points fill the frame."""
    spans = []
    for axis in ("x", "y"):
        values = [point[axis] for point in points] or [0.0]
        room = 0.03 * (max(values) - min(values))
        spans.append((min(values) - room, max(values) + room))
    return scale(spans[0], (MARGIN + 8, CHART_WIDTH - 9)), scale(spans[1], (PLANE - 9, 9))


def _look(looks: Mapping[int, tuple[int, str]], index: int) -> tuple[str, str]:
    place, shape = looks.get(index, (-1, OTHER_SHAPE))
    return ("rest" if place < 0 else f"class-{place}"), shape


def _draw_legend(
    labels: Sequence[str], own: Sequence[int], looks: Mapping[int, tuple[int, str]], *, others: bool, wrong: bool
) -> tuple[list[Markup], float]:
    """Return the entries, from left to right and line by line, and the bottom of the last line."""
    entries = [(shorten(labels[index], 24), *_look(looks, index)) for index in own]
    entries += [("other classes", "rest", OTHER_SHAPE)] if others else []
    entries += [("fine-tuned model wrong", "ring", RING)] if wrong else []
    parts, baseline = [], PLANE + 38
    places = flow([text_width(name) + 30 for name, _, _ in entries], start=MARGIN, stop=CHART_WIDTH)
    for (name, kind, shape), (left, row) in zip(entries, places, strict=True):
        baseline = PLANE + 38 + row * LINE_HEIGHT
        spot = f"M{left + 6:.1f} {baseline - 4:.1f}{shape}"
        parts += [
            element("path", d=spot, class_=kind if kind == "ring" else f"{kind} dot"),
            label(left + 16, baseline, name),
        ]
    return parts, baseline + 6
