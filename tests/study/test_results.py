"""The results of made-up cells: points over seeds, and the planned comparisons."""

import csv
import io
import json

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from pipeline.core.errors import DataError
from pipeline.study.results import curves_csv, join_cells
from pipeline.study.seed_means import crossed_mean
from tests.given.studies import make_cells, make_study, params


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_a_point_is_the_mean_over_the_seeds(study):
    cells = make_cells(params())
    arm = study["tasks"][0]["arms"][5]
    point = arm["points"][2]
    expected = [cells["reviews", arm["arm"], 512, seed].document["accuracy"] for seed in range(3)]
    assert point["by_seed"] == pytest.approx(expected)
    assert point["accuracy"]["value"] == pytest.approx(np.mean(expected))
    assert point["accuracy"]["low"] < np.mean(expected) < point["accuracy"]["high"]
    assert point["macro_f1"]["low"] <= point["macro_f1"]["value"] <= point["macro_f1"]["high"]
    assert (point["labels"], point["train"], point["validation"]) == (512, 512, 512)
    assert (point["steps"], point["tokens"]) == (102, 512_000)


def test_a_comparison_is_paired_by_seed_and_row_and_adjusted_as_statsmodels_does(study):
    cells = make_cells(params())

    def right(arm, labels):
        answers = [cells["reviews", arm, labels, seed].answers for seed in range(3)]
        return np.array([cell.actual == cell.predicted for cell in answers], float)

    tests = [
        test for test in study["tasks"][0]["comparisons"] if (test["better"], test["than"]) == ("scratch", "random")
    ]
    assert [test["labels"] for test in tests] == [32, 128, 512, 2048, "all"]
    for test in tests:
        mean = crossed_mean(right("scratch", test["labels"]) - right("random", test["labels"]), confidence=0.95)
        assert (test["difference"], test["p_value"]) == pytest.approx((mean.value, mean.p_value))
    adjusted = multipletests([test["p_value"] for test in tests], method="holm")[1]
    assert [test["adjusted"] for test in tests] == pytest.approx(adjusted)


def test_fewer_labels_are_compared_with_the_most(study):
    savings = study["tasks"][0]["savings"]
    assert {(test["labels"], test["against"]) for test in savings} == {(size, "all") for size in (32, 128, 512, 2048)}
    assert len(savings) == 4 * len(params().comparisons)


def test_the_document_is_strict_json_and_the_same_again(study):
    assert json.loads(json.dumps(study, allow_nan=False)) == json.loads(json.dumps(make_study()))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("column", ["ids", "actual"])
def test_cells_of_different_test_rows_are_refused(seed, column):
    study = params(labels=(32,), seeds=(0, 1))
    cells = make_cells(study)
    key = ("reviews", "probe", 32, seed)
    answers = cells[key].answers
    cells[key] = cells[key]._replace(answers=answers._replace(**{column: getattr(answers, column)[::-1]}))
    with pytest.raises(DataError, match=r"reviews.*different test rows"):
        join_cells(study, cells)


def test_arms_of_different_test_rows_are_refused():
    study = params(labels=(32,), seeds=(0,))
    cells = make_cells(study)
    key = ("reviews", "probe", 32, 0)
    cells[key] = cells[key]._replace(answers=cells[key].answers._replace(ids=cells[key].answers.ids[::-1]))
    with pytest.raises(DataError, match=r"reviews.*different test rows"):
        join_cells(study, cells)


def test_the_plot_has_a_line_a_point(study):
    rows = list(csv.DictReader(io.StringIO(curves_csv(study))))
    assert len(rows) == 7 * 5
    assert rows[0]["arm"] == "majority"
    assert {row["labels"] for row in rows} == {"32", "128", "512", "2048", "8500"}
    assert all(float(row["low"]) <= float(row["accuracy"]) <= float(row["high"]) for row in rows)
