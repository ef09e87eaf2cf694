"""The labelled examples that a cell of the study may see: nested, stratified, independent of the order of the rows."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.core.errors import UsageError
from pipeline.core.tables import class_indices, labels_of
from pipeline.evaluate.align import select_split
from pipeline.evaluate.metrics import Ints
from pipeline.settings.study import LabelCount


class Texts(NamedTuple):
    """N examples: their ids, their texts and their class indices, (N,)."""

    ids: list[str]
    texts: list[str]
    classes: Ints


class Budget(NamedTuple):
    """The task's class names, and what a cell sees: its train and validation rows, and the whole test split by id."""

    class_names: tuple[str, ...]
    train: Texts
    validation: Texts
    test: Texts


def draw_budget(examples: pa.Table, *, labels: LabelCount, seed: int) -> Budget:
    """Return the examples of a cell with so many labels: train rows, at most as many validation rows, all test rows.

    Validation chooses among checkpoints and strengths. With few labels a large validation split would be unrealistic,
    so it is cut to the size of the train subset, nested and stratified like it.

    Raises:
        DataError: A split has no row.
        UsageError: The train split has fewer rows than `labels`.

    Source: Perez et al. (2021), True Few-Shot Learning, on what a large validation split hides; Gao et al. (2021),
    LM-BFF, section 3, on one as large as the train subset.
    """
    train, validation, test = (_read_split(examples, split) for split in ("train", "validation", "test"))
    wanted = len(train.ids) if labels == "all" else labels
    validated = len(validation.ids) if labels == "all" else min(labels, len(validation.ids))
    return Budget(
        labels_of(examples),
        _take(train, draw_subset(train.ids, train.classes, labels=wanted, seed=seed)),
        _take(validation, draw_subset(validation.ids, validation.classes, labels=validated, seed=seed)),
        _take(test, np.array(sorted(range(len(test.ids)), key=test.ids.__getitem__), np.int64)),
    )


def draw_subset(ids: Sequence[str], classes: Ints, *, labels: int, seed: int) -> Ints:
    """Return the positions of `labels` of N rows, in an order that depends on (seed, ids, classes) alone.

    `ids` are N different texts, `classes` (N,) their class indices. A smaller subset is the beginning of a larger one.
    Each class has its share of the rows, up to rounding, and at least one row once there are as many labels as classes.
    The order within a class is that of a hash of (seed, id).

    Raises:
        UsageError: There are fewer rows.
    """
    if labels > len(ids):
        raise UsageError(
            f"study: `labels` has {labels}, but there are {len(ids)} examples. Set {len(ids)} or less, or `all`."
        )
    return rank_rows(ids, classes, seed=seed)[:labels]


def rank_rows(ids: Sequence[str], classes: Ints, *, seed: int) -> Ints:
    """Return the positions of all rows, (N,), in an order of which every beginning is stratified.

    The r-th row of a class with n rows comes at (r - 1/2) / n of the way, as in systematic sampling; the first rows of
    all classes come before the others.

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


def _read_split(examples: pa.Table, split: str) -> Texts:
    rows = select_split(examples, split)
    return Texts(rows["id"].to_pylist(), rows["text"].to_pylist(), class_indices(rows))


def _take(rows: Texts, places: Ints) -> Texts:
    return Texts([rows.ids[place] for place in places], [rows.texts[place] for place in places], rows.classes[places])
