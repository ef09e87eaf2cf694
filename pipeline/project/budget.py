"""The budget of a search: as many rounds in params.yaml as its trials or minutes allow, set before it starts."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import UsageError
from pipeline.core.files import publish, read_utf8
from pipeline.core.format import count, plural
from pipeline.core.stage import load_facets
from pipeline.project.params_file import set_block
from pipeline.repository.durations import estimate_seconds, read_durations
from pipeline.settings.parse import parse_params
from pipeline.settings.resolve import resolve_params
from pipeline.settings.search.sections import CANDIDATES, START, Search

MOST_ROUNDS = 1000


class Costs(NamedTuple):
    """The trainings of a search: tasks, trials of a round and trainings after all rounds, and the seconds of each.

    The seconds are those of all tasks together; with rungs a trial takes the mean of those that end early and others.
    """

    tasks: int
    slots: int
    confirmations: int
    trial: float | None
    confirmation: float | None

    def trainings(self, rounds: int) -> int:
        """Return the number of trainings of one task."""
        return rounds * self.slots + self.confirmations

    def minutes(self, rounds: int) -> float | None:
        """Return how long all tasks take, one stage at a time; None if that is not known."""
        if self.trial is None or self.confirmation is None:
            return None
        return (rounds * self.slots * self.trial + self.confirmations * self.confirmation) / 60


def set_budget(*, trials: int | None, minutes: float | None, root: Path = Path()) -> str:
    """Write the rounds of the search into params.yaml, and return how many trainings they are and about how long.

    `trials` are those of each task. `minutes` are for the whole search, one stage at a time, by the durations of its
    trials so far, or else of the fine-tuning of each task.

    Raises:
        UsageError: There is no search, not one of the two is given, a task was never timed, or no round fits.
        EnvironmentFault: params.yaml cannot be read or written.
    """
    file = root / "params.yaml"
    text = read_utf8(file)
    costs = _read_costs(text, root)
    rounds = _count_rounds(costs, trials, minutes)
    block = "".join(f"    - {{round: {at}, after: {at - 1 if at else START}}}\n" for at in range(rounds))
    new = set_block(text, "search.rounds", block)
    resolve_params(new, load_facets("settings"), {})  # a list that is laid out in another way would be broken
    with publish(file) as partial:
        partial.write_text(new, encoding="utf-8")
    whole = costs.minutes(rounds)
    time = "in a time that is not known yet" if whole is None else f"in about {count(whole)} minutes of work"
    trainings = costs.tasks * costs.trainings(rounds)
    return f"{file}: {plural(rounds, 'round')} of {costs.slots} trials, {count(trainings)} trainings in all, {time}."


def _read_costs(text: str, root: Path) -> Costs:
    """Return what a round and the last trainings cost.

    Raises:
        UsageError: There is no search, or params.yaml is not valid.
    """
    if "search" not in resolve_params(text, load_facets("settings"), {}):
        raise UsageError("params.yaml: there is no search. Run `python -m pipeline overlay profiles/search`.")
    search = Search.model_validate_json(json.dumps(parse_params(text)[0]["search"]))
    durations, tasks = read_durations(root), len(search.tasks)
    trials = [_estimate_trial(search, durations, task) for task in search.tasks]
    confirmations = [_estimate_confirmation(search, durations, task) for task in search.tasks]
    return Costs(tasks, len(search.slots), len(CANDIDATES) * len(search.seeds), _add(trials), _add(confirmations))


def _estimate_trial(search: Search, durations: Mapping[str, float], task: str) -> float | None:
    """Return the seconds of a trial: the mean of its parts so far, or else that of the task's own training."""
    stages = ["trial", *(f"rung{rung}" for rung in range(len(search.parts) - 1))]
    names = [f"trial@{task}-round0-0" if at == "trial" else f"rung@{task}-round0-{at}-0" for at in stages]
    parts = _add([estimate_seconds(durations, name) for name in names])
    whole = durations.get(f"finetune@{task}")
    return whole * _expect_share(search) if parts is None and whole is not None else parts


def _estimate_confirmation(search: Search, durations: Mapping[str, float], task: str) -> float | None:
    """Return the seconds of a training that is not in parts."""
    own = estimate_seconds(durations, f"confirm@{task}-first-0")
    if own is None and not search.halving:
        own = estimate_seconds(durations, f"trial@{task}-round0-0")
    return durations.get(f"finetune@{task}") if own is None else own


def _expect_share(search: Search) -> float:
    """Return the mean share of a training that a trial of a round makes, if none is idle, diverges or ends early."""
    going, share, before = len(search.slots), 0.0, 0.0
    for until in search.parts:
        share += going / len(search.slots) * (until - before)
        going, before = math.ceil(going * (search.halving.share if search.halving else 1.0)), until
    return share


def _add(seconds: Sequence[float | None]) -> float | None:
    """Return the sum; None if one is not known."""
    known = [value for value in seconds if value is not None]
    return sum(known) if len(known) == len(seconds) else None


def _count_rounds(costs: Costs, trials: int | None, minutes: float | None) -> int:
    """Return the number of rounds that a budget allows.

    Raises:
        UsageError: Not one budget is given, no training was timed, or no round fits.
    """
    if trials is not None and minutes is None:
        rounds = math.ceil(trials / costs.slots)
    elif trials is not None or minutes is None:
        raise UsageError("--trials, --minutes: one of the two is needed, found both or neither. Give one.")
    elif costs.trial is None or costs.confirmation is None:
        raise UsageError("--minutes: a task was never trained here, so its time is not known. Give --trials.")
    elif not math.isfinite(minutes):
        raise UsageError(f"--minutes: it must be a number, found {minutes}. Give one.")
    else:
        left = minutes * 60 - costs.confirmations * costs.confirmation
        rounds = math.floor(left / (costs.slots * costs.trial))
    if not 1 <= rounds <= MOST_ROUNDS:
        least = costs.minutes(1)
        hint = "" if least is None else f" (one round: about {math.ceil(least)} minutes)"
        raise UsageError(f"--trials, --minutes: not 1 to {MOST_ROUNDS} rounds, found {rounds}{hint}. Give another.")
    return rounds
