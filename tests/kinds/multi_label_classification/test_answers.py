"""The answers of multi-label classification: labels by their thresholds."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.kinds.multi_label_classification.answers import ANSWERS

LABELS = ("film", "food", "music")
SHARES = st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=5)


@given(shares=SHARES, thresholds=st.one_of(st.none(), st.tuples(*[st.floats(0, 1)] * 3)))
def test_a_label_is_answered_from_its_threshold_on(shares, thresholds):
    decision = ANSWERS.decide(thresholds)
    answers = ANSWERS.respond(np.array(shares), [""] * len(shares), LABELS, decision, True)
    for row, answer in zip(shares, answers, strict=True):
        assert answer["probabilities"] == dict(zip(LABELS, row, strict=True))
        limits = dict(zip(LABELS, thresholds or (0.5, 0.5, 0.5), strict=True))
        assert answer["labels"] == [label for label in LABELS if answer["probabilities"][label] >= limits[label]]
    short = ANSWERS.respond(np.array(shares), [""] * len(shares), LABELS, decision, False)
    assert all([*answer["probabilities"]] == answer["labels"] for answer in short)


def test_columns_hold_labels_their_probabilities_and_then_all():
    outputs = np.array([[0.9, 0.2, 0.7], [0.1, 0.1, 0.1]])
    values = ANSWERS.tabulate(outputs, ["a", "b"], LABELS, ())
    columns = ANSWERS.columns(LABELS)
    batch = pa.record_batch(
        [pa.array(own, kind) for own, kind in zip(values, columns.values(), strict=True)], [*columns]
    )
    assert batch.to_pylist()[0] == {
        "labels": ["film", "music"], "probabilities": [0.9, 0.7],
        "probability_film": 0.9, "probability_food": 0.2, "probability_music": 0.7,
    }  # fmt: skip
    assert [*ANSWERS.names(batch)] == ["film", "music", "(none)"]
