import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.track.task_record import MOST_CHARACTERS, make_record, to_text
from tests.given.tracking import HISTORY


def test_a_record_has_flat_names_and_no_metric_that_could_not_be_measured():
    settings = {"encoder": "raw/x", "finetune": {"epochs": 3, "lora": None, "labels": ["a", "b"], "more": {}}}
    record = make_record("spam", settings, {"accuracy": 0.5, "gain_low": None, "examples": 7}, HISTORY)
    assert record.params == {
        "encoder": "raw/x", "finetune.epochs": 3, "finetune.lora": None, "finetune.labels": ["a", "b"],
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
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=3),
    lambda inner: st.dictionaries(st.text("ab", min_size=1), inner, min_size=1, max_size=3),
)


@given(st.dictionaries(st.text("ab", min_size=1), VALUES, max_size=3))
def test_every_value_has_a_name_and_a_bounded_text(settings):
    for name, value in make_record("spam", settings, {}, HISTORY).params.items():
        within = settings
        for part in name.split("."):
            within = within[part]
        assert value == within
        text = to_text(value)
        assert len(text) <= MOST_CHARACTERS
        assert text == value or text.endswith("…") or json.loads(text) == value
