"""The rows of a file that baselines are fitted to, and all others, in pieces."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.tables import describe, labels_of, write_parquet
from pipeline.linear import rows
from pipeline.linear.rows import draw_rows, read_pieces

SPLITS = st.lists(st.sampled_from(["train", "validation", "test"]), min_size=1, max_size=60)


def write_examples(folder: str, splits: list[str]) -> Path:
    """A file of examples, in row groups of ten."""
    table = pa.table({"id": [f"id {row}" for row in range(len(splits))], "split": splits})
    path = Path(folder, "examples.parquet")
    described = describe(table, task="t", labels=("a", "b"))
    write_parquet(path, (described.slice(start, 10) for start in range(0, len(splits), 10)))
    return path


@given(SPLITS, st.integers(1, 40), st.integers(1, 20))
def test_at_most_so_many_of_each_split_are_drawn(splits, most, piece):
    with TemporaryDirectory() as folder, patch.object(rows, "PIECE_ROWS", piece):
        drawn = draw_rows(write_examples(folder, splits), most)
        own = drawn.piece
    counts, there = Counter(splits), Counter(own.rows["split"].to_pylist())
    assert there == {split: min(counts[split], most) for split in ("train", "validation") if counts[split]}
    assert drawn.total == len(splits)
    assert drawn.splits == {split: (there[split], counts[split]) for split in ("train", "validation")}
    assert own.rows["id"].to_pylist() == [f"id {row}" for row in own.positions.tolist()]
    assert labels_of(own.rows) == ("a", "b")
    assert (drawn.describe() is None) == all(count <= most for split, count in counts.items() if split != "test")


@given(SPLITS, st.integers(1, 30))
def test_a_larger_sample_holds_the_smaller(splits, most):
    with TemporaryDirectory() as folder:
        path = write_examples(folder, splits)
        fewer, more = ({*draw_rows(path, size).piece.positions.tolist()} for size in (most, most + 5))
    assert fewer <= more


@given(SPLITS, st.integers(1, 20))
def test_the_pieces_are_all_rows_outside_train(splits, piece):
    with TemporaryDirectory() as folder, patch.object(rows, "PIECE_ROWS", piece):
        pieces = [*read_pieces(write_examples(folder, splits))]
    asked = [row for row, split in enumerate(splits) if split != "train"]
    assert [place for own in pieces for place in own.positions.tolist()] == asked
    assert [name for own in pieces for name in own.rows["id"].to_pylist()] == [f"id {row}" for row in asked]
    assert all(own.rows.num_rows == piece for own in pieces[:-1])
    assert all(labels_of(own.rows) == ("a", "b") for own in pieces)
