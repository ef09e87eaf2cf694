"""Metrics of numbers against scipy and scikit-learn, weighted as by repeated rows; and the head's own unit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from transformers import AutoModelForSequenceClassification, pipeline

from pipeline.core.errors import DataError
from pipeline.core.files import read_json
from pipeline.core.tables import read_parquet
from pipeline.evaluate.align import select_split
from pipeline.kinds.text_regression.metrics import compute_number_metrics, score_numbers
from tests.given.kinds import TASK, run_stages, write_report


@given(st.integers(0, 10**6), st.integers(3, 30))
def test_the_metrics_are_those_of_the_references(seed, rows):
    rng = np.random.default_rng(seed)
    actual, predicted = (rng.integers(-3, 4, rows) / 2 for _ in range(2))  # with ties
    weights = rng.integers(0, 3, rows).astype(np.float64)
    weights[0] = 1
    left, right = (np.repeat(values, weights.astype(int)) for values in (actual, predicted))
    rmse, mae, pearson, spearman = compute_number_metrics(score_numbers(actual, predicted), weights)
    assert rmse == pytest.approx(root_mean_squared_error(left, right))
    assert mae == pytest.approx(mean_absolute_error(left, right))
    if len({*left}) < 2 or len({*right}) < 2:
        assert np.isnan([pearson, spearman]).all()
    else:
        assert pearson == pytest.approx(pearsonr(left, right).statistic, abs=1e-9)
        assert spearman == pytest.approx(spearmanr(left, right).statistic, abs=1e-9)


@pytest.mark.parametrize("predicted", [[0.0, np.nan], [np.inf, 0.0]])
def test_predictions_that_are_no_numbers(predicted):
    with pytest.raises(DataError, match="a number is not finite"):
        score_numbers(np.zeros(2), np.array(predicted))


def test_the_saved_model_gives_numbers_in_the_unit_of_the_data(tmp_path):
    sample = run_stages(tmp_path, "text-regression")
    examples = read_parquet(sample.paths["examples"])
    train = examples.filter(np.array(examples["split"]) == "train")["label"].to_numpy()
    stock = AutoModelForSequenceClassification.from_pretrained(sample.paths["model"], local_files_only=True)
    assert stock.config.label_mean == pytest.approx(train.mean())
    assert stock.config.label_deviation == pytest.approx(train.std())
    standard = read_json(sample.paths["history"])["standard"]
    assert standard == {"mean": stock.config.label_mean, "deviation": stock.config.label_deviation}

    rate = pipeline(
        "text-classification",
        model=str(sample.paths["model"]),
        function_to_apply="none",
        truncation=True,
        device=torch.device("cpu"),
    )
    test = examples.filter(np.array(examples["split"]) == "test")
    numbers = [row["score"] for row in rate(test["text"].to_pylist())]
    assert numbers == pytest.approx(read_parquet(sample.paths["predictions"])["predicted"].to_pylist(), abs=1e-4)
    assert read_json(sample.paths["evaluation"])["task"] == TASK


def test_a_model_of_pairs_gives_raw_pairs_the_numbers_of_the_evaluation(tmp_path):
    sample = run_stages(tmp_path, "text-regression-pairs")
    rate = pipeline("text-classification", model=str(sample.paths["model"]), function_to_apply="none", truncation=True)
    test = select_split(read_parquet(sample.paths["examples"]), "test")
    rows = [{name: row[name] for name in ("text", "text_pair")} for row in test.to_pylist()]
    numbers = [rate(row)["score"] for row in rows]
    assert numbers == pytest.approx(read_parquet(sample.paths["predictions"])["predicted"].to_pylist(), abs=1e-4)
    assert read_json(sample.paths["model"] / "config.json")["reads_pairs"] is True
    assert list(read_json(sample.paths["evaluation"])["baselines"]) == ["tfidf", "probe", "mean", "second"]
    assert "text_pair_given" in {check["check"] for check in read_json(sample.paths["findings"])["checks"]}
    (tmp_path / "report").mkdir()
    card = (write_report(sample, tmp_path / "report")["cards"] / f"{TASK}.md").read_text(encoding="utf-8")
    assert 'rate({"text": "a text", "text_pair": "another"})["score"]' in card
