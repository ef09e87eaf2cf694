import itertools
import json
import math

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.search.sampler import propose_values, rebuild_study, round_number
from pipeline.search.trials import Trial, identify_values
from pipeline.settings.search.sections import ProposeParams
from pipeline.settings.search.space import Interval, contains

SPACE = {
    "learning_rate": {"low": 1e-5, "high": 1e-3, "log": True},
    "epochs": {"low": 1, "high": 4},
    "lora": {"choices": [None, 4, 8]},
    "weight_decay": {"low": 0.0, "high": 0.1, "when": {"lora": [4, 8]}},
    "schedule": {"choices": ["linear", "cosine"]},
}


def params(index=0, *, space=None, slots=4, lower=False, seed=0) -> ProposeParams:
    values = {"task": "t", "space": space or SPACE, "lower": lower, "slots": [*range(slots)], "rungs": 0, "seed": seed}
    return ProposeParams.model_validate_json(json.dumps({**values, "round": index}))


def score_of(values) -> float | None:
    """Return a score that is best at a learning rate of 1e-4; above 4e-4 the training diverges."""
    rate = values["learning_rate"]
    return None if rate > 4e-4 else -abs(math.log10(rate) + 4) + 0.01 * values["epochs"]


def search(rounds, *, score=score_of, **changes) -> list[Trial]:
    trials: list[Trial] = []
    for index in range(rounds):
        proposals = propose_values(params(index, **changes), trials)
        trials += [
            Trial(f"{index}-{slot}", values, score(values), 1, 1, "finished")
            for slot, values in enumerate(proposals) if values is not None
        ]  # fmt: skip
    return trials


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), slots=st.integers(1, 6), rounds=st.integers(1, 4), lower=st.booleans())
def test_a_search_is_a_function_of_its_results_and_its_seed(seed, slots, rounds, lower):
    changes = {"seed": seed, "slots": slots, "lower": lower}
    trials = search(rounds, **changes)
    assert search(rounds, **changes) == trials
    assert search(rounds + 1, **changes)[: len(trials)] == trials  # one more round keeps the earlier ones
    assert len({identify_values(trial.values) for trial in trials}) == len(trials) == rounds * slots
    for trial in trials:
        assert ("weight_decay" in trial.values) == (trial.values["lora"] is not None)
        for key, value in trial.values.items():
            assert contains(params().space[key], value)
            assert not isinstance(value, float) or value == float(f"{value:.3g}")


def test_the_width_of_a_round_decides_what_is_proposed_and_so_does_the_seed():
    four, three = search(2, slots=4), search(2, slots=3)
    assert [trial.values for trial in four[3:6]] != [trial.values for trial in three[3:6]]
    assert search(1, seed=1)[0].values != four[0].values


@settings(max_examples=200, deadline=None)
@given(
    ends=st.tuples(st.floats(1e-9, 1e6), st.floats(1e-9, 1e6)).filter(lambda ends: ends[0] < ends[1]),
    share=st.floats(0, 1),
)
def test_a_rounded_number_stays_inside_and_near(ends, share):
    bounds = Interval(low=ends[0], high=ends[1])
    value = min(ends[0] + share * (ends[1] - ends[0]), ends[1])
    rounded = round_number(value, bounds)
    assert ends[0] <= rounded <= ends[1]
    assert rounded == pytest.approx(value, rel=0.006)


def test_values_that_were_tried_are_not_tried_again_and_then_a_slot_stays_idle():
    space = {"epochs": {"low": 1, "high": 2}, "lora": {"choices": [None, 4]}}
    proposals = propose_values(params(space=space, slots=6), [])
    assert proposals.count(None) == 2
    tried = [tuple(values.values()) for values in proposals if values]
    assert sorted(tried, key=str) == sorted(itertools.product((1, 2), (None, 4)), key=str)
    trials = [Trial(f"0-{at}", values, 0.5, 1, 1, "finished") for at, values in enumerate(proposals) if values]
    assert propose_values(params(1, space=space, slots=6), trials) == [None] * 6


@pytest.mark.parametrize("lower", [False, True])
def test_a_trial_that_diverged_is_the_worst_of_the_study(lower):
    trials = search(3, lower=lower)
    assert any(trial.score is None for trial in trials)
    study = rebuild_study(params(lower=lower), trials, seed=0)
    values = [trial.value for trial in study.get_trials(deepcopy=False)]
    for trial, value in zip(trials, values, strict=True):
        assert value == (trial.score if trial.score is not None else (math.inf if lower else -math.inf))


def test_a_trial_that_was_dropped_is_pruned_to_optuna():
    trials = [trial._replace(stopped="dropped", rung=1) if at % 2 else trial for at, trial in enumerate(search(2))]
    states = [trial.state.name for trial in rebuild_study(params(), trials, seed=0).get_trials(deepcopy=False)]
    wanted = ["PRUNED" if at % 2 and trial.score is not None else "COMPLETE" for at, trial in enumerate(trials)]
    assert states == wanted
    assert len([values for values in propose_values(params(2), trials) if values]) == 4


def test_all_may_diverge():
    trials = search(3, score=lambda _: None)
    assert len(trials) == 12


def test_it_finds_better_values_than_chance():
    """Over ten seeds, by the median of the best scores: TPE in rounds against the same rounds, all random."""
    best, chance = [], []
    for seed in range(10):
        best.append(max(trial.score for trial in search(8, seed=seed) if trial.score is not None))
        alone = [trial for index in range(8) for trial in search(1, seed=100 * seed + index)]
        chance.append(max(trial.score for trial in alone if trial.score is not None))
    assert sorted(best)[5] > sorted(chance)[5]


def test_the_study_is_optunas_own():
    trials = search(2)
    study = rebuild_study(params(), trials, seed=0)
    scored = [trial for trial in trials if trial.score is not None]
    assert isinstance(study, optuna.Study)
    assert study.best_value == max(trial.score for trial in scored)
    assert [trial.user_attrs["name"] for trial in study.trials] == [trial.name for trial in trials]


def test_no_slot_is_idle_as_long_as_values_are_left():
    space = {"epochs": {"low": 1, "high": 5}, "lora": {"choices": [None, 1, 2, 4, 8]}}
    trials = search(7, space=space, score=lambda values: float(values["epochs"]))
    assert len({identify_values(trial.values) for trial in trials}) == len(trials) == 25
    narrow = {"dropout": {"low": 0.1, "high": 0.102}}
    proposals = propose_values(params(space=narrow, slots=5), [])
    assert sorted(values["dropout"] for values in proposals if values) == [0.1, 0.101, 0.102]


def test_the_last_values_of_a_large_space_with_conditions_are_found():
    space = {"lora": {"choices": [None, 4]}, "batch_tokens": {"low": 16, "high": 10**7, "when": {"lora": [4]}}}
    tried = [Trial("0-0", {"lora": None}, 1.0, 1, 1, "finished")]
    proposals = propose_values(params(1, space=space, slots=8), tried)
    assert all(values is not None and values["lora"] == 4 for values in proposals)
