import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from pipeline.calibration.counts import count_answers
from pipeline.calibration.decision import PLAIN, Decision
from pipeline.core.errors import DataError
from pipeline.core.files import read_json, sha256
from pipeline.core.tables import describe, read_arrow, write_arrow
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.models.batches import to_ragged
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.settings.production import CalibrateParams
from pipeline.stages.calibrate import run

LABELS = ("ham", "spam")
ROWS = 90


def params(**keys):
    return CalibrateParams.model_validate({"task": "toy", "abstain": None, "favoured": None} | keys)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Tokens of which a third is validation, with the model's own answers as classes, and a fifth of them turned."""
    folder = tmp_path_factory.mktemp("calibrate")
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=16, initializer_range=0.5, id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)}, calibration_temperature=1.25,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(folder / "model")
    rng = np.random.default_rng(0)
    ids = pa.array([rng.integers(1, 50, size=3 + row % 9) for row in range(ROWS)], pa.list_(pa.int32()))
    answers = predict_probabilities(load_classifier(folder / "model", LABELS), to_ragged(ids), choose_device("fp32"))
    columns = {
        "id": [f"{row:016x}" for row in range(ROWS)],
        "split": [("train", "validation", "test")[row % 3] for row in range(ROWS)],
        "labels": np.where(rng.random(ROWS) < 0.2, answers.argmin(axis=1), answers.argmax(axis=1)),
        "input_ids": ids,
    }
    table = describe(pa.table(columns), task="toy", labels=LABELS)
    write_arrow(folder / "tokens", table.schema, table.to_batches())
    inside = np.arange(ROWS) % 3 == 1
    return {"tokens": folder / "tokens", "model": folder / "model"}, (answers[inside], columns["labels"][inside])


def test_the_decision_reaches_on_validation_what_is_wanted(inputs, tmp_path):
    wanted = params(abstain={"accuracy": 0.9}, favoured={"class": "spam", "precision": 0.8})
    run(wanted, MEASURES, **inputs[0], calibration=tmp_path / "one")
    found = read_json(tmp_path / "one")
    assert (found["task"], found["labels"], found["temperature"]) == ("toy", list(LABELS), 1.25)
    decision, numbers = Decision(**found["decision"]), found["validation"]
    counts = count_answers(*inputs[1], LABELS, decision)
    assert numbers["rows"] == ROWS // 3
    assert numbers["precision"] == counts.hits / counts.called >= 0.8
    assert numbers["accuracy"] == counts.right / counts.sure >= 0.9
    assert numbers["coverage"] == counts.sure / counts.rows
    assert numbers["recall"] == counts.hits / counts.members
    run(wanted, MEASURES, **inputs[0], calibration=tmp_path / "two")
    assert sha256(tmp_path / "one") == sha256(tmp_path / "two")


def test_without_a_wish_nothing_is_computed(inputs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pipeline.finetune.answers", None)  # its import would fail
    run(params(), MEASURES, **inputs[0], calibration=tmp_path / "out")
    found = read_json(tmp_path / "out")
    assert Decision(**found["decision"]) == PLAIN
    assert found["validation"] is None
    assert found["temperature"] == 1.25


def test_a_wish_that_cannot_be_had_is_refused(inputs, tmp_path):
    table = read_arrow(inputs[0]["tokens"])
    ham = table.set_column(table.schema.get_field_index("labels"), "labels", pa.array([0] * ROWS))
    write_arrow(tmp_path / "tokens", ham.schema, ham.to_batches())
    wanted = params(favoured={"class": "spam", "recall": 0.5})
    with pytest.raises(DataError, match=r"^toy: calibrate\.favoured: .*spam, recall 0\.5"):
        run(wanted, MEASURES, **inputs[0] | {"tokens": tmp_path / "tokens"}, calibration=tmp_path / "out")
    assert not (tmp_path / "out").exists()
