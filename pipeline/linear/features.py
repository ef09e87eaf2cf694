"""TF-IDF features of any text or pair of texts, by n-grams and weights that come from train texts."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from pipeline.examples.text import word_pattern
from pipeline.linear.saved import NgramWeights


def make_counter(kind: str, longest: int, terms: Sequence[str] | None = None) -> CountVectorizer:
    """Return what counts the n-grams of a kind (`words`, `characters`) of 1 to `longest`: all, or `terms` alone."""
    how = {"token_pattern": word_pattern()} if kind == "words" else {"analyzer": "char_wb"}
    return CountVectorizer(ngram_range=(1, longest), dtype=np.int32, vocabulary=terms, **how)


def make_weigher() -> TfidfTransformer:
    """Return what weighs counts by (1 + ln tf) * idf, each row of length 1."""
    return TfidfTransformer(sublinear_tf=True)


def join_sides(first: csr_matrix, second: csr_matrix) -> csr_matrix:
    """Return the features of pairs, (N, 3 F + 1), of those of both texts: theirs, their product, and its sum."""
    overlap = first.multiply(second)
    return hstack([first, second, overlap, csr_matrix(overlap.sum(axis=1))]).tocsr()


def open_pair_features(ngrams: Sequence[NgramWeights]) -> Callable[[Sequence[Sequence[str]]], csr_matrix]:
    """Return the function from pairs of texts to their features; otherwise this is `open_features`."""
    parts = [_open_part(part) for part in ngrams]

    def featurize(pairs: Sequence[Sequence[str]]) -> csr_matrix:
        sides = [[pair[place] for pair in pairs] for place in (0, 1)]
        return hstack([join_sides(*map(part, sides)) for part in parts]).tocsr()

    return featurize


def open_features(ngrams: Sequence[NgramWeights]) -> Callable[[Sequence[str]], csr_matrix]:
    """Return the function from texts to their features, (N, F), to the last bit those that `baseline` has computed."""
    parts = [_open_part(part) for part in ngrams]
    return lambda texts: hstack([part(texts) for part in parts]).tocsr()


def _open_part(part: NgramWeights) -> Callable[[Sequence[str]], csr_matrix]:
    counter, weigher = make_counter(part.kind, part.longest, part.terms), make_weigher()
    weigher.idf_, weigher.n_features_in_ = part.idf, len(part.idf)

    def weigh(texts: Sequence[str]) -> csr_matrix:
        counts = counter.transform(texts)
        counts.sort_indices()  # as they were counted: the last bits of a sum depend on the order
        return weigher.transform(counts)

    return weigh
