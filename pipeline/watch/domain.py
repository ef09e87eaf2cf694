"""The domain classifier: how well a linear model tells the texts of a file from those of the train split."""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pipeline.evaluate.metrics import Floats, Ints, Vectors
from pipeline.watch.distances import Distance

FOLDS = 5
_STRENGTH = 0.01  # inverse regularisation strength, on standardised features: some hundred numbers and as few texts
_MAX_ITER = 1000
# Each text is held out once and learned from in all other folds, so the folds' AUCs move together. Of a score that is
# linear in the texts, the variance of their mean is twice that of independent folds: each pair of folds counts twice.
_CORRELATION = 2.0


def measure_domain(reference: Vectors, file: Vectors, *, confidence: float, seed: int) -> Distance:
    """Return the cross-fitted AUC of telling a file, (M, H), from the reference, (N, H): 0.5 if they are alike.

    It is the mean of the folds' AUCs. The interval is DeLong's, and p is the one-sided one of Mann and Whitney's test,
    both with the variance that cross-fitting leaves.

    Source: Rabanser, Guennemann and Lipton (2019), Failing Loudly, NeurIPS, section 3; Lopez-Paz and Oquab (2017),
    ICLR; DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44(3).
    """
    rng = np.random.default_rng(seed)
    vectors, origin = np.concatenate([reference, file]), np.repeat([0, 1], [len(reference), len(file)])
    folds = np.concatenate([rng.permutation(np.arange(len(side)) % FOLDS) for side in (reference, file)])
    scores = [_score_fold(vectors, origin, folds == fold) for fold in range(FOLDS)]
    sides = [origin[folds == fold] for fold in range(FOLDS)]
    aucs = [measure_auc(score, side) for score, side in zip(scores, sides, strict=True)]
    auc = float(np.mean([value for value, _ in aucs]))
    spread = (_CORRELATION * sum(variance for _, variance in aucs)) ** 0.5 / FOLDS
    chance = (_CORRELATION * sum(_variance_of_chance(side) for side in sides)) ** 0.5 / FOLDS
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * spread
    p = NormalDist().cdf((0.5 - auc) / chance)
    return Distance(0.5, auc, auc, p, max(0.0, auc - reach), min(1.0, auc + reach))


def measure_auc(scores: Floats, positive: Ints) -> tuple[float, float]:
    """Return the area under the ROC curve of scores, (N,), for rows that are positive, (N,) 0 or 1, and its variance.

    Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44(3), by ranks as Sun and Xu (2014), IEEE Signal
    Processing Letters 21(11).
    """
    above, below = scores[positive == 1], scores[positive == 0]
    ranks = rankdata(scores)
    over = (ranks[positive == 1] - rankdata(above)) / len(below)
    under = 1 - (ranks[positive == 0] - rankdata(below)) / len(above)
    return float(over.mean()), float(over.var(ddof=1) / len(above) + under.var(ddof=1) / len(below))


def _score_fold(vectors: Vectors, origin: Ints, held_out: npt.NDArray[np.bool_]) -> Floats:
    """Return the scores of the rows held out, by a classifier of the others."""
    scaler = StandardScaler().fit(vectors[~held_out])
    classifier = LogisticRegression(C=_STRENGTH, max_iter=_MAX_ITER, class_weight="balanced")
    classifier.fit(scaler.transform(vectors[~held_out]), origin[~held_out])
    return np.asarray(classifier.decision_function(scaler.transform(vectors[held_out])), dtype=np.float64)


def _variance_of_chance(positive: Ints) -> float:
    """Return the variance of an AUC that is chance.

    Source: Mann and Whitney (1947), Annals of Mathematical Statistics 18(1).
    """
    above = int(positive.sum())
    below = len(positive) - above
    return (above + below + 1) / (12 * above * below)
