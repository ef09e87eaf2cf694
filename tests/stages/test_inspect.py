import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.files import read_json
from pipeline.core.tables import describe, description, write_arrow, write_parquet
from pipeline.kinds.text_classification.baselines import BASELINES
from pipeline.settings.corrections import parse_corrections
from pipeline.settings.parse import parse_params
from pipeline.settings.task import InspectParams
from pipeline.stages.inspect import run

LABELS = ("day", "=night")
ROWS = 240


@pytest.fixture
def inputs(tmp_path):
    """Write two classes that words and vectors tell apart, with ten wrong labels and an example like no other."""
    random = np.random.default_rng(0)
    true = np.arange(ROWS) % 2
    words = (("sun", "noon", "light", "morning"), ("moon", "dark", "stars", "midnight"))
    texts = [
        f"=the {random.choice(words[label])} and the {random.choice(words[label])} of {random.bytes(12).hex()}"
        for label in true
    ]
    texts[31] = f"{texts[30]}!"  # of the other class
    vectors = random.normal(size=(ROWS, 8)).astype(np.float32) * 0.1
    vectors[np.arange(ROWS), true] += 1
    vectors[11] = [0, 0, 0, 0, 0, 0, 0, -1]
    labels = true.copy()
    wrong = list(range(4, ROWS, 25))
    labels[wrong] = 1 - labels[wrong]
    splits = np.where(np.arange(ROWS) % 10 == 0, "test", np.where(np.arange(ROWS) % 10 == 1, "validation", "train"))
    ids = [f"{row:016x}" for row in range(ROWS)]
    columns = {"id": ids, "split": splits, "text": texts, "label": labels, "row": np.arange(ROWS) + 2}
    write_parquet(tmp_path / "examples", describe(pa.table(columns), task="t", labels=LABELS))
    field = pa.list_(pa.field("item", pa.float32(), nullable=False), 8)
    table = pa.table(
        {"id": ids, "split": splits, "labels": labels,
         "features": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), type=field)}
    ).replace_schema_metadata(description("t", LABELS))  # fmt: skip
    write_arrow(tmp_path / "features", table.schema, table.to_batches())
    (tmp_path / "findings").touch()
    return {name: tmp_path / name for name in ("examples", "findings", "features")}, wrong


def make_params(**changes):
    plain, _ = parse_params(Path("params.yaml").read_text(encoding="utf-8"))
    near = {key: plain["validate"][key] for key in ("near_similarity", "near_shingle")}
    values = {**plain["baseline"], **near, **plain["inspect"], "task": "t", "outlier_fence": 3.0, **changes}
    return InspectParams.model_validate_json(json.dumps(values))


def inspect(inputs, folder, **changes):
    outputs = {"inspection": folder / "t.json", "suspects": folder / "t.csv"}
    run(make_params(**changes), BASELINES, **inputs, **outputs)
    return read_json(outputs["inspection"]), outputs["suspects"].read_text(encoding="utf-8-sig")


def test_wrong_labels_come_first_and_the_odd_example_is_an_outlier(inputs, tmp_path):
    files, wrong = inputs
    document, _ = inspect(files, tmp_path / "out")
    listed = [row["line"] - 2 for row in document["suspects"] if "label" in row["reason"]]
    assert set(listed) <= set(wrong)
    assert len(listed) >= 6
    assert {row["label"] for row in document["suspects"][:6]} == set(LABELS)
    outliers = [row["line"] - 2 for row in document["suspects"] if "outlier" in row["reason"]]
    assert 11 in outliers
    assert len(outliers) <= 3
    assert document["suspicious"] == len(document["suspects"])
    assert document["rows"] == ROWS
    assert document["agreement"] == pytest.approx(1 - len(wrong) / ROWS, abs=0.02)


def test_near_duplicates_of_two_classes_name_the_line_of_each_other(inputs, tmp_path):
    document, table = inspect(inputs[0], tmp_path / "out")
    assert document["reasons"]["duplicate"] == 2
    rivals = {row["line"]: row["rivals"] for row in document["suspects"] if "duplicate" in row["reason"]}
    assert rivals == {32: [33], 33: [32]}
    assert {row["line"]: row["rivals"] for row in csv.DictReader(io.StringIO(table, newline=""))}["32"] == "33"


def test_the_table_filled_in_is_a_file_of_corrections(inputs, tmp_path):
    document, table = inspect(inputs[0], tmp_path / "out")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert not any(cell.startswith("=") for row in rows for cell in row.values())
    for row in rows:
        row["correction"] = row["suggested"]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    corrections = parse_corrections(text.getvalue(), file="t.csv")
    suggested = {row["id"]: row["suggested"] for row in document["suspects"] if row["suggested"]}
    assert {identity: item.correction for identity, item in corrections.items()} == suggested
    assert {item.label for item in corrections.values()} <= set(LABELS)


def test_at_most_so_many_are_listed_and_all_are_counted(inputs, tmp_path):
    document, table = inspect(inputs[0], tmp_path / "out", most=2)
    assert len(document["suspects"]) == 2
    assert document["suspicious"] > 2
    assert table.count("\n") == 3


def test_two_runs_give_the_same_bytes(inputs, tmp_path):
    for name in ("one", "two"):
        inspect(inputs[0], tmp_path / name)
    for name in ("t.json", "t.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
