import pytest

from pipeline.evaluate.estimate import REAL_GAIN, UNMEASURED, UNPROVEN, Estimate
from pipeline.evaluate.kind import Metric
from pipeline.kinds.text_classification.page import PAGE
from pipeline.report.verdict import (
    describe_checks,
    describe_confidence,
    describe_headline,
    describe_worth,
    failed_checks,
    headline_gain,
    read_estimate,
)
from tests.given.reporting import comparison, finding, make_task, unmeasured


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (0.5, Estimate(0.5)),
        (None, Estimate(None)),
        ({"value": 0.5, "low": 0.4, "high": 0.6, "reason": None}, Estimate(0.5, 0.4, 0.6)),
        ({"difference": 0.1, "low": 0.0, "high": 0.2, "reason": None}, Estimate(0.1, 0.0, 0.2)),
        ({"value": None, "low": None, "high": None, "reason": "one class"}, Estimate(None, reason="one class")),
    ],
)
def test_a_metric_is_read_in_every_shape(raw: object, expected: Estimate) -> None:
    assert read_estimate(raw) == expected


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((0.0783, 0.026, 4e-7), "7.8 points above TF-IDF + logistic regression (p < 0.001)."),
        (
            (0.008, 0.018, 0.405),
            "0.8 points above TF-IDF + logistic regression, which may be due to chance (p = 0.405).",
        ),
        ((-0.02, 0.01, 0.012), "2.0 points below TF-IDF + logistic regression (p = 0.012)."),
        ((0.01, 0.02, 0.3), "1.0 point above TF-IDF + logistic regression, which may be due to chance (p = 0.300)."),
        ((0.0001, 0.02, 1.0), "level with TF-IDF + logistic regression (p = 1.000)."),
        ((0.0004, 0.0003, 0.01), "less than 0.1 points above TF-IDF + logistic regression (p = 0.010)."),
    ],
)
def test_the_verdict_is_one_sentence(numbers: tuple[float, float, float], sentence: str) -> None:
    assert (
        describe_headline(make_task(gain=numbers))
        == f"Accuracy 0.868 [0.848, 0.888] on 1,086 test examples; {sentence}"
    )


def test_the_verdict_says_what_is_missing_and_quotes_the_reason() -> None:
    task = make_task()
    task.evaluation["comparisons"][0] = unmeasured("tfidf", "too few")
    assert describe_headline(task).endswith("; not compared with TF-IDF + logistic regression (too few).")
    task.evaluation["comparisons"][0] = unmeasured("tfidf", None)
    assert describe_headline(task).endswith("; not compared with TF-IDF + logistic regression.")
    task.evaluation["model"]["accuracy"] = {"value": None, "low": None, "high": None, "reason": "no rows"}
    assert describe_headline(task, quote=str.upper) == (
        "The accuracy could not be measured on 1,086 test examples (NO ROWS)."
    )


def test_the_gain_is_that_over_the_baseline_asked_for() -> None:
    task = make_task()
    cheap, _, trivial, _ = PAGE.baselines
    assert headline_gain(task, cheap).difference.value == 0.0783
    assert headline_gain(task, trivial).difference.value == 0.3664
    assert headline_gain(task, None).outcome == UNMEASURED
    task.evaluation["comparisons"][0] = unmeasured("tfidf")
    assert headline_gain(task, cheap) == (Estimate(None, reason="one class only"), None, UNMEASURED)


def test_the_level_of_the_test_follows_the_confidence() -> None:
    task = make_task()
    task.evaluation["comparisons"] = [comparison("tfidf", 0.05, 0.01, 0.03)]
    assert headline_gain(task, PAGE.baselines.cheap).outcome == REAL_GAIN
    task.evaluation["confidence"] = 0.99
    assert headline_gain(task, PAGE.baselines.cheap).outcome == UNPROVEN


RMSE = Metric("rmse", "RMSE", -1, "number")


def test_of_an_error_less_is_a_gain_and_its_differences_are_in_its_own_unit() -> None:
    task = make_task()._replace(page=PAGE._replace(metrics=(RMSE,)))
    value = {"value": 1.5, "low": 1.25, "high": 1.75, "reason": None}
    gap = {"difference": -0.25, "low": -0.4, "high": -0.1, "reason": None, "p_value": 0.002}
    task.evaluation["model"]["rmse"] = value
    task.evaluation["comparisons"] = [{"against": "tfidf", "rmse": gap, "mcnemar": None}]
    assert headline_gain(task, PAGE.baselines.cheap) == (Estimate(-0.25, -0.4, -0.1), 0.002, REAL_GAIN)
    assert describe_headline(task) == (
        "RMSE 1.500 [1.250, 1.750] on 1,086 test examples; 0.250 below TF-IDF + logistic regression (p = 0.002)."
    )


def test_the_levels_name_the_tasks_that_differ() -> None:
    tasks = [
        {"task": name, "confidence": level} for name, level in (("a", 0.95), ("b", 0.9), ("c", 0.95), ("d", 0.995))
    ]
    assert describe_confidence(tasks) == "95% (b: 90%, d: 99.5%)"
    assert describe_confidence(tasks[:1]) == "95%"
    assert describe_confidence([]) == ""


def test_checks_are_counted_and_the_critical_ones_come_first() -> None:
    checks = [
        finding("good"),
        finding("soft", severity="warning", outcome="failed"),
        finding("hard", outcome="failed"),
        finding("soft too", severity="warning", outcome="error"),
    ]
    assert describe_checks({"checks": checks}) == "1 passed, 2 warnings, 1 critical"
    assert [check["title"] for check in failed_checks({"checks": checks})] == ["hard", "soft", "soft too"]
    assert describe_checks({"checks": checks[:1]}) == "1 passed"
    assert failed_checks({"checks": checks[:1]}) == []


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ((0.032, 0.01, 4e-7), "Fine-tuning pays: 3.2 points above a linear probe on the frozen encoder (p < 0.001)."),
        (
            (0.008, 0.018, 0.405),
            "Whether fine-tuning pays is not proven: 0.8 points above a linear probe on the frozen encoder, "
            "which may be due to chance (p = 0.405).",
        ),
        (
            (-0.02, 0.01, 0.012),
            "Fine-tuning does harm: 2.0 points below a linear probe on the frozen encoder (p = 0.012).",
        ),
    ],
)
def test_what_fine_tuning_is_worth_is_one_sentence(numbers: tuple[float, float, float], sentence: str) -> None:
    task = make_task()
    task.evaluation["comparisons"] = [comparison("probe", *numbers)]
    assert describe_worth(task) == sentence
    task.evaluation["comparisons"] = [unmeasured("probe", None)]
    assert describe_worth(task) == (
        "Whether fine-tuning pays is not known: not compared with a linear probe on the frozen encoder."
    )
