"""The calibration, learning and pretraining curves as SVG."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, interval, plural, share
from pipeline.evaluate.estimate import Estimate, wilson_interval
from pipeline.evaluate.kind import Metric
from pipeline.report.charts.svg import (
    CHART_WIDTH,
    Scale,
    draw_levels,
    element,
    image,
    label,
    left_margin,
    line,
    mark,
    name_ticks,
    polyline,
    scale,
    spread,
    text_width,
    ticks,
)

RIGHT = CHART_WIDTH - 82  # end of the curves by step, whose lines are named there
UPPER, LOWER = (20.0, 142.0), (166.0, 288.0)  # top and bottom of the two panels
FEW = 6  # evaluations whose own steps are the ticks


class Series(NamedTuple):
    """A line of a panel: the key of its values in the history, its name, and the mark that stands for it."""

    key: str
    name: str
    shape: str
    kind: str


LOSSES = (Series("train_loss", "training", "square", "second"), Series("loss", "validation", "circle", "first"))
SCORE_LOOKS = (("circle", "first"), ("diamond", "third"), ("square", "second"))
PERPLEXITY = (Series("perplexity", "held-out", "circle", "first"),)
CORRECT_SHARES = (
    Series("accuracy", "words", "circle", "first"),
    Series("pair_accuracy", "pairs", "diamond", "third"),
)


# ------------------------------------------------------------------------------------------------ calibration
def draw_calibration(bins: Sequence[Document], level: float) -> Markup:
    """Return the accuracy by confidence, above a strip with the number of examples in each bin.

    A bin of few examples has a long interval, at a confidence level of `level`.
    """
    side, strip = 240.0, 40.0
    parts = ticks(0, 1, most=6)
    x, y = scale((0, 1), (left_margin(name_ticks(parts)), CHART_WIDTH - 12)), scale((0, 1), (8 + side, 8))
    floor = side + strip + 18
    used = [bucket for bucket in bins if bucket["count"]]
    accuracies = [
        wilson_interval(round(bucket["accuracy"] * bucket["count"]), bucket["count"], confidence=level)
        for bucket in used
    ]
    spots = [(x(bucket["confidence"]), y(bucket["accuracy"])) for bucket in used]
    height = scale((0, max((bucket["count"] for bucket in used), default=1)), (0, strip))
    return image(
        CHART_WIDTH,
        floor + 38,
        draw_levels(parts, y, start=x(0), stop=x(1)),
        *(label(x(at), floor + 16, name, anchor="middle") for at, name in zip(parts, name_ticks(parts), strict=True)),
        line(x(0), y(0), x(1), y(1), "ideal"),
        label(x(0.03), y(0.93), "underconfident", kind="note"),
        label(x(0.97), y(0.04), "overconfident", kind="note", anchor="end"),
        *(_draw_interval(at, accuracy, y) for (at, _), accuracy in zip(spots, accuracies, strict=True)),
        polyline(spots, "first line"),
        *(mark("circle", *spot, "first spot") for spot in spots),
        *(_draw_bin(x(bucket["low"]), x(bucket["high"]), floor, height(bucket["count"])) for bucket in used),
        line(x(0), floor, x(1), floor, "base"),
        label(11, y(0.5), "accuracy", kind="axis", anchor="middle", turn=-90),
        label(x(0.5), floor + 33, "confidence (bars: examples)", kind="axis", anchor="middle"),
        title="Calibration curve",
        description=" ".join(map(_describe_bin, used, accuracies)),
    )


def _draw_interval(x: float, accuracy: Estimate, y: Scale) -> Markup:
    return line(x, y(accuracy.low or 0.0), x, y(accuracy.high or 0.0), "first range")


def _describe_bin(bucket: Document, accuracy: Estimate) -> str:
    return (
        f"Confidence {share(bucket['confidence'])}: accuracy {share(accuracy.value)} "
        f"{interval(accuracy.low, accuracy.high)} on {plural(bucket['count'], 'example')}."
    )


def _draw_bin(left: float, right: float, floor: float, height: float) -> Markup:
    return element("rect", x=left + 1, y=floor - height, width=max(right - left - 2, 1.0), height=height, class_="bar")


# ------------------------------------------------------------------------------------------------ training
class Panel(NamedTuple):
    """A panel: the name of its axis, the corners of each of its lines by step, and the values that it covers."""

    name: str
    curves: dict[Series, list[tuple[float, float]]]
    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        """The ticks of its axis."""
        return ticks(self.low, self.high, most=4)


def draw_learning_curve(history: Document, metrics: Sequence[Metric]) -> Markup:
    """Return the losses above, the metrics on validation below, by step; the best step is marked.

    Of the `metrics` those count that the training knows, three at most.
    """
    best, rows = history["best"], history["evaluations"]
    known = [metric for metric in metrics if metric.name in best]
    scores = [Series(one.name, one.title, *look) for one, look in zip(known, SCORE_LOOKS, strict=False)]
    named = [f"loss {share(best['loss'])}", *(f"{series.name} {share(best[series.key])}" for series in scores)]
    return _draw_panels(
        rows,
        (_read_panel(rows, "loss", LOSSES), _read_panel(rows, "validation", scores)),
        best=best["step"],
        title="Learning curve",
        description=f"{plural(len(rows), 'evaluation')} on validation. The best is at step {count(best['step'])}: "
        f"{', '.join(named)}.",
    )


def draw_pretraining_curve(history: Document) -> Markup:
    """Return the perplexity of masked words above, the accuracy on words and pairs below, by step."""
    best, rows = history["best"], history["evaluations"]
    return _draw_panels(
        rows,
        (_read_panel(rows, "perplexity", PERPLEXITY), _read_panel(rows, "accuracy", CORRECT_SHARES)),
        best=None,
        title="Pretraining curve",
        description=f"{plural(len(rows), 'evaluation')} on held-out documents. Step {count(best['step'])}: perplexity "
        f"{best['perplexity']:.1f}, words right {share(best['accuracy'])}.",
    )


def _read_panel(rows: Sequence[Document], name: str, series: Sequence[Series]) -> Panel:
    """Return the panel of the series that have values."""
    curves = {entry: [(row["step"], row[entry.key]) for row in rows if row[entry.key] is not None] for entry in series}
    curves = {entry: corners for entry, corners in curves.items() if corners}
    values = [value for corners in curves.values() for _, value in corners] or [0.0, 1.0]
    room = 0.06 * (max(values) - min(values)) or 0.05
    return Panel(name, curves, min(values) - room, max(values) + room)


def _draw_panels(
    rows: Sequence[Document], panels: tuple[Panel, Panel], *, best: int | None, title: str, description: str
) -> Markup:
    """Return two panels over one axis of steps; `best` is a step to mark."""
    last = float(max((row["step"] for row in rows), default=1))
    start = left_margin([name for panel in panels for name in name_ticks(panel.ticks)])
    x = scale((0, last), (start, RIGHT))
    return image(
        CHART_WIDTH,
        LOWER[1] + 38,
        *([] if best is None else [_draw_best(best, x(best))]),
        *(_draw_panel(panel, x, start, edges) for panel, edges in zip(panels, (UPPER, LOWER), strict=True)),
        *(label(x(tick), LOWER[1] + 16, count(tick), anchor="middle") for tick in _step_ticks(rows, last, x)),
        label(x(last / 2), LOWER[1] + 33, "step", kind="axis", anchor="middle"),
        title=title,
        description=description,
    )


def _draw_best(step: int, x: float) -> Markup:
    words = f"best: step {count(step)}"
    return line(x, 14, x, LOWER[1], "best") + label(x, 9, words, kind="note", anchor="middle")


def _step_ticks(rows: Sequence[Document], last: float, x: Scale) -> list[float]:
    """Return the last step and, if their labels have room, those before it: of few evaluations all, else round ones."""
    own = [0.0, *(float(row["step"]) for row in rows)]
    wanted = own if len(rows) <= FEW else [tick for tick in ticks(0, last) if tick == round(tick)]
    kept = [last]
    for tick in sorted(wanted, reverse=True):
        room = (text_width(count(kept[-1])) + text_width(count(tick))) / 2 + 6
        kept += [tick] if x(kept[-1]) - x(tick) >= room else []
    return kept


def _draw_panel(panel: Panel, x: Scale, start: float, edges: tuple[float, float]) -> Markup:
    top, bottom = edges
    y = scale((panel.low, panel.high), (bottom, top))
    heights = spread([y(corners[-1][1]) + 4 for corners in panel.curves.values()], gap=14)
    return Markup("").join(
        (
            draw_levels(panel.ticks, y, start=start, stop=RIGHT),
            line(start, bottom, RIGHT, bottom, "base"),
            label(11, (top + bottom) / 2, panel.name, kind="axis", anchor="middle", turn=-90),
            *(
                _draw_series(entry, [(x(step), y(value)) for step, value in corners])
                for entry, corners in panel.curves.items()
            ),
            *(
                label(RIGHT + 8, height, entry.name, kind=f"{entry.kind} name")
                for entry, height in zip(panel.curves, heights, strict=True)
            ),
        )
    )


def _draw_series(entry: Series, spots: Sequence[tuple[float, float]]) -> Markup:
    marks = Markup("").join(mark(entry.shape, *spot, f"{entry.kind} spot", size=3.5) for spot in spots)
    return polyline(spots, f"{entry.kind} line") + marks
