"""What two revisions hold of one task, and what their models show on the examples that both predict."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.core.errors import PipelineError
from pipeline.core.format import share
from pipeline.diff.common import Matched, Predictions, matched, predictions
from pipeline.diff.document import Headline, Metric
from pipeline.diff.gates import METRICS, WORDS
from pipeline.evaluate.bootstrap import one_class
from pipeline.evaluate.metrics import HEADLINE, Scored, headline, scored
from pipeline.evaluate.paired import Evidence, evidence
from pipeline.settings.task import EvaluateParams

ENOUGH = 0.5  # share of the base's test examples that must be left: of fewer, the others could hide anything
SAME = 1e-5  # committed metrics have six significant digits
CHECKED = ("accuracy", "macro_f1", "log_loss", "brier")  # the calibration error depends on `evaluate.bins` too


class TaskSide(NamedTuple):
    """What a revision holds of a task. What it lacks is None; `faults` are what is wrong, after "The base has ...".

    `listed` is whether its params.yaml has the task, `recorded` whether its metrics are those that its dvc.lock
    records, `made_from` the checksum of the examples they were measured on.
    """

    listed: bool = False
    recorded: bool = True
    made_from: str | None = None
    metrics: Mapping[str, Any] | None = None
    predictions: pa.Table | None = None
    examples: pa.Table | None = None
    findings: Mapping[str, Any] | None = None
    history: Mapping[str, Any] | None = None
    faults: tuple[str, ...] = ()


class Models(NamedTuple):
    """The predictions of both sides that can be read, scored, and what they have in common.

    `shown` is empty where too few of the base's examples are left to judge by; `faults` are those of reading.
    """

    base: Predictions | None
    head: Predictions | None
    common: Matched | None
    shown: dict[str, Evidence]
    faults: tuple[str | None, str | None]


def models(params: EvaluateParams, base: TaskSide, head: TaskSide) -> Models:
    """Return what the models of both sides show."""
    (old, old_fault), (new, new_fault) = _readable(base), _readable(head)
    common = matched(old, new, bins=params.bins) if old and new else None
    shown = {}
    if old and common and len(common.ids) >= ENOUGH * len(old.ids):
        rng = np.random.default_rng(params.seed)
        shown = evidence(common.pair, confidence=params.confidence, resamples=params.resamples, rng=rng)
    return Models(old, new, common, shown, (old_fault, new_fault))


def score(params: EvaluateParams, one: Predictions | None) -> Scored | None:
    """Return predictions as the metrics need them."""
    return None if one is None else scored(one.actual, one.probabilities, bins=params.bins)


def metrics(base: TaskSide, head: TaskSide, found: Models) -> dict[str, Metric]:
    """Return every metric that a side has: compared on the common examples, else as it was committed."""
    comparable, table = _comparable(base, head, found), {}
    for name in METRICS:
        old, new = number(base.metrics, name), number(head.metrics, name)
        if name in found.shown:
            table[str(name)] = _paired(name, found.shown[name])
        elif old is not None or new is not None:
            table[str(name)] = _committed(name, old, new, comparable=comparable)
    return table


def number(document: Mapping[str, Any] | None, name: str) -> float | None:
    """Return a committed metric; None where it is not there or no number."""
    value = (document or {}).get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def disbelief(params: EvaluateParams, head: TaskSide, new: Predictions | None) -> str | None:
    """Return why the committed metrics of the head cannot be believed, after "The head's "; None where they can."""
    if head.metrics is None:
        return None
    if not head.recorded:
        return "metrics are not those that its dvc.lock records; run `dvc repro` and commit both"
    data = score(params, new)
    if data is None:
        return None
    found = dict(zip(HEADLINE, headline(data, np.ones(len(data.actual))), strict=True))
    for name in CHECKED:
        value = number(head.metrics, name)
        undefined = name == "macro_f1" and one_class(data)
        if not undefined and (value is None or abs(value - found[name]) > SAME * max(1, abs(found[name]))):
            said = "not a number" if value is None else share(value)
            return f"committed {WORDS[name]} is {said}, and by its predictions it is {share(found[name])}"
    return None


def _readable(side: TaskSide) -> tuple[Predictions | None, str | None]:
    """Return the predictions of a side, or what is wrong with them."""
    try:
        return None if side.predictions is None else predictions(side.predictions), None
    except PipelineError as error:
        return None, f"predictions that cannot be used: {str(error).removesuffix('.')}"


def _paired(name: Headline, one: Evidence) -> Metric:
    return Metric(metric=name, **{key: value for key, value in one._asdict().items() if key != "spread"})


def _committed(name: Headline, old: float | None, new: float | None, *, comparable: bool) -> Metric:
    """Return a metric from two committed numbers, which have no test; `comparable` is whether of the same examples."""
    difference = new - old if comparable and old is not None and new is not None else None
    return Metric(
        metric=name, base=old, head=new, difference=difference, low=None, high=None, p_value=None, p_worse=None
    )


def _comparable(base: TaskSide, head: TaskSide, found: Models) -> bool:
    """Return whether the committed metrics are of the same test examples for sure."""
    if found.base and found.head:
        return found.common is not None and len(found.common.ids) == len(found.base.ids) == len(found.head.ids)
    return base.made_from is not None and base.made_from == head.made_from
