"""Searches replayed on a grid of real trainings: what a sampler finds and what halving saves, with no new training."""

import random
import time
from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.params import read_params
from pipeline.core.document import Document, json_text
from pipeline.core.files import read_json, write_json
from pipeline.core.tables import read_arrow
from pipeline.finetune.classification import Rows, rows_of
from pipeline.finetune.fit import prepare_training
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.models.folder import build_model
from pipeline.search.halving import keep_best
from pipeline.search.sampler import propose_values
from pipeline.search.trials import PAUSED, Trial
from pipeline.settings.search.sections import HalveParams, ProposeParams
from pipeline.settings.shared.classes import ClassifierParams

KEPT = Path(".bench/search")
TASKS, SEEDS = ("questions", "reviews"), range(10)
TRIALS, TRIALS_REPLAYED, SLOTS, SHARE = 32, 16, 4, 0.5
TRAIN_ROWS, VALIDATION_ROWS = 400, 400
# The grid whose trainings `table` makes, as places on each axis, so that a search of whole numbers can walk over it.
GRID: dict[str, tuple[Any, ...]] = {
    "learning_rate": (3e-5, 6e-5, 1e-4, 2e-4, 3e-4, 6e-4, 1e-3, 2e-3),
    "batch_size": (8, 16, 32),
    "freeze_layers": (0, 3),
}
# Evaluated at a quarter, a half, three quarters and the end; one thread, so that seconds are those of one core.
FIXED: Document = {
    "epochs": 2,
    "evaluations": 2,
    "patience": 4,
    "threads": 1,
    "precision": "fp32",
    "metric": "accuracy",
}
RUNGS = (
    0,
    1,
)  # evaluations after which trials are compared; a trial that goes on trains to the next, the last to its end


class Curve(NamedTuple):
    """The best score until each evaluation of a training, and the seconds of processor time until then."""

    scores: tuple[float, ...]
    seconds: tuple[float, ...]


class Found(NamedTuple):
    """The best score of a search among trials that were trained to their end, and the seconds of all its trials."""

    best: float
    seconds: float


Outcome = Callable[[Document], Curve]


def compare_samplers(space: Document, outcome: Outcome, *, trials: int, halved: bool) -> Document:
    """Return what searches find, one a seed: by TPE in rounds, one by one, and at random.

    If `halved`, also by TPE in rounds that are halved, with as many trials and with twice as many.
    """

    def search(slots: int, share: float | None = None, times: int = 1) -> list[Found]:
        rounds = times * trials // slots
        return [replay_search(space, outcome, slots, rounds, seed=seed, share=share) for seed in SEEDS]

    samplers = {f"TPE, rounds of {SLOTS}": search(SLOTS)}
    if halved:
        samplers[f"TPE, rounds of {SLOTS}, halved"] = search(SLOTS, SHARE)
        samplers[f"TPE, rounds of {SLOTS}, halved, twice the trials"] = search(SLOTS, SHARE, times=2)
    samplers |= {"TPE, one by one": search(1), "random": search(trials)}
    return {
        name: {"best": [one.best for one in found], "seconds": [round(one.seconds, 1) for one in found]}
        for name, found in samplers.items()
    }


def replay_search(
    space: Document, outcome: Outcome, slots: int, rounds: int, *, seed: int, share: float | None = None
) -> Found:
    """Return what a search finds; its first round is random. With `share`, its trials are halved at `RUNGS`."""
    trials: list[Trial] = []
    seconds = 0.0
    rungs = () if share is None else RUNGS
    common = {"task": "t", "space": space, "lower": False, "slots": [*range(slots)], "seed": seed, "rungs": len(rungs)}
    for index in range(rounds):
        params = ProposeParams.model_validate_json(json_text({**common, "round": index}))
        proposals = {slot: values for slot, values in enumerate(propose_values(params, trials)) if values is not None}
        curves = {slot: outcome(values) for slot, values in proposals.items()}
        reached = drop_trials(curves, params.slots, share or 1.0, rungs)
        for slot, values in proposals.items():
            curve, rung = curves[slot], reached[slot]
            end = -1 if rung is None else rungs[rung]
            seconds += curve.seconds[end]
            stopped = "finished" if rung is None else "dropped"
            trials.append(Trial(f"{index}-{slot}", values, curve.scores[end], 0, 0, stopped, rung))
    best = max(trial.score for trial in trials if trial.score is not None and trial.rung is None)
    return Found(round(best, 4), seconds)


