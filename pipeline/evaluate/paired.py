"""Paired evidence: by how much two models differ on the same examples, and how surely."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from pipeline.evaluate.bootstrap import bootstrap, percentile_interval
from pipeline.evaluate.kind import Measures, Right, Scored, compute_metrics
from pipeline.evaluate.mcnemar import POWER, McNemar, mcnemar, paired_p_value
from pipeline.evaluate.metrics import Floats, Ints

P_OF_NO_CHANGE = 0.5  # the one-sided p value of a change that is no worse and no better


class ScoredPair(NamedTuple):
    """The same N examples, in the same order, scored for two models; `units` (N,) are those drawn together."""

    base: Scored
    head: Scored
    units: Ints | None = None


class Evidence(NamedTuple):
    """A metric of two models on the same examples.

    `difference` is head minus base, `low` and `high` its interval (None if every resample gives the same), `spread`
    the standard deviation of the resampled differences. `p_value` is two-sided, of "no difference"; `p_worse` is
    one-sided, of "not worse".
    """

    base: float
    head: float
    difference: float
    low: float | None
    high: float | None
    spread: float
    p_value: float
    p_worse: float


def compare_pair(
    measures: Measures,
    pair: ScoredPair,
    *,
    confidence: float,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, Evidence]:
    """Compare two models by a paired bootstrap, and return the evidence of each metric that is defined for both.

    The p values of the share of right examples are McNemar's: exact for "no difference", mid-p for "not worse". The
    others are shares of resamples, and so are all if examples are drawn in units.
    """
    resampled = bootstrap(measures, [pair.base, pair.head], resamples=resamples, rng=rng, units=pair.units)
    draws = resampled[:, 1] - resampled[:, 0]
    base, head = compute_metrics(measures, pair.base), compute_metrics(measures, pair.head)
    right = measures.right if pair.units is None else None
    evidence = {}
    for at, metric in enumerate(measures.metrics):
        known = draws[~np.isnan(draws[:, at]), at]
        if np.isnan(head[at] - base[at]) or len(known) < 2:
            continue
        interval = percentile_interval(head[at] - base[at], known, confidence=confidence)
        spread = float(np.std(known, ddof=1))
        p_values = paired_p_value(known), share_not_worse(metric.better * known)
        if right is not None and metric.name == right.metric:
            p_values = flip_test(right, pair).p_value, mid_p_worse(right, pair)
        values = float(base[at]), float(head[at]), float(head[at] - base[at])
        evidence[metric.name] = Evidence(*values, interval.low, interval.high, spread, *p_values)
    return evidence


def flip_test(right: Right, pair: ScoredPair) -> McNemar:
    """Return McNemar's test of a pair, the head being the model."""
    return mcnemar(right.rows(pair.head), right.rows(pair.base))


def share_not_worse(gains: Floats) -> float:
    """Return the one-sided p value of "not worse" from resampled gains, (R,): the share of those that are no loss.

    One is added, so that R resamples never claim less than 1 / (R + 1).

    Source: Davison and Hinkley (1997), Bootstrap Methods and their Application, section 4.2.
    """
    return float((np.count_nonzero(gains >= 0) + 1) / (len(gains) + 1))


def mid_p_worse(right: Right, pair: ScoredPair) -> float:
    """Return the one-sided mid-p value of "the head is right as often as the base", small if it is right less often.

    Source: Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.
    """
    test = flip_test(right, pair)
    if test.model_only == test.baseline_only:
        return P_OF_NO_CHANGE
    return test.mid_p / 2 if test.model_only < test.baseline_only else 1 - test.mid_p / 2


def smallest_drop(spread: float, *, largest: float, level: float) -> float | None:
    """Return the smallest true drop that a gate refuses with probability `POWER`; None if nothing varies.

    The gate refuses a measured drop above `largest` and above chance at the one-sided `level`. `spread` is the
    standard error of the difference: for accuracy, sqrt(share of rows the models judge differently / rows).

    Source: Cohen (1988), Statistical Power Analysis, section 2.4, with a second threshold.
    """
    at_level, at_power = (NormalDist().inv_cdf(share) for share in (1 - level, POWER))
    return max(largest, at_level * spread) + at_power * spread if spread > 0 else None


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return the p values adjusted by Holm's method: the chance of any false finding among them stays at the level.

    Source: Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[at]))
        adjusted[at] = highest
    return adjusted
