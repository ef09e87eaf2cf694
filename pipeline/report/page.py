"""The results as one HTML page that needs nothing else: no script, no network, no file beside it."""

from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from pipeline.core import format as render
from pipeline.core.document import Document
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN
from pipeline.report import study as transfer_words
from pipeline.report import verdict
from pipeline.report.charts.bars import Row, bar, extent, ranges, whisker
from pipeline.report.charts.confusion import confusion
from pipeline.report.charts.curves import learning, pretraining, reliability
from pipeline.report.charts.projection import projection
from pipeline.report.charts.study import transfer as curves
from pipeline.report.templates.page import TEMPLATE
from pipeline.report.templates.style import CSS
from pipeline.report.verdict import BASELINES, Task, gain, measure

MODEL = "fine-tuned model"
HEADLINE = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error",
}
TONES = {
    REAL_GAIN: "good",
    REAL_LOSS: "bad",
    UNPROVEN: "plain",
    UNMEASURED: "plain",
}
LOOKS = (("circle", "first"), ("diamond", "second"), ("square", "third"), ("circle", "rest"))
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
NO_STUDY: Document = {"tasks": []}
FILTERS = {
    "share": render.share,
    "count": render.count,
    "percent": render.percent,
    "points": render.points,
    "p_value": render.p_value,
    "plural": render.plural,
    "shorten": render.shorten,
    "interval": lambda found: render.interval(found.low, found.high),
    "points_interval": lambda found: render.points_interval(found.low, found.high),
}


def page_html(
    title: str,
    tasks: Sequence[Task],
    *,
    worst: int,
    transfer: Document | None = None,
    encoders: Sequence[Document] = (),
) -> str:
    """Return the page: what the study found, all tasks and then the encoders, each in their order.

    `worst` errors a task are shown at most; `transfer` is None where there is no study.
    """
    levels = verdict.levels([task.evaluation for task in tasks])
    return _template().render(
        title=title, tasks=tasks, worst=worst, levels=levels, transfer=transfer or NO_STUDY, encoders=encoders
    )


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_shown, keep_trailing_newline=True)
    environment.filters.update(FILTERS)
    environment.globals.update(
        bar=bar,
        whisker=whisker,
        slice_extent=slice_extent,
        confusion=confusion,
        reliability=reliability,
        learning=learning,
        projection=projection,
        pretraining=pretraining,
        accuracies=accuracies,
        gains=gains,
        models=models,
        train_share=train_share,
        measure=measure,
        gain=gain,
        verdict=verdict.verdict,
        worth=verdict.worth,
        tally=verdict.tally,
        warnings=verdict.warnings,
        confusions=verdict.confusions,
        curves=curves,
        sizes=sizes,
        title_of=title_of,
        lead=transfer_words.lead,
        found=transfer_words.findings,
        method=transfer_words.method,
        tested=transfer_words.tested,
        headline=HEADLINE,
        names=BASELINES,
        tones=TONES,
        endings=render.ENDINGS,
        policy=Markup(POLICY),  # noqa: S704 - a constant of this module, quotes and all
        css=Markup(CSS),  # noqa: S704 - a constant of this package
    )
    return environment.from_string(TEMPLATE)


def _shown(value: object) -> object:
    """Return what Jinja prints for a value: text without hidden characters; Markup is made here and stays."""
    return render.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def gains(tasks: Sequence[Task], against: str) -> Markup:
    """Return the chart of each task's accuracy gain over a baseline."""
    rows = [Row(task.name, gain(task.evaluation, against).difference) for task in tasks]
    title = f"Gain over {BASELINES[against]} by task"
    return ranges(rows, title=title, axis="points of accuracy", show=render.points, domain=(0, 0.02))


def accuracies(evaluation: Document) -> Markup:
    """Return the chart of the accuracy of the model and of its baselines."""
    looks = zip(models(evaluation), LOOKS, strict=False)
    rows = [Row(name.partition(" + ")[0], measure(metrics["accuracy"]), *look) for (name, metrics), look in looks]
    return ranges(rows, title="Accuracy on the test split", axis="accuracy", show=render.share, domain=(1, 1))


def models(evaluation: Document) -> list[tuple[str, Document]]:
    """Return the model and each baseline there is, by name, with its metrics."""
    found = [(name, evaluation["baselines"].get(key)) for key, name in BASELINES.items()]
    return [(MODEL, evaluation["model"]), *((name, metrics) for name, metrics in found if metrics)]


def sizes(task: Document) -> list[str]:
    """Return the heads of the columns of a study's table: how many labels."""
    return [f"#{render.count(point['train'])} labels" for point in task["arms"][0]["points"]]


def title_of(task: Document, name: str) -> str:
    """Return what the page calls an arm of a study."""
    return next(str(arm["title"]) for arm in task["arms"] if arm["arm"] == name)


def slice_extent(evaluation: Document) -> tuple[float, float]:
    """Return the range of the accuracies of all slices with their intervals."""
    return extent([measure(row["accuracy"]) for row in evaluation["slices"]])


def train_share(intake: Document, label: str) -> float | None:
    """Return the share of the train split that is of class `label`; None for an empty split."""
    counts = intake["splits"]["train"]
    total = sum(counts.values())
    return counts.get(label, 0) / total if total else None
