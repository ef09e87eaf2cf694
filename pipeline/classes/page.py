"""The page of kinds of task with classes: their tables in the summary, and their part of a model's card."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.classes.advice import describe_decision, frequent_errors
from pipeline.core.document import Document
from pipeline.core.format import count, escape_markdown, markdown_table, percent, share, size_in_points
from pipeline.evaluate.mcnemar import POWER
from pipeline.evaluate.paired import smallest_drop
from pipeline.report.charts.confusion import draw_confusion
from pipeline.report.charts.curves import draw_calibration
from pipeline.report.charts.projection import draw_projection
from pipeline.report.kind import Task
from pipeline.report.relabelling import correction_rows
from pipeline.report.verdict import read_estimate

SCALE = "All lie between 0 and 1, but the Brier score (0 to 2) and log loss (0 upwards)."
HUB_METRICS = (("accuracy", "accuracy", "Accuracy"), ("macro_f1", "f1", "Macro-F1"))
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
DISAGREEMENT = 0.05  # share of the test rows that two trainings with the same settings typically predict differently


def summarize_classes(task: Task) -> list[str]:
    """Return the table of the classes, the smallest drop that could be detected, and the decision if there is one."""
    evaluation = task.evaluation
    rows = [
        (
            escape_markdown(row["label"]),
            *(share(read_estimate(row[key]).value) for key in ("precision", "recall", "f1")),
            count(row["support"]),
        )
        for row in evaluation["model"]["classes"]
    ]
    decision = evaluation["decision"]
    return [
        markdown_table(("Class", "Precision", "Recall", "F1", "Test rows"), rows, right=range(1, 5)),
        _describe_detectable_drop(evaluation),
        *([f"{describe_decision(decision, quote=escape_markdown)}\n"] if decision else []),
    ]


def errors_note(evaluation: Document, worst: int) -> str:
    """Return how many of the errors are shown."""
    matrix = evaluation["model"]["confusion"]
    errors = sum(map(sum, matrix)) - sum(matrix[index][index] for index in range(len(matrix)))
    return f"{count(min(worst, len(evaluation['worst'])))} of {count(errors)}"


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "draw_confusion": draw_confusion,
    "draw_calibration": draw_calibration,
    "draw_projection": draw_projection,
    "frequent_errors": frequent_errors,
    "errors_note": errors_note,
    "correction_rows": correction_rows,
    "describe_decision": describe_decision,
}


def number_classes(evaluation: Document) -> str:
    """Return the classes of a task as a numbered list, as the model numbers them."""
    return "\n".join(f"{index}. {escape_markdown(label)}" for index, label in enumerate(evaluation["labels"]))


def tabulate_class_results(evaluation: Document, train: Mapping[str, int]) -> str:
    """Return the results of each class with its train and test rows, as a table of a card."""
    rows = [
        (
            escape_markdown(row["label"]),
            *(share(read_estimate(row[key]).value) for key in ("precision", "recall", "f1")),
            count(train.get(row["label"], 0)),
            count(row["support"]),
        )
        for row in evaluation["model"]["classes"]
    ]
    return markdown_table(("class", "precision", "recall", "F1", "trained on", "tested on"), rows, right=range(1, 6))


def describe_temperature(evaluation: Document) -> str:
    """Return what the temperature of a model does to its probabilities, in a sentence."""
    calibration = evaluation["calibration"]
    before, after = (share(read_estimate(calibration[key]["ece"]).value) for key in ("before", "after"))
    return (
        f"Its logits are divided by a temperature of {share(calibration['temperature'])}, fitted on validation, so its "
        f"probabilities can be read as such for texts like these (calibration error {after}, without it {before}), and "
        "for no others."
    )


def _describe_detectable_drop(evaluation: Document) -> str:
    """Return the smallest drop of a later model that a gate could detect on these test rows."""
    level = 1 - evaluation["confidence"]
    smallest = smallest_drop((DISAGREEMENT / evaluation["rows"]) ** 0.5, largest=0.0, level=level)
    return (
        f"If a later model predicts {percent(DISAGREEMENT)} of the test rows differently, a drop of "
        f"{size_in_points(smallest)} or more can be detected (one-sided level {percent(level)}, power "
        f"{percent(POWER)}).\n"
    )
