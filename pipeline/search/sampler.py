"""The sampler of proposals: Optuna's TPE, rebuilt in memory from the results so far, so that nothing else is state.

A study that goes on in one process depends on when its trials end, and one that is resumed on a random state that is
not kept. Here a round is a function of the results before it and of a seed.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from pipeline.core.document import Document
from pipeline.search.trials import Trial, identify_values
from pipeline.settings.search.sections import ProposeParams, SpaceParams
from pipeline.settings.search.space import Interval, Options, Space, active_keys

DIGITS = 3  # significant digits of a proposal: fewer differences than matter, and values that people can read
ATTEMPTS = 20  # of TPE, until a slot takes any values that were not tried
STEPS = 1000  # of an interval of real numbers, of which a slot then takes one


def propose_values(params: ProposeParams, trials: Sequence[Trial]) -> list[Document | None]:
    """Return the values that each slot of a round tries; None if all values of the space are tried.

    The first round is random, later ones are TPE's, and random again if TPE has none but tried ones. They depend on
    `params` and `trials` alone, and no values are proposed twice.
    """
    tried = {identify_values(trial.values) for trial in trials}
    seed = _mix(params.seed, params.round)
    study, random = rebuild_study(params, trials, seed=seed), np.random.default_rng(seed)
    proposals: list[Document | None] = []
    for _ in params.slots:
        values = _propose_new(study, params.space, tried) or _draw_untried(params.space, {}, tried, random)
        proposals.append(values)
        tried |= {identify_values(values)} if values else set()
    return proposals


def rebuild_study(params: SpaceParams, trials: Sequence[Trial], *, seed: int) -> optuna.Study:
    """Return an Optuna study in memory of the trials."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would report that a study exists
    sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=len(params.slots))
    study = optuna.create_study(sampler=sampler, direction="minimize" if params.lower else "maximize")
    study.add_trials(freeze_trials(params.space, trials, lower=params.lower))
    return study


def freeze_trials(space: Space, trials: Sequence[Trial], *, lower: bool) -> list[FrozenTrial]:
    """Return the trials as Optuna keeps them; one that diverged counts as the worst possible, one dropped as pruned.

    To TPE a pruned trial is worse than all that went on, and better the later its rung.
    """
    worst = math.inf if lower else -math.inf
    return [_freeze_trial(space, trial, worst) for trial in trials]


def round_number(value: float, bounds: Interval) -> float:
    """Return a number to `DIGITS` significant digits, inside its bounds."""
    return min(max(float(f"{value:.{DIGITS}g}"), bounds.low), bounds.high)


def _propose_new(study: optuna.Study, space: Space, tried: Collection[str]) -> Document | None:
    """Return values of TPE that were not tried; None if none come."""
    for _ in range(ATTEMPTS):
        trial = study.ask()
        values: Document = {}
        for key in active_keys(space, values):
            values[key] = _suggest(trial, key, space[key])
        if identify_values(values) not in tried:
            return values
        study.tell(trial, state=TrialState.FAIL)
    return None


def _draw_untried(
    space: Space, drawn: Document, tried: Collection[str], random: np.random.Generator
) -> Document | None:
    """Return the values `drawn`, with random ones of the other keys, that were not tried; None if there are none."""
    key = next((key for key in active_keys(space, drawn) if key not in drawn), None)
    if key is None:
        return None if identify_values(drawn) in tried else drawn
    values = _list_values(space[key])
    # Of one more than there are tried ones, one is new: so a long list is not gone through.
    for at in random.choice(len(values), min(len(values), len(tried) + 1), replace=False):
        whole = _draw_untried(space, {**drawn, key: values[at]}, tried, random)
        if whole is not None:
            return whole
    return None


def _list_values(bounds: Interval | Options) -> Sequence[Any]:
    """Return the values of a key; of an interval of real numbers `STEPS` even steps, without repeats."""
    if isinstance(bounds, Options):
        return bounds.choices
    if isinstance(bounds.low, int) and isinstance(bounds.high, int):
        return range(bounds.low, bounds.high + 1)
    space = np.geomspace if bounds.log else np.linspace
    steps = space(bounds.low, bounds.high, STEPS + 1)
    return sorted({round_number(float(step), bounds) for step in steps})


def _suggest(trial: optuna.Trial, key: str, bounds: Interval | Options) -> Any:
    if isinstance(bounds, Options):
        return trial.suggest_categorical(key, bounds.choices)
    if isinstance(bounds.low, int) and isinstance(bounds.high, int):
        return trial.suggest_int(key, bounds.low, bounds.high, log=bounds.log)
    return round_number(trial.suggest_float(key, bounds.low, bounds.high, log=bounds.log), bounds)


def _distribution(bounds: Interval | Options) -> BaseDistribution:
    if isinstance(bounds, Options):
        return CategoricalDistribution(bounds.choices)
    if isinstance(bounds.low, int) and isinstance(bounds.high, int):
        return IntDistribution(bounds.low, bounds.high, log=bounds.log)
    return FloatDistribution(bounds.low, bounds.high, log=bounds.log)


def _freeze_trial(space: Space, trial: Trial, worst: float) -> FrozenTrial:
    reached = {} if trial.rung is None or trial.score is None else {trial.rung: trial.score}
    return create_trial(
        state=TrialState.PRUNED if reached else TrialState.COMPLETE,
        intermediate_values=reached,
        params=trial.values,
        distributions={key: _distribution(space[key]) for key in trial.values},
        value=worst if trial.score is None else trial.score,
        user_attrs={"name": trial.name, "stopped": trial.stopped, "steps": trial.steps, "examples": trial.examples},
    )


def _mix(seed: int, index: int) -> int:
    """Return the seed of a round."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
