"""Near duplicates by what an earlier run has compared: the same as without, whatever has changed in between."""

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.checks import kept as chunking
from pipeline.checks.chunks import chunk_file, select_held_out, select_train
from pipeline.checks.kept import keep_chunks
from pipeline.checks.keys import hash_keys
from pipeline.checks.near import candidates
from pipeline.checks.near import kept as searching
from pipeline.checks.near.duplicates import find_near_duplicates
from pipeline.checks.near.kept import find_in_kept_chunks
from pipeline.core.parts.ledger import open_ledger
from pipeline.core.tables import write_parquet
from pipeline.examples.text import text_id

HOW = {"similarity": 0.6, "shingle": 3}
WORDS = ["river", "stone", "cloud", "amber", "light", "field", "north", "glass", "table", "onion", "piano", "metal"]


def make_text(number: int) -> str:
    """Texts of which the tens have one or two words in common with each other but for the last."""
    rng = random.Random(number // 10)  # test data
    return " ".join([*rng.sample(WORDS, 6), str(number % 10)])


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(chunking, "MEAN_ROWS", 8)
    return tmp_path


def search(folder: Path, train: list[str], held_out: list[str], how=HOW) -> list[int] | None:
    """Return the positions of the held-out texts, in a file in which splits are mixed."""
    rows = [(text, "train") for text in train] + [(text, "test") for text in held_out]
    rows.sort(key=lambda row: text_id(row[0]))
    columns = {
        "id": pa.array([text_id(text) for text, _ in rows], pa.string()),
        "split": pa.array([split for _, split in rows], pa.string()),
        "text": pa.array([text for text, _ in rows], pa.string()),
    }
    path = folder / "examples.parquet"
    write_parquet(path, pa.table(columns))
    chunks = keep_chunks(chunk_file(path), path, open_ledger(folder / "findings.json", "code"))
    texts = list(select_held_out(chunks).values("text"))
    names = hash_keys(texts)[:, 0]
    train_chunks = select_train(chunks)
    near = find_in_kept_chunks(train_chunks, train_chunks.kept, texts, names, **how)
    return None if near is None else sorted(held_out.index(texts[at]) for at in near)


def expect(train: list[str], held_out: list[str]) -> list[int]:
    positions, cut = find_near_duplicates(train, held_out, **HOW)
    assert cut == 0
    return positions


NUMBERS = st.sets(st.integers(0, 199), max_size=60).map(sorted)


@settings(max_examples=60)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=4))
def test_runs_one_after_the_other_find_what_each_would_alone(tmp_path_factory, runs):
    folder = tmp_path_factory.mktemp("kept")
    (folder / ".dvc").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunking, "MEAN_ROWS", 4)
        for train, held_out in runs:
            texts = [make_text(own) for own in train], [f"{make_text(own)} x" for own in held_out]
            assert search(folder, *texts) == expect(*texts)


def watch_sketches(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what will be sketched."""
    sketched, real = [], searching.sketch_keys

    def watched(keys, *arguments, **more):
        sketched.extend(keys)
        return real(keys, *arguments, **more)

    monkeypatch.setattr(searching, "sketch_keys", watched)
    return sketched


def test_a_few_texts_more_are_all_that_is_sketched(repository, monkeypatch):
    train, held_out = [make_text(10 * own) for own in range(400)], [make_text(10 * own + 1) for own in range(0, 300, 3)]
    assert search(repository, train, held_out) == list(range(100)) == expect(train, held_out)
    sketched = watch_sketches(monkeypatch)
    assert search(repository, train, held_out) == list(range(100))
    assert sketched == []
    held_out += [make_text(10 * own + 1) for own in (301, 700)]  # the first is near to a text of a chunk that is known
    assert search(repository, train, held_out) == list(range(101)) == expect(train, held_out)
    assert len(sketched) <= 2 + 2 * 32 + len(held_out)  # both, the train texts of their chunks, and for those the index
    del sketched[:]
    train.append(make_text(7001))
    assert search(repository, train, held_out) == list(range(102)) == expect(train, held_out)
    assert len(sketched) <= len(held_out) + 32


def test_of_other_held_out_texts_nothing_is_taken(repository, monkeypatch):
    train = [make_text(10 * own) for own in range(100)]
    search(repository, train, [make_text(10 * own + 1) for own in range(50)])
    sketched = watch_sketches(monkeypatch)
    others = [make_text(10 * own + 1) for own in range(30, 130)]
    assert search(repository, train, others) == expect(train, others)
    assert len(sketched) == 200


def test_what_the_limits_cut_is_left_to_the_whole(repository, monkeypatch):
    train, held_out = [make_text(own) for own in range(40)], [f"{make_text(own)} x" for own in range(40)]
    assert search(repository, train, held_out) is not None
    monkeypatch.setattr(candidates, "MOST_CANDIDATES", 2)
    assert search(repository, [*train, make_text(41)], [*held_out, make_text(42)]) is None


@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_lost_and_damaged_parts_lose_time_alone(repository, damage):
    train, held_out = [make_text(10 * own) for own in range(60)], [make_text(10 * own + 1) for own in range(50)]
    search(repository, train, held_out)
    held_out.append(make_text(551))
    for at, path in enumerate(sorted((repository / ".dvc/tmp/parts").iterdir())):
        if at % 2:
            path.unlink() if damage == "removed" else path.write_bytes(path.read_bytes()[:-1])
    assert search(repository, train, held_out) in (list(range(51)), None)
    assert search(repository, train, held_out) in (list(range(51)), None)


def test_no_held_out_text_has_no_near_duplicate(repository):
    assert search(repository, ["a b c"], []) == []
    assert search(repository, [], ["a b c"]) == []
    assert search(repository, ["a b c"], ["a b c d"], {"similarity": 0.5, "shingle": 3}) == [0]
    assert np.isin([], []).sum() == 0
