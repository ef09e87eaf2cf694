"""The record of a task, as a tracker shows it: parameters and metrics under flat names, and the curves of training."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import shorten

MOST_CHARACTERS = 500  # of a parameter's value: what every version of MLflow's server takes
NO_SCORES = ("step", "epoch", "learning_rate")  # of an evaluation in the history; the others are scores


class TaskRecord(NamedTuple):
    """The record of a task: `params` under dotted names, `metrics` of test and of the chosen weights on validation.

    `curves` are the metrics of each evaluation during the training, by step.
    """

    name: str
    params: dict[str, Any]
    metrics: dict[str, float]
    curves: dict[int, dict[str, float]]


def make_record(name: str, settings: Document, metrics: Mapping[str, Any], history: Document) -> TaskRecord:
    """Return the record of a task; a metric that could not be measured (None) is left out."""
    test = {f"test/{key}": value for key, value in metrics.items()}
    scored = [key for key in history["best"] if key not in NO_SCORES]
    best = {_name(key): history["best"][key] for key in scored}
    curves = {
        scores["step"]: {f"curve/{_name(key)}": scores[key] for key in scored} for scores in history["evaluations"]
    }
    measured = {key: float(value) for key, value in (test | best).items() if value is not None}
    return TaskRecord(name, dict(_flatten(settings)), measured, curves)


def _name(key: str) -> str:
    return "train/loss" if key == "train_loss" else f"validation/{key}"


def to_text(value: Any) -> str:
    """Return the text of a parameter, shortened to what a server takes; a value that is no text is JSON."""
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), MOST_CHARACTERS)


def _flatten(settings: Document, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of each setting; an empty map is left out."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
