"""N-gram counts of texts or pairs, counted once, and the TF-IDF features that any rows of them give as train texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from pipeline.core.errors import DataError
from pipeline.evaluate.metrics import Ints
from pipeline.examples.text import word_pattern
from pipeline.settings.task import BaselineParams

Weigh: TypeAlias = Callable[[Ints], csr_matrix]  # rows (n,) -> their features (n, F)


class Ngrams(NamedTuple):
    """Counts of n-grams in N texts, by kind (`words`, `characters`): (N, V) float64, columns in the order of n-grams.

    Of pairs, `seconds` are those of the second texts, with the same columns. A kind that no text has is left out.
    """

    counts: Mapping[str, csr_matrix]
    seconds: Mapping[str, csr_matrix] | None = None


def count_ngrams(params: BaselineParams, texts: Sequence[str], seconds: Sequence[str] | None = None) -> Ngrams:
    """Return the counts of 1 to `ngrams` words and, unless `characters` is 0, of 1 to `characters` characters.

    `seconds` are the second texts of pairs. Counting costs far more than everything that is done with the counts, so
    texts of all splits are counted together.
    """
    every = [*texts, *(seconds or ())]
    kinds = {"words": CountVectorizer(ngram_range=(1, params.ngrams), token_pattern=word_pattern(), dtype=np.float64)}
    if params.characters:
        how = {"ngram_range": (1, params.characters), "analyzer": "char_wb", "dtype": np.float64}
        kinds["characters"] = CountVectorizer(**how)
    counts: dict[str, csr_matrix] = {}
    for kind, vectorizer in kinds.items():
        if any(map(vectorizer.build_analyzer(), every)):
            counts[kind] = vectorizer.fit_transform(every)
            counts[kind].sort_indices()  # else the sums over a row, and their last bits, depend on the other texts
    if seconds is None:
        return Ngrams(counts)
    parts = ({kind: own[rows] for kind, own in counts.items()} for rows in (slice(len(texts)), slice(len(texts), None)))
    return Ngrams(*parts)


def fit_weights(params: BaselineParams, ngrams: Ngrams, train: Ints) -> dict[str, Weigh]:
    """Return the functions from rows to TF-IDF features: of words, and of words beside characters.

    N-grams and their weights come from the rows `train` (n,) alone: those in at least `min_df` of them, weighted
    (1 + ln tf) * idf, the rows of each kind of length 1. If only one kind is frequent enough, that is all. Pairs give
    the features of both texts, their product, and its sum, which is the cosine of the two.

    Raises:
        DataError: No n-gram is frequent enough.
    """
    kinds = ["words", *(["characters"] if params.characters else [])]
    counted = [kind for kind in kinds if kind in ngrams.counts]
    fitted = {kind: weigh for kind in counted if (weigh := _fit(ngrams, kind, train, params.min_df))}
    if not fitted:
        raise DataError(
            f"baseline.min_df: no {' and no '.join(kinds)} in {params.min_df} of {len(train)} train texts, so TF-IDF "
            "has no feature. Lower baseline.min_df (1 is the least), or add texts."
        )
    if len(fitted) < 2:
        return fitted
    words, characters = fitted.values()
    return {"words": words, "words and characters": lambda rows: hstack([words(rows), characters(rows)]).tocsr()}


def _fit(ngrams: Ngrams, kind: str, train: Ints, min_df: int) -> Weigh | None:
    """Return the weights of the columns that are in at least `min_df` train texts; None if no column is."""
    counts, seconds = ngrams.counts[kind], None if ngrams.seconds is None else ngrams.seconds[kind]
    known = counts[train] if seconds is None else vstack([counts[train], seconds[train]]).tocsr()
    columns = np.flatnonzero(np.bincount(known.indices, minlength=counts.shape[1]) >= min_df)
    if not len(columns):
        return None
    transformer = TfidfTransformer(sublinear_tf=True).fit(known[:, columns])

    def weigh(rows: Ints) -> csr_matrix:
        first = transformer.transform(counts[rows][:, columns])
        if seconds is None:
            return first
        second = transformer.transform(seconds[rows][:, columns])
        overlap = first.multiply(second)
        return hstack([first, second, overlap, csr_matrix(overlap.sum(axis=1))]).tocsr()

    return weigh
