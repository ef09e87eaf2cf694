import pytest

from pipeline.search.conclusion import (
    Confirmed,
    choose_candidate,
    conclude_search,
    join_candidates,
    measure_importance,
    measure_optimism,
)
from pipeline.search.trials import Trial
from pipeline.settings.search.sections import CANDIDATES
from tests.given.searches import resolve_small, section

PARAMS = section(resolve_small(slots=[1, 2, 3, 4]), "search", "reviews")


def candidate(name, *scores, trial_score=0.8):
    return Confirmed(name, {"epochs": CANDIDATES.index(name)}, trial_score, scores)


def tried(count, score):
    rates = [round(1e-4 * 10 ** (2 * at / count), 7) for at in range(count)]
    decays = [0.7 + 0.01 * (7 * at % 24) for at in range(count)]  # in another order
    return [
        Trial(f"0-{at}", {"learning_rate": rate, "batch_size": 8 + 8 * (at % 2), "layer_decay": decay},
              score(rate, at), 10, 100, "finished")
        for at, (rate, decay) in enumerate(zip(rates, decays, strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("candidates", "lower", "chosen"),
    [
        ([candidate("default", 0.7, 0.8), candidate("first", 0.7, 0.9), candidate("second", 0.7, 0.7)], False, "first"),
        ([candidate("default", 0.7, 0.8), candidate("first", 0.7, 0.9), candidate("second", 0.7, 0.7)], True, "second"),
        ([candidate("default", 0.7, 0.9), candidate("first", 0.9, 0.7)], False, "default"),
        (
            [candidate("default", 0.7, 0.7), candidate("first", 0.9, None), candidate("second", 0.8, 0.8)],
            False,
            "second",
        ),
        ([candidate("default", 0.7, None), candidate("first", None, None)], False, "default"),
    ],
)
def test_the_best_mean_with_fresh_seeds_is_chosen(candidates, lower, chosen):
    assert choose_candidate(candidates, lower=lower).candidate == chosen


@pytest.mark.parametrize(("lower", "optimism"), [(False, 0.05), (True, -0.05)])
def test_optimism_is_what_the_search_promised_beyond_fresh_seeds(lower, optimism):
    candidates = [candidate("default", 0.7), candidate("first", 0.7, 0.8)]
    assert measure_optimism(candidates, lower=lower) == pytest.approx(optimism)
    assert measure_optimism(candidates[:1], lower=lower) is None
    assert measure_optimism([candidate("first", None)], lower=lower) is None


def test_the_key_that_decides_is_the_most_important():
    importance = measure_importance(PARAMS, tried(24, lambda rate, _: -abs(rate - 1e-3)))
    assert importance is not None
    assert next(iter(importance)) == "learning_rate"
    assert importance["learning_rate"] > 0.5
    assert sum(importance.values()) == pytest.approx(1, abs=1e-3)


def test_too_few_trials_and_equal_ones_tell_no_importance():
    assert measure_importance(PARAMS, tried(3, lambda _, at: float(at))) is None
    assert measure_importance(PARAMS, tried(12, lambda *_: 0.5)) is None
    assert measure_importance(PARAMS, tried(12, lambda *_: None)) is None
    dropped = [trial._replace(stopped="dropped", rung=0) for trial in tried(12, lambda _, at: float(at))]
    assert measure_importance(PARAMS, dropped) is None


def test_a_candidate_that_there_is_not_is_left_out():
    trials = tried(1, lambda *_: 0.6)
    results = {(name, seed): None for name in CANDIDATES for seed in PARAMS.seeds}
    for seed in PARAMS.seeds:
        results["default", seed] = {"values": PARAMS.default, "score": 0.5}
        results["first", seed] = {"values": trials[0].values, "score": 0.5 + seed / 100}
    candidates = join_candidates(PARAMS, trials, results)
    assert [(one.candidate, one.trial_score) for one in candidates] == [("default", None), ("first", 0.6)]
    assert candidates[1].scores == (0.51, 0.52)
    document = conclude_search(PARAMS, trials, candidates, candidates[1], None)
    assert document["cost"] == {"trials": 1, "trainings": 5, "diverged": 0, "dropped": 0, "steps": 10, "examples": 100}
    assert document["chosen"] == {"candidate": "first", "values": trials[0].values}
