from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.files import sha256, write_json
from pipeline.params import BaselineParams
from pipeline.stages.baseline import run
from pipeline.tables import described, labels_of, read_parquet, task_of, write_parquet

LABELS = ("ham", "spam")
PARAMS = BaselineParams(task="toy", ngrams=1, min_df=1, strengths=(1.0, 10.0), max_iter=1000)


def example_table(*, test_text: str = "win a prize") -> pa.Table:
    texts = {"ham": "see you at home", "spam": "win money now"}
    rows = [(split, label) for split in ("train", "test", "validation", "train", "train") for label in LABELS]
    rows += [("train", "ham")] * 2
    columns = {
        "id": [f"{row:016x}" for row in range(len(rows))],
        "split": [split for split, _ in rows],
        "text": [test_text if split == "test" else f"{texts[label]} {row}" for row, (split, label) in enumerate(rows)],
        "label": [label for _, label in rows],
        "row": list(range(1, len(rows) + 1)),
    }
    return described(pa.table(columns), task="toy", labels=LABELS)


def measured(folder: Path, table: pa.Table) -> Path:
    folder.mkdir(exist_ok=True)
    write_parquet(folder / "examples.parquet", table)
    write_json(folder / "findings.json", {"task": "toy"})
    out = folder / "baselines.parquet"
    run(PARAMS, examples=folder / "examples.parquet", findings=folder / "findings.json", baselines=out)
    return out


def test_every_row_that_is_not_train_gets_probabilities(tmp_path: Path) -> None:
    found = read_parquet(measured(tmp_path, example_table()))
    assert (task_of(found), labels_of(found)) == ("toy", LABELS)
    assert found.schema.types == [pa.string(), pa.string(), pa.list_(pa.float64()), pa.list_(pa.float64())]
    assert found["split"].to_pylist() == ["test", "test", "validation", "validation"]
    assert found["id"].to_pylist() == [f"{row:016x}" for row in (2, 3, 4, 5)]
    assert found["majority"].to_pylist() == [[5 / 8, 3 / 8]] * 4
    tfidf = np.array(found["tfidf"].to_pylist())
    assert tfidf.argmax(axis=1).tolist() == [1, 1, 0, 1]
    assert tfidf.sum(axis=1) == pytest.approx(1)


def test_the_same_examples_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (sha256(measured(tmp_path / name, example_table())) for name in ("a", "b"))
    assert first == second


def test_test_texts_change_no_other_row(tmp_path: Path) -> None:
    one, other = (
        read_parquet(measured(tmp_path / name, example_table(test_text=text))).to_pylist()
        for name, text in (("a", "win a prize"), ("b", "see unheard words at home"))
    )
    assert one[2:] == other[2:]
    assert one[:2] != other[:2]
