"""Kept chunks: what an edit computes again, and that the answers are those of the whole file."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks import kept
from pipeline.checks.chunks import chunk_file, select_train
from pipeline.checks.kept import keep_chunks
from pipeline.core.parts import chunks as parts
from pipeline.core.parts.ledger import open_ledger
from pipeline.core.tables import write_parquet


def make_rows(ids):
    """Rows whose content is that of their id, in a file where each has its own line."""
    return pa.table(
        {
            "id": pa.array([None if own is None else f"{own:016x}" for own in ids], pa.string()),
            "split": pa.array(["train" if (own or 0) % 3 else "test" for own in ids], pa.string()),
            "text": pa.array([f"text {own}" for own in ids], pa.string()),
            "row": pa.array(range(2, len(ids) + 2), pa.int64()),
        }
    )


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """Return the chunks of a file with these ids, as a run would that comes after those before."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(kept, "MEAN_ROWS", 8)

    def open_run(ids, *, rows=None):
        path = tmp_path / "examples.parquet"
        write_parquet(path, make_rows(ids) if rows is None else rows)
        return keep_chunks(chunk_file(path), path, open_ledger(tmp_path / "findings.json", "code"))

    return open_run


def ask(chunks, columns=("text",)):
    """Return the rows that are computed, and all answers."""
    seen = []

    def answer(chunk):
        seen.extend(chunk[columns[0]].to_pylist())
        return "|".join(map(str, chunk[columns[0]].to_pylist())).encode()

    answers = b"|".join(own for own in chunks.compute("texts", columns, answer) if own).decode()
    return seen, answers.split("|") if answers else []


IDS = list(range(100))


@pytest.mark.parametrize(
    ("edit", "most"),
    [
        (lambda ids: ids, 0),
        (lambda ids: [*ids, 1000], 40),
        (lambda ids: [*ids[:50], 1000, *ids[50:]], 40),
        (lambda ids: [1000, *ids[1:]], 40),
        (lambda ids: ids[:30] + ids[31:], 40),
        (lambda ids: ids[:50], 40),
        (lambda _: [], 0),
        (lambda ids: [own + 500 for own in ids], 100),
    ],
    ids=["none", "append", "insert", "change", "remove", "cut", "empty", "another"],
)
@pytest.mark.parametrize("held", [kept.HELD_BYTES, -1], ids=["held", "read again"])
def test_an_edit_computes_its_chunks_again(keep, monkeypatch, edit, most, held):
    monkeypatch.setattr(kept, "HELD_BYTES", held)
    seen, answers = ask(keep(IDS))
    assert seen == answers == [f"text {own}" for own in IDS]
    ids = edit(IDS)
    seen, answers = ask(keep(ids))
    assert answers == [f"text {own}" for own in ids]
    assert len(seen) <= most
    assert {f"text {own}" for own in {*ids} - {*IDS}} <= {*seen} <= {*answers}
    assert ask(keep(ids)) == ([], answers)


@given(st.lists(st.integers(0, 30) | st.none(), max_size=60), st.integers(1, 9), st.data())
def test_chunks_are_the_rows_of_the_file_whatever_its_batches(tmp_path_factory, ids, rows, data):
    folder = tmp_path_factory.mktemp("kept")
    (folder / ".dvc").mkdir()
    path = folder / "examples.parquet"
    write_parquet(path, make_rows(ids))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "MEAN_ROWS", 4)
        patch.setattr("pipeline.checks.chunks.CHUNK_ROWS", rows)
        chunks = keep_chunks(chunk_file(path), path, open_ledger(folder / "out", "code"))
        whole = list(chunks.read("row", "text"))
        assert pa.concat_tables([make_rows([]).select(["row", "text"]), *whole]).equals(
            make_rows(ids).select(["row", "text"])
        )
        some = sorted(data.draw(st.sets(st.integers(0, max(0, len(whole) - 1)))) if whole else [])
        assert [own.to_pylist() for own in chunks.read("row", "text", only=some)] == [
            whole[at].to_pylist() for at in some
        ]


def test_another_line_is_no_other_row(keep):
    ask(keep(IDS))
    shifted = make_rows(IDS)
    shifted = shifted.set_column(3, "row", pc.add(shifted["row"], 7))
    chunks = keep(IDS, rows=shifted)
    assert ask(chunks)[0] == []
    assert list(chunks.values("row")) == list(range(9, 109))


def test_what_depends_on_other_rows_is_computed_anew(keep):
    for _ in range(2):
        chunks = keep(IDS)
        marked = chunks.mark("here", np.array([3, 50]))
        assert len(ask(marked, ("here",))[0]) == 100
        assert len(ask(marked.derive("twice", ("here",), lambda chunk: chunk["here"]), ("twice",))[0]) == 100
        assert ask(marked.filter(("here",), lambda chunk: chunk["here"]))[0] == ["text 3", "text 50"]
    ask(keep(IDS))
    assert ask(keep(IDS).mark("here", np.array([3])))[0] == []  # its texts do not


def test_a_part_of_the_rows_is_kept_too(keep):
    train = [f"text {own}" for own in IDS if own % 3]
    assert ask(select_train(keep(IDS)))[1] == train
    assert ask(select_train(keep(IDS))) == ([], train)


def test_without_a_ledger_nothing_is_kept(keep, tmp_path):
    chunks = keep(IDS)
    assert (chunks.kept.rows, chunks.kept.new, chunks.describe()) == (100, 100, "100 of 100 rows computed")
    assert keep(IDS).describe() == "0 of 100 rows computed"
    path = tmp_path / "examples.parquet"
    whole = keep_chunks(chunk_file(path), path, None)
    assert (whole.kept, whole.describe()) == (None, "all rows computed")


def test_bounds_are_those_of_the_rows(keep):
    assert max(chunk.num_rows for chunk in keep(IDS).read("row")) <= 4 * 8
    assert parts.MEAN_ROWS == 1024
