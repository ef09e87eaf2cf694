"""Distances of two samples, each with the p value of "no difference"."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import MonteCarloMethod, chi2_contingency, fisher_exact, ks_2samp

_FEW = 5  # expected counts from which chi-square's own distribution holds: Cochran (1954), Biometrics 10(4)
_RESAMPLES = 9999  # of a table with fewer

Values = npt.NDArray[np.float64]


class Distance(NamedTuple):
    """How far a file is from the reference: a number of each, the distance, its p value and, if known, its interval."""

    reference: float
    file: float
    value: float
    p: float
    low: float | None = None
    high: float | None = None


def measure_distribution(reference: Values, file: Values) -> Distance:
    """Return the Kolmogorov-Smirnov distance of two samples, (N,) and (M,), in [0, 1], beside their medians.

    The p value is the asymptotic one, which is too large (never too small) for values with ties, as lengths have.

    Source: Smirnov (1948), Annals of Mathematical Statistics 19(2).
    """
    test = ks_2samp(reference, file, method="asymp")
    return Distance(float(np.median(reference)), float(np.median(file)), float(test.statistic), float(test.pvalue))


def measure_share(reference: npt.NDArray[np.bool_], file: npt.NDArray[np.bool_]) -> Distance:
    """Return by how much a share rises from the reference, (N,), to the file, (M,), in [-1, 1]; p is Fisher's, exact.

    Source: Fisher (1935), Journal of the Royal Statistical Society 98(1).
    """
    table = [[int(side.sum()), int((~side).sum())] for side in (reference, file)]
    before, after = float(reference.mean()), float(file.mean())
    return Distance(before, after, after - before, float(fisher_exact(table).pvalue))


def measure_classes(reference: npt.NDArray[np.int64], file: npt.NDArray[np.int64], *, seed: int) -> Distance:
    """Return the total variation distance of two tables of counts by class, (C,), in [0, 1], beside the largest shares.

    p is that of the chi-square test; if a class is too rare for its distribution, of random tables with the same sums.

    Source: Pearson (1900), Philosophical Magazine 50(302).
    """
    shares = [counts / counts.sum() for counts in (reference, file)]
    table: npt.NDArray[Any] = np.stack([reference, file])[:, (reference + file) > 0]
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    largest = int(shares[0].argmax())
    if table.shape[1] < 2:
        return Distance(1.0, 1.0, 0.0, 1.0)
    plain = chi2_contingency(table, correction=False)
    if plain.expected_freq.min() < _FEW:
        draws = MonteCarloMethod(n_resamples=_RESAMPLES, rng=np.random.default_rng(seed))
        plain = chi2_contingency(table, correction=False, method=draws)
    return Distance(float(shares[0][largest]), float(shares[1][largest]), distance, float(plain.pvalue))
