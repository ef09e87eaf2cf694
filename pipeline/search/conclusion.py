"""The conclusion of a search: the candidate that did best with fresh seeds, and how optimistic the search was."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from pipeline.core.document import Document
from pipeline.search.sampler import rebuild_study
from pipeline.search.trials import Trial, identify_values
from pipeline.settings.search.sections import CANDIDATES, SearchParams, SpaceParams

LEAST_TRIALS = 4  # for the importance of a key: fewer say nothing
_DECIMALS = 4


class Confirmed(NamedTuple):
    """A candidate: its values, the score of its trial, and its score with each fresh seed; None if one diverged."""

    candidate: str
    values: Document
    trial_score: float | None
    scores: tuple[float | None, ...]

    @property
    def mean(self) -> float | None:
        """The mean score over the fresh seeds; None if one diverged."""
        finite = [score for score in self.scores if score is not None]
        return float(np.mean(finite)) if finite and len(finite) == len(self.scores) else None


def join_candidates(
    params: SearchParams, trials: Sequence[Trial], results: Mapping[tuple[str, int], Document | None]
) -> list[Confirmed]:
    """Return the candidates with their scores; `results` are by candidate and seed, None without such a candidate."""
    scores = {identify_values(trial.values): trial.score for trial in trials}
    candidates = []
    for candidate in CANDIDATES:
        documents = [results[candidate, seed] for seed in params.seeds]
        present = [document for document in documents if document is not None]
        if present:
            values = present[0]["values"]
            own = tuple(document["score"] for document in present)
            candidates.append(Confirmed(candidate, values, scores.get(identify_values(values)), own))
    return candidates


def choose_candidate(candidates: Sequence[Confirmed], *, lower: bool) -> Confirmed:
    """Return the candidate with the best mean over the fresh seeds, the first of equals; the default is the first."""

    def place(candidate: Confirmed) -> tuple[bool, float]:
        mean = candidate.mean or 0.0
        return candidate.mean is None, mean if lower else -mean

    return min(candidates, key=place)


def measure_optimism(candidates: Sequence[Confirmed], *, lower: bool) -> float | None:
    """Return by how much the best trial's score was better than its mean with fresh seeds; None if it has none."""
    best = next((candidate for candidate in candidates if candidate.candidate == "first"), None)
    if best is None or best.mean is None or best.trial_score is None:
        return None
    return best.mean - best.trial_score if lower else best.trial_score - best.mean


def measure_importance(params: SpaceParams, trials: Sequence[Trial]) -> dict[str, float] | None:
    """Return the share of the variance of the scores that each key explains, the largest first; None if too few tell.

    Keys with a condition have no share, since not every trial has them. Trials that were dropped do not count: their
    scores are of other trainings.

    Source: Hutter, Hoos and Leyton-Brown (2014), An Efficient Approach for Assessing Hyperparameter Importance.
    """
    scored = [trial for trial in trials if trial.score is not None and trial.rung is None]
    study = rebuild_study(params, scored, seed=params.seed)
    values = {trial.value for trial in study.get_trials(deepcopy=False)}
    if len(study.trials) < LEAST_TRIALS or len(values) < 2:
        return None
    shares = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=params.seed))
    return {key: round(float(share), _DECIMALS) for key, share in sorted(shares.items(), key=lambda item: -item[1])}


def conclude_search(
    params: SearchParams,
    trials: Sequence[Trial],
    candidates: Sequence[Confirmed],
    chosen: Confirmed,
    test: Document | None,
) -> Document:
    """Return the results of a search, ready for strict JSON; `test` is None if the default was chosen or diverged."""
    return {
        "task": params.task,
        "metric": params.metric,
        "lower_is_better": params.lower,
        "default": params.default,
        "chosen": {"candidate": chosen.candidate, "values": chosen.values},
        "optimism": measure_optimism(candidates, lower=params.lower),
        "test": test,
        "confidence": params.confidence,
        "seeds": list(params.seeds),
        "candidates": [{**candidate._asdict(), "mean": candidate.mean} for candidate in candidates],
        "importance": measure_importance(params, trials),
        "cost": {
            "trials": len(trials),
            "trainings": len(trials) + len(candidates) * len(params.seeds),
            "diverged": sum(trial.score is None for trial in trials),
            "dropped": sum(trial.rung is not None for trial in trials),
            "steps": sum(trial.steps for trial in trials),
            "examples": sum(trial.examples for trial in trials),
        },
        "space": {key: bounds.model_dump(mode="json") for key, bounds in params.space.items()},
        "trials": [trial._asdict() for trial in trials],
        "versions": {"optuna": optuna.__version__},
    }
