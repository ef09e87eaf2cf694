"""The sampler of proposals: Optuna's TPE, rebuilt in memory from the results so far, so that nothing else is state.

A study that goes on in one process depends on when its trials end, and one that is resumed on a random state that is
not kept. Here a round is a function of the results before it and of a seed.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, create_trial

from pipeline.core.document import Document
from pipeline.search.trials import Trial, identify_values
from pipeline.settings.search.sections import ProposeParams, SpaceParams
from pipeline.settings.search.space import Interval, Options, active_keys

DIGITS = 3  # significant digits of a proposal: fewer differences than matter, and values that people can read
ATTEMPTS = 20  # until a slot stays idle, since only values come that were tried already


def propose_values(params: ProposeParams, trials: Sequence[Trial]) -> list[Document | None]:
    """Return the values that each slot of a round tries; None if there is nothing new to try.

    The first round is random, later ones are TPE's. They depend on `params` and `trials` alone, and no values are
    proposed twice.
    """
    tried = {identify_values(trial.values) for trial in trials}
    study = rebuild_study(params, trials, seed=_mix(params.seed, params.round))
    return [_propose_new(study, params, tried) for _ in params.slots]


def rebuild_study(params: SpaceParams, trials: Sequence[Trial], *, seed: int) -> optuna.Study:
    """Return an Optuna study in memory of the trials; one that diverged counts as the worst possible."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # it would report that a study exists
    sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=len(params.slots))
    study = optuna.create_study(sampler=sampler, direction="minimize" if params.lower else "maximize")
    worst = math.inf if params.lower else -math.inf
    study.add_trials([_freeze_trial(params, trial, worst) for trial in trials])
    return study


def round_number(value: float, bounds: Interval) -> float:
    """Return a number to `DIGITS` significant digits, inside its bounds."""
    return min(max(float(f"{value:.{DIGITS}g}"), bounds.low), bounds.high)


def _propose_new(study: optuna.Study, params: SpaceParams, tried: set[str]) -> Document | None:
    """Return values that were not tried, and add them to `tried`; None if none come."""
    for _ in range(ATTEMPTS):
        trial = study.ask()
        values: Document = {}
        for key in active_keys(params.space, values):
            values[key] = _suggest(trial, key, params.space[key])
        identity = identify_values(values)
        if identity not in tried:
            tried.add(identity)
            return values
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    return None


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


def _freeze_trial(params: SpaceParams, trial: Trial, worst: float) -> FrozenTrial:
    return create_trial(
        params=trial.values,
        distributions={key: _distribution(params.space[key]) for key in trial.values},
        value=worst if trial.score is None else trial.score,
        user_attrs={"name": trial.name, "stopped": trial.stopped, "steps": trial.steps, "examples": trial.examples},
    )


def _mix(seed: int, index: int) -> int:
    """Return the seed of a round."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
