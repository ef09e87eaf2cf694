"""The metrics of a task in both revisions, with the evidence that a difference is more than chance."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.core.document import Document
from pipeline.core.format import count, plural, share
from pipeline.diff.changes import finite_number
from pipeline.diff.document import MetricChange
from pipeline.diff.shared_examples import Match, Predictions
from pipeline.diff.snapshot import TaskSnapshot
from pipeline.evaluate.kind import Measures, Metric, compute_metrics
from pipeline.evaluate.paired import Evidence, compare_pair
from pipeline.settings.task import EvaluateParams

ENOUGH = 0.5  # share of the base's test examples that must be left: of fewer, the others could hide anything
TOLERANCE = 1e-5  # relative; committed metrics have six significant digits


class Measurement(NamedTuple):
    """The metrics of both revisions.

    `metrics` has those that a side has. `spreads` are the standard errors of the differences that were measured on the
    common examples, empty if the metrics are not paired. `missing` says why the base may have nothing to compare with.
    `doubt` says why the head's committed metrics cannot be trusted, after "The head's "; None if they can. `stale` says
    whose metrics are not of its own code, parameters and data; None if both are. `recomputed` has a sentence for each
    metric of the base that is not the one that the base committed.
    """

    metrics: dict[str, MetricChange]
    spreads: dict[str, float]
    missing: str
    doubt: str | None
    stale: str | None = None
    recomputed: tuple[str, ...] = ()


def measure_change(
    measures: Measures, params: EvaluateParams, match: Match, base: TaskSnapshot, head: TaskSnapshot
) -> Measurement:
    """Return every metric that a side has: paired on the common examples if enough are left, else as committed."""
    evidence = _pair(measures, params, match)
    stale = _find_stale(base, head)
    return Measurement(
        metrics=_compare_metrics(measures.metrics, match, base, head, evidence),
        spreads={name: own.spread for name, own in evidence.items()},
        missing=_explain_missing(measures.headline, match, base, paired=bool(evidence)),
        doubt=_find_doubt(measures, head, match.head),
        stale=stale,
        recomputed=_explain_recomputed(measures.metrics, match, base, evidence),
    )


def _find_stale(base: TaskSnapshot, head: TaskSnapshot) -> str | None:
    """Return whose metrics are not those that its own code, parameters and data would give, if that is known."""
    sides = [f"the {title}'s" for title, side in (("base", base), ("head", head)) if side.stale]
    return f"{' and '.join(sides)} results are not of the code, parameters and data beside them" if sides else None


def _explain_recomputed(
    metrics: Sequence[Metric], match: Match, base: TaskSnapshot, evidence: Mapping[str, Evidence]
) -> tuple[str, ...]:
    """Return a sentence for each metric of the base that differs from what the base committed, and why it does."""
    if match.rows is None:
        return ()
    rows, causes = match.rows, []
    if rows.common < rows.base:
        causes.append(f"on the {count(rows.common)} of {plural(rows.base, 'test row')} that the head has too")
    if rows.relabelled:
        causes.append(f"with the head's class of {plural(rows.relabelled, 'row')}")
    if match.base and match.head and match.base.labels != match.head.labels:
        causes.append("with the classes of both")
    sentences = []
    for name, title, *_ in metrics:
        committed = _number(base.metrics, name)
        actual = evidence[name].base if name in evidence else None
        if committed is None or actual is None or abs(committed - actual) <= TOLERANCE * max(1, abs(actual)):
            continue
        why = " and ".join(causes) or "from its predictions, with the head's parameters of `evaluate`"
        sentences.append(f"The base's {title} was recomputed {why}: {share(actual)}; it committed {share(committed)}.")
    return tuple(sentences)


def _pair(measures: Measures, params: EvaluateParams, match: Match) -> dict[str, Evidence]:
    """Return the paired comparison on the common examples, empty if too few of the base's examples are left."""
    if match.common is None or match.rows is None or match.rows.common < ENOUGH * match.rows.base:
        return {}
    rng = np.random.default_rng(params.seed)
    pair = match.common.pair
    return compare_pair(measures, pair, confidence=params.confidence, resamples=params.resamples, rng=rng)


def _compare_metrics(
    known: Sequence[Metric], match: Match, base: TaskSnapshot, head: TaskSnapshot, evidence: dict[str, Evidence]
) -> dict[str, MetricChange]:
    comparable, metrics = _same_examples(match, base, head), {}
    for metric in known:
        name = metric.name
        old, new = _number(base.metrics, name), _number(head.metrics, name)
        if name in evidence:
            values = evidence[name]._asdict()
            values.pop("spread")
            metrics[name] = MetricChange(metric=name, title=metric.title, unit=metric.unit, **values)
        elif old is not None or new is not None:
            metrics[name] = _compare_committed(metric, old, new, comparable=comparable)
    return metrics


def _compare_committed(metric: Metric, old: float | None, new: float | None, *, comparable: bool) -> MetricChange:
    """Return a metric of two committed numbers, which have no test, nor a difference unless they are `comparable`."""
    return MetricChange(
        metric=metric.name,
        title=metric.title,
        unit=metric.unit,
        base=old,
        head=new,
        difference=new - old if comparable and old is not None and new is not None else None,
        low=None,
        high=None,
        p_value=None,
        p_worse=None,
    )


def _same_examples(match: Match, base: TaskSnapshot, head: TaskSnapshot) -> bool:
    """Return whether the committed metrics are proven to be of the same test examples."""
    if match.rows:
        return match.rows.common == match.rows.base == match.rows.head
    return base.made_from is not None and base.made_from == head.made_from


def _number(document: Document | None, name: str) -> float | None:
    """Return a committed metric, None if it is missing or not a number."""
    return finite_number((document or {}).get(name))


def _explain_missing(headline: Metric, match: Match, base: TaskSnapshot, *, paired: bool) -> str:
    """Return why a metric of the base may have nothing to be compared with."""
    if not base.listed:
        return "the task is new"
    if match.rows and not paired:
        return f"of the {plural(match.rows.base, 'test example')} of the base, {count(match.rows.common)} are left"
    if _number(base.metrics, headline.name) is None:
        return "the base has no metrics of the task"
    return "the test examples may differ, and the predictions that could show it are missing"


def _find_doubt(measures: Measures, head: TaskSnapshot, predictions: Predictions | None) -> str | None:
    """Return why the committed metrics of the head cannot be trusted.

    If stages have yet to run, the metrics need not be those of the head's parameters.
    """
    if head.metrics is None:
        return None
    if not head.recorded:
        return "metrics are not those that its dvc.lock records; run `dvc repro` and commit both"
    if predictions is None or head.stale:
        return None
    values = compute_metrics(measures, predictions.scored).tolist()
    for metric, expected in zip(measures.metrics, values, strict=True):
        committed = _number(head.metrics, metric.name)
        if np.isnan(expected):
            continue  # undefined
        if committed is None or abs(committed - expected) > TOLERANCE * max(1, abs(expected)):
            value = "not a number" if committed is None else share(committed)
            return f"committed {metric.title} is {value}, but its predictions give {share(expected)}"
    return None
