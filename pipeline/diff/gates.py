"""The gates: the judgement of each metric that changed.

A gate fails a drop that is larger than allowed and larger than chance, and a value below the floor. A drop larger than
allowed that may be chance passes, but is reported. Without a number to judge, nothing passes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.core.format import p_phrase, share, size_in_points
from pipeline.diff.document import Judgement, MetricChange, Outcome, worst_outcome
from pipeline.diff.evidence import Measurement
from pipeline.evaluate.kind import Measures, Metric
from pipeline.evaluate.paired import smallest_drop
from pipeline.settings.task import MetricGate

_DIGITS = 9  # 0.86 - 0.85 is a hair more than 0.01


class GateVerdict(NamedTuple):
    """The judgement of every gate, and the outcome of all together."""

    outcome: Outcome
    judgements: tuple[Judgement, ...]


def judge_change(
    measures: Measures, gates: Mapping[str, MetricGate | None] | None, measurement: Measurement
) -> GateVerdict:
    """Return the verdict of the gates, `unjudged` without one; None are the gates of a task that the head lacks.

    If the metrics are not those of a revision's own code, parameters and data, nothing is judged. If the head's
    committed metrics cannot be trusted, every gate fails, and so does a task without gates.
    """
    if gates is None:
        return GateVerdict("unjudged", ())
    judgements = [
        _judge(metric, gate, measurement) for metric in measures.metrics if (gate := gates.get(metric.name)) is not None
    ]
    if measurement.stale:
        return _replace("unjudged", measurement.stale, judgements)
    if measurement.doubt:
        return _replace("failed", f"the head's {measurement.doubt}", judgements)
    return GateVerdict(worst_outcome(tuple(judgement.outcome for judgement in judgements)), tuple(judgements))


def _replace(outcome: Outcome, reason: str, judgements: Sequence[Judgement]) -> GateVerdict:
    """Return one outcome for all gates, whatever their numbers say."""
    update = {"outcome": outcome, "reason": reason}
    return GateVerdict(outcome, tuple(judgement.model_copy(update=update) for judgement in judgements))


def _judge(metric: Metric, gate: MetricGate, measurement: Measurement) -> Judgement:
    spread = measurement.spreads.get(metric.name)
    sees = None if spread is None else smallest_drop(spread, largest=gate.largest_drop, level=gate.level)
    change = measurement.metrics.get(metric.name)
    outcome, reason = _judge_metric(metric, gate, change, sees, measurement.missing)
    return Judgement(
        metric=metric.name,
        largest_drop=gate.largest_drop,
        level=gate.level,
        floor=gate.floor,
        sees=sees,
        outcome=outcome,
        reason=reason,
    )


def _judge_metric(
    metric: Metric, gate: MetricGate, change: MetricChange | None, sees: float | None, missing: str
) -> tuple[Outcome, str]:
    """Return the outcome and its reason; the order of the questions is the rule."""
    title, better = metric.title, metric.better
    base, head = (change.base, change.head) if change else (None, None)
    if head is None:
        lost = base is not None or gate.floor is not None
        return "failed" if lost else "unjudged", f"the head has no {title}"
    if gate.floor is not None and round(better * (head - gate.floor), _DIGITS) < 0:
        side = "below" if better > 0 else "above"
        return "failed", f"{title} is {share(head)}, {side} the floor of {share(gate.floor)}"
    if change is None or change.difference is None:
        return "unjudged", f"{title} cannot be compared: {missing}"
    return _judge_drop(metric, gate, round(-better * change.difference, _DIGITS), change.p_worse, sees)


def _judge_drop(
    metric: Metric, gate: MetricGate, drop: float, p_worse: float | None, sees: float | None
) -> tuple[Outcome, str]:
    """Return the outcome of a drop and its reason; `p_worse` is None if the models were not compared pairwise."""
    if drop <= 0:
        return "passed", f"{metric.title} did not get worse"
    fell, allowed = (
        f"{metric.title} {'fell' if metric.better > 0 else 'rose'} by {_size(metric, drop)}",
        gate.largest_drop,
    )
    if drop <= allowed:
        return "passed", f"{fell}; {_size(metric, allowed)} is allowed"
    fell += f", more than the {_size(metric, allowed)} allowed"
    if p_worse is None:
        return "failed", f"{fell}; without the predictions of both revisions it cannot be told from chance"
    if p_worse < gate.level:
        return "failed", f"{fell} and more than chance explains (one-sided {p_phrase(p_worse)})"
    detectable = f"; a drop of {_size(metric, sees)} would be detected" if sees is not None else ""
    return "unproven", f"{fell}, but it may be chance (one-sided {p_phrase(p_worse)}){detectable}"


def _size(metric: Metric, value: float) -> str:
    """Return a difference of a metric without its sign: shares in points, the others in their own unit."""
    return size_in_points(value) if metric.unit == "share" else share(abs(value))
