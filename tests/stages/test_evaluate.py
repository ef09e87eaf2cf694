import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from transformers import BertConfig, BertForSequenceClassification

from pipeline.core.errors import DataError
from pipeline.core.files import read_json, sha256, write_json
from pipeline.core.tables import describe, labels_of, read_parquet, write_arrow, write_parquet
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from pipeline.stages.evaluate import run

LABELS = ("=ham", "spam")  # a class name that a spreadsheet would run
OUTPUTS = ("metrics", "evaluation", "predictions", "projection", "confusion")
PARAMS = TextEvaluateParams(
    task="toy", confidence=0.9, resamples=100, bins=5, length_edges=(2,), slices=("kind",), min_slice_rows=5, worst=2,
    points=15, queries=4, neighbours=2, seed=0,
)  # fmt: skip
ROWS = 60
TEMPERATURE = 1.5
TEST = [row for row in range(ROWS) if row % 3 == 2]


def tables() -> dict[str, pa.Table]:
    """Examples, tokens and baselines of one task; a third of the rows are test rows."""
    rng = np.random.default_rng(0)
    index = rng.integers(2, size=ROWS)
    ids = [f"{row:016x}" for row in range(ROWS)]
    splits = [("train", "validation", "test")[row % 3] for row in range(ROWS)]
    found = {
        "examples": {
            "id": ids,
            "split": splits,
            "text": ["word " * (1 + row % 4) for row in range(ROWS)],
            "label": index,
            "row": list(range(1, ROWS + 1)),
            "kind": [("a", "b")[row % 2] for row in range(ROWS)],
        },
        "tokens": {
            "id": ids,
            "split": splits,
            "labels": index,
            "input_ids": pa.array([rng.integers(1, 50, size=3 + row % 9) for row in range(ROWS)], pa.list_(pa.int32())),
            "truncated": [False] * ROWS,
        },
        "baselines": {
            "id": ids,
            "split": splits,
            "majority": [[0.6, 0.4]] * ROWS,
            "tfidf": list(rng.dirichlet([1, 1], ROWS)),
            "probe": list(rng.dirichlet([1, 1], ROWS)),
        },
        "features": {
            "id": ids,
            "split": splits,
            "features": pa.FixedSizeListArray.from_arrays(rng.normal(size=5 * ROWS).astype(np.float32), 5),
        },
    }
    described_tables = {name: describe(pa.table(columns), task="toy", labels=LABELS) for name, columns in found.items()}
    kept = described_tables["baselines"]
    return described_tables | {"baselines": kept.filter(pa.compute.not_equal(kept["split"], "train"))}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=16, initializer_range=0.5, id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("model")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(folder)
    return folder


PLAIN = {"abstain_below": None, "favoured": None, "threshold": None}


def measured(folder: Path, model: Path, *, decision: dict[str, Any] = PLAIN, **changed: Any) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    made = tables() | changed
    inputs = {name: folder / name for name in made}
    for name, table in made.items():
        if name in ("tokens", "features"):
            write_arrow(inputs[name], table.schema, table.to_batches(max_chunksize=7))
        else:
            write_parquet(inputs[name], table)
    write_json(folder / "calibration", {"temperature": TEMPERATURE, "decision": decision})
    outputs = {name: folder / name for name in OUTPUTS}
    run(PARAMS, MEASURES, model=model, calibration=folder / "calibration", **inputs, **outputs)
    return outputs


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, Path]:
    return measured(tmp_path_factory.mktemp("evaluated"), model)


def test_predictions_are_the_test_rows_in_order(outputs: dict[str, Path], model: Path) -> None:
    found, made = read_parquet(outputs["predictions"]), tables()
    assert labels_of(found) == LABELS
    assert found.schema.types == [pa.string(), pa.int64(), pa.int64(), pa.list_(pa.float64())]
    assert found["id"].to_pylist() == [f"{row:016x}" for row in TEST]
    assert found["label"].to_pylist() == [made["examples"]["label"][row].as_py() for row in TEST]
    network = BertForSequenceClassification.from_pretrained(model).eval()
    for row, line in zip(TEST, found.to_pylist(), strict=True):
        ids = torch.tensor([made["tokens"]["input_ids"][row].as_py()])
        with torch.inference_mode():
            wanted = torch.softmax(network(input_ids=ids).logits[0].double(), 0).tolist()
        assert line["probabilities"] == pytest.approx(wanted, abs=1e-5)
        assert line["predicted"] == int(np.argmax(wanted))
    assert len(set(found["predicted"].to_pylist())) == 2


