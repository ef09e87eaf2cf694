# `pipeline.evaluate.flat_metrics` is tested here too, on the documents of `evaluate`.
import json
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss
from statsmodels.stats.contingency_tables import mcnemar

from pipeline.calibration.decision import PLAIN, Decision
from pipeline.calibration.temperature import apply_temperature
from pipeline.core.document import json_text
from pipeline.core.tables import describe
from pipeline.evaluate.estimate import NO_SPREAD, wilson_interval
from pipeline.evaluate.flat_metrics import flatten_metrics
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from tests.given.evaluating import evaluate_probabilities

PARAMS = TextEvaluateParams(
    task="toy", confidence=0.95, resamples=200, bins=10, length_edges=(2, 4), slices=("kind",), min_slice_rows=5,
    worst=3, points=0, queries=0, neighbours=1, seed=0,
)  # fmt: skip
LABELS = ("ham", "spam")
SIZE = 80
UNDEFINED = "all rows are of one class, and a mean over classes needs two"


class TestRows(NamedTuple):
    """The rows of a test split, column by column."""

    __test__ = False

    ids: list[str]
    texts: list[str]
    actual: Ints
    columns: dict[str, list[str | None]]
    places: list[int]


def evaluate(
    params: TextEvaluateParams,
    rows: TestRows,
    probabilities: dict[str, Floats],
    *,
    temperature: float = 1.0,
    decision: Decision = PLAIN,
) -> dict[str, Any]:
    """Evaluate models by their probabilities, as the stage does."""
    columns = {"id": rows.ids, "text": rows.texts, "label": rows.actual, "row": rows.places, **rows.columns}
    examples = describe(pa.table(columns), task="toy", labels=LABELS)
    return evaluate_probabilities(params, examples, probabilities, temperature=temperature, decision=decision)[0]


def toy(rows: int = SIZE) -> tuple[TestRows, dict[str, Floats]]:
    """Rows of which the model gets more right than the baselines do."""
    rng = np.random.default_rng(0)
    actual = rng.integers(2, size=rows)
    texts = ["word " * (1 + row % 6) for row in range(rows)]
    kinds: list[str | None] = [("a", "b", None)[row % 3] if row else "rare" for row in range(rows)]
    data = TestRows([f"{row:016x}" for row in range(rows)], texts, actual, {"kind": kinds}, [*range(rows)])
    found = {}
    for name, skill in (("model", 0.9), ("tfidf", 0.7), ("probe", 0.6)):
        sure = rng.uniform(0.5, 1, rows)
        right = rng.random(rows) < skill
        one = np.where(right == (actual == 1), sure, 1 - sure)
        found[name] = np.stack([1 - one, one], axis=1)
    return data, found | {"majority": np.tile([0.6, 0.4], (rows, 1))}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return evaluate(PARAMS, *toy())


def predicted(name: str) -> Any:
    return toy()[1][name].argmax(axis=1)


def test_values_are_those_of_scikit_learn_with_intervals_around_them(document: dict[str, Any]) -> None:
    actual = toy()[0].actual
    blocks = {"model": document["model"], **document["baselines"]}
    assert list(blocks) == ["model", "tfidf", "probe", "majority"]
    for name, block in blocks.items():
        assert block["accuracy"]["value"] == pytest.approx(accuracy_score(actual, predicted(name)))
        assert block["macro_f1"]["value"] == pytest.approx(f1_score(actual, predicted(name), average="macro"))
        for metric in ("accuracy", "macro_f1", "log_loss", "brier"):
            assert block[metric]["low"] < block[metric]["value"] < block[metric]["high"]
        assert {metric.name for metric in MEASURES.metrics} <= set(block)


