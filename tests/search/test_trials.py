import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.search.trials import (
    HISTORY,
    PAUSED,
    Trial,
    choose_finalists,
    describe_progress,
    identify_values,
    rank_trials,
    read_trials,
)


def trial(name, score, **values) -> Trial:
    return Trial(
        name, values or {"epochs": int(name.partition("-")[2])}, score, 1, 2, "finished" if score else "diverged"
    )


TRIALS = [trial("0-1", 0.5), trial("0-2", None), trial("0-3", 0.7), trial("1-4", 0.7), trial("1-5", 0.1)]


@pytest.mark.parametrize(
    ("lower", "names"), [(False, ["0-3", "1-4", "0-1", "1-5", "0-2"]), (True, ["1-5", "0-1", "0-3", "1-4", "0-2"])]
)
def test_the_first_of_equals_ranks_first_and_what_diverged_last(lower, names):
    assert [one.name for one in rank_trials(TRIALS, lower=lower)] == names


def test_the_finalists_are_the_best_that_are_not_the_default():
    chosen = choose_finalists(TRIALS, {"epochs": 3}, lower=False, most=3)
    assert [one.name for one in chosen] == ["1-4", "0-1", "1-5"]
    assert [one.name for one in choose_finalists(TRIALS, {"epochs": 9}, lower=False, most=1)] == ["0-3"]
    assert choose_finalists(TRIALS[1:2], {}, lower=False, most=3) == []


def write(folder, history, *results, part="trials"):
    if history is not None:
        (folder / "proposals").mkdir(parents=True)
        (folder / "proposals" / HISTORY).write_text(json.dumps(history))
    (folder / part).mkdir()
    for slot, result in enumerate(results, start=1):
        (folder / part / f"{slot}.json").write_text(json.dumps(result))


def test_a_round_adds_its_results_to_those_before_it(tmp_path):
    result = {"values": {"epochs": 2}, "score": 0.5, "steps": 3, "examples": 4, "stopped": "early"}
    write(tmp_path, [TRIALS[0]._asdict()], result, None)
    (tmp_path / "trials" / "9.json").write_text("of another search")
    assert read_trials(tmp_path, index=1, slots=(1, 2)) == [TRIALS[0], Trial(name="1-1", **result)]
    with pytest.raises(EnvironmentFault, match=r"3\.json"):
        read_trials(tmp_path, index=1, slots=(1, 2, 3))


def test_the_last_part_of_a_trial_counts_and_at_which_rung_it_was_dropped(tmp_path):
    part = {"values": {"epochs": 2}, "score": 0.5, "steps": 3, "examples": 4, "stopped": PAUSED}
    whole = {**part, "score": 0.9, "steps": 9, "stopped": "finished"}
    write(tmp_path, [], part, part, part, whole, None)
    write(tmp_path, None, None, part, part, whole, None, part="0")
    write(tmp_path, None, None, None, whole, whole, None, part="1")
    ends = [
        (trial.name, trial.steps, trial.stopped, trial.rung)
        for trial in read_trials(tmp_path, index=0, slots=(1, 2, 3, 4, 5), rungs=2)
    ]
    assert ends == [
        ("0-1", 3, "dropped", 0), ("0-2", 3, "dropped", 1), ("0-3", 9, "finished", None), ("0-4", 9, "finished", None),
    ]  # fmt: skip


def test_what_was_dropped_ranks_below_what_went_on():
    dropped = [
        trial(f"2-{slot}", score)._replace(stopped="dropped", rung=rung)
        for slot, score, rung in ((1, 0.95, 0), (2, 0.8, 1), (3, 0.99, 0))
    ]
    ranked = [one.name for one in rank_trials([*dropped, *TRIALS], lower=False)]
    assert ranked == ["0-3", "1-4", "0-1", "1-5", "2-2", "2-3", "2-1", "0-2"]
    assert "3 dropped" in describe_progress([*dropped, *TRIALS], lower=False)


def test_what_is_no_result_is_refused(tmp_path):
    write(tmp_path, [], {"score": 1})
    with pytest.raises(DataError):
        read_trials(tmp_path, index=0, slots=(1,))


@given(
    st.dictionaries(
        st.text(max_size=3),
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    )
)
def test_the_identity_of_values_is_blind_to_their_order_alone(values):
    shuffled = dict(reversed(values.items()))
    assert identify_values(shuffled) == identify_values(values)
    assert identify_values({**values, "more": 1}) != identify_values({**values, "more": 2})


def test_the_progress_names_the_best_so_far():
    words = describe_progress(TRIALS, lower=False)
    assert {"5", "1", "0.7000", "0-3:", "3"} <= {*words.replace(",", "").split()}
    assert describe_progress([], lower=False) == "0 trials done"
    assert "best" not in describe_progress(TRIALS[1:2], lower=False)
