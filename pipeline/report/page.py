"""The results as one self-contained HTML page: no script, no network, no other file."""

from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from markupsafe import Markup

from pipeline.core import format as render
from pipeline.core.document import Document
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN
from pipeline.report import study, verdict
from pipeline.report.charts.bars import RangeRow, draw_bar, draw_ranges, draw_whisker, extent
from pipeline.report.charts.confusion import draw_confusion
from pipeline.report.charts.curves import draw_calibration, draw_learning_curve, draw_pretraining_curve
from pipeline.report.charts.projection import draw_projection
from pipeline.report.charts.study import draw_study
from pipeline.report.verdict import BASELINE_TITLES, Task, accuracy_gain, read_estimate

# The page, the templates and the style sheets it includes.
TEMPLATES = ("page.html", "study.html", "task.html", "encoders.html", "colours.css", "page.css", "charts.css")
MODEL_NAME = "fine-tuned model"
METRIC_TITLES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro-F1",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "ece": "Calibration error",
}
OUTCOME_CLASSES = {REAL_GAIN: "good", REAL_LOSS: "bad", UNPROVEN: "plain", UNMEASURED: "plain"}  # of the style sheet
MODEL_MARKS = (("circle", "first"), ("diamond", "second"), ("square", "third"), ("circle", "rest"))
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
    "interval": lambda estimate: render.interval(estimate.low, estimate.high),
    "points_interval": lambda estimate: render.points_interval(estimate.low, estimate.high),
}


def page_html(
    templates: Mapping[str, str],
    title: str,
    tasks: Sequence[Task],
    *,
    worst: int,
    transfer: Document | None = None,
    encoders: Sequence[Document] = (),
) -> str:
    """Return the page: an overview, the study, a section per task, the encoders, each in the order given.

    `templates` maps the names of `TEMPLATES` to their texts. At most `worst` errors are shown per task; `transfer` is
    None if there is no study. Everything printed is escaped, and the page depends on nothing else: no path, no clock.
    """
    confidence = verdict.describe_confidence([task.evaluation for task in tasks])
    return _page_template(tuple(sorted(templates.items()))).render(
        title=title,
        tasks=tasks,
        worst=worst,
        confidence=confidence,
        transfer=transfer or NO_STUDY,
        encoders=encoders,
    )


@cache
def _page_template(templates: tuple[tuple[str, str], ...]) -> Template:
    environment = Environment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_visible,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    environment.globals.update(
        draw_bar=draw_bar,
        draw_whisker=draw_whisker,
        draw_confusion=draw_confusion,
        draw_calibration=draw_calibration,
        draw_learning_curve=draw_learning_curve,
        draw_pretraining_curve=draw_pretraining_curve,
        draw_projection=draw_projection,
        draw_study=draw_study,
        draw_accuracies=draw_accuracies,
        draw_gains=draw_gains,
        slice_extent=slice_extent,
        model_metrics=model_metrics,
        train_share=train_share,
        read_estimate=read_estimate,
        accuracy_gain=accuracy_gain,
        describe_accuracy=verdict.describe_accuracy,
        describe_worth=verdict.describe_worth,
        describe_checks=verdict.describe_checks,
        describe_suspects=verdict.describe_suspects,
        describe_reasons=verdict.describe_reasons,
        failed_checks=verdict.failed_checks,
        frequent_errors=verdict.frequent_errors,
        label_columns=label_columns,
        arm_title=arm_title,
        describe_best_arms=study.describe_best_arms,
        describe_comparisons=study.describe_comparisons,
        describe_method=study.describe_method,
        describe_tests=study.describe_tests,
        metric_titles=METRIC_TITLES,
        baseline_titles=BASELINE_TITLES,
        outcome_classes=OUTCOME_CLASSES,
        endings=render.ENDINGS,
        policy=Markup(POLICY),  # noqa: S704 - a constant of this module, quotes and all
    )
    return environment.get_template("page.html")


def _make_visible(value: object) -> object:
    """Return a value as Jinja prints it: strings without hidden characters; Markup, which is made here, unchanged."""
    return render.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# ------------------------------------------------------------------------------------------------ for the templates
def draw_gains(tasks: Sequence[Task], against: str) -> Markup:
    """Return the chart of each task's accuracy gain over a baseline."""
    rows = [RangeRow(task.name, accuracy_gain(task.evaluation, against).difference) for task in tasks]
    title = f"Gain over {BASELINE_TITLES[against]} by task"
    return draw_ranges(rows, title=title, axis="points of accuracy", show=render.points, domain=(0, 0.02))


def draw_accuracies(evaluation: Document) -> Markup:
    """Return the chart of the accuracy of the model and of its baselines."""
    models = zip(model_metrics(evaluation), MODEL_MARKS, strict=True)
    rows = [
        RangeRow(name.partition(" + ")[0], read_estimate(metrics["accuracy"]), *look)
        for (name, metrics), look in models
    ]
    return draw_ranges(rows, title="Accuracy on the test split", axis="accuracy", show=render.share, domain=(1, 1))


def model_metrics(evaluation: Document) -> list[tuple[str, Document]]:
    """Return the metrics of the model and of each baseline, by name."""
    baselines = ((name, evaluation["baselines"][key]) for key, name in BASELINE_TITLES.items())
    return [(MODEL_NAME, evaluation["model"]), *baselines]


def label_columns(task: Document) -> list[str]:
    """Return the column heads of a study's table, one per number of labels."""
    return [f"#{render.count(point['train'])} labels" for point in task["arms"][0]["points"]]


def arm_title(task: Document, name: str) -> str:
    """Return the title of an arm of a study."""
    return next(str(arm["title"]) for arm in task["arms"] if arm["arm"] == name)


def slice_extent(evaluation: Document) -> tuple[float, float]:
    """Return the range of the accuracies of all slices with their intervals."""
    return extent([read_estimate(row["accuracy"]) for row in evaluation["slices"]])


def train_share(intake: Document, label: str) -> float | None:
    """Return the share of class `label` in the train split; None if the split is empty."""
    counts = intake["splits"]["train"]
    total = sum(counts.values())
    return counts.get(label, 0) / total if total else None