def drop_trials(
    curves: Mapping[int, Curve], slots: tuple[int, ...], share: float, rungs: tuple[int, ...]
) -> dict[int, int | None]:
    """Return at which rung the trial of each slot is dropped, by its score until then; None if it goes to its end."""
    dropped: dict[int, int | None] = dict.fromkeys(slots)
    params = HalveParams(task="t", lower=False, slots=slots, share=share) if rungs else None
    for rung, evaluation in enumerate(rungs):
        assert params  # noqa: S101 - there are rungs
        going = {slot: slot in curves and dropped[slot] is None for slot in slots}
        results = {slot: _pause(curves[slot].scores[evaluation]) if going[slot] else None for slot in slots}
        kept = keep_best(params, results)
        dropped |= {slot: rung for slot in slots if going[slot] and kept[slot] is None}
    return dropped


def _pause(score: float) -> Document:
    return {"values": {}, "score": score, "steps": 0, "examples": 0, "stopped": PAUSED}


# ------------------------------------------------------------------------------------------------ made up
def measure_samplers() -> Document:
    """Return the best scores on a made-up function, whose noise follows from the values, as a training's does."""
    space = {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "layer_decay": {"low": 0.5, "high": 1.0},
        "batch_size": {"choices": [8, 16, 32, 64]},
    }

    def outcome(values: Document) -> Curve:
        noise = random.Random(json_text(values)).gauss(0, 0.004)  # noqa: S311 - no secret
        distance = abs(np.log10(values["learning_rate"]) + 3.5) + abs(values["layer_decay"] - 0.9)
        return Curve((float(0.9 - 0.05 * distance - 0.005 * (values["batch_size"] > 16) + noise),), (0.0,))

    return {"made up": compare_samplers(space, outcome, trials=TRIALS, halved=False)}


# ------------------------------------------------------------------------------------------------ real trainings
def measure_table() -> Document:
    """Train each point of the grid once, on some rows of each task; points that are there are kept."""
    points = list(product(*(range(len(axis)) for axis in GRID.values()), TASKS))
    for *places, task in points:
        path = locate_point(task, tuple(places))
        if not path.exists():
            values = {key: axis[place] for (key, axis), place in zip(GRID.items(), places, strict=True)}
            curve = train(task, values)
            write_json(path, curve._asdict())
            print(f"{task} {values}: {curve.scores[-1]:.4f} in {curve.seconds[-1]:.0f} s", flush=True)
    return {"trainings": len(points), "rows": TRAIN_ROWS}


def locate_point(task: str, places: tuple[int, ...]) -> Path:
    """Return the file of a training of the grid."""
    return KEPT / "grid" / task / f"{'-'.join(map(str, places))}.json"


def train(task: str, values: Mapping[str, Any]) -> Curve:
    """Return the accuracies on `VALIDATION_ROWS` rows of a training on `TRAIN_ROWS`."""
    table = read_arrow(Path(f"data/tokens/{task}.arrow"))
    params = read_params(ClassifierParams, "finetune", task, **FIXED, **values)
    few, held_out = draw(table, "train", TRAIN_ROWS), draw(table, "validation", VALIDATION_ROWS)
    model = build_model(Path("data/raw/minilm"), LEARNING.head(table), dropout=params.dropout, seed=params.seed)
    scores: list[float] = []
    seconds: list[float] = []
    with prepare_training(model, few, held_out, params, LEARNING) as (training, _):
        begun = time.process_time()
        while not training.finished:
            training.advance()
            if len(training.evaluations) > len(scores):
                scores.append(max([*scores[-1:], float(training.evaluations[-1].accuracy)]))
                seconds.append(time.process_time() - begun)
    return Curve(tuple(scores), tuple(seconds))


def draw(table: pa.Table, split: str, count: int) -> Rows:
    """Return random rows of a split, always the same: in the file they may stand by class."""
    part = table.filter(pc.equal(table["split"], split))
    return rows_of(part.take(np.random.default_rng(0).permutation(part.num_rows)[:count]), split)


def measure_replay() -> Document:
    """Return the best scores on the grids of real trainings, with and without halving.

    Raises:
        EnvironmentFault: `table` has not made all of them.
    """
    space = {key: {"low": 0, "high": len(axis) - 1} for key, axis in GRID.items()}
    figures = {}
    for task in TASKS:
        grid = {
            places: Curve(**read_json(locate_point(task, places), fix="Run `python -m benchmarks.search table`."))
            for places in product(*(range(len(axis)) for axis in GRID.values()))
        }
        figures[task] = compare_samplers(
            space,
            lambda values, grid=grid: grid[tuple(values[key] for key in GRID)],
            trials=TRIALS_REPLAYED,
            halved=True,
        )
    return figures
