"""Out-of-sample class probabilities: each example is predicted by models that were fitted without it."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.baselines import Fit, Scaler, fit_probe, fit_tfidf
from pipeline.evaluate.metrics import Floats, Ints, Vectors
from pipeline.evaluate.ngrams import FittedNgrams, Ngrams
from pipeline.evaluate.projection import sample_rows
from pipeline.settings.task import BaselineParams


def predict_out_of_sample(
    params: BaselineParams,
    ids: Sequence[str],
    ngrams: Ngrams,
    vectors: Vectors,
    classes: Ints,
    folds: Ints,
    *,
    count: int,
) -> Iterator[tuple[Ints, Floats]]:
    """Yield (positions (n,), probabilities (n, count)) for each fold: the mean of TF-IDF and of the probe.

    `ids` and `ngrams` are those of all N texts, `vectors` (N, H) the frozen encoder's, `classes` (N,) class indices,
    `folds` (N,) the fold of each example. To predict a fold, the next one is the validation split, and the others are
    the train split; at most `sample` examples of these count, and a fifth as many of that one. The first fold chooses
    features and strengths for all: a choice of ten tells a model next to nothing of a label, and costs most of the
    time. The two models err differently, so their mean ranks wrong labels better than either.

    Raises:
        DataError: A train split has one class only, or no n-gram is frequent enough.
        UsageError: The solver did not converge.
    """

    def draw(chosen: npt.NDArray[np.bool_], most: int) -> Ints:
        places = np.flatnonzero(chosen)
        return places[sample_rows([ids[place] for place in places.tolist()], most)]

    number = int(folds.max()) + 1
    for fold in range(number):
        tuning = (fold + 1) % number
        held_out, validation = np.flatnonzero(folds == fold), draw(folds == tuning, params.sample // 5)
        train = draw((folds != fold) & (folds != tuning), params.sample)
        tfidf = fit_tfidf(
            params,
            ngrams,
            train=(train, classes[train]),
            validation=(validation, classes[validation]),
            classes=count,
        )
        probe = fit_probe(
            params,
            train=(vectors[train], classes[train]),
            validation=(vectors[validation], classes[validation]),
            classes=count,
        )
        yield held_out, (tfidf.predict(held_out) + probe.predict(vectors[held_out])) / 2
        params = _fix_choice(params, tfidf, probe)


def _fix_choice(params: BaselineParams, tfidf: Fit[FittedNgrams], probe: Fit[Scaler]) -> BaselineParams:
    """Return the params that leave the two models no other choice than these."""
    chosen = {"strengths": (tfidf.strength,), "probe_strengths": (probe.strength,)}
    return params.model_copy(update=chosen | ({"characters": 0} if tfidf.features == "words" else {}))
