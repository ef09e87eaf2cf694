"""The rows of a file that baselines are fitted to, and all others, in pieces."""

from collections import Counter
from hashlib import blake2b
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


def write_examples(folder: str, splits: list[str], classes: list[int | None] | None = None) -> Path:
    """A file of examples, in row groups of ten."""
    ids = [f"id {row}" for row in range(len(splits))]
    table = pa.table({"id": ids, "split": splits, **({} if classes is None else {"label": classes})})
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
    limits = {"train": most, "validation": most // 5}
    assert there == Counter({split: min(counts[split], limit) for split, limit in limits.items()})
    assert drawn.total == len(splits)
    assert drawn.splits == {split: (there[split], counts[split]) for split in ("train", "validation")}
    assert own.rows["id"].to_pylist() == [f"id {row}" for row in own.positions.tolist()]
    assert labels_of(own.rows) == ("a", "b")
    assert (drawn.describe() is None) == all(counts[split] <= limit for split, limit in limits.items())


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


@given(
    st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 2, None]), min_size=1, max_size=80),
    st.integers(1, 60),
    st.integers(1, 9),
)
def test_a_rare_class_is_not_lost(classes, most, least):
    with TemporaryDirectory() as folder, patch.object(rows, "CLASS_ROWS", least):
        drawn = draw_rows(write_examples(folder, ["train"] * len(classes), classes), most).piece
    there = Counter(drawn.rows["label"].to_pylist())
    assert there.total() == min(most, len(classes))
    own = Counter(label for label in classes if label is not None)
    for label, count in own.items():
        assert there[label] >= min(count, least, most // len(own))


def test_ids_are_ranked_by_their_hash_alone():
    ids = ["b", "a", "\ud800", "z"]
    ranks = rows.rank_ids(ids)
    assert [rows.rank_ids([own])[0] for own in ids] == ranks.tolist()
    assert ranks[1] == int.from_bytes(blake2b(b"a", digest_size=8).digest(), "big")


def test_large_rows_are_read_a_few_at_a_time(tmp_path):
    path = write_examples(str(tmp_path), ["test"] * 100)
    with patch.object(rows, "PIECE_BYTES", 100):
        pieces = [*read_pieces(path)]
    assert max(own.rows.num_rows for own in pieces) < 20
    assert [place for own in pieces for place in own.positions.tolist()] == [*range(100)]
