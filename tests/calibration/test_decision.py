import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.calibration.counts import count_answers
from pipeline.calibration.decision import PLAIN, Decision, answer_rows, decide

LABELS = ("a", "b", "c")
PROBABILITIES = arrays(np.float64, st.tuples(st.integers(0, 20), st.just(3)), elements=st.floats(0.01, 1)).map(
    lambda rows: rows / rows.sum(axis=1, keepdims=True)
)
DECISIONS = st.builds(
    lambda below, pair: Decision(below, *pair),
    st.none() | st.floats(0, 1),
    st.just((None, None)) | st.tuples(st.sampled_from(LABELS), st.floats(0, 1)),
)


@given(PROBABILITIES, DECISIONS)
def test_each_row_is_answered_by_the_rules(probabilities, decision):
    labels, unsure = decide(probabilities, LABELS, decision)
    assert len(labels) == len(unsure) == len(probabilities)
    for row, label, doubt in zip(probabilities, labels, unsure, strict=True):
        by_label = dict(zip(LABELS, row.tolist(), strict=True))
        others = {name: value for name, value in by_label.items() if name != decision.favoured}
        if decision.favoured is not None and by_label[decision.favoured] >= decision.threshold:
            assert label == decision.favoured
        else:
            assert by_label[label] == max(others.values())
            assert label in others
        assert doubt == (decision.abstain_below is not None and by_label[label] < decision.abstain_below)


@given(PROBABILITIES)
def test_the_plain_decision_is_the_most_probable_class_and_sure(probabilities):
    before = probabilities.copy()
    labels, unsure = decide(probabilities, LABELS, PLAIN)
    assert labels == [LABELS[at] for at in probabilities.argmax(axis=1)]
    assert not unsure.any()
    assert np.array_equal(probabilities, before)


@given(PROBABILITIES, DECISIONS, st.integers(0, 2**32 - 1))
def test_counts_are_those_of_the_answers(probabilities, decision, seed):
    actual = np.random.default_rng(seed).integers(3, size=len(probabilities))
    labels, unsure = decide(probabilities, LABELS, decision)
    rows = list(zip([LABELS[at] for at in actual], labels, unsure.tolist(), strict=True))
    counts = count_answers(probabilities, actual, LABELS, decision)
    assert counts.rows == len(rows)
    assert counts.sure == sum(not doubt for *_, doubt in rows)
    assert counts.right == sum(wanted == label for wanted, label, doubt in rows if not doubt)
    favoured = decision.favoured
    assert counts.called == sum(label == favoured for _, label, _ in rows)
    assert counts.members == sum(wanted == favoured for wanted, *_ in rows)
    assert counts.hits == sum(wanted == label == favoured for wanted, label, _ in rows)


def test_the_confidence_is_that_of_the_answer():
    answers = answer_rows(np.array([[0.6, 0.4, 0.0]]), LABELS, Decision(0.5, "b", 0.3))
    assert (answers.classes.tolist(), answers.confidence.tolist(), answers.unsure.tolist()) == ([1], [0.4], [True])