def test_the_files_tell_the_same(outputs: dict[str, Path]) -> None:
    predictions, document, flat = (
        read_parquet(outputs["predictions"]),
        *map(read_json, map(outputs.get, OUTPUTS[1::-1])),
    )
    actual, predicted = predictions["label"].to_pylist(), predictions["predicted"].to_pylist()
    assert flat["accuracy"] == pytest.approx(accuracy_score(actual, predicted))
    assert flat["examples"] == document["rows"] == len(TEST)
    assert document["labels"] == list(LABELS)
    assert document["model"]["confusion"] == confusion_matrix(actual, predicted).tolist()
    with outputs["confusion"].open(newline="", encoding="utf-8") as stream:
        cells = [tuple(line.values()) for line in csv.DictReader(stream)]
    written = [label.replace("=", "'=") for label in LABELS]
    assert cells == [(written[a], written[p]) for a, p in zip(actual, predicted, strict=True)]
    assert {one["slice"] for one in document["slices"]} == {"length", "kind"}


def test_the_temperature_and_the_decision_are_measured(outputs: dict[str, Path], model: Path, tmp_path: Path) -> None:
    document = read_json(outputs["evaluation"])
    assert document["calibration"]["temperature"] == TEMPERATURE
    assert document["calibration"]["after"]["log_loss"] == document["model"]["log_loss"]
    predictions = read_parquet(outputs["predictions"])
    actual = predictions["label"].to_pylist()
    powers = np.array(predictions["probabilities"].to_pylist()) ** TEMPERATURE
    before = log_loss(actual, powers / powers.sum(axis=1, keepdims=True))
    assert document["calibration"]["before"]["log_loss"]["value"] == pytest.approx(before)
    assert document["decision"] is None
    decision = {"abstain_below": 0.6, "favoured": "spam", "threshold": 0.3}
    decided = measured(tmp_path / "decided", model, decision=decision)
    assert sha256(decided["predictions"]) == sha256(outputs["predictions"])
    assert sha256(decided["metrics"]) == sha256(outputs["metrics"])
    spam = np.array(predictions["probabilities"].to_pylist())[:, 1]
    recall = (spam[np.array(actual) == 1] >= 0.3).mean()
    assert read_json(decided["evaluation"])["decision"]["recall"]["value"] == pytest.approx(recall)


def test_the_same_inputs_give_the_same_bytes(outputs: dict[str, Path], model: Path, tmp_path: Path) -> None:
    again = measured(tmp_path / "again", model)
    assert {name: sha256(path) for name, path in again.items()} == {
        name: sha256(path) for name, path in outputs.items()
    }


def test_the_order_of_baselines_does_not_matter(outputs: dict[str, Path], model: Path, tmp_path: Path) -> None:
    baselines = tables()["baselines"]
    shuffled = measured(tmp_path / "shuffled", model, baselines=baselines.take(list(range(len(baselines)))[::-1]))
    assert sha256(shuffled["evaluation"]) == sha256(outputs["evaluation"])


@pytest.mark.parametrize("name", ["tokens", "features", "baselines"])
def test_rows_of_other_examples_are_refused(name: str, model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^{name}: .*\b\d+ (test )?rows for \d+; missing ids: '"):
        measured(tmp_path, model, **{name: tables()[name].slice(0, 20)})
    assert not any((tmp_path / out).exists() for out in OUTPUTS)


def test_tokens_with_other_classes_are_refused(model: Path, tmp_path: Path) -> None:
    tokens = tables()["tokens"]
    turned = tokens.set_column(2, "labels", pa.array([1 - one for one in tokens["labels"].to_pylist()]))
    with pytest.raises(DataError, match=r"^tokens: 20 of 20 rows .*class"):
        measured(tmp_path, model, tokens=turned)


def test_the_projection_shows_the_test_examples_and_their_nearest_of_train(outputs: dict[str, Path]) -> None:
    found, made = read_json(outputs["projection"]), tables()
    predictions = read_parquet(outputs["predictions"])
    assert (found["rows"], found["width"], len(found["points"])) == (len(TEST), 5, 15)
    pairs = list(zip(predictions["label"].to_pylist(), predictions["predicted"].to_pylist(), strict=True))
    assert {(one["actual"], one["predicted"]) for one in found["points"]} <= set(pairs)
    vectors = np.array(made["features"]["features"].to_pylist())
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts, labels = made["examples"]["text"].to_pylist(), [LABELS[at] for at in made["examples"]["label"].to_pylist()]
    train = [row for row in range(ROWS) if row % 3 == 0]
    assert len(found["neighbours"]) == 4
    assert sum(one["label"] != one["predicted"] for one in found["neighbours"]) == 2
    for one in found["neighbours"]:
        expected = []
        for row in TEST:
            order = sorted(train, key=lambda other: -float(vectors[row] @ vectors[other]))[:2]
            expected.append([(texts[at], labels[at], round(float(vectors[row] @ vectors[at]), 4)) for at in order])
        assert [(n["text"], n["label"], round(n["similarity"], 4)) for n in one["nearest"]] in expected


def test_the_order_of_features_does_not_matter(outputs: dict[str, Path], model: Path, tmp_path: Path) -> None:
    features = tables()["features"]
    shuffled = measured(tmp_path / "shuffled", model, features=features.take(list(range(ROWS))[::-1]))
    assert sha256(shuffled["projection"]) == sha256(outputs["projection"])
