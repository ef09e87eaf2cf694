import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.diff.document import OUTCOMES, Metric, worst
from pipeline.diff.gates import METRICS, judge
from pipeline.settings.task import Gate, Gates

NO_GATES = dict.fromkeys(METRICS)


def gates(**given) -> Gates:
    return Gates(task="t", **{**NO_GATES, **{name: Gate(**values) for name, values in given.items()}})


def metric(name="accuracy", base=0.9, head=0.9, p_worse=0.5, **more) -> Metric:
    both = base is not None and head is not None
    values = {"difference": head - base if both else None, "low": None, "high": None, "p_value": None} | more
    return Metric(metric=name, base=base, head=head, p_worse=p_worse if both else None, **values)


def one(found, gate, *, spread=0.005, missing="the task is new"):
    name = found.metric if found else "accuracy"
    spreads = {} if spread is None else {name: spread}
    return judge(gates(**{name: gate}), {name: found} if found else {}, spreads=spreads, missing=missing)[0]


STRICT = {"largest_drop": 0.01, "level": 0.05, "floor": None}
FLOOR = STRICT | {"floor": 0.8}


@pytest.mark.parametrize(
    ("found", "gate", "outcome", "reason"),
    [
        (metric(head=0.91), STRICT, "passed", "accuracy did not get worse"),
        (metric(head=0.89), STRICT, "passed", "accuracy fell by 1.0 point; 1.0 point may be lost"),
        (
            metric(head=0.889, p_worse=0.051),
            STRICT,
            "unproven",
            "chance (one-sided p = 0.051); a drop of 1.4 points",
        ),
        (metric(head=0.889, p_worse=0.049), STRICT, "failed", "accuracy fell by 1.1 points, more than the 1.0 point"),
        (metric(head=0.70, p_worse=0.0), STRICT, "failed", "and that is not chance (one-sided p < 0.001)"),
        (metric(head=0.79, p_worse=0.9), FLOOR, "failed", "accuracy is 0.790, below the floor of 0.800"),
        (metric(base=None, head=0.81), FLOOR, "unjudged", "accuracy has nothing to be compared with: the task is new"),
        (metric(base=None, head=0.79), FLOOR, "failed", "below the floor"),
        (metric(base=0.9, head=None), STRICT, "failed", "the head has no accuracy"),
        (None, FLOOR, "failed", "the head has no accuracy"),
        (None, STRICT, "unjudged", "the head has no accuracy"),
        (metric("log_loss", 0.3, 0.33, 0.01), STRICT, "failed", "log loss rose by 0.030, more than the 0.010 that may"),
        (metric("log_loss", 0.3, 0.2, 0.99), STRICT, "passed", "log loss did not get worse"),
        (metric("ece", 0.3, 0.2, 0.99), STRICT | {"floor": 0.1}, "failed", "ECE is 0.200, above the floor of 0.100"),
    ],
)
def test_a_gate_says(found, gate, outcome, reason):
    said = one(found, gate)
    assert said.outcome == outcome
    assert reason in said.reason


def test_what_was_not_compared_example_by_example_passes_only_within_the_allowance():
    unpaired = {"p_worse": None}
    beyond = one(metric(head=0.88).model_copy(update=unpaired), STRICT, spread=None)
    within = one(metric(head=0.895).model_copy(update=unpaired), STRICT, spread=None)
    assert (beyond.outcome, within.outcome) == ("failed", "passed")
    assert "cannot be told from chance" in beyond.reason
    assert beyond.sees is None


def test_there_is_a_judgement_a_gate():
    assert judge(gates(), {"accuracy": metric()}, spreads={}, missing="") == []
    both = gates(accuracy=STRICT, brier=STRICT)
    assert [said.metric for said in judge(both, {}, spreads={}, missing="")] == ["accuracy", "brier"]


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.2), st.floats(0.001, 0.5), st.floats(0, 1))
def test_a_failure_is_a_drop_beyond_the_allowance_and_beyond_chance(base, head, largest, level, p_worse):
    said = one(metric(base=base, head=head, p_worse=p_worse), {"largest_drop": largest, "level": level, "floor": None})
    beyond = base - head > largest + 1e-9
    assert (said.outcome == "failed") == (beyond and p_worse < level) or abs(base - head - largest) < 1e-8
    assert (said.outcome == "unproven") == (beyond and p_worse >= level) or abs(base - head - largest) < 1e-8


def test_a_change_for_neither_better_nor_worse_is_refused_at_most_at_the_level():
    """Both models are wrong alone in a twentieth of the 1,075 rows; nothing may be lost."""
    rng, rows, trials, level = np.random.default_rng(0), 1075, 4000, 0.05
    refused = 0
    for broken, fixed, _ in rng.multinomial(rows, [0.05, 0.05, 0.9], size=trials):
        p_worse = stats.binom.cdf(fixed, broken + fixed, 0.5) - stats.binom.pmf(fixed, broken + fixed, 0.5) / 2
        found = metric(base=0.9, head=0.9 + (fixed - broken) / rows, p_worse=float(p_worse))
        refused += one(found, STRICT | {"largest_drop": 0.0, "level": level}).outcome == "failed"
    assert stats.binom.ppf(0.001, trials, level) <= refused <= stats.binom.ppf(0.999, trials, level)


def test_the_worst_outcome_counts():
    assert worst(()) == "unjudged"
    assert worst(("passed", "unjudged")) == "unjudged"
    assert worst(("passed", "failed", "unproven")) == "failed"
    assert {*OUTCOMES} == {"passed", "unproven", "failed", "unjudged"}
