"""Two models on the same examples: by how much they differ, and how surely."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from pipeline.evaluate.bootstrap import bootstrap, estimate, one_class
from pipeline.evaluate.mcnemar import POWER, McNemar, mcnemar, paired_p_value
from pipeline.evaluate.metrics import HEADLINE, Floats, Scored, headline

NORMAL = 0.5  # the p value of a change that is no worse and no better
BETTER = {"accuracy": 1, "macro_f1": 1, "log_loss": -1, "brier": -1, "ece": -1}


class Pair(NamedTuple):
    """The same N examples, in the same order, scored for two models."""

    base: Scored
    head: Scored


class Evidence(NamedTuple):
    """A metric of two models on the same examples.

    `difference` is head minus base, `low` and `high` its interval (None where every resample gives the same), `spread`
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


def evidence(pair: Pair, *, confidence: float, resamples: int, rng: np.random.Generator) -> dict[str, Evidence]:
    """Return what each headline metric shows by a paired bootstrap.

    The p values of accuracy are McNemar's: exact for "no difference", mid-p for "not worse". The others are shares of
    resamples. Macro-F1 is left out where all examples are of one class.
    """
    resampled = bootstrap(pair, resamples=resamples, rng=rng)
    draws, rows = resampled[:, 1] - resampled[:, 0], np.ones(len(pair.base.actual))
    base, head = headline(pair.base, rows), headline(pair.head, rows)
    found = {}
    for at, name in enumerate(HEADLINE):
        if name == "macro_f1" and one_class(pair.head):
            continue
        ends = estimate(head[at] - base[at], draws[:, at], confidence=confidence)
        spread = float(np.std(draws[:, at], ddof=1))
        p_values = float(paired_p_value(draws[:, at])), share_not_worse(BETTER[name] * draws[:, at])
        if name == "accuracy":
            p_values = flip_test(pair).p_value, mid_p_worse(pair)
        values = float(base[at]), float(head[at]), float(head[at] - base[at])
        found[name] = Evidence(*values, ends.low, ends.high, spread, *p_values)
    return found


def flip_test(pair: Pair) -> McNemar:
    """Return McNemar's test of a pair, the head being the model; sums of many terms may end a hair above 1."""
    test = mcnemar(pair.head.right, pair.base.right)
    return test._replace(p_value=min(1.0, test.p_value), mid_p=min(1.0, test.mid_p))


def share_not_worse(gains: Floats) -> float:
    """Return the one-sided p value of "not worse" from resampled gains, (R,): the share of those that are no loss.

    One is added, so that R resamples never claim less than 1 / (R + 1).

    Source: Davison and Hinkley (1997), Bootstrap Methods and their Application, section 4.2.
    """
    return float((np.count_nonzero(gains >= 0) + 1) / (len(gains) + 1))


def mid_p_worse(pair: Pair) -> float:
    """Return the one-sided mid-p value of "the head is right as often as the base", small where it is so less often.

    Source: Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.
    """
    test = flip_test(pair)
    if test.model_only == test.baseline_only:
        return NORMAL
    return test.mid_p / 2 if test.model_only < test.baseline_only else 1 - test.mid_p / 2


def smallest_drop(spread: float, *, largest: float, level: float) -> float | None:
    """Return the smallest true drop that a gate refuses with probability `POWER`; None where nothing varies.

    The gate refuses what is measured as a drop above `largest` and above chance at the one-sided `level`. `spread` is
    the standard error of the difference: for accuracy, sqrt(share of rows the models judge differently / rows).

    Source: Cohen (1988), Statistical Power Analysis, section 2.4, with a second threshold.
    """
    at_level, at_power = (NormalDist().inv_cdf(share) for share in (1 - level, POWER))
    return max(largest, at_level * spread) + at_power * spread if spread > 0 else None


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values so adjusted that the chance of any false finding among them stays at the level.

    Source: Holm (1979), Scandinavian Journal of Statistics 6(2).
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[at]))
        adjusted[at] = highest
    return adjusted
