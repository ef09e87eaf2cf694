"""N-gram counts of texts or pairs, counted once, and the TF-IDF features that any rows of them give as train texts."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import TfidfTransformer

from pipeline.core.errors import DataError
from pipeline.evaluate.metrics import Ints
from pipeline.examples.pairs import read_texts
from pipeline.linear.features import join_sides, make_counter, make_weigher, open_features, open_pair_features
from pipeline.linear.saved import NgramWeights
from pipeline.settings.task import BaselineParams

PIECE_TEXTS = 2**13  # counted at a time: the counter takes far more than its counts
ReadTexts = Callable[[pa.Table], Sequence[Any]]


class Terms(NamedTuple):
    """The n-grams of one kind, in the order of their columns, and the longest that was counted."""

    longest: int
    names: Sequence[str]


class Ngrams(NamedTuple):
    """Counts of n-grams in N texts, by kind (`words`, `characters`): (N, V) int32, columns in the order of n-grams.

    Of pairs, `seconds` are those of the second texts, with the same columns. A kind that no text has is left out.
    """

    counts: Mapping[str, csr_matrix]
    terms: Mapping[str, Terms]
    seconds: Mapping[str, csr_matrix] | None = None


@dataclass(frozen=True)
class FittedNgrams:
    """N-grams that are frequent in train, by kind: their columns in the counts, and their weights.

    Called with rows (n,), it returns their TF-IDF features, (n, F).
    """

    ngrams: Ngrams
    columns: Mapping[str, Ints]
    weighers: Mapping[str, TfidfTransformer]

    def __call__(self, rows: Ints) -> csr_matrix:
        """Return the features of rows; those of one kind stand beside those of the other."""
        parts = [self._weigh(kind, rows) for kind in self.columns]
        return parts[0] if len(parts) == 1 else hstack(parts).tocsr()

    def list_weights(self) -> list[NgramWeights]:
        """Return the n-grams with their weights, which give other texts or pairs their features."""
        terms = self.ngrams.terms
        return [
            NgramWeights(
                kind,
                terms[kind].longest,
                [terms[kind].names[column] for column in columns.tolist()],
                self.weighers[kind].idf_,
            )
            for kind, columns in self.columns.items()
        ]

    def open(self, read: ReadTexts = read_texts) -> Callable[[pa.Table], csr_matrix]:
        """Return the function from examples to their features: of the same texts the same bits, without the counts."""
        featurize = (open_features if self.ngrams.seconds is None else open_pair_features)(self.list_weights())
        return lambda examples: featurize(read(examples))

    def _weigh(self, kind: str, rows: Ints) -> csr_matrix:
        columns, weigher = self.columns[kind], self.weighers[kind]
        first = weigher.transform(self.ngrams.counts[kind][rows][:, columns])
        if self.ngrams.seconds is None:
            return first
        return join_sides(first, weigher.transform(self.ngrams.seconds[kind][rows][:, columns]))


def count_ngrams(params: BaselineParams, texts: Sequence[str], seconds: Sequence[str] | None = None) -> Ngrams:
    """Return the counts of 1 to `ngrams` words and, unless `characters` is 0, of 1 to `characters` characters.

    `seconds` are the second texts of pairs. Counting costs far more than everything that is done with the counts, so
    texts of all splits are counted together. N-grams in fewer than `min_df` texts are left out: no train split has more
    of them.
    """
    every = [*texts, *(seconds or ())]
    longest = {"words": params.ngrams, **({"characters": params.characters} if params.characters else {})}
    counted = {kind: _count(kind, most, every, params.min_df) for kind, most in longest.items()}
    counted = {kind: own for kind, own in counted.items() if own[0].shape[1]}
    counts, terms = ({kind: own[place] for kind, own in counted.items()} for place in (0, 1))
    if seconds is None:
        return Ngrams(counts, terms)
    sides = slice(len(texts)), slice(len(texts), None)
    first, second = ({kind: own[rows] for kind, own in counts.items()} for rows in sides)
    return Ngrams(first, terms, second)


def _count(kind: str, longest: int, texts: Sequence[str], min_df: int) -> tuple[csr_matrix, Terms]:
    """Return the counts of the n-grams of a kind that are in `min_df` texts, (N, V), some thousand texts at a time.

    Columns are sorted by their n-gram, so those of a row are too: else the sums over a row, and their last bits, would
    depend on the other texts.
    """
    pieces, frequencies = list[tuple[csr_matrix, list[str]]](), defaultdict[str, int](int)
    for start in range(0, max(1, len(texts)), PIECE_TEXTS):
        own, names = _count_piece(kind, longest, texts[start : start + PIECE_TEXTS])
        pieces.append((own, names))
        for name, count in zip(names, np.bincount(own.indices, minlength=len(names)).tolist(), strict=True):
            frequencies[name] += count
    kept = sorted(name for name, count in frequencies.items() if count >= min_df)
    columns = {name: column for column, name in enumerate(kept)}
    return vstack([_place(*piece, columns) for piece in pieces], format="csr"), Terms(longest, kept)


def _count_piece(kind: str, longest: int, texts: Sequence[str]) -> tuple[csr_matrix, list[str]]:
    counter = make_counter(kind, longest)
    if not any(map(counter.build_analyzer(), texts)):
        return csr_matrix((len(texts), 0), dtype=np.int32), []
    counts = counter.fit_transform(texts)
    counts.sort_indices()
    return counts, counter.get_feature_names_out().tolist()


def _place(counts: csr_matrix, names: Sequence[str], columns: Mapping[str, int]) -> csr_matrix:
    """Return counts with the `columns` of n-grams by name, and no others."""
    places = np.array([columns.get(name, -1) for name in names], np.int32)
    own = counts[:, places >= 0]
    return csr_matrix((own.data, places[places >= 0][own.indices], own.indptr), shape=(own.shape[0], len(columns)))


def fit_weights(params: BaselineParams, ngrams: Ngrams, train: Ints) -> dict[str, FittedNgrams]:
    """Return what gives rows their TF-IDF features: of words, and of words beside characters.

    N-grams and their weights come from the rows `train` (n,) alone: those in at least `min_df` of them, weighted
    (1 + ln tf) * idf, the rows of each kind of length 1. If only one kind is frequent enough, that is all. Pairs give
    the features of both texts, their product, and its sum, which is the cosine of the two.

    Raises:
        DataError: No n-gram is frequent enough.
    """
    kinds = ["words", *(["characters"] if params.characters else [])]
    counted = [kind for kind in kinds if kind in ngrams.counts]
    fitted = {kind: fit for kind in counted if (fit := _fit(ngrams, kind, train, params.min_df))}
    if not fitted:
        raise DataError(
            f"baseline.min_df: no {' and no '.join(kinds)} in {params.min_df} of {len(train)} train texts, so TF-IDF "
            "has no feature. Lower baseline.min_df (1 is the least), or add texts."
        )
    columns, weighers = ({kind: fit[place] for kind, fit in fitted.items()} for place in (0, 1))
    first = next(iter(fitted))
    alone = {first: FittedNgrams(ngrams, {first: columns[first]}, {first: weighers[first]})}
    return alone if len(fitted) < 2 else {**alone, "words and characters": FittedNgrams(ngrams, columns, weighers)}


def _fit(ngrams: Ngrams, kind: str, train: Ints, min_df: int) -> tuple[Ints, TfidfTransformer] | None:
    """Return the columns that are in at least `min_df` train texts, and their weights; None if no column is."""
    counts, seconds = ngrams.counts[kind], None if ngrams.seconds is None else ngrams.seconds[kind]
    known = counts[train] if seconds is None else vstack([counts[train], seconds[train]]).tocsr()
    columns = np.flatnonzero(np.bincount(known.indices, minlength=counts.shape[1]) >= min_df)
    return (columns, make_weigher().fit(known[:, columns])) if len(columns) else None
