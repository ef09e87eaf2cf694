"""Folds of the examples: classes spread evenly, near duplicates together."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.evaluate.metrics import Ints


def deal_folds(ids: Sequence[str], classes: Ints, pairs: Sequence[tuple[int, int]], *, folds: int) -> Ints:
    """Return the fold of each of N examples, (N,), from 0 to `folds` - 1.

    `classes` (N,) are class indices; `pairs` are positions of near duplicates. Examples that a chain of pairs connects
    get the same fold, or a copy of a wrong label would vouch for it. Of more than `count / folds` so connected each is
    dealt alone: in one fold they would leave too few for the others. The folds depend on ids, classes and pairs, not on
    the order of the examples.

    Source: Kohavi (1995), A study of cross-validation and bootstrap, section 3 (stratification).
    """
    count = len(ids)
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    _, families = connected_components(coo_array((np.ones(len(left)), (left, right)), shape=(count, count)), False)
    large = np.flatnonzero(np.bincount(families)[families] > count / folds)
    families[large] = count + np.arange(len(large))
    order = sorted(range(count), key=lambda row: (int(classes[row]), ids[row]))
    fold_of: dict[int, int] = {}
    for row in order:
        fold_of.setdefault(int(families[row]), len(fold_of) % folds)
    return np.array([fold_of[int(family)] for family in families], np.int64)
