"""The mean of what several trainings got right on the same examples, and how far it could be off for both reasons."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from pipeline.metrics import Floats, Ints, confusion_matrix, macro_f1


class Mean(NamedTuple):
    """A mean over seeds and examples; `low` and `high` are None, and `p_value` is 1, where nothing varies.

    `error` is the standard error, `freedom` the degrees of freedom, `p_value` two-sided of "the mean is 0".
    """

    value: float
    low: float | None
    high: float | None
    error: float
    freedom: float
    p_value: float


def crossed_mean(values: Floats, *, confidence: float) -> Mean:
    """Return the mean of `values`, (S, N): S seeds by N examples, both drawn from many.

    The variance of the mean is that of two crossed random effects: with mean squares A of the seeds, B of the examples
    and E of the rest, (E + max(0, A - E) + max(0, B - E)) / (S N). A component that is estimated below 0 counts as 0.
    The degrees of freedom are Satterthwaite's. With one seed only the examples vary, and the mean is of that training;
    likewise with one example.

    Source: Searle, Casella and McCulloch (1992), Variance Components, sections 4.3 and 4.5; Satterthwaite (1946),
    Biometrics Bulletin 2(6). The same design with readers and cases: Gallas et al. (2009), Communications in
    Statistics 38(15).
    """
    seeds, examples = values.shape
    mean = float(values.mean())
    by_seed, by_example = values.mean(axis=1), values.mean(axis=0)
    if min(seeds, examples) == 1:  # what is one of cannot vary
        terms = [(float(values.var(ddof=1)) if values.size > 1 else 0.0, 1.0, values.size - 1)]
    else:
        rest = values - by_seed[:, None] - by_example[None, :] + mean
        freedoms = seeds - 1, examples - 1, (seeds - 1) * (examples - 1)
        a = examples * float(by_seed.var(ddof=1))
        b = seeds * float(by_example.var(ddof=1))
        e = float((rest**2).sum()) / freedoms[2]
        signs = float(a > e), float(b > e), 1.0 - float(a > e) - float(b > e)
        terms = list(zip((a, b, e), signs, freedoms, strict=True))
    return _judged(mean, seeds * examples, terms, confidence)


def _judged(mean: float, count: int, terms: list[tuple[float, float, int]], confidence: float) -> Mean:
    """Return the mean with its interval, from the mean squares, their signs in the variance, and their freedoms."""
    square = sum(sign * value for value, sign, _ in terms)
    if square <= 0:
        return Mean(mean, None, None, 0.0, 0.0, 1.0)
    freedom = square**2 / sum((sign * value) ** 2 / free for value, sign, free in terms if sign and value)
    error = float(np.sqrt(square / count))
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Mean(mean, mean - reach, mean + reach, error, freedom, float(2 * stats.t.sf(abs(mean) / error, freedom)))


def crossed_macro_f1(
    actual: Ints, predicted: npt.NDArray[np.int64], *, classes: int, resamples: int, rng: np.random.Generator
) -> Floats:
    """Return resamples, (resamples,), of the mean macro-F1 over seeds; `predicted` is (S, N), `actual` (N,).

    Seeds and examples are drawn with replacement, each on its own. That is conservative: it errs on the wide side.

    Source: Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2).
    """
    seeds, rows = predicted.shape
    cells = actual[None, :] * classes + predicted
    draws = np.empty(resamples)
    for at in range(resamples):
        counts = np.bincount(rng.integers(rows, size=rows), minlength=rows).astype(np.float64)
        drawn: list[int] = rng.integers(seeds, size=(seeds,)).tolist()
        found = {
            seed: macro_f1(np.bincount(cells[seed], counts, minlength=classes**2).reshape(classes, classes))
            for seed in set(drawn)
        }
        draws[at] = np.mean([found[seed] for seed in drawn])
    return draws


def mean_macro_f1(actual: Ints, predicted: npt.NDArray[np.int64], *, classes: int) -> float:
    """Return the mean over seeds of macro-F1; `predicted` is (S, N), `actual` (N,)."""
    return float(np.mean([macro_f1(confusion_matrix(actual, one, classes)) for one in predicted]))
