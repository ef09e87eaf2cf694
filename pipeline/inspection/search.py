"""The search for suspects: every reason, over the examples of all splits."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.checks.near.duplicates import find_near_pairs
from pipeline.evaluate.metrics import Floats, Ints, Vectors
from pipeline.evaluate.ngrams import count_ngrams
from pipeline.evaluate.projection import sample_rows
from pipeline.inspection.crossfit import predict_out_of_sample
from pipeline.inspection.folds import deal_folds
from pipeline.inspection.suspects import Suspect, measure_distances, rank_suspects
from pipeline.settings.task import InspectParams


class Labelled(NamedTuple):
    """N examples: their ids and texts, class indices (N,), and the frozen encoder's vectors, (N, H).

    Of pairs, `texts` holds both as one, and `pairs` the first and the second ones.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    classes: Ints
    vectors: Vectors
    pairs: tuple[Sequence[str], Sequence[str]] | None = None


def find_suspects(
    params: InspectParams, examples: Labelled, *, classes: int, done: Callable[[int], None] = lambda _: None
) -> tuple[list[Suspect], Floats]:
    """Return the suspects, ranked, and the out-of-sample probabilities of every example, (N, classes).

    `done` is told the number of examples predicted since it was told last.

    Raises:
        DataError: Without a fold, the examples have one class only, or no n-gram is frequent enough.
        UsageError: A solver did not converge.
    """
    pairs = find_near_pairs(examples.texts, similarity=params.near_similarity, shingle=params.near_shingle)
    folds = deal_folds(examples.ids, examples.classes, pairs, folds=params.folds)
    probabilities = np.zeros((len(examples.ids), classes))
    ngrams = count_ngrams(params, *(examples.pairs or (examples.texts,)))
    known = (examples.ids, ngrams, examples.vectors, examples.classes)
    parts = predict_out_of_sample(params, *known, folds, count=classes)
    for rows, values in parts:
        probabilities[rows] = values
        done(len(rows))
    sample = sample_rows(examples.ids, params.outlier_sample)
    distances = measure_distances(examples.vectors, neighbours=params.outlier_neighbours, reference=sample)
    suspects = rank_suspects(examples.classes, probabilities, pairs, distances, fence=params.outlier_fence)
    return suspects, probabilities
