import re

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoModel

from pipeline.core.errors import DataError, UsageError
from pipeline.core.tables import describe, labels_of, read_arrow, task_of, write_arrow
from pipeline.kinds.text_classification.feed import FEED
from pipeline.stages import extract
from pipeline.stages.extract import run
from tests.models.test_features import PARAMS

COUNT = 50


def make_ids(count):
    return [np.random.default_rng(row).integers(5, 90, 1 + row % 13) for row in range(count)]


@pytest.fixture
def tokens(tmp_path):
    return written(tmp_path / "tokens", make_ids(COUNT))


def written(path, input_ids):
    table = pa.table(
        {
            "id": [f"{row:016x}" for row in range(len(input_ids))],
            "split": [("train", "validation", "test")[row % 3] for row in range(len(input_ids))],
            "labels": pa.array([row % 2 for row in range(len(input_ids))], pa.int64()),
            "input_ids": pa.array(input_ids, pa.list_(pa.int32())),
            "truncated": [False] * len(input_ids),
        }
    )
    table = describe(table, task="t", labels=("no", "yes"))
    write_arrow(path, table.schema, table.to_batches(max_chunksize=7))
    return path


def test_every_example_has_its_vector(tokens, encoder, tmp_path, capsys):
    run(PARAMS, FEED, tokens=tokens, encoder=encoder, features=tmp_path / "features")
    table, given = read_arrow(tmp_path / "features"), read_arrow(tokens)
    assert (task_of(table), labels_of(table)) == ("t", ("no", "yes"))
    assert table.select(["id", "split", "labels"]).to_pylist() == given.select(["id", "split", "labels"]).to_pylist()
    assert table.schema.field("features").type == pa.list_(pa.field("item", pa.float32(), nullable=False), 32)
    model = AutoModel.from_pretrained(encoder).eval()
    for line, ids in zip(table["features"].to_pylist(), given["input_ids"].to_pylist(), strict=True):
        with torch.inference_mode():
            expected = model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
        assert line == pytest.approx(expected.tolist(), abs=1e-5)
    assert "50 rows, 32 numbers each; 50 of 50 rows computed: " in capsys.readouterr().out


def test_the_record_batches_depend_on_the_width_alone(tokens, encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "RECORD_NUMBERS", 32 * 20 + 5)
    tables = []
    for batch_size in (3, 4):
        how = PARAMS.model_copy(update={"batch_size": batch_size})
        for name in ("one", "two"):
            run(how, FEED, tokens=tokens, encoder=encoder, features=tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
        tables.append(read_arrow(tmp_path / "one"))
        assert [len(part) for part in tables[-1].to_batches()] == [20, 20, 10]
    near, other = (np.array(table["features"].to_pylist()) for table in tables)
    np.testing.assert_allclose(near, other, rtol=1e-5, atol=1e-5)


def test_the_file_is_memory_mapped(tokens, encoder, tmp_path):
    run(PARAMS, FEED, tokens=tokens, encoder=encoder, features=tmp_path / "features")
    before = pa.total_allocated_bytes()
    column = read_arrow(tmp_path / "features")["features"].chunk(0)
    assert column.flatten().to_numpy(zero_copy_only=True).size == COUNT * 32
    assert pa.total_allocated_bytes() - before < COUNT * 32


@pytest.mark.parametrize(
    ("changed", "ids", "error", "message"),
    [
        ({"layer": 3}, [[5]], UsageError, r"extract\.layer: .* 2 layers, found 3\b"),
        ({}, [[5], [9999]], DataError, r"1 ids .* 9999;"),
        ({}, [[5], []], DataError, r"found 0\."),
        ({}, [], DataError, "no example"),
    ],
)
def test_what_does_not_fit_leaves_no_file(changed, ids, error, message, encoder, tmp_path):
    with pytest.raises(error, match=message):
        run(
            PARAMS.model_copy(update=changed),
            FEED,
            tokens=written(tmp_path / "odd", ids),
            encoder=encoder,
            features=tmp_path / "features",
        )
    assert not (tmp_path / "features").exists()


@pytest.fixture
def kept(tokens, encoder, tmp_path, monkeypatch, capsys):
    """Return what extracts in a repository, compares with what nothing is kept of, and returns the rows computed."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.setattr(extract, "MEAN_ROWS", 4)

    def again(tokens, params=PARAMS):
        outs, said = [tmp_path / "features", tmp_path.with_name(f"{tmp_path.name}-alone") / "features"], []
        for out in outs:
            run(params, FEED, tokens=tokens, encoder=encoder, features=out)
            said.append(capsys.readouterr().out)
        assert outs[0].read_bytes() == outs[1].read_bytes()
        return int(re.search(r"(\d+) of \d+ rows computed", said[0])[1])

    assert again(tokens) == COUNT
    return again


def test_appended_rows_alone_are_extracted_and_the_bytes_are_those_of_all(kept, tokens, tmp_path):
    assert kept(tokens) == 0
    assert 5 <= kept(written(tmp_path / "more", make_ids(COUNT + 5))) < COUNT // 2


def test_other_params_extract_all(kept, tokens):
    assert kept(tokens, PARAMS.model_copy(update={"pooling": "max"})) == COUNT
    assert kept(tokens, PARAMS.model_copy(update={"task": "other"})) == 0


def test_other_labels_extract_nothing(kept, tokens, tmp_path):
    table = read_arrow(tokens)
    at = table.column_names.index("labels")
    other = table.set_column(at, "labels", pa.array([0] * COUNT, pa.int64()))
    write_arrow(tmp_path / "other", other.schema, other.to_batches())
    assert kept(tmp_path / "other") == 0


def test_a_damaged_part_is_extracted_again(kept, tokens, tmp_path):
    path = max((tmp_path / ".dvc" / "tmp" / "parts").iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    assert 0 < kept(tokens) < COUNT
    assert kept(tokens) == 0
