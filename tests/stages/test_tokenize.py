import pyarrow as pa
import pytest

from pipeline.params import TokenizeParams
from pipeline.stages.tokenize import run
from pipeline.tables import described, labels_of, read_arrow, task_of, write_parquet

PARAMS = TokenizeParams(task="t", max_length=6, batch_texts=2)


@pytest.fixture
def inputs(tmp_path):
    table = pa.table(
        {
            "id": ["1", "2", "3"],
            "split": ["train", "validation", "test"],
            "text": ["a good film", "bad " * 9, "[MASK]"],
            "label": ["yes", "no", "yes"],
            "row": [2, 3, 4],
        }
    )
    write_parquet(tmp_path / "examples", described(table, task="t", labels=("yes", "no")))
    (tmp_path / "findings").write_text("{}")
    return {"examples": tmp_path / "examples", "findings": tmp_path / "findings"}


def test_it_writes_ragged_ids_with_class_indices(inputs, encoder, tmp_path, capsys):
    run(PARAMS, **inputs, encoder=encoder, tokens=tmp_path / "one")
    run(PARAMS, **inputs, encoder=encoder, tokens=tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    table = read_arrow(tmp_path / "one")
    assert (task_of(table), labels_of(table)) == ("t", ("yes", "no"))
    assert table["labels"].to_pylist() == [0, 1, 0]
    assert table["truncated"].to_pylist() == [False, True, True]
    assert [len(row) for row in table["input_ids"].to_pylist()] == [5, 6, 6]
    assert str(table.schema.field("input_ids").type) in ("list<item: int32>", "list<element: int32>")
    assert "3 examples, 17 tokens, 2 cut" in capsys.readouterr().out
