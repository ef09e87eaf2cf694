"""The trials of a search so far: what was tried, how well it did on validation, and which did best."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.document import Document, json_text
from pipeline.core.errors import REPRODUCE, DataError
from pipeline.core.files import read_json
from pipeline.settings.search.sections import TRIALS

HISTORY = "history.json"  # beside the proposals of a round: all trials of the rounds before it
PAUSED = "paused"  # how a part of a trial ends that another may follow


class Trial(NamedTuple):
    """A trial `ROUND-SLOT`, its score on validation, and its cost: updates, and examples of all their batches.

    `stopped` is "finished", "early" or "diverged", which has no score and counts as the worst; or "dropped" at a
    `rung`, with the score until then, and counts as worse than all that went on.
    """

    name: str
    values: Document
    score: float | None
    steps: int
    examples: int
    stopped: str
    rung: int | None = None


def identify_values(values: Mapping[str, Any]) -> str:
    """Return the text that trials of equal values share, and no others."""
    return json_text(dict(sorted(values.items())))


def read_trials(folder: Path, *, index: int, slots: Sequence[int], rungs: int = 0) -> list[Trial]:
    """Return the trials of all rounds up to round `index`, whose folder this is; an idle slot had none.

    Of a trial in parts its last one counts, and at which of the `rungs` it was dropped, if it was.

    Raises:
        EnvironmentFault: A result is missing.
        DataError: A document is not that of a trial.
    """
    documents = [*read_json(folder / "proposals" / HISTORY)]
    for slot in slots:
        parts = [read_json(folder / part / f"{slot}.json") for part in (TRIALS, *map(str, range(rungs)))]
        ran = [part for part in parts if part is not None]
        if ran:
            dropped = {"stopped": "dropped", "rung": len(ran) - 1} if ran[-1].get("stopped") == PAUSED else {}
            documents.append({"name": f"{index}-{slot}", **ran[-1], **dropped})
    try:
        return [Trial(**document) for document in documents]
    except TypeError as error:
        raise DataError(f"{folder}: not the results of trials, {error}. {REPRODUCE}") from error


def rank_trials(trials: Sequence[Trial], *, lower: bool) -> list[Trial]:
    """Return the trials from the best to the worst, the earlier of equals first; `lower` if less is better.

    One that was dropped stands below those that went on, whatever its score.
    """

    def place(trial: Trial) -> tuple[bool, float, float]:
        score, reached = trial.score or 0.0, math.inf if trial.rung is None else trial.rung
        return trial.score is None, -reached, score if lower else -score

    return sorted(trials, key=place)


def choose_finalists(trials: Sequence[Trial], default: Document, *, lower: bool, most: int) -> list[Trial]:
    """Return the best trials of other values than the `default`, at most `most`, the best first."""
    own = identify_values(default)
    ranked = rank_trials(trials, lower=lower)
    return [trial for trial in ranked if trial.score is not None and identify_values(trial.values) != own][:most]


def describe_progress(trials: Sequence[Trial], *, lower: bool) -> str:
    """Return how many trials are done, and the best so far with its values."""
    diverged, dropped = (sum(trial.stopped == end for trial in trials) for end in ("diverged", "dropped"))
    ends = [f"{count} {end}" for count, end in ((diverged, "diverged"), (dropped, "dropped")) if count]
    done = ", ".join([f"{len(trials)} trials done", *ends])
    if diverged == len(trials):
        return done
    best = rank_trials(trials, lower=lower)[0]
    return f"{done}, best {best.score:.4f} by {best.name}: " + ", ".join(f"{k} {v}" for k, v in best.values.items())
