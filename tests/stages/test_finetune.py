import json

import pyarrow as pa
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

from pipeline.core.files import sha256
from pipeline.core.tables import describe, write_arrow
from pipeline.stages.finetune import run
from tests.given.training import rows, with_params

PARAMS = with_params(epochs=4, batch_tokens=128, learning_rate=3e-3)


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
    table = describe(table, task="t", labels=("<b>no|</b>", "yes"))
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
        run(PARAMS, tokens=tokens, encoder=encoder, **outputs(folder))
        folders.append(folder)
    return folders


def test_two_runs_give_the_same_bytes(results):
    def hashes(folder):
        return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}

    one, two = map(hashes, results)
    assert one == two
    assert set(one) == {
        "history.json",
        "model/README.md",
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


def test_the_scores_on_validation_are_those_of_the_chosen_weights(results):
    best = json.loads((results[0] / "history.json").read_text())["best"]
    scores = json.loads((results[0] / "validation.json").read_text())
    assert scores == {key: best[key] for key in ("accuracy", "macro_f1", "loss", "step")}


def test_the_history_tells_the_device_and_the_best_step(results):
    history = json.loads((results[0] / "history.json").read_text())
    assert history["examples"] == {"train": 120, "validation": 40}
    assert history["best"] in history["evaluations"]
    assert history["best"]["macro_f1"] == max(scores["macro_f1"] for scores in history["evaluations"])
    assert history["evaluations"][-1]["step"] == history["steps"]
    assert history["device"]["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
    assert history["device"]["threads"] == PARAMS.threads


def test_the_card_shows_hostile_class_names_as_text(results):
    card = (results[0] / "model" / "README.md").read_text()
    assert "<b>" not in card
    assert "library_name: transformers" in card
    assert "| `learning_rate` | `0.003` |" in card


def test_a_test_row_changes_nothing(tokens, encoder, results, tmp_path):
    table = pa.ipc.open_file(tokens).read_all()
    without = table.filter(pa.compute.not_equal(table["split"], "test"))
    write_arrow(tmp_path / "t.arrow", without.schema, without.to_batches())
    run(
        PARAMS,
        tokens=tmp_path / "t.arrow",
        encoder=encoder,
        **outputs(tmp_path),
    )
    assert sha256(tmp_path / "model" / "model.safetensors") == sha256(results[0] / "model" / "model.safetensors")
