"""Which examples a model with few labels may see: nested, stratified, and the same wherever the rows stand."""

import hashlib
from collections.abc import Sequence

import numpy as np

from pipeline.errors import UsageError
from pipeline.metrics import Ints


def subset(ids: Sequence[str], classes: Ints, *, labels: int, seed: int) -> Ints:
    """Return the positions of `labels` of N rows, in an order that depends on (seed, ids, classes) alone.

    `ids` are N different texts, `classes` (N,) their class indices. A smaller subset is the beginning of a larger one.
    Each class has its share of the rows, give or take the rounding, and at least one row once there are as many labels
    as classes. The order within a class is that of a hash of (seed, id).

    Raises:
        UsageError: There are fewer rows.
    """
    if labels > len(ids):
        raise UsageError(f"{labels} labels are asked for, and there are {len(ids)} examples; take fewer, or `all`")
    return ranking(ids, classes, seed=seed)[:labels]


def ranking(ids: Sequence[str], classes: Ints, *, seed: int) -> Ints:
    """Return the positions of all rows, (N,), so that every beginning of them is stratified.

    The r-th of a class with n rows comes at (r - 1/2) / n of the way, as in systematic sampling; the first of each
    class comes before all others.

    Source: Cochran (1977), Sampling Techniques, sections 5.6 and 8.1.
    """
    hashes = [hashlib.sha256(f"{seed}:{key}".encode()).hexdigest() for key in ids]
    places: list[tuple[bool, float, str, int]] = []
    for index in np.unique(classes):
        members = sorted(np.flatnonzero(classes == index).tolist(), key=hashes.__getitem__)
        places += [
            (rank > 0, (rank + 0.5) / len(members), hashes[member], member) for rank, member in enumerate(members)
        ]
    return np.array([member for *_, member in sorted(places)], np.int64)
