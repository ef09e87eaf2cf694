"""The results as one self-contained HTML page: no script, no network, no other file."""

from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from markupsafe import Markup

from pipeline.core import format as render
from pipeline.core.document import Document
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN
from pipeline.report import advice, study, verdict
from pipeline.report.charts.bars import draw_bar, draw_whisker, extent
from pipeline.report.charts.confusion import draw_confusion
from pipeline.report.charts.curves import draw_calibration, draw_learning_curve, draw_pretraining_curve
from pipeline.report.charts.projection import draw_projection
from pipeline.report.charts.study import draw_study
from pipeline.report.identity import identify_results
from pipeline.report.relabelling import correction_rows
from pipeline.report.verdict import BASELINE_TITLES, Gain, Task, accuracy_gain, read_estimate

# The page, the templates and the style sheets it includes.
TEMPLATES = ("page.html", "study.html", "task.html", "encoders.html", "colours.css", "page.css", "charts.css")
MODEL_NAME = "fine-tuned model"
# The foldable parts of a task's section and the first ones, by the prefix of their ids.
SECTIONS = {
    "results": "Models",
    "classes": "Classes",
    "errors": "Most confident errors",
    "suspects": "Suspicious examples",
    "checks": "Checks",
    "data": "Data",
    "training": "Training",
    "calibration": "Calibration and slices",
    "features": "Features",
}
OUTCOME_CLASSES = {REAL_GAIN: "good", REAL_LOSS: "bad", UNPROVEN: "plain", UNMEASURED: "plain"}  # of the style sheet
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
NO_STUDY: Document = {"tasks": []}
FILTERS = {
    "share": render.share,
    "count": render.count,
    "percent": render.percent,
    "points": render.points,
    "signed": render.signed,
    "signed_interval": lambda estimate: (
        "" if estimate.low is None else f"[{render.signed(estimate.low)}, {render.signed(estimate.high)}]"
    ),
    "size_in_points": render.size_in_points,
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
    """Return the page: an overview, a section per task, the study, the encoders, each in the order given.

    `templates` maps the names of `TEMPLATES` to their texts. At most `worst` errors and suspects are shown per task;
    `transfer` is None if there is no study. Everything printed is escaped, and the page depends on nothing else: no
    path, no clock.
    """
    confidence = verdict.describe_confidence([task.evaluation for task in tasks])
    return _page_template(tuple(sorted(templates.items()))).render(
        title=title,
        tasks=tasks,
        worst=worst,
        confidence=confidence,
        identity=identify_results(tasks, transfer, encoders),
        transfer=transfer or NO_STUDY,
        studies=study.studies_by_task(transfer),
        encoders=encoders,
    )


def build_environment(templates: Mapping[str, str]) -> Environment:
    """Return the environment of a page: everything printed is escaped, and a name without a value is an error."""
    environment = Environment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_visible,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    policy = Markup(POLICY)  # noqa: S704 - a constant of this module, quotes and all
    environment.globals.update(policy=policy, outcome_classes=OUTCOME_CLASSES)
    return environment


@cache
def _page_template(templates: tuple[tuple[str, str], ...]) -> Template:
    environment = build_environment(dict(templates))
    environment.globals.update(
        draw_bar=draw_bar,
        draw_whisker=draw_whisker,
        draw_confusion=draw_confusion,
        draw_calibration=draw_calibration,
        draw_learning_curve=draw_learning_curve,
        draw_pretraining_curve=draw_pretraining_curve,
        draw_projection=draw_projection,
        draw_study=draw_study,
        slice_extent=slice_extent,
        accuracy_extent=accuracy_extent,
        compare_models=compare_models,
        errors_note=errors_note,
        correction_rows=correction_rows,
        read_estimate=read_estimate,
        accuracy_gain=accuracy_gain,
        advise=advice.advise,
        choose_model=advice.choose_model,
        describe_checks=verdict.describe_checks,
        describe_decision=verdict.describe_decision,
        describe_suspects=verdict.describe_suspects,
        describe_reasons=verdict.describe_reasons,
        failed_checks=verdict.failed_checks,
        frequent_errors=verdict.frequent_errors,
        label_columns=label_columns,
        arm_title=arm_title,
        label_count=label_count,
        describe_best_arms=study.describe_best_arms,
        describe_comparisons=study.describe_comparisons,
        describe_method=study.describe_method,
        describe_tests=study.describe_tests,
        sections=SECTIONS,
        short_titles=advice.SHORT_TITLES,
        unproven=UNPROVEN,
        endings=render.ENDINGS,
    )
    return environment.get_template("page.html")


def _make_visible(value: object) -> object:
    """Return a value as Jinja prints it: strings without hidden characters; Markup, which is made here, unchanged."""
    return render.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# ------------------------------------------------------------------------------------------------ for the templates
def compare_models(evaluation: Document) -> list[tuple[str, Document, Gain | None]]:
    """Return name and metrics of the model and of each baseline, and the model's gain over it (None for itself)."""
    baselines = (
        (name, evaluation["baselines"][key], accuracy_gain(evaluation, key)) for key, name in BASELINE_TITLES.items()
    )
    return [(MODEL_NAME, evaluation["model"], None), *baselines]


def accuracy_extent(evaluation: Document) -> tuple[float, float]:
    """Return the range of the accuracies of the model and its baselines with their intervals."""
    return extent([read_estimate(metrics["accuracy"]) for _, metrics, _ in compare_models(evaluation)])


def errors_note(evaluation: Document, worst: int) -> str:
    """Return how many of the errors are shown."""
    matrix = evaluation["model"]["confusion"]
    errors = sum(map(sum, matrix)) - sum(matrix[index][index] for index in range(len(matrix)))
    return f"{render.count(min(worst, len(evaluation['worst'])))} of {render.count(errors)}"


def label_columns(task: Document) -> list[str]:
    """Return the column heads of a study's table, one per number of labels."""
    return [f"#{render.count(point['train'])} labels" for point in task["arms"][0]["points"]]


def arm_title(task: Document, name: str) -> str:
    """Return the title of an arm of a study."""
    return next(str(arm["title"]) for arm in task["arms"] if arm["arm"] == name)


def label_count(task: Document, labels: int | str) -> str:
    """Return the number of labelled examples behind a size of a study: a number, or "all"."""
    sizes = {point["labels"]: point["train"] for point in task["arms"][0]["points"]}
    return render.count(sizes[labels])


def slice_extent(evaluation: Document) -> tuple[float, float]:
    """Return the range of the accuracies of all slices with their intervals."""
    return extent([read_estimate(row["accuracy"]) for row in evaluation["slices"]])
