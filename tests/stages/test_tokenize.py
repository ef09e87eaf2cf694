import re
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer

from pipeline.core.tables import describe, description, labels_of, read_arrow, task_of, write_parquet
from pipeline.kinds.text_classification.inputs import INPUTS
from pipeline.kinds.text_classification.settings import TextTokenizeParams
from pipeline.models import inputs as text_inputs
from pipeline.models.inputs import max_length_of
from pipeline.stages.tokenize import run

PARAMS = TextTokenizeParams(windows=None, task="t", max_length=6, batch_texts=2, max_unknown_share=0.05)


@pytest.fixture
def inputs(tmp_path):
    table = pa.table(
        {
            "id": ["1", "2", "3"],
            "split": ["train", "validation", "test"],
            "text": ["a good film", "bad " * 9, "[MASK]"],
            "label": pa.array([0, 1, 0], pa.int64()),
            "row": [2, 3, 4],
        }
    )
    write_parquet(tmp_path / "examples", describe(table, task="t", labels=("yes", "no")))
    (tmp_path / "findings").write_text("{}")
    return {"examples": tmp_path / "examples", "findings": tmp_path / "findings"}


def test_it_writes_ragged_ids_with_class_indices(inputs, encoder, tmp_path, capsys):
    run(PARAMS, INPUTS, **inputs, encoder=encoder, tokens=tmp_path / "one")
    run(PARAMS, INPUTS, **inputs, encoder=encoder, tokens=tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    table = read_arrow(tmp_path / "one")
    assert (task_of(table), labels_of(table), max_length_of(table)) == ("t", ("yes", "no"), 6)
    assert table["labels"].to_pylist() == [0, 1, 0]
    assert table["truncated"].to_pylist() == [False, True, True]
    assert [len(row) for row in table["input_ids"].to_pylist()] == [5, 6, 6]
    assert str(table.schema.field("input_ids").type) in ("list<item: int32>", "list<element: int32>")
    assert "3 examples, 17 tokens, 2 cut; 3 of 3 rows computed" in capsys.readouterr().out


def in_one_piece(examples, encoder, out, rows_per_batch):
    """Write what the stage should, with all texts and lists of ids in memory and the stock tokenizer."""
    rows = pq.read_table(examples)
    ids = AutoTokenizer.from_pretrained(encoder)(rows["text"].to_pylist(), truncation=True, max_length=6)["input_ids"]
    whole = AutoTokenizer.from_pretrained(encoder)(rows["text"].to_pylist())["input_ids"]
    table = pa.table(
        {
            "id": rows["id"],
            "split": rows["split"],
            "labels": rows["label"],
            "input_ids": pa.array(ids, pa.list_(pa.int32())),
            "truncated": [len(row) > 6 for row in whole],
        }
    )
    metadata = {**description("t", ("yes", "no")), "max_length": "6"}
    table = table.combine_chunks().replace_schema_metadata(metadata)
    with pa.OSFile(str(out), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        for start in range(0, table.num_rows, rows_per_batch):
            part = table.slice(start, rows_per_batch).to_pydict()
            writer.write_batch(pa.record_batch(part, table.schema))


@pytest.mark.parametrize("record_tokens", [text_inputs.RECORD_TOKENS, 6 * 4, 6 * 7])
def test_the_bytes_are_those_of_the_whole_table_whatever_the_batch(encoder, tmp_path, monkeypatch, record_tokens):
    count = 25
    table = pa.table(
        {
            "id": [f"{row}" for row in range(count)],
            "split": ["train"] * count,
            "text": ["a good film " * (row % 4) for row in range(count)],
            "label": pa.array([0, 1, 1, 0, 1] * 5, pa.int64()),
            "row": range(count),
        }
    )
    examples = tmp_path / "examples"
    write_parquet(examples, describe(table, task="t", labels=("yes", "no")))
    in_one_piece(examples, encoder, tmp_path / "expected", record_tokens // 6)
    monkeypatch.setattr(text_inputs, "RECORD_TOKENS", record_tokens)
    for batch_texts in (1, 3, 8, 1000):
        params = PARAMS.model_copy(update={"batch_texts": batch_texts})
        run(params, INPUTS, examples=examples, findings=examples, encoder=encoder, tokens=tmp_path / "found")
        assert (tmp_path / "found").read_bytes() == (tmp_path / "expected").read_bytes()


def write_texts(path, texts, first_row=2, labels=("yes", "no")):
    columns = {
        "id": [f"{crc32(text.encode()):016x}" for text in texts],
        "split": ["train"] * len(texts),
        "text": texts,
        "label": pa.array([len(text) % 2 for text in texts], pa.int64()),
        "row": range(first_row, first_row + len(texts)),
    }
    write_parquet(path, describe(pa.table(columns), task="t", labels=labels))
    return path


TEXTS = [f"film {row} was {['good', 'bad', 'unwatchable'][row % 3]}" for row in range(40)]


@pytest.fixture
def count_computed(encoder, tmp_path, monkeypatch, capsys):
    """Return what tokenises in a repository that keeps parts, compares with one that keeps none, and counts rows."""
    monkeypatch.setattr(text_inputs, "MEAN_ROWS", 4)
    (tmp_path / "one" / ".dvc").mkdir(parents=True)

    def tokenize(texts, *, change=None, **how):
        examples = write_texts(tmp_path / "examples", texts, **how)
        outs, said = [tmp_path / "one" / "tokens", tmp_path / "two" / "tokens"], []
        for out in outs:
            params = PARAMS.model_copy(update={"max_unknown_share": 1.0, **(change or {})})
            run(params, INPUTS, examples=examples, findings=examples, encoder=encoder, tokens=out)
            said.append(capsys.readouterr().out.splitlines())
        assert outs[0].read_bytes() == outs[1].read_bytes()
        assert said[0][:-1] == said[1][:-1]  # the coverage is that of all texts
        return int(re.search(r"(\d+) of \d+ rows computed", said[0][-1])[1])

    assert tokenize(TEXTS) == len(TEXTS)
    return tokenize


def test_added_changed_and_removed_texts_alone_are_tokenised(count_computed):
    assert count_computed(TEXTS) == 0
    assert 0 < count_computed([*TEXTS, "bad"]) < 20
    assert 0 < count_computed(["good", *TEXTS]) < 20
    assert 0 < count_computed([*TEXTS[:20], "the film", *TEXTS[21:]]) < 20
    assert count_computed(TEXTS[:20] + TEXTS[21:]) < 20
    assert count_computed(TEXTS, first_row=3) == 0


@pytest.mark.parametrize(
    ("change", "computed"),
    [({"max_length": 5}, len(TEXTS)), ({"task": "other"}, 0), ({"batch_texts": 3, "max_unknown_share": 0.9}, 0)],
)
def test_params_that_decide_tokens_tokenise_all(count_computed, change, computed):
    assert count_computed(TEXTS, change=change) == computed


def test_other_classes_tokenise_all(count_computed):
    assert count_computed(TEXTS, labels=("no", "yes")) == len(TEXTS)


def test_a_damaged_part_is_tokenised_again(count_computed, tmp_path):
    path = max((tmp_path / "one" / ".dvc" / "tmp" / "parts").iterdir())
    path.write_bytes(path.read_bytes()[1:])
    assert 0 < count_computed(TEXTS) < len(TEXTS)
    assert count_computed(TEXTS) == 0
