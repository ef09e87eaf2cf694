"""The calibration curve and the learning curve as SVG."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from pipeline.core.document import Document
from pipeline.core.format import count, plural, share
from pipeline.report.charts.svg import Scale, drawing, element, line, mark, path, scale, spread, text, ticks

WIDTH = 380.0
LEFT = 44.0
# The learning curve has wide ticks beside a turned name, and its lines are named at their ends.
START, RIGHT = 58.0, WIDTH - 82


class Series(NamedTuple):
    """A line of a panel: the key of its values in the history, its name, and the mark that stands for it."""

    key: str
    name: str
    shape: str
    kind: str


LOSSES = (Series("train_loss", "training", "square", "second"), Series("loss", "validation", "circle", "first"))
SURPRISE = (Series("perplexity", "held-out", "circle", "first"),)
RIGHT_ANSWERS = (
    Series("accuracy", "words", "circle", "first"),
    Series("pair_accuracy", "pairs", "diamond", "third"),
    Series("found_accuracy", "replaced", "square", "second"),
)
SCORES = (Series("accuracy", "accuracy", "circle", "first"), Series("macro_f1", "macro-F1", "diamond", "third"))


# ------------------------------------------------------------------------------------------------ calibration
def reliability(bins: Sequence[Document]) -> Markup:
    """Return how often the model is right against how sure it is, above a strip with the examples in each bin."""
    side, strip = 240.0, 40.0
    x, y = scale((0, 1), (LEFT, WIDTH - 8)), scale((0, 1), (8 + side, 8))
    floor = side + strip + 18
    used = [bucket for bucket in bins if bucket["count"]]
    spots = [(x(bucket["confidence"]), y(bucket["accuracy"])) for bucket in used]
    height = scale((0, max((bucket["count"] for bucket in used), default=1)), (0, strip))
    return drawing(
        WIDTH,
        floor + 38,
        *(line(x(0), y(tick), x(1), y(tick), "grid") + _left(y(tick), tick) for tick in ticks(0, 1, most=6)),
        *(text(x(tick), floor + 16, f"{tick:g}", anchor="middle") for tick in ticks(0, 1, most=6)),
        line(x(0), y(0), x(1), y(1), "ideal"),
        text(x(0.03), y(0.93), "more often right than sure", kind="note"),
        text(x(0.97), y(0.04), "more sure than right", kind="note", anchor="end"),
        path(spots, "first line"),
        *(mark("circle", *spot, "first spot") for spot in spots),
        *(_bar(x(bucket["low"]), x(bucket["high"]), floor, height(bucket["count"])) for bucket in used),
        line(x(0), floor, x(1), floor, "base"),
        text(11, y(0.5), "share right", kind="axis", anchor="middle", turn=-90),
        text(x(0.5), floor + 33, "confidence (bars: examples)", kind="axis", anchor="middle"),
        title="Calibration curve",
        description=" ".join(
            f"Confidence {share(bucket['confidence'])}: {share(bucket['accuracy'])} right of {count(bucket['count'])}."
            for bucket in used
        ),
    )


def _bar(left: float, right: float, floor: float, height: float) -> Markup:
    return element("rect", x=left + 1, y=floor - height, width=max(right - left - 2, 1.0), height=height, class_="bar")


def _left(y: float, tick: float) -> Markup:
    return text(LEFT - 7, y + 4, f"{tick:g}", anchor="end")


# ------------------------------------------------------------------------------------------------ training
def learning(history: Document) -> Markup:
    """Return the losses above and the validation accuracy and macro-F1 below, by step, the best step marked."""
    best, rows = history["best"], history["evaluations"]
    last = float(max((row["step"] for row in rows), default=1))
    x, bottom = scale((0, last), (START, RIGHT)), 288.0
    return drawing(
        WIDTH,
        bottom + 38,
        line(x(best["step"]), 14, x(best["step"]), bottom, "best"),
        text(x(best["step"]), 9, f"best: step {count(best['step'])}", kind="note", anchor="middle"),
        _panel(rows, LOSSES, "loss", x, (20, 142)),
        _panel(rows, SCORES, "validation", x, (166, bottom)),
        *(text(x(tick), bottom + 16, count(tick), anchor="middle") for tick in ticks(0, last) if tick == round(tick)),
        text(x(last / 2), bottom + 33, "step", kind="axis", anchor="middle"),
        title="Learning curve",
        description=f"{plural(len(rows), 'evaluation')} on validation. The best is at step {count(best['step'])}: "
        f"loss {share(best['loss'])}, accuracy {share(best['accuracy'])}, macro-F1 {share(best['macro_f1'])}.",
    )


def pretraining(history: Document) -> Markup:
    """Return the perplexity of hidden words above, and the shares right of words and pairs below, by step."""
    best, rows = history["best"], history["evaluations"]
    last = float(max((row["step"] for row in rows), default=1))
    x, bottom = scale((0, last), (START, RIGHT)), 288.0
    return drawing(
        WIDTH,
        bottom + 38,
        _panel(rows, SURPRISE, "perplexity", x, (20, 142)),
        _panel(rows, RIGHT_ANSWERS, "share right", x, (166, bottom)),
        *(text(x(tick), bottom + 16, count(tick), anchor="middle") for tick in ticks(0, last) if tick == round(tick)),
        text(x(last / 2), bottom + 33, "step", kind="axis", anchor="middle"),
        title="Pretraining curve",
        description=f"{plural(len(rows), 'evaluation')} on held-out documents. Step {count(best['step'])}: perplexity "
        f"{best['perplexity']:.1f}, words right {share(best['accuracy'])}.",
    )


def _panel(
    rows: Sequence[Document], series: Sequence[Series], name: str, x: Scale, edges: tuple[float, float]
) -> Markup:
    lines = {one: [(row["step"], row[one.key]) for row in rows if row[one.key] is not None] for one in series}
    lines = {one: values for one, values in lines.items() if values}
    values = [value for pairs in lines.values() for _, value in pairs] or [0.0, 1.0]
    room = 0.06 * (max(values) - min(values)) or 0.05
    low, high = min(values) - room, max(values) + room
    y = scale((low, high), (edges[1], edges[0]))
    start, end = x(0), RIGHT
    ends = spread([y(pairs[-1][1]) + 4 for pairs in lines.values()], gap=14)
    return Markup("").join(
        (
            *(line(start, y(tick), end, y(tick), "grid") + _left(y(tick), tick) for tick in ticks(low, high, most=4)),
            line(start, edges[1], end, edges[1], "base"),
            text(11, sum(edges) / 2, name, kind="axis", anchor="middle", turn=-90),
            *(_line(one, [(x(step), y(value)) for step, value in pairs]) for one, pairs in lines.items()),
            *(text(end + 8, where, one.name, kind=f"{one.kind} name") for one, where in zip(lines, ends, strict=True)),
        )
    )


def _line(one: Series, spots: Sequence[tuple[float, float]]) -> Markup:
    marks = Markup("").join(mark(one.shape, *spot, f"{one.kind} spot", size=3.5) for spot in spots)
    return path(spots, f"{one.kind} line") + marks