def test_comparisons_are_paired(document: dict[str, Any]) -> None:
    actual = toy()[0].actual
    right = predicted("model") == actual
    assert [one["against"] for one in document["comparisons"]] == ["tfidf", "probe", "majority"]
    for one in document["comparisons"]:
        base = predicted(one["against"]) == actual
        table = [[sum(right & base), sum(right & ~base)], [sum(~right & base), sum(~right & ~base)]]
        assert one["mcnemar"]["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert one["mcnemar"]["model_only"] == table[0][1]
        assert one["mcnemar"]["baseline_only"] == table[1][0]
        assert one["accuracy"]["difference"] == pytest.approx((table[0][1] - table[1][0]) / SIZE)
        assert one["accuracy"]["low"] < one["accuracy"]["difference"] < one["accuracy"]["high"]
        assert 0 < one["macro_f1"]["p_value"] < 0.05
        assert 0 < one["accuracy"]["detectable"] < 1


def test_the_probe_is_compared_with_tfidf_too(document: dict[str, Any]) -> None:
    actual = toy()[0].actual
    probe, tfidf = predicted("probe") == actual, predicted("tfidf") == actual
    comparison = document["probe_over_tfidf"]
    assert comparison["accuracy"]["difference"] == pytest.approx((probe.sum() - tfidf.sum()) / SIZE)
    assert comparison["mcnemar"]["model_only"] == sum(probe & ~tfidf)
    assert comparison["mcnemar"]["baseline_only"] == sum(~probe & tfidf)


def test_slices_are_evaluations_of_their_rows(document: dict[str, Any]) -> None:
    rows, right = toy()[0], predicted("model") == toy()[0].actual
    names = [(one["slice"], one["value"]) for one in document["slices"]]
    assert names == [
        ("length", "1-2"),
        ("length", "3-4"),
        ("length", "5+"),
        *(("kind", k) for k in ("a", "b", "(missing)")),
    ]
    kind = np.flatnonzero([value == "b" for value in rows.columns["kind"]])
    found = document["slices"][4]
    assert found["rows"] == len(kind)
    assert found["accuracy"] == wilson_interval(int(right[kind].sum()), len(kind), confidence=0.95)._asdict()
    f1 = f1_score(rows.actual[kind], predicted("model")[kind], average="macro")
    assert found["macro_f1"]["value"] == pytest.approx(f1)
    assert found["macro_f1"]["low"] < f1 < found["macro_f1"]["high"]


def test_a_slice_does_not_depend_on_other_slices(document: dict[str, Any]) -> None:
    rows, probabilities = toy()
    alone = evaluate(PARAMS.model_copy(update={"slices": ()}), rows._replace(columns={}), probabilities)
    assert alone["slices"] == document["slices"][:3]


def test_worst_are_the_surest_errors(document: dict[str, Any]) -> None:
    rows, probabilities = toy()
    found = document["worst"]
    wrong = np.flatnonzero(predicted("model") != rows.actual)
    sure = sorted(probabilities["model"].max(axis=1)[wrong].tolist(), reverse=True)
    assert [one["confidence"] for one in found] == sure[:3]
    for one in found:
        row = rows.ids.index(one["id"])
        assert (one["text"], one["line"]) == (rows.texts[row], rows.places[row])
        assert (one["label"], one["predicted"]) == (LABELS[rows.actual[row]], LABELS[predicted("model")[row]])
        assert one["label"] != one["predicted"]


def test_equally_sure_errors_come_in_the_order_of_the_rows() -> None:
    rows, probabilities = toy()
    alike = np.tile([0.75, 0.25], (SIZE, 1))
    found = evaluate(PARAMS, rows, probabilities | {"model": alike})["worst"]
    assert [one["id"] for one in found] == [rows.ids[row] for row in np.flatnonzero(rows.actual)[:3]]


def test_flat_metrics_are_the_headline(document: dict[str, Any]) -> None:
    found = flatten_metrics(MEASURES, document)
    assert list(found) == [
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "macro_f1",
        "macro_f1_low",
        "macro_f1_high",
        "log_loss",
        "brier",
        "ece",
        "tfidf_accuracy",
        "tfidf_macro_f1",
        "probe_accuracy",
        "probe_macro_f1",
        "majority_accuracy",
        "gain_over_tfidf",
        "gain_low",
        "gain_high",
        "gain_p_value",
        "gain_over_probe",
        "probe_gain_low",
        "probe_gain_high",
        "probe_gain_p_value",
        "examples",
    ]
    assert found["examples"] == SIZE
    assert found["gain_p_value"] == pytest.approx(document["comparisons"][0]["mcnemar"]["p_value"], rel=1e-5)
    assert found["probe_gain_p_value"] == pytest.approx(document["comparisons"][1]["mcnemar"]["p_value"], rel=1e-5)
    assert found["gain_over_probe"] == pytest.approx(found["accuracy"] - found["probe_accuracy"], rel=1e-4)
    for name in (metric.name for metric in MEASURES.metrics):
        assert found[name] == pytest.approx(document["model"][name]["value"], rel=1e-5)


def test_the_document_is_strict_json_and_always_the_same(document: dict[str, Any]) -> None:
    assert json.loads(json_text(document)) == document
    assert json_text(evaluate(PARAMS, *toy())) == json_text(document)
    other = evaluate(PARAMS.model_copy(update={"seed": 1}), *toy())
    assert other["model"]["accuracy"] != document["model"]["accuracy"]


def test_one_class_leaves_nulls_with_reasons() -> None:
    rows, probabilities = toy(10)
    rows = rows._replace(actual=np.zeros(10, np.int64))
    sure = probabilities | {"model": np.tile([0.9, 0.1], (10, 1))}
    found = evaluate(PARAMS, rows, sure)
    assert found["model"]["macro_f1"] == {"value": None, "low": None, "high": None, "reason": UNDEFINED}
    assert found["model"]["classes"][1]["precision"] is None
    assert found["model"]["classes"][1]["reason"] == "no row is of this class; no row was given this class"
    tfidf, _, majority = found["comparisons"]
    assert tfidf["macro_f1"]["difference"] is None
    assert tfidf["macro_f1"]["p_value"] is None
    assert tfidf["macro_f1"]["reason"] == UNDEFINED
    assert majority["accuracy"] == {"difference": 0, "low": None, "high": None, "reason": NO_SPREAD, "detectable": None}
    assert majority["mcnemar"]["p_value"] == 1
    flat = flatten_metrics(MEASURES, found)
    assert (flat["macro_f1"], flat["accuracy"], flat["accuracy_high"]) == (None, 1.0, 1.0)
    assert flat["accuracy_low"] == pytest.approx(wilson_interval(10, 10, confidence=PARAMS.confidence).low, abs=1e-6)
    assert all(value is None or isinstance(value, float | int) for value in flat.values())
    json_text(found), json_text(flat)


def test_the_temperature_is_compared_with_none(document: dict[str, Any]) -> None:
    rows, probabilities = toy()
    cooled = evaluate(PARAMS, rows, probabilities, temperature=2.0)
    before = apply_temperature(probabilities["model"], 0.5)
    calibration = cooled["calibration"]
    assert {key: value for key, value in cooled.items() if key != "calibration"} == {
        key: value for key, value in document.items() if key != "calibration"
    }
    for name in ("log_loss", "brier", "ece"):
        assert calibration["after"][name] == cooled["model"][name]
        assert calibration["before"][name] != cooled["model"][name]
    assert calibration["before"]["log_loss"]["value"] == pytest.approx(log_loss(rows.actual, before))
    change = calibration["after"]["log_loss"]["value"] - calibration["before"]["log_loss"]["value"]
    assert calibration["log_loss"]["difference"] == pytest.approx(change)
    assert calibration["log_loss"]["low"] < change < calibration["log_loss"]["high"]


def test_no_temperature_changes_nothing(document: dict[str, Any]) -> None:
    calibration = document["calibration"]
    assert calibration["temperature"] == 1
    assert calibration["before"] == calibration["after"]
    assert calibration["log_loss"] == {"difference": 0, "low": None, "high": None, "reason": NO_SPREAD}


def test_the_answers_of_a_decision_are_counted(document: dict[str, Any]) -> None:
    rows, probabilities = toy()
    assert document["decision"] is None
    found = evaluate(PARAMS, rows, probabilities, decision=Decision(0.8, "spam", 0.4))["decision"]
    called = probabilities["model"][:, 1] >= 0.4
    confidence = np.where(called, probabilities["model"][:, 1], probabilities["model"][:, 0])
    sure, right = confidence >= 0.8, called == (rows.actual == 1)
    wanted = {
        "coverage": (sure.sum(), SIZE),
        "accuracy_answered": ((sure & right).sum(), sure.sum()),
        "precision": ((called & right).sum(), called.sum()),
        "recall": ((called & right).sum(), rows.actual.sum()),
    }
    for name, (hits, count) in wanted.items():
        assert found[name] == wilson_interval(int(hits), int(count), confidence=0.95)._asdict()
    assert (found["abstain_below"], found["favoured"], found["threshold"]) == (0.8, "spam", 0.4)


def test_a_decision_that_is_never_sure_has_no_accuracy() -> None:
    found = evaluate(PARAMS, *toy(), decision=Decision(1.1, None, None))["decision"]
    assert found["coverage"]["value"] == 0
    assert found["accuracy_answered"]["value"] is None
    assert found["accuracy_answered"]["reason"]
    assert "precision" not in found
