"""Texts in windows through the stages, beside a plain loop over windows with the stock model and tokenizer."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from pipeline.__main__ import main
from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.stage import load_facet
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.evaluate.align import select_split
from pipeline.finetune.classification import rows_of
from pipeline.finetune.fit import prepare_training
from pipeline.kinds.text_classification.prediction import predict_texts
from pipeline.models.attention import FLAT
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.folder import build_model, load_model
from pipeline.models.inference import collate, forward
from pipeline.models.layers import shorten_last_layer
from pipeline.predict.predictor import load_predictor
from tests.given.answering import serving_here
from tests.given.kinds import (
    TASK,
    Sample,
    export_sample,
    make_sample,
    place_in_project,
    run_stages,
    write_report,
)
from tests.given.settings import ROOT

LENGTH, STRIDE = 16, 4
SOURCE = ROOT / "data/sample/text-classification"


def write_documents(folder: Path) -> Path:
    """Write the reviews of the sample joined to documents of 1 to 7 of one class and split, and their task."""
    folder.mkdir()
    with (SOURCE / "rows.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label", "split"])
        for at, row in enumerate(rows):
            others = [
                other["text"] for other in rows if (other["label"], other["split"]) == (row["label"], row["split"])
            ]
            text = " ".join([row["text"], *(others * 4)[: at % 7]])
            writer.writerow([text, row["label"], row["split"]])
    task = (SOURCE / "task.yaml").read_text(encoding="utf-8")
    own = f"tokenize: {{max_length: {LENGTH}, windows: {{stride: {STRIDE}}}}}\nextract: {{precision: fp32}}\n"
    (folder / "task.yaml").write_text(task + own, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    folder = tmp_path_factory.mktemp("windows")
    return run_stages(folder, str(write_documents(folder / "documents")))


def windows_of(sample: Sample, text: str) -> dict[str, torch.Tensor]:
    tokenizer = AutoTokenizer.from_pretrained(sample.paths["model"])
    windows = tokenizer(
        text, truncation=True, stride=STRIDE, return_overflowing_tokens=True, padding=True, return_tensors="pt"
    )
    windows.pop("overflow_to_sample_mapping")
    return windows


def test_the_answer_is_the_mean_of_the_windows(sample):
    examples, tokens = read_parquet(sample.paths["examples"]), read_arrow(sample.paths["tokens"])
    test = select_split(examples, "test")
    stock = AutoModelForSequenceClassification.from_pretrained(sample.paths["model"]).eval()
    encoder = AutoModel.from_pretrained(sample.paths["encoder"]).eval()
    counts, expected, vectors = [], [], []
    with torch.inference_mode():
        for text in test["text"].to_pylist():
            windows = windows_of(sample, text)
            counts.append(len(windows["input_ids"]))
            expected.append(stock(**windows).logits.mean(dim=0).softmax(-1).tolist())
            mask = windows["attention_mask"][..., None]
            hidden = encoder(**windows).last_hidden_state
            vectors.append(((hidden * mask).sum(1) / mask.sum(1)).mean(dim=0).numpy())
    assert max(counts) > 3
    answers = predict_texts(sample.paths["model"], test, tokens)
    assert np.array(answers.to_pylist()) == pytest.approx(np.array(expected), abs=1e-5)
    kept = read_parquet(sample.paths["predictions"])["probabilities"].to_pylist()
    assert np.array(kept) == pytest.approx(np.array(expected), abs=1e-5)
    features = select_split(read_arrow(sample.paths["features"]), "test")
    assert features["id"].to_pylist() == test["id"].to_pylist()
    assert np.array(features["features"].to_pylist()) == pytest.approx(np.array(vectors), abs=1e-5)


def test_no_token_is_left_out_and_each_text_counts_once(sample):
    tokens, examples = read_arrow(sample.paths["tokens"]), read_parquet(sample.paths["examples"])
    plain = AutoTokenizer.from_pretrained(sample.paths["encoder"])
    for row in examples.to_pylist():
        own = [part["input_ids"][1:-1] for part in tokens.to_pylist() if part["id"] == row["id"]]
        joined = own[0] + [token for part in own[1:] for token in part[STRIDE:]]
        assert joined == plain(row["text"], add_special_tokens=False)["input_ids"]
        assert max(map(len, own)) <= LENGTH - 2
    history = read_json(sample.paths["history"])
    counts = [tokens["id"].to_pylist().count(name) for name in examples["id"].to_pylist()]
    assert history["windows"] == {
        **{"texts": len(counts), "several": sum(count > 1 for count in counts)},
        **{"windows": tokens.num_rows, "stride": STRIDE},
    }
    assert (history["truncated"], sum(history["examples"].values())) == (0, 16)


@pytest.mark.parametrize("attention", ["eager", "sdpa", FLAT])
def test_padded_or_flat_alone_or_together_the_loss_and_its_gradient_are_those_of_a_loop(sample, attention):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    rows, device, chosen = rows_of(table, "train"), choose_device("fp32"), np.array([5, 0, 3])
    assert len(rows.ids) == len(rows.labels) == len(rows.tokens.lengths) == 12
    texts = dict(
        zip(*(read_parquet(sample.paths["examples"])[name].to_pylist() for name in ("id", "text")), strict=True)
    )
    actual = torch.from_numpy(rows.labels[chosen])
    stock = AutoModelForSequenceClassification.from_pretrained(sample.paths["model"]).eval()
    expected = torch.stack([stock(**windows_of(sample, texts[rows.ids[row]])).logits.mean(dim=0) for row in chosen])
    torch.nn.functional.cross_entropy(expected, actual).backward()
    model = load_model(sample.paths["model"], learning.head(table)).eval()
    with with_attention(model, attention), shorten_last_layer(model):
        logits = forward(model, collate(model, rows.tokens, chosen, device), device)
        torch.nn.functional.cross_entropy(logits, actual).backward()
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    gradients = {name: weight.grad for name, weight in stock.named_parameters()}
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, gradients[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_training_that_is_killed_ends_with_the_same_weights(sample):
    learning, table = load_facet(sample.kind, "learning"), read_arrow(sample.paths["tokens"])
    params, splits = sample.params("finetune"), [rows_of(table, split) for split in ("train", "validation")]

    def learn(state: Any = None, *, most: int = 100) -> tuple[Any, dict[str, torch.Tensor]]:
        model = build_model(sample.paths["encoder"], learning.head(table), dropout=params.dropout, seed=params.seed)
        with prepare_training(model, *splits, params, learning) as (training, _):
            if state is not None:
                training.restore(state)
            while not training.finished and training.done < most:
                training.advance()
            return training.state(), {name: weight.clone() for name, weight in model.state_dict().items()}

    whole, resumed = learn()[1], learn(learn(most=2)[0])[1]
    assert all(torch.equal(whole[name], weight) for name, weight in resumed.items())


def test_tokens_of_other_examples_are_refused(sample):
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    tokens = read_arrow(sample.paths["tokens"])
    with pytest.raises(DataError, match="another order"):
        predict_texts(sample.paths["model"], test.take([1, 0, 2, 3]), tokens)
    with pytest.raises(DataError, match="not of these examples"):
        predict_texts(sample.paths["model"], test.slice(1), tokens)


@pytest.mark.parametrize("backend", ["torch", "fp32"])
def test_a_predictor_answers_as_the_model_was_measured(sample, tmp_path, monkeypatch, backend):
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    measured = np.array(read_parquet(sample.paths["predictions"])["probabilities"].to_pylist())
    texts, own = test["text"].to_pylist(), place_in_project(sample, tmp_path)
    folder = own if backend == "torch" else export_sample(sample, tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.jsonl").write_text("".join(f"{json.dumps({'text': text})}\n" for text in [*texts, " "]))
    out, named = tmp_path / "out.jsonl", folder.relative_to(tmp_path)
    assert main(["predict", str(named), "new.jsonl", "--out", "out.jsonl", "--all", "--backend", backend]) == 0
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert [answer["id"] for answer in answers] == test["id"].to_pylist()
    shares = [[value for key, value in answer.items() if key.startswith("probability_")] for answer in answers]
    assert np.array(shares) == pytest.approx(measured, abs=1e-5)
    predictor = load_predictor(folder, backend=backend, threads=1)
    tokens = read_arrow(sample.paths["tokens"])
    ids = tokens.filter(pc.equal(tokens["split"], "test"))["input_ids"].to_pylist()
    assert [row.tolist() for row in predictor.encode(texts)] == ids
    with serving_here(predictor) as ask:
        served = ask({"texts": texts, "all": True}).json()["answers"]
        refused = ask({"texts": [max(texts, key=len), "\u200b"]})
    assert np.array([[*answer["probabilities"].values()] for answer in served]) == pytest.approx(measured, abs=1e-5)
    assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["body", "texts", 1])


def test_a_bundle_says_its_windows_and_is_judged_by_texts(sample, tmp_path):
    manifest = read_json(export_sample(sample, tmp_path) / "model.json")
    tokens = read_arrow(sample.paths["tokens"])
    validation = tokens.filter(pc.equal(tokens["split"], "validation"))
    assert manifest["reads_windows"] == STRIDE
    assert {len(row) for row in manifest["probe"]["input_ids"]} == {
        *pc.list_value_length(validation["input_ids"]).to_pylist()
    }
    assert len(manifest["probe"]["input_ids"]) == validation.num_rows
    assert manifest["parity"]["fp32"]["rows"] == pc.count_distinct(validation["id"]).as_py() < validation.num_rows


def test_its_card_says_how_to_ask_the_library(sample, tmp_path):
    card = (write_report(sample, tmp_path)["cards"] / f"{TASK}.md").read_text(encoding="utf-8")
    code = card.partition("```python\n")[2].partition("```")[0]
    printed: list[dict[str, float]] = []
    exec(code.replace(f"data/model/{TASK}", str(sample.paths["model"])), {"print": printed.append})  # noqa: S102
    assert sum(printed[0].values()) == pytest.approx(1)


def test_off_a_text_is_one_row_as_ever(tmp_path):
    plain = make_sample(tmp_path, "text-classification")
    for stage in ("ingest", "validate", "tokenize"):
        plain.run(stage)
    table = read_arrow(plain.paths["tokens"])
    assert table.column_names == ["id", "split", "labels", "input_ids", "truncated"]
    assert set(table.schema.metadata) == {b"task", b"labels", b"max_length"}
    assert rows_of(table, "train").tokens.texts is None
