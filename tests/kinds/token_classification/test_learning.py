"""A model of the sample: its loss is the library's, and the library opens it and tags as `evaluate` has written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from pipeline.core.files import read_json
from pipeline.core.stage import bind_facets, load, load_facets, read_declaration, stage_params
from pipeline.core.tables import labels_of, read_arrow, read_parquet
from pipeline.finetune.updates import plan_epochs
from pipeline.kinds.token_classification.learning import LEARNING
from pipeline.kinds.token_classification.objective import TAGS, join_words, rows_of_tags
from pipeline.models.device import choose_device
from pipeline.models.folder import build_model
from pipeline.models.processes import ALONE
from tests.given.kinds import Sample, run_front
from tests.given.settings import ROOT

KIND = "token-classification"
BACK = {
    "calibration": "calibration.json", "metrics": "metrics.json", "evaluation": "evaluation.json",
    "predictions": "predictions.parquet", "projection": "projection.json", "confusion": "confusion.csv",
}  # fmt: skip


@pytest.fixture(scope="module")
def sample(tmp_path_factory: Any) -> Sample:
    folder = tmp_path_factory.mktemp(KIND)
    front = run_front(folder, KIND)
    whole = front._replace(paths={**front.paths, **{name: folder / file for name, file in BACK.items()}})
    whole.run("calibrate")
    whole.run("evaluate")
    return whole


def test_the_loss_is_the_librarys(sample: Sample) -> None:
    table, params = read_arrow(sample.paths["tokens"]), sample.params("finetune")
    model = build_model(sample.paths["encoder"], LEARNING.head(table), dropout=0.0, seed=0)
    rows = rows_of_tags(table, "train")
    step = plan_epochs(rows.tokens.lengths, params)[0]
    ours = sum(loss.item() for loss in TAGS.losses(model, rows, None, step, params, choose_device("fp32"), ALONE))
    stock = []
    for row in step.rows:
        start, end = rows.tokens.offsets[row : row + 2]
        ids, tags = torch.tensor(rows.tokens.values[start:end])[None].long(), torch.tensor(rows.tags[start:end])
        loss = model(input_ids=ids, labels=tags[None]).loss.item()
        stock.append((loss, int((tags >= 0).sum())))
    expected = sum(loss * count for loss, count in stock) / sum(count for _, count in stock)
    assert ours == pytest.approx(expected, rel=1e-5)


def test_the_library_tags_as_evaluate_has_written(sample: Sample) -> None:
    predictions, examples = read_parquet(sample.paths["predictions"]), read_parquet(sample.paths["examples"])
    words = dict(zip(examples["id"].to_pylist(), examples["words"].to_pylist(), strict=True))
    model = AutoModelForTokenClassification.from_pretrained(sample.paths["model"]).eval()
    tokenizer: Any = AutoTokenizer.from_pretrained(sample.paths["model"])
    width = sample.params("tokenize").max_length
    compared = 0
    for name, predicted in zip(predictions["id"].to_pylist(), predictions["predicted"].to_pylist(), strict=True):
        encoded = tokenizer(words[name], is_split_into_words=True, return_tensors="pt")
        if encoded["input_ids"].shape[1] > width:  # it has several rows
            continue
        with torch.inference_mode():
            best = model(input_ids=encoded["input_ids"]).logits[0].argmax(-1).tolist()
        pairs = reversed(list(zip(encoded.word_ids(), best, strict=True)))
        firsts = {word: tag for word, tag in pairs if word is not None}
        assert [firsts.get(word, 0) for word in range(len(words[name]))] == predicted
        compared += 1
    assert compared
    tagger = pipeline("token-classification", model=str(sample.paths["model"]), device="cpu")
    assert {token["entity"] for token in tagger("Maria moved to Oslo.")} <= {*labels_of(examples)}


def test_each_word_of_an_example_of_several_rows_comes_once(sample: Sample) -> None:
    table, examples = read_arrow(sample.paths["tokens"]), read_parquet(sample.paths["examples"])
    assert table.num_rows > examples.num_rows
    wanted = dict(zip(examples["id"].to_pylist(), examples["tags"].to_pylist(), strict=True))
    for split in ("train", "validation", "test"):
        rows = rows_of_tags(table, split)
        for name, words, tags in join_words(rows, rows.tags):
            assert words.tolist() == list(range(len(wanted[name])))
            assert tags.tolist() == wanted[name]


def test_the_evaluation_is_that_of_its_predictions(sample: Sample) -> None:
    evaluation, table = read_json(sample.paths["evaluation"]), read_parquet(sample.paths["predictions"])
    pairs = list(zip(table["tags"].to_pylist(), table["predicted"].to_pylist(), strict=True))
    accuracy = np.mean([one == other for pair in pairs for one, other in zip(*pair, strict=True)])
    assert evaluation["model"]["tag_accuracy"]["value"] == pytest.approx(accuracy)
    assert [row["support"] for row in evaluation["model"]["types"]] == [3, 2, 3]
    assert {row["against"] for row in evaluation["comparisons"]} == {"crf", "frequent"}
    assert np.sum(evaluation["model"]["confusion"]["matrix"]) == sum(len(tags) for tags, _ in pairs)
    assert len(sample.paths["confusion"].read_text().splitlines()) == 1 + sum(len(tags) for tags, _ in pairs)
    assert read_json(sample.paths["metrics"])["examples"] == 4


def test_the_page_marks_the_errors_and_escapes_the_words(sample: Sample, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    names = ("intake", "findings", "inspection", "history", "evaluation", "projection")
    paths: dict[str, Path] = {}
    for name in names:
        document = read_json(sample.paths[name])
        if name == "evaluation":
            for row in document["worst"]:
                row["words"][0] = hostile
        paths[name] = tmp_path / name
        paths[name].mkdir()
        (paths[name] / "sample.json").write_text(json.dumps(document))
    run = load("report")
    declared = read_declaration(run)
    params, _ = stage_params(sample.resolved, "report", None, declared.params)
    paths |= {"templates": ROOT / "pipeline/report/templates"}
    paths |= {name: tmp_path / f"{name}.out" for name in declared.outputs}
    run(params, load_facets("page"), **paths)
    page = paths["page"].read_text(encoding="utf-8")
    assert hostile not in page
    assert read_json(sample.paths["evaluation"])["worst"]
    assert "&lt;script&gt;" in page
    assert '<mark class="bad">' in page
    assert "pipeline_tag: token-classification" in (paths["cards"] / "sample.md").read_text(encoding="utf-8")
    assert bind_facets(declared, None)
