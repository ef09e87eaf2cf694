"""Where a change helps and where it hurts: the examples it fixes and breaks, one by one, by class and by slice."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.diff.changes import word
from pipeline.diff.common import Matched
from pipeline.diff.document import MOST_EXAMPLES, MOST_ROWS, Example, Flips, Group
from pipeline.evaluate.align import held_out
from pipeline.evaluate.metrics import Ints, subset
from pipeline.evaluate.paired import Pair, flip_test, holm
from pipeline.evaluate.slices import Slice, by_column, by_length
from pipeline.settings.task import EvaluateParams


class Part(NamedTuple):
    """Some of the common examples: a kind (`class`, `length`, a column), a value, and their positions."""

    kind: str
    value: str
    rows: Ints


def flips(found: Matched, lines: Mapping[str, int]) -> Flips:
    """Return how many examples the change fixes and breaks, and those whose wrong side is surest.

    `lines` maps ids to the line of the source file; an id may lack.
    """
    base, head = found.pair
    test = flip_test(found.pair)
    fixed, broken = np.flatnonzero(head.right & ~base.right), np.flatnonzero(base.right & ~head.right)
    return Flips(
        fixed=len(fixed),
        broken=len(broken),
        p_value=test.p_value,
        mid_p=test.mid_p,
        fixed_examples=_examples(found, fixed[np.argsort(-base.confidence[fixed], kind="stable")], lines),
        broken_examples=_examples(found, broken[np.argsort(-head.confidence[broken], kind="stable")], lines),
    )


def class_parts(found: Matched) -> list[Part]:
    """Return the common examples of each class that has one."""
    actual = found.pair.head.actual
    parts = [Part("class", label, np.flatnonzero(actual == at)) for at, label in enumerate(found.labels)]
    return [part for part in parts if len(part.rows)]


def slice_parts(found: Matched, table: pa.Table, params: EvaluateParams) -> list[Part]:
    """Return the common examples of each slice that has enough; `table` holds the texts of all of them.

    Raises:
        DataError: The table has no test row.
        KeyError: The table lacks an example.
        UsageError: A slice is by a column that the table lacks.
    """
    rows = held_out(table, params.slices)
    place = {key: at for at, key in enumerate(rows.ids)}
    order = [place[key] for key in found.ids]
    slices: list[Slice] = by_length([rows.texts[at] for at in order], params.length_edges)
    for name, values in rows.columns.items():
        slices += by_column(name, [values[at] for at in order])
    return [Part(*one) for one in slices if len(one.rows) >= params.min_slice_rows]


def groups(pair: Pair, parts: Sequence[Part], *, most: int = MOST_ROWS // 2) -> list[Group]:
    """Return what changed in each part of one kind; where there are too many, those with the most flips.

    The p values are adjusted for the number of parts: among many, some differ by chance.
    """
    pairs = [Pair(subset(pair.base, part.rows), subset(pair.head, part.rows)) for part in parts]
    tests = [flip_test(one) for one in pairs]
    adjusted = holm([test.p_value for test in tests])
    found = [
        Group(
            kind=word(part.kind),
            value=word(part.value),
            rows=len(part.rows),
            base=float(one.base.right.mean()),
            head=float(one.head.right.mean()),
            fixed=test.model_only,
            broken=test.baseline_only,
            p_value=p_value,
        )
        for part, one, test, p_value in zip(parts, pairs, tests, adjusted, strict=True)
    ]
    kept = sorted(range(len(found)), key=lambda at: -found[at].fixed - found[at].broken)[:most]
    return [found[at] for at in sorted(kept)]


def _examples(found: Matched, order: Ints, lines: Mapping[str, int]) -> tuple[Example, ...]:
    base, head = found.pair
    return tuple(
        Example(
            id=word(found.ids[at]),
            line=lines.get(found.ids[at]),
            label=word(found.labels[head.actual[at]]),
            base=word(found.labels[base.predicted[at]]),
            head=word(found.labels[head.predicted[at]]),
        )
        for at in order[:MOST_EXAMPLES]
    )
