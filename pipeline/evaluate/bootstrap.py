"""Bootstrap resamples of metrics, and their percentile intervals."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluate.estimate import NO_SPREAD, Estimate, wilson_interval
from pipeline.evaluate.kind import Measures, Scored, count_rows
from pipeline.evaluate.metrics import Floats, Ints


def bootstrap(
    measures: Measures,
    models: Sequence[Scored],
    *,
    resamples: int,
    rng: np.random.Generator,
    units: Ints | None = None,
) -> Floats:
    """Return the M metrics of each model on each resample, (resamples, models, M); NaN if undefined there.

    A resample draws N of the N examples with replacement, the same ones for every model, so differences between
    models are paired. `units` (N,) are the units of the examples, from 0 up: those of one unit are drawn together. Only
    one resample is held at a time, as the count of each example.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 6; Davison and Hinkley (1997),
    Bootstrap Methods and their Application, section 3.8, for units.
    """
    drawn = count_rows(models[0]) if units is None else int(units.max()) + 1
    draws = np.empty((resamples, len(models), len(measures.metrics)))
    for draw in draws:
        counts = np.bincount(rng.integers(drawn, size=drawn), minlength=drawn).astype(np.float64)
        weights = counts if units is None else counts[units]
        for place, data in enumerate(models):
            draw[place] = measures.compute(data, weights)
    return draws


def estimate_metrics(
    measures: Measures,
    data: Scored,
    values: Floats,
    draws: Floats,
    *,
    confidence: float,
    units: Ints | None = None,
) -> dict[str, Estimate]:
    """Return each metric with its percentile interval; `values` is (M,), `draws` (resamples, M).

    Resampling adds noise, and noise only ever adds to a calibration error, so the interval of one lies high and may
    leave out the value. If all rows are right, or none, resamples of the share of right ones are all equal, and its
    interval is Wilson's, if the rows are their own units.
    """
    estimates = {
        metric.name: percentile_interval(values[at], draws[:, at], confidence=confidence, undefined=metric.undefined)
        for at, metric in enumerate(measures.metrics)
    }
    if (right := measures.right) and units is None and estimates[right.metric].reason == NO_SPREAD:
        rows = right.rows(data)
        estimates[right.metric] = wilson_interval(int(rows.sum()), len(rows), confidence=confidence)
    return estimates


def percentile_interval(value: float, draws: Floats, *, confidence: float, undefined: str = "") -> Estimate:
    """Return `value` with the percentile interval of its resamples, (R,); without one if all of them are equal.

    Resamples on which it is NaN do not count. If the value itself is NaN, it is None for the reason `undefined`.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, section 13.3.
    """
    if np.isnan(value):
        return Estimate(None, reason=undefined)
    known = draws[~np.isnan(draws)]
    if not len(known) or known.min() == known.max():
        return Estimate(float(value), reason=NO_SPREAD)
    low, high = np.quantile(known, ((1 - confidence) / 2, (1 + confidence) / 2))
    return Estimate(float(value), float(low), float(high))
