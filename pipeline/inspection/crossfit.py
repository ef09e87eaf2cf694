"""Out-of-sample class probabilities: each example is predicted by models that were fitted without it."""

from collections.abc import Iterator

import numpy as np

from pipeline.evaluate.baselines import Fit, predict_probe, predict_tfidf
from pipeline.evaluate.metrics import Floats, Ints, Vectors
from pipeline.evaluate.ngrams import Ngrams
from pipeline.settings.task import BaselineParams


def predict_out_of_sample(
    params: BaselineParams, ngrams: Ngrams, vectors: Vectors, classes: Ints, folds: Ints, *, count: int
) -> Iterator[tuple[Ints, Floats]]:
    """Yield (positions (n,), probabilities (n, count)) for each fold: the mean of TF-IDF and of the probe.

    `ngrams` are those of all N texts, `vectors` (N, H) the frozen encoder's, `classes` (N,) class indices, `folds` (N,)
    the fold of each example. To predict a fold, the next one is the validation split, and the others are the train
    split. The first fold chooses features and strengths for all: a choice of ten tells a model next to nothing of a
    label, and costs most of the time. The two models err differently, so their mean ranks wrong labels better than
    either.

    Raises:
        DataError: A train split has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.
    """
    number = int(folds.max()) + 1
    for fold in range(number):
        tuning = (fold + 1) % number
        held_out, validation = np.flatnonzero(folds == fold), np.flatnonzero(folds == tuning)
        train = np.flatnonzero((folds != fold) & (folds != tuning))
        tfidf = predict_tfidf(
            params,
            ngrams,
            train=(train, classes[train]),
            validation=(validation, classes[validation]),
            rows=held_out,
            classes=count,
        )
        probe = predict_probe(
            params,
            train=(vectors[train], classes[train]),
            validation=(vectors[validation], classes[validation]),
            features=vectors[held_out],
            classes=count,
        )
        yield held_out, (tfidf.probabilities + probe.probabilities) / 2
        params = _fix_choice(params, tfidf, probe)


def _fix_choice(params: BaselineParams, tfidf: Fit, probe: Fit) -> BaselineParams:
    """Return the params that leave the two models no other choice than these."""
    chosen = {"strengths": (tfidf.strength,), "probe_strengths": (probe.strength,)}
    return params.model_copy(update=chosen | ({"characters": 0} if tfidf.features == "words" else {}))
