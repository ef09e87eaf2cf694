import copy
from typing import Any

import pytest

from pipeline.report.search import SEARCH_TEMPLATES, describe_choice, describe_optimism, describe_test, search_html
from tests.given.reporting import TEMPLATE_FOLDER

TEXTS = {name: (TEMPLATE_FOLDER / name).read_text(encoding="utf-8") for name in SEARCH_TEMPLATES}
VALUES = {"learning_rate": 3e-4, "lora": None}
RESULTS: dict[str, Any] = {
    "task": "reviews",
    "metric": "macro_f1",
    "lower_is_better": False,
    "default": {"learning_rate": 1e-4, "lora": None},
    "chosen": {"candidate": "first", "values": VALUES},
    "optimism": 0.0125,
    "test": {
        "rows": 1000, "default": {"accuracy": 0.8, "macro_f1": 0.8}, "chosen": {"accuracy": 0.83, "macro_f1": 0.83},
        "difference": 0.03, "low": 0.01, "high": 0.05, "p_value": 0.004, "outcome": "real gain",
    },
    "confidence": 0.95,
    "seeds": [1, 2],
    "candidates": [
        {"candidate": "default", "values": {"learning_rate": 1e-4, "lora": None}, "trial_score": None,
         "scores": [0.8, None], "mean": None},
        {"candidate": "first", "values": VALUES, "trial_score": 0.8625, "scores": [0.84, 0.86], "mean": 0.85},
    ],
    "importance": {"learning_rate": 0.9},
    "cost": {"trials": 2, "trainings": 6, "diverged": 1, "dropped": 0, "steps": 100, "examples": 2000},
    "space": {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True, "when": None},
        "lora": {"choices": [None, 4], "when": None},
    },
    "trials": [
        {"name": "0-1", "values": VALUES, "score": 0.8625, "steps": 100, "examples": 2000, "stopped": "finished",
         "rung": None},
        {"name": "0-2", "values": {"learning_rate": 1e-2, "lora": 4}, "score": None, "steps": 0, "examples": 0,
         "stopped": "diverged", "rung": None},
    ],
    "versions": {"optuna": "5.0.0"},
}  # fmt: skip


def changed(**values):
    return {**copy.deepcopy(RESULTS), **values}


def test_the_page_has_the_numbers_of_the_results():
    page = search_html(TEXTS, RESULTS)
    for number in ("0.863", "0.850", "0.840", "0.830", "+3.0", "p = 0.004", "0.900", "adopt reviews"):
        assert number in page, number
    assert page.count("<svg") == 2 + len(RESULTS["space"])
    assert "<script" not in page


def test_without_importance_its_chart_is_left_out():
    assert search_html(TEXTS, changed(importance=None)).count("<svg") == 1 + len(RESULTS["space"])


def test_what_was_dropped_is_counted():
    assert "dropped" not in search_html(TEXTS, RESULTS)
    trial = {**RESULTS["trials"][0], "name": "0-3", "stopped": "dropped", "rung": 1}
    page = search_html(TEXTS, changed(cost={**RESULTS["cost"], "dropped": 1}, trials=[*RESULTS["trials"], trial]))
    assert "1 diverged, 1 dropped at a rung" in page
    assert "dropped at rung 1" in page


def test_text_of_the_results_is_escaped():
    page = search_html(TEXTS, changed(task="<i>&", space={"lora": {"choices": ["<i>&", 4], "when": None}}))
    assert "<i>" not in page


def test_equal_results_give_equal_pages():
    assert search_html(TEXTS, RESULTS) == search_html(TEXTS, copy.deepcopy(RESULTS))


@pytest.mark.parametrize(("optimism", "word"), [(0.0125, "good"), (-0.0125, "bad")])
def test_the_optimism_has_its_direction(optimism, word):
    words = describe_optimism(changed(optimism=optimism))
    assert f"0.013 too {word}" in words or f"0.012 too {word}" in words


def test_what_there_is_not_is_said():
    chosen = {"candidate": "default", "values": RESULTS["default"]}
    nothing = changed(chosen=chosen, optimism=None, test=None)
    assert "default" in describe_choice(nothing)
    assert "not measured" in describe_optimism(nothing)
    assert "nothing to compare" in describe_test(nothing)


@pytest.mark.parametrize("outcome", ["real gain", "real loss", "no proven difference"])
def test_the_test_says_its_outcome(outcome):
    assert outcome in describe_test(changed(test={**RESULTS["test"], "outcome": outcome}))
