"""Answers of label sets: those of the saved model, by thresholds of their own, for other labels, and in words."""

import json
import re

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import pipeline

from pipeline.core.files import read_json
from pipeline.core.tables import describe, read_arrow, read_parquet
from pipeline.evaluate.align import select_split
from pipeline.evaluate.kind import compute_metrics
from pipeline.kinds.multi_label_classification.measures import MEASURES
from tests.given.kinds import Sample, run_stages, write_report


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    return run_stages(tmp_path_factory.mktemp("sets"), "multi-label-classification")


def test_the_library_gives_the_same_probabilities_and_sets(sample):
    predictions, test = (
        read_parquet(sample.paths["predictions"]),
        select_split(read_parquet(sample.paths["examples"]), "test"),
    )
    thresholds = read_json(sample.paths["calibration"])["thresholds"]
    classify = pipeline(
        "text-classification", model=str(sample.paths["model"]), top_k=None, truncation=True, device=torch.device("cpu")
    )
    assert classify.model.config.problem_type == "multi_label_classification"
    places = classify.model.config.label2id
    for row, wanted in zip(classify(test["text"].to_pylist()), predictions.to_pylist(), strict=True):
        probabilities = np.zeros(3)
        for label in row:
            probabilities[places[label["label"]]] = label["score"]
        assert probabilities == pytest.approx(wanted["probabilities"], abs=1e-5)
        assert wanted["predicted"] == np.flatnonzero(np.array(wanted["probabilities"]) >= thresholds).tolist()


def test_a_baseline_answers_by_thresholds_of_its_own(sample):
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    baselines = select_split(read_parquet(sample.paths["baselines"]), "test")
    never = {**read_json(sample.paths["calibration"]), "thresholds": [1.1, 1.1, 1.1]}
    for name in ("tfidf", "probe", "prevalence"):
        given = [answer["labels"] for answer in baselines[name].to_pylist()]
        assert MEASURES.tabulate(test, baselines[name], never)["predicted"].to_pylist() == given
    model = MEASURES.predict(sample.paths["model"], test, read_arrow(sample.paths["tokens"]))
    assert MEASURES.tabulate(test, model, never)["predicted"].to_pylist() == [[]] * test.num_rows


def tabulate(labels: tuple[str, ...], actual: list[list[int]], predicted: list[list[int]]) -> pa.Table:
    probabilities = [[0.9 if at in row else 0.1 for at in range(len(labels))] for row in predicted]
    columns = {"labels": actual, "predicted": predicted, "probabilities": probabilities}
    types = {"probabilities": pa.list_(pa.float64())}
    arrays = {name: pa.array(values, types.get(name, pa.list_(pa.int64()))) for name, values in columns.items()}
    return describe(pa.table(arrays), task="t", labels=labels)


def test_the_answers_of_a_revision_with_other_labels_are_scored_by_name():
    truths = tabulate(("a", "b"), [[0], [0, 1], []], [[], [], []])
    answers = tabulate(("c", "b", "a"), [[], [], []], [[2], [1, 2], [0]])
    micro, macro, _, exact = compute_metrics(MEASURES, MEASURES.score_rows(truths, answers, None))
    assert (micro, exact) == (pytest.approx(6 / 7), pytest.approx(2 / 3))
    assert macro == pytest.approx(2 / 3)  # c is answered and never right
    assert MEASURES.truths(truths) == ["a", "a; b", ""]
    assert [part.value for part in MEASURES.groups(truths)] == ["a", "b", "(none)"]


def test_names_of_labels_and_texts_are_escaped_on_the_page(sample, tmp_path):
    evaluation = read_json(sample.paths["evaluation"])
    hostile = json.loads(json.dumps(evaluation).replace('"film"', '"<img src=x>"'))
    hostile["worst"] = [{**row, "text": "<script>1</script>", "missed": "<i>"} for row in hostile["worst"]]
    sample.paths["evaluation"].write_text(json.dumps(hostile), encoding="utf-8")
    outputs = write_report(sample, tmp_path)
    html = outputs["page"].read_text(encoding="utf-8")
    assert "&lt;img src=x&gt;" in html
    assert not re.search(r"<img src=x>|<script>1|<i>", html)
    sample.paths["evaluation"].write_text(json.dumps(evaluation), encoding="utf-8")
