import json

import pyarrow as pa
import pytest
import torch
from sklearn.metrics import log_loss
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from pipeline.core.files import sha256
from pipeline.core.tables import describe, description, read_arrow, write_arrow, write_parquet
from pipeline.examples.text import normalise
from pipeline.kinds.text_classification.inputs import INPUTS
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.kinds.text_classification.settings import TextTokenizeParams
from pipeline.models.batches import to_ragged
from pipeline.models.device import choose_device
from pipeline.models.folder import load_classifier
from pipeline.models.inference import predict_probabilities
from pipeline.stages import tokenize
from pipeline.stages.finetune import run
from tests.given.training import rows, with_params

PARAMS = with_params(epochs=4, batch_tokens=128, learning_rate=3e-3)
LABELS = ("<b>no|</b>", "yes")
MAX_LENGTH = 12


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    parts = [(rows(120), "train"), (rows(40, seed=1), "validation"), (rows(20, seed=2), "test")]
    table = pa.concat_tables(
        pa.table(
            {
                "id": list(part.ids),
                "split": [split] * len(part.ids),
                "labels": pa.array(part.labels),
                "input_ids": pa.ListArray.from_arrays(pa.array(part.tokens.offsets, pa.int32()), part.tokens.values),
                "truncated": [False] * len(part.ids),
            }
        )
        for part, split in parts
    )
    path = tmp_path_factory.mktemp("tokens") / "t.arrow"
    table = table.replace_schema_metadata({**description("t", LABELS), "max_length": str(MAX_LENGTH)})
    write_arrow(path, table.schema, table.to_batches())
    return path


def outputs(folder):
    files = {name: folder / f"{name}.json" for name in ("validation", "history")}
    return {"model": folder / "model", **files}


@pytest.fixture(scope="module")
def results(tokens, encoder, tmp_path_factory):
    folders = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp(name)
        run(PARAMS, LEARNING, tokens=tokens, encoder=encoder, **outputs(folder))
        folders.append(folder)
    return folders


def test_two_runs_give_the_same_bytes(results):
    def hashes(folder):
        return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}

    one, two = map(hashes, results)
    assert one == two
    assert set(one) == {
        "history.json",
        "model/config.json",
        "model/model.safetensors",
        "model/tokenizer.json",
        "model/tokenizer_config.json",
        "validation.json",
    }


def test_the_stock_library_opens_and_uses_the_model(results):
    folder = results[0] / "model"
    model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True)
    assert model.config.id2label == {0: "<b>no|</b>", 1: "yes"}
    classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(folder))
    assert classify("a good film")[0]["label"] in model.config.label2id
    assert "pipeline" not in model.config.to_dict()
    assert str(results[0]) not in (folder / "config.json").read_text()


def test_the_scores_on_validation_are_those_of_the_chosen_weights_with_their_temperature(results, tokens):
    history = json.loads((results[0] / "history.json").read_text())
    scores = json.loads((results[0] / "validation.json").read_text())
    best, calibration = history["best"], history["calibration"]
    assert scores == {**{key: best[key] for key in ("accuracy", "macro_f1", "step")}, "loss": calibration["loss_after"]}
    assert calibration["loss_before"] == pytest.approx(best["loss"], abs=1e-5)
    assert calibration["loss_after"] < calibration["loss_before"]
    assert calibration["reason"] is None
    config = json.loads((results[0] / "model" / "config.json").read_text())
    assert config["calibration_temperature"] == calibration["temperature"] != 1

    table = read_arrow(tokens)
    held_out = table.filter(pa.compute.equal(table["split"], "validation"))
    model = load_classifier(results[0] / "model", LABELS)
    probabilities = predict_probabilities(model, to_ragged(held_out["input_ids"]), choose_device("fp32"))
    labels = held_out["labels"].to_numpy()
    assert (probabilities.argmax(axis=1) == labels).mean() == best["accuracy"]
    assert log_loss(labels, probabilities) == pytest.approx(scores["loss"], abs=1e-5)


def test_raw_text_gets_what_the_evaluation_gives_however_long_it_is(encoder, tmp_path):
    """Train on the stages' own tokens, then compare the stock pipeline on texts with the pipeline's own predictions."""
    texts = ["a good film", "bad " * 700, "", "slow [SEP] [MASK] plot", "very long story , " * 30, "dull " * 10] * 6
    splits = ["train", "train", "validation", "test", "test", "test"] * 6
    table = pa.table(
        {
            "id": [str(row) for row in range(len(texts))],
            "split": splits,
            "label": pa.array([row % 2 for row in range(len(texts))]),
            "text": texts,
        }
    )
    write_parquet(tmp_path / "examples", describe(table, task="t", labels=LABELS))
    params = TextTokenizeParams(windows=None, task="t", max_length=MAX_LENGTH, batch_texts=5, max_unknown_share=1.0)
    tokenize.run(
        params, INPUTS, examples=tmp_path / "examples", findings=tmp_path, encoder=encoder, tokens=tmp_path / "tokens"
    )
    run(PARAMS, LEARNING, tokens=tmp_path / "tokens", encoder=encoder, **outputs(tmp_path))

    ids = to_ragged(read_arrow(tmp_path / "tokens")["input_ids"])
    probabilities = predict_probabilities(load_classifier(tmp_path / "model", LABELS), ids, choose_device("fp32"))
    classify = pipeline("text-classification", model=str(tmp_path / "model"), truncation=True)
    answers = classify(texts)
    assert [answer["label"] for answer in answers] == [LABELS[row] for row in probabilities.argmax(axis=1)]
    assert [answer["score"] for answer in answers] == pytest.approx(probabilities.max(axis=1), abs=1e-5)
    assert classify("bad " * 700) == classify("bad " * (MAX_LENGTH - 2))  # two are special tokens
    raw = "\ufeff\u202ea go\u200bod\x00film cafe\u0301\u2028[MASK] "
    assert classify(raw) == classify(normalise(raw))
    assert classify.tokenizer.model_max_length == MAX_LENGTH
    stored = json.loads((tmp_path / "model" / "tokenizer.json").read_text())
    assert (stored["truncation"]["max_length"], stored["padding"]) == (MAX_LENGTH, None)


def test_the_history_tells_how_the_model_was_made(results, encoder):
    history = json.loads((results[0] / "history.json").read_text())
    assert history["examples"] == {"train": 120, "validation": 40}
    assert history["best"] in history["evaluations"]
    assert history["best"]["macro_f1"] == max(scores["macro_f1"] for scores in history["evaluations"])
    assert history["evaluations"][-1]["step"] == history["steps"]
    assert history["device"]["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert history["device"]["threads"] == PARAMS.threads
    assert history["encoder"] == f"{encoder.parent.name}/{encoder.name}"
    assert history["max_length"] == MAX_LENGTH
    assert history["params"] == PARAMS.model_dump()
    assert history["versions"]["torch"] == torch.__version__


def test_a_test_row_changes_nothing(tokens, encoder, results, tmp_path):
    table = pa.ipc.open_file(tokens).read_all()
    without = table.filter(pa.compute.not_equal(table["split"], "test"))
    write_arrow(tmp_path / "t.arrow", without.schema, without.to_batches())
    run(
        PARAMS,
        LEARNING,
        tokens=tmp_path / "t.arrow",
        encoder=encoder,
        **outputs(tmp_path),
    )
    assert sha256(tmp_path / "model" / "model.safetensors") == sha256(results[0] / "model" / "model.safetensors")
