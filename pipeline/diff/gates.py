"""The gates: the judgement of each metric that changed.

A gate fails a drop that is larger than allowed and larger than chance, and a value below the floor. A drop larger than
allowed that may be chance passes, but is reported. Without a number to judge, nothing passes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.format import p_phrase, share, size_in_points
from pipeline.diff.document import METRIC_NAMES, SHARES, Headline, Judgement, Metric, Outcome, worst_outcome
from pipeline.diff.evidence import Measurement
from pipeline.evaluate.paired import BETTER, smallest_drop
from pipeline.settings.task import Gates, MetricGate

_DIGITS = 9  # 0.86 - 0.85 is a hair more than 0.01


class GateVerdict(NamedTuple):
    """The judgement of every gate, and the outcome of all together."""

    outcome: Outcome
    judgements: tuple[Judgement, ...]


def judge_change(gates: Gates | None, measurement: Measurement) -> GateVerdict:
    """Return the verdict of the gates, `unjudged` without one; None are the gates of a task that the head lacks.

    If the metrics are not those of a revision's own code, parameters and data, nothing is judged. If the head's
    committed metrics cannot be trusted, every gate fails, and so does a task without gates.
    """
    if gates is None:
        return GateVerdict("unjudged", ())
    judgements = [
        _judge(name, gate, measurement) for name in METRIC_NAMES if (gate := getattr(gates, name)) is not None
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


def _judge(name: Headline, gate: MetricGate, measurement: Measurement) -> Judgement:
    spread = measurement.spreads.get(name)
    sees = None if spread is None else smallest_drop(spread, largest=gate.largest_drop, level=gate.level)
    outcome, reason = _judge_metric(name, gate, measurement.metrics.get(name), sees, measurement.missing)
    return Judgement(
        metric=name,
        largest_drop=gate.largest_drop,
        level=gate.level,
        floor=gate.floor,
        sees=sees,
        outcome=outcome,
        reason=reason,
    )


def _judge_metric(
    name: Headline, gate: MetricGate, metric: Metric | None, sees: float | None, missing: str
) -> tuple[Outcome, str]:
    """Return the outcome and its reason; the order of the questions is the rule."""
    title, better = METRIC_NAMES[name], BETTER[name]
    base, head = (metric.base, metric.head) if metric else (None, None)
    if head is None:
        lost = base is not None or gate.floor is not None
        return "failed" if lost else "unjudged", f"the head has no {title}"
    if gate.floor is not None and round(better * (head - gate.floor), _DIGITS) < 0:
        side = "below" if better > 0 else "above"
        return "failed", f"{title} is {share(head)}, {side} the floor of {share(gate.floor)}"
    if metric is None or metric.difference is None:
        return "unjudged", f"{title} cannot be compared: {missing}"
    return _judge_drop(name, gate, round(-better * metric.difference, _DIGITS), metric.p_worse, sees)


def _judge_drop(
    name: Headline, gate: MetricGate, drop: float, p_worse: float | None, sees: float | None
) -> tuple[Outcome, str]:
    """Return the outcome of a drop and its reason; `p_worse` is None if the models were not compared pairwise."""
    title = METRIC_NAMES[name]
    if drop <= 0:
        return "passed", f"{title} did not get worse"
    fell, allowed = f"{title} {'fell' if BETTER[name] > 0 else 'rose'} by {_size(name, drop)}", gate.largest_drop
    if drop <= allowed:
        return "passed", f"{fell}; {_size(name, allowed)} is allowed"
    fell += f", more than the {_size(name, allowed)} allowed"
    if p_worse is None:
        return "failed", f"{fell}; without the predictions of both revisions it cannot be told from chance"
    if p_worse < gate.level:
        return "failed", f"{fell} and more than chance explains (one-sided {p_phrase(p_worse)})"
    detectable = f"; a drop of {_size(name, sees)} would be detected" if sees is not None else ""
    return "unproven", f"{fell}, but it may be chance (one-sided {p_phrase(p_worse)}){detectable}"


def _size(name: str, value: float) -> str:
    """Return a difference of a metric without its sign: shares in points, the others in their own unit."""
    if name not in SHARES:
        return share(abs(value))
    return size_in_points(value)
