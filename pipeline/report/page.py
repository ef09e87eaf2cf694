"""The results as one self-contained HTML page: no script, no network, no other file."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from markupsafe import Markup

from pipeline.core import format as render
from pipeline.core.document import Document
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN
from pipeline.evaluate.kind import Metric
from pipeline.report import advice, study, verdict
from pipeline.report.charts.bars import draw_bar, draw_whisker, extent
from pipeline.report.charts.curves import draw_learning_curve, draw_pretraining_curve
from pipeline.report.charts.study import draw_study
from pipeline.report.identity import identify_results
from pipeline.report.kind import Page, Task
from pipeline.report.verdict import Gain, capitalize, headline_gain, read_estimate
from pipeline.report.words import share_words

# The page, the templates and the style sheets it includes.
TEMPLATES = (
    "page.html", "study.html", "encoders.html", "task.html", "results.html", "suspects.html", "checks.html",
    "training.html", "slices.html", "colours.css", "page.css", "charts.css",
)  # fmt: skip
MODEL_NAME = "fine-tuned model"
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

    `templates` maps the names of `TEMPLATES`, and of those of the tasks' pages, to their texts. At most `worst` errors
    and suspects are shown per task; `transfer` is None if there is no study. Everything printed is escaped, and the
    page depends on nothing else: no path, no clock.
    """
    confidence = verdict.describe_confidence([task.evaluation for task in tasks])
    functions = {name: call for task in tasks for name, call in task.page.functions.items()}
    return _page_template(tuple(sorted(templates.items())), tuple(functions.items())).render(
        title=title,
        tasks=tasks,
        worst=worst,
        confidence=confidence,
        identity=identify_results(tasks, transfer, encoders),
        words=share_words(tasks),
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
def _page_template(
    templates: tuple[tuple[str, str], ...], functions: tuple[tuple[str, Callable[..., Any]], ...]
) -> Template:
    environment = build_environment(dict(templates))
    environment.globals.update(dict(functions))
    environment.globals.update(
        draw_bar=draw_bar,
        draw_whisker=draw_whisker,
        draw_learning_curve=draw_learning_curve,
        draw_pretraining_curve=draw_pretraining_curve,
        draw_study=draw_study,
        slice_extent=slice_extent,
        results_extent=results_extent,
        result_columns=result_columns,
        slice_columns=slice_columns,
        compare_models=compare_models,
        read_estimate=read_estimate,
        headline_gain=headline_gain,
        advise=advice.advise,
        name_choice=advice.name_choice,
        describe_checks=verdict.describe_checks,
        describe_best=verdict.describe_best,
        format_difference=verdict.format_difference,
        format_ends=verdict.format_ends,
        format_size=verdict.format_size,
        capitalize=verdict.capitalize,
        describe_suspects=verdict.describe_suspects,
        describe_reasons=verdict.describe_reasons,
        failed_checks=verdict.failed_checks,
        label_columns=label_columns,
        arm_title=arm_title,
        label_count=label_count,
        describe_best_arms=study.describe_best_arms,
        describe_comparisons=study.describe_comparisons,
        describe_method=study.describe_method,
        describe_tests=study.describe_tests,
        unproven=UNPROVEN,
        endings=render.ENDINGS,
    )
    return environment.get_template("page.html")


def _make_visible(value: object) -> object:
    """Return a value as Jinja prints it: strings without hidden characters; Markup, which is made here, unchanged."""
    return render.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


# ------------------------------------------------------------------------------------------------ for the templates
def compare_models(task: Task) -> list[tuple[str, Document, Gain | None]]:
    """Return name and metrics of the model and of each baseline, and the model's gain over it (None for itself)."""
    known = task.page.baselines.listed(task.evaluation["baselines"])
    baselines = ((one.title, task.evaluation["baselines"][one.name], headline_gain(task, one)) for one in known)
    return [(MODEL_NAME, task.evaluation["model"], None), *baselines]


def result_columns(page: Page) -> list[str]:
    """Return the column heads of the table of models."""
    first, *others = [f"{capitalize(metric.title)} {'↑' if metric.better > 0 else '↓'}" for metric in page.metrics]
    gain = f"#Fine-tuning's gain{' in points' if page.headline.unit == 'share' else ''}"
    return ["Model", first, gain, "#p", *(f"#{other}" for other in others)]


def slice_columns(metrics: Sequence[Metric]) -> list[str]:
    """Return the column heads of the table of slices."""
    first, *others = [capitalize(metric.title) for metric in metrics]
    return ["Slice", "Value", "#Rows", first, *(f"#{other}" for other in others)]


def results_extent(task: Task) -> tuple[float, float]:
    """Return the range of the headline metric of the model and its baselines with their intervals."""
    return extent([read_estimate(metrics[task.page.headline.name]) for _, metrics, _ in compare_models(task)])


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


def slice_extent(task: Task) -> tuple[float, float]:
    """Return the range of the headline metric of all slices with their intervals."""
    return extent([read_estimate(row[task.page.headline.name]) for row in task.evaluation["slices"]])
