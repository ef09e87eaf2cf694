import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.track.task_record import MOST_CHARACTERS, make_record

SCORES = {
    "step": 2,
    "epoch": 1.0,
    "learning_rate": 0.1,
    "train_loss": 0.5,
    "loss": 0.4,
    "accuracy": 0.9,
    "macro_f1": 0.8,
}
HISTORY = {"best": SCORES, "evaluations": [{**SCORES, "step": 1, "accuracy": 0.7}, SCORES]}


def test_a_record_has_flat_names_and_no_metric_that_could_not_be_measured():
    settings = {"encoder": "raw/x", "finetune": {"epochs": 3, "lora": None, "labels": ["a", "b"], "more": {}}}
    record = make_record("spam", settings, {"accuracy": 0.5, "gain_low": None, "examples": 7}, HISTORY)
    assert record.params == {
        "encoder": "raw/x", "finetune.epochs": "3", "finetune.lora": "null", "finetune.labels": '["a", "b"]',
    }  # fmt: skip
    assert record.metrics == {
        "test/accuracy": 0.5, "test/examples": 7.0,
        "train/loss": 0.5, "validation/loss": 0.4, "validation/accuracy": 0.9, "validation/macro_f1": 0.8,
    }  # fmt: skip
    assert [(step, scores["curve/validation/accuracy"]) for step, scores in record.curves.items()] == [
        (1, 0.7),
        (2, 0.9),
    ]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()),
    lambda inner: st.dictionaries(st.text("ab", min_size=1), inner, min_size=1),
)


@given(st.dictionaries(st.text("ab", min_size=1), VALUES))
def test_every_value_has_a_name_and_a_bounded_text(settings):
    params = make_record("spam", settings, {}, HISTORY).params
    assert all(len(text) <= MOST_CHARACTERS for text in params.values())
    for name, text in params.items():
        value = settings
        for part in name.split("."):
            value = value[part]
        assert text == value or text.endswith("…") or json.loads(text) == value
