"""Successive halving: at a rung the best trials of a round go on, the others are dropped."""

import math
from collections.abc import Mapping
from typing import Any

from pipeline.core.document import Document
from pipeline.search.trials import Trial, rank_trials
from pipeline.settings.search.sections import HalveParams


def keep_best(params: HalveParams, results: Mapping[int, Document | None]) -> dict[int, Any]:
    """Return the result of each slot whose trial goes on, None for the others.

    These are the best `share` of the trials, rounded up, without those that diverged. `results` are by slot; None for
    an idle one, or one that was dropped before.

    Source: Jamieson and Talwalkar (2016), Non-stochastic Best Arm Identification and Hyperparameter Optimization.
    """
    trials = [Trial(str(slot), **result) for slot in params.slots if (result := results[slot]) is not None]
    most = math.ceil(params.share * len(trials))
    best = {trial.name for trial in rank_trials(trials, lower=params.lower)[:most] if trial.score is not None}
    return {slot: results[slot] if str(slot) in best else None for slot in params.slots}
