"""The calibration, learning and pretraining curves as SVG."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, plural, share
from pipeline.report.charts.svg import (
    CHART_WIDTH,
    Scale,
    element,
    image,
    label,
    line,
    mark,
    polyline,
    scale,
    spread,
    ticks,
)

CURVE_LEFT = 44.0
# Curves by step have wide tick labels beside a turned axis name, and their lines are named at their ends.
START, RIGHT = 58.0, CHART_WIDTH - 82
UPPER, LOWER = (20.0, 142.0), (166.0, 288.0)  # top and bottom of the two panels


class Series(NamedTuple):
    """A line of a panel: the key of its values in the history, its name, and the mark that stands for it."""

    key: str
    name: str
    shape: str
    kind: str


LOSSES = (Series("train_loss", "training", "square", "second"), Series("loss", "validation", "circle", "first"))
SCORES = (Series("accuracy", "accuracy", "circle", "first"), Series("macro_f1", "macro-F1", "diamond", "third"))
PERPLEXITY = (Series("perplexity", "held-out", "circle", "first"),)
CORRECT_SHARES = (
    Series("accuracy", "words", "circle", "first"),
    Series("pair_accuracy", "pairs", "diamond", "third"),
)


# ------------------------------------------------------------------------------------------------ calibration
def draw_calibration(bins: Sequence[Document]) -> Markup:
    """Return the accuracy by confidence, above a strip with the number of examples in each bin."""
    side, strip = 240.0, 40.0
    x, y = scale((0, 1), (CURVE_LEFT, CHART_WIDTH - 8)), scale((0, 1), (8 + side, 8))
    floor = side + strip + 18
    used = [bucket for bucket in bins if bucket["count"]]
    spots = [(x(bucket["confidence"]), y(bucket["accuracy"])) for bucket in used]
    height = scale((0, max((bucket["count"] for bucket in used), default=1)), (0, strip))
    return image(
        CHART_WIDTH,
        floor + 38,
        *(line(x(0), y(tick), x(1), y(tick), "grid") + _draw_tick(y(tick), tick) for tick in ticks(0, 1, most=6)),
        *(label(x(tick), floor + 16, f"{tick:g}", anchor="middle") for tick in ticks(0, 1, most=6)),
        line(x(0), y(0), x(1), y(1), "ideal"),
        label(x(0.03), y(0.93), "underconfident", kind="note"),
        label(x(0.97), y(0.04), "overconfident", kind="note", anchor="end"),
        polyline(spots, "first line"),
        *(mark("circle", *spot, "first spot") for spot in spots),
        *(_draw_bin(x(bucket["low"]), x(bucket["high"]), floor, height(bucket["count"])) for bucket in used),
        line(x(0), floor, x(1), floor, "base"),
        label(11, y(0.5), "accuracy", kind="axis", anchor="middle", turn=-90),
        label(x(0.5), floor + 33, "confidence (bars: examples)", kind="axis", anchor="middle"),
        title="Calibration curve",
        description=" ".join(
            f"Confidence {share(bucket['confidence'])}: accuracy {share(bucket['accuracy'])} on "
            f"{plural(bucket['count'], 'example')}."
            for bucket in used
        ),
    )


def _draw_bin(left: float, right: float, floor: float, height: float) -> Markup:
    return element("rect", x=left + 1, y=floor - height, width=max(right - left - 2, 1.0), height=height, class_="bar")


def _draw_tick(y: float, tick: float) -> Markup:
    return label(CURVE_LEFT - 7, y + 4, f"{tick:g}", anchor="end")


# ------------------------------------------------------------------------------------------------ training
def draw_learning_curve(history: Document) -> Markup:
    """Return the losses above, validation accuracy and macro-F1 below, by step; the best step is marked."""
    best, rows = history["best"], history["evaluations"]
    x = _step_scale(rows)
    return _draw_panels(
        rows,
        line(x(best["step"]), 14, x(best["step"]), LOWER[1], "best"),
        label(x(best["step"]), 9, f"best: step {count(best['step'])}", kind="note", anchor="middle"),
        upper=("loss", LOSSES),
        lower=("validation", SCORES),
        title="Learning curve",
        description=f"{plural(len(rows), 'evaluation')} on validation. The best is at step {count(best['step'])}: "
        f"loss {share(best['loss'])}, accuracy {share(best['accuracy'])}, macro-F1 {share(best['macro_f1'])}.",
    )


def draw_pretraining_curve(history: Document) -> Markup:
    """Return the perplexity of masked words above, the accuracy on words and pairs below, by step."""
    best, rows = history["best"], history["evaluations"]
    return _draw_panels(
        rows,
        upper=("perplexity", PERPLEXITY),
        lower=("accuracy", CORRECT_SHARES),
        title="Pretraining curve",
        description=f"{plural(len(rows), 'evaluation')} on held-out documents. Step {count(best['step'])}: perplexity "
        f"{best['perplexity']:.1f}, words right {share(best['accuracy'])}.",
    )


def _draw_panels(
    rows: Sequence[Document],
    *background: Markup,
    upper: tuple[str, Sequence[Series]],
    lower: tuple[str, Sequence[Series]],
    title: str,
    description: str,
) -> Markup:
    """Return two panels, each with its name and its lines, over one axis of steps; `background` is drawn first."""
    x, last = _step_scale(rows), _last_step(rows)
    steps = [tick for tick in ticks(0, last) if tick == round(tick)]
    return image(
        CHART_WIDTH,
        LOWER[1] + 38,
        *background,
        _draw_panel(rows, upper[1], upper[0], x, UPPER),
        _draw_panel(rows, lower[1], lower[0], x, LOWER),
        *(label(x(tick), LOWER[1] + 16, count(tick), anchor="middle") for tick in steps),
        label(x(last / 2), LOWER[1] + 33, "step", kind="axis", anchor="middle"),
        title=title,
        description=description,
    )


def _step_scale(rows: Sequence[Document]) -> Scale:
    return scale((0, _last_step(rows)), (START, RIGHT))


def _last_step(rows: Sequence[Document]) -> float:
    return float(max((row["step"] for row in rows), default=1))


def _draw_panel(
    rows: Sequence[Document], series: Sequence[Series], name: str, x: Scale, edges: tuple[float, float]
) -> Markup:
    curves = {entry: [(row["step"], row[entry.key]) for row in rows if row[entry.key] is not None] for entry in series}
    curves = {entry: points for entry, points in curves.items() if points}
    values = [value for points in curves.values() for _, value in points] or [0.0, 1.0]
    room = 0.06 * (max(values) - min(values)) or 0.05
    low, high = min(values) - room, max(values) + room
    top, bottom = edges
    y = scale((low, high), (bottom, top))
    start, end = x(0), RIGHT
    heights = spread([y(points[-1][1]) + 4 for points in curves.values()], gap=14)
    return Markup("").join(
        (
            *(
                line(start, y(tick), end, y(tick), "grid") + _draw_tick(y(tick), tick)
                for tick in ticks(low, high, most=4)
            ),
            line(start, bottom, end, bottom, "base"),
            label(11, (top + bottom) / 2, name, kind="axis", anchor="middle", turn=-90),
            *(_draw_series(entry, [(x(step), y(value)) for step, value in points]) for entry, points in curves.items()),
            *(
                label(end + 8, height, entry.name, kind=f"{entry.kind} name")
                for entry, height in zip(curves, heights, strict=True)
            ),
        )
    )


def _draw_series(entry: Series, spots: Sequence[tuple[float, float]]) -> Markup:
    marks = Markup("").join(mark(entry.shape, *spot, f"{entry.kind} spot", size=3.5) for spot in spots)
    return polyline(spots, f"{entry.kind} line") + marks
