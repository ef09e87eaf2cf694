"""Which examples a model with few labels may see: nested, stratified, and the same wherever the rows stand."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.core.errors import UsageError
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import of_split
from pipeline.evaluate.metrics import Ints
from pipeline.settings.study import Labels


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


class Texts(NamedTuple):
    """N examples: their ids, their texts and their class indices, (N,)."""

    ids: list[str]
    texts: list[str]
    classes: Ints


class Budget(NamedTuple):
    """What a cell may see of a task: `labels` train rows, at most as many validation rows, and the whole test split."""

    labels: tuple[str, ...]
    train: Texts
    validation: Texts
    test: Texts


def budget(examples: pa.Table, *, labels: Labels, seed: int) -> Budget:
    """Return what a cell with so many labels may see.

    Validation chooses among checkpoints and strengths; who has few labels has few of these too, so it is cut to the
    size of the train subset, nested and stratified like it.

    Raises:
        DataError: A split has no row.
        UsageError: The train split has fewer rows than `labels`.

    Source: Perez et al. (2021), True Few-Shot Learning, on what a large validation split hides; Gao et al. (2021),
    LM-BFF, section 3, on one as large as the train subset.
    """
    train, validation = (_texts(of_split(examples, split)) for split in ("train", "validation"))
    wanted = len(train.ids) if labels == "all" else labels
    seen = min(wanted if labels != "all" else len(validation.ids), len(validation.ids))
    return Budget(
        labels_of(examples),
        _taken(train, subset(train.ids, train.classes, labels=wanted, seed=seed)),
        _taken(validation, subset(validation.ids, validation.classes, labels=seen, seed=seed)),
        _in_order(_texts(of_split(examples, "test"))),
    )


def _texts(rows: pa.Table) -> Texts:
    return Texts(rows["id"].to_pylist(), rows["text"].to_pylist(), class_indices(rows))


def _taken(rows: Texts, places: Ints | Sequence[int]) -> Texts:
    return Texts([rows.ids[at] for at in places], [rows.texts[at] for at in places], rows.classes[places])


def _in_order(rows: Texts) -> Texts:
    return _taken(rows, np.array(sorted(range(len(rows.ids)), key=rows.ids.__getitem__), np.int64))
