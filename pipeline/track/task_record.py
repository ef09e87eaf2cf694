"""The record of a task, as a tracker shows it: parameters and metrics under flat names, and the curves of training."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import shorten

MOST_CHARACTERS = 500  # of a parameter's value: what every version of MLflow's server takes
NO_SCORES = ("step", "epoch", "learning_rate")  # of an evaluation in the history; the others are scores


class TaskRecord(NamedTuple):
    """The record of a task: `params` as text, `metrics` of test and of the chosen weights on validation.

    `curves` are the metrics of each evaluation during the training, by step.
    """

    name: str
    params: dict[str, str]
    metrics: dict[str, float]
    curves: dict[int, dict[str, float]]


def make_record(name: str, settings: Document, metrics: Mapping[str, Any], history: Document) -> TaskRecord:
    """Return the record of a task; a metric that could not be measured (None) is left out."""
    params = {key: shorten(value, MOST_CHARACTERS) for key, value in _flatten(settings)}
    test = {f"test/{key}": value for key, value in metrics.items()}
    scored = [key for key in history["best"] if key not in NO_SCORES]
    best = {_name(key): history["best"][key] for key in scored}
    curves = {
        scores["step"]: {f"curve/{_name(key)}": scores[key] for key in scored} for scores in history["evaluations"]
    }
    measured = {key: float(value) for key, value in (test | best).items() if value is not None}
    return TaskRecord(name, params, measured, curves)


def _name(key: str) -> str:
    return "train/loss" if key == "train_loss" else f"validation/{key}"


def _flatten(settings: Document, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the dotted name and the text of each value; a list is JSON, and an empty map is left out."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
