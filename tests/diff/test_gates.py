import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.diff.document import OUTCOMES, Judgement, MetricChange, worst_outcome
from pipeline.diff.evidence import Measurement
from pipeline.diff.gates import judge_change
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.settings.task import MetricGate

METRICS = {metric.name: metric for metric in MEASURES.metrics}


def gates(**own) -> dict[str, MetricGate | None]:
    return {**dict.fromkeys(METRICS), **{name: MetricGate(**values) for name, values in own.items()}}


def metric(name="accuracy", base=0.9, head=0.9, p_worse=0.5, **more) -> MetricChange:
    both = base is not None and head is not None
    values = {"difference": head - base if both else None, "low": None, "high": None, "p_value": None} | more
    values |= {"title": METRICS[name].title, "unit": METRICS[name].unit}
    return MetricChange(metric=name, base=base, head=head, p_worse=p_worse if both else None, **values)


def judge(change: MetricChange | None, gate, *, spread=0.005, missing="the task is new", doubt=None) -> Judgement:
    name = change.metric if change else "accuracy"
    spreads = {} if spread is None else {name: spread}
    measurement = Measurement({name: change} if change else {}, spreads, missing, doubt)
    return judge_change(MEASURES, gates(**{name: gate}), measurement).judgements[0]


STRICT = {"largest_drop": 0.01, "level": 0.05, "floor": None}
FLOOR = STRICT | {"floor": 0.8}


@pytest.mark.parametrize(
    ("change", "gate", "outcome", "facts"),
    [
        (metric(head=0.91), STRICT, "passed", ()),
        (metric(head=0.89), STRICT, "passed", ("by 1.0 point;", "1.0 point is allowed")),
        (
            metric(head=0.889, p_worse=0.051),
            STRICT,
            "unproven",
            ("1.1 points", "1.0 point ", "p = 0.051", "1.4 points"),
        ),
        (metric(head=0.889, p_worse=0.049), STRICT, "failed", ("accuracy fell by 1.1 points", "1.0 point ", "0.049")),
        (metric(head=0.70, p_worse=0.0), STRICT, "failed", ("20.0 points", "one-sided p < 0.001")),
        (metric(head=0.79, p_worse=0.9), FLOOR, "failed", ("accuracy is 0.790", "below", "0.800")),
        (metric(base=None, head=0.81), FLOOR, "unjudged", ("accuracy", "the task is new")),
        (metric(base=None, head=0.79), FLOOR, "failed", ("0.790", "below", "0.800")),
        (metric(base=0.9, head=None), STRICT, "failed", ("head has no accuracy",)),
        (None, FLOOR, "failed", ("head has no accuracy",)),
        (None, STRICT, "unjudged", ("head has no accuracy",)),
        (metric("log_loss", 0.3, 0.33, 0.01), STRICT, "failed", ("log loss rose by 0.030", "0.010", "p = 0.010")),
        (metric("log_loss", 0.3, 0.2, 0.99), STRICT, "passed", ("log loss",)),
        (
            metric("ece", 0.3, 0.2, 0.99),
            STRICT | {"floor": 0.1},
            "failed",
            ("calibration error is 0.200", "above", "0.100"),
        ),
    ],
)
def test_a_gate_judges(change, gate, outcome, facts):
    judgement = judge(change, gate)
    assert judgement.outcome == outcome
    assert all(fact in judgement.reason for fact in facts), judgement.reason


def test_what_was_not_compared_example_by_example_passes_only_within_the_allowance():
    unpaired = {"p_worse": None}
    beyond = judge(metric(head=0.88).model_copy(update=unpaired), STRICT, spread=None)
    within = judge(metric(head=0.895).model_copy(update=unpaired), STRICT, spread=None)
    assert (beyond.outcome, within.outcome) == ("failed", "passed")
    assert "2.0 points" in beyond.reason
    assert "predictions" in beyond.reason
    assert beyond.sees is None


def test_there_is_a_judgement_a_gate():
    nothing = Measurement({}, {}, "", None)
    assert judge_change(MEASURES, gates(), nothing._replace(metrics={"accuracy": metric()})) == ("unjudged", ())
    both = judge_change(MEASURES, gates(accuracy=STRICT, brier=STRICT), nothing)
    assert [judgement.metric for judgement in both.judgements] == ["accuracy", "brier"]


def test_a_head_in_doubt_fails_every_gate_and_a_task_without_gates_too():
    doubtful = Measurement({"accuracy": metric(head=0.99)}, {}, "", "metrics are made up")
    verdict = judge_change(MEASURES, gates(accuracy=STRICT, brier=STRICT), doubtful)
    assert verdict.outcome == "failed"
    assert {(judgement.outcome, judgement.reason) for judgement in verdict.judgements} == {
        ("failed", "the head's metrics are made up")
    }
    assert judge_change(MEASURES, gates(), doubtful) == ("failed", ())
    assert judge_change(MEASURES, None, doubtful) == ("unjudged", ())


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.2), st.floats(0.001, 0.5), st.floats(0, 1))
def test_a_failure_is_a_drop_beyond_the_allowance_and_beyond_chance(base, head, largest, level, p_worse):
    gate = {"largest_drop": largest, "level": level, "floor": None}
    outcome = judge(metric(base=base, head=head, p_worse=p_worse), gate).outcome
    beyond = base - head > largest + 1e-9
    assert (outcome == "failed") == (beyond and p_worse < level) or abs(base - head - largest) < 1e-8
    assert (outcome == "unproven") == (beyond and p_worse >= level) or abs(base - head - largest) < 1e-8


def test_a_change_for_neither_better_nor_worse_is_refused_at_most_at_the_level():
    """Both models are wrong alone in a twentieth of the 1,075 rows; nothing may be lost."""
    rng, rows, trials, level = np.random.default_rng(0), 1075, 4000, 0.05
    refused = 0
    for broken, fixed, _ in rng.multinomial(rows, [0.05, 0.05, 0.9], size=trials):
        p_worse = stats.binom.cdf(fixed, broken + fixed, 0.5) - stats.binom.pmf(fixed, broken + fixed, 0.5) / 2
        change = metric(base=0.9, head=0.9 + (fixed - broken) / rows, p_worse=float(p_worse))
        refused += judge(change, STRICT | {"largest_drop": 0.0, "level": level}).outcome == "failed"
    assert stats.binom.ppf(0.001, trials, level) <= refused <= stats.binom.ppf(0.999, trials, level)


def test_the_worst_outcome_counts():
    assert worst_outcome(()) == "unjudged"
    assert worst_outcome(("passed", "unjudged")) == "unjudged"
    assert worst_outcome(("passed", "failed", "unproven")) == "failed"
    assert {*OUTCOMES} == {"passed", "unproven", "failed", "unjudged"}
