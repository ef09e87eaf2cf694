import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.settings.search.space import Interval, Options, active_keys, contains
from tests.given.settings import resolve_params
from tests.settings.search.test_resolution import changed, refused


def resolved(space):
    return resolve_params(changed(space=space), {})["propose"]["reviews-round0"]["space"]


def test_numbers_are_those_of_the_keys_own_type():
    space = resolved({"dropout": {"low": 0, "high": 0.5}, "epochs": {"low": 1, "high": 3}})
    assert [type(space["dropout"][end]) for end in ("low", "high")] == [float, float]
    assert [type(space["epochs"][end]) for end in ("low", "high")] == [int, int]


BOTH = {"lora": {"choices": [None, 8]}}


@pytest.mark.parametrize(
    ("space", "key", "words"),
    [
        ({"learning_rat": {"low": 0.1, "high": 0.2}}, "learning_rat", "`learning_rate`"),
        ({"lr": {"low": 0.1, "high": 0.2}}, "lr", "`learning_rate`"),
        ({"seed": {"choices": [1, 2]}}, "seed", "not set here"),
        ({"metric": {"choices": ["loss", "accuracy"]}}, "metric", "not set here"),
        ({"learning_rate": {"low": 0.1, "high": 2}}, "learning_rate.high", "less than or equal to 1"),
        ({"dropout": {"low": -0.1, "high": 0.5}}, "dropout.low", "greater than or equal to 0"),
        ({"learning_rate": {"low": 0.2, "high": 0.1}}, "learning_rate", "less than `high`"),
        ({"learning_rate": {"low": 0.1, "high": 0.1}}, "learning_rate", "less than `high`"),
        ({"dropout": {"low": 0, "high": 0.5, "log": True}}, "dropout", "greater than 0"),
        ({"epochs": {"low": 1.5, "high": 3}}, "epochs.low", "integer"),
        ({"epochs": {"low": 1}}, "epochs.high", "missing"),
        ({"epochs": {"low": 1, "high": 3, "step": 2}}, "epochs.step", "unknown key"),
        ({"epochs": {"choices": [1, "two"]}}, "epochs.choices", "integer"),
        ({"epochs": {"choices": [1, 1]}}, "epochs", "repeat"),
        ({"epochs": {"choices": [1]}}, "epochs.choices", "at least 2"),
        ({"schedule": {"low": 1, "high": 2}}, "schedule.low", "'linear'"),
        ({"schedule": {"choices": ["linear", "lnear"]}}, "schedule.choices", "'cosine'"),
        ({"epochs": 3}, "epochs", "`choices`"),
        (
            {"dropout": {"low": 0.0, "high": 0.1, "when": {"lora": [8]}}},
            "dropout.when.lora",
            "unknown key of the space",
        ),
        ({**BOTH, "dropout": {"low": 0.0, "high": 0.1, "when": {"lora": [9]}}}, "dropout.when.lora", "9"),
        ({**BOTH, "dropout": {"low": 0.0, "high": 0.1, "when": {"lora": []}}}, "dropout.when.lora", "at least 1"),
        ({**BOTH, "dropout": {"low": 0.0, "high": 0.1, "when": {}}}, "dropout.when", "at least 1"),
    ],
)
def test_what_is_wrong_is_named_by_its_key(space, key, words):
    message = refused(changed(space=space))
    (line,) = [line for line in message.splitlines() if f" search.space.{key}: " in line]
    assert words in line


def test_an_error_of_a_tasks_own_key_is_named_there():
    own = {"reviews": {"encoder": "raw/minilm", "space": {"epochs": {"low": 0, "high": 3}}}}
    assert "search.tasks.reviews.space.epochs.low: " in refused(changed(tasks=own))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_the_ends_of_an_interval_are_inside(one, two):
    low, high = sorted((one, two))
    if low == high:
        return
    bounds = Interval(low=low, high=high)
    assert contains(bounds, low)
    assert contains(bounds, high)
    assert not contains(bounds, None)


def test_a_key_is_active_only_with_the_values_of_its_condition():
    space = {
        "lora": Options(choices=(None, 4, 8)),
        "dropout": Interval(low=0.0, high=0.5, when={"lora": (4, 8)}),
        "warmup": Interval(low=0.0, high=0.5, when={"dropout": (0.0,)}),
    }
    for lora, expected in ((None, ["lora"]), (8, ["lora", "dropout"])):
        values, keys = {}, []
        for key in active_keys(space, values):
            keys.append(key)
            values[key] = lora if key == "lora" else 0.3
        assert keys == expected


def test_no_error_reaches_a_person_as_a_traceback():
    for space in ([], "x", {"epochs": None}, {"epochs": {"choices": [[1], [2]]}}, {"epochs": {"choices": {}}}):
        with pytest.raises(UsageError):
            resolve_params(changed(space=space), {})


def test_the_order_in_which_keys_are_written_makes_no_other_proposals():
    condition = {"low": 0.0, "high": 0.1, "when": {"lora": [8]}}
    one = {"warmup": {"low": 0.0, "high": 0.1}, **BOTH, "dropout": condition, "epochs": {"low": 1, "high": 3}}
    other = {**BOTH, "epochs": {"low": 1, "high": 3}, "dropout": condition, "warmup": {"low": 0.0, "high": 0.1}}
    assert list(resolved(one)) == list(resolved(other)) == ["epochs", "lora", "dropout", "warmup"]
