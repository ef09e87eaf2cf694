"""A search for hyper-parameters: the same for any number of workers and after kills; and its sampler against others.

`python -m benchmarks.search [PART ...]` measures the parts named, by default all, keeps each below .bench/search, and
writes docs/benchmarks/search.md of all that are there. `workers` (ten minutes), `optuna` and `samplers` (one) need
nothing; `table` makes real trainings for `replay` (128 of each task, an hour on two cores; it resumes); `defaults`
reads the searches in data/searched, which `dvc repro search@TASK` makes.
"""

import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks.params import read_params
from benchmarks.table import publish
from pipeline.core.document import Document
from pipeline.core.files import read_json, sha256, write_json
from pipeline.core.format import markdown_table, points_and_interval, share
from pipeline.core.tables import read_arrow
from pipeline.finetune.classification import Rows, rows_of
from pipeline.finetune.fit import prepare_training
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.models.batches import Ragged
from pipeline.models.folder import build_model
from pipeline.search.sampler import propose_values
from pipeline.search.trials import Trial
from pipeline.settings.search.sections import ProposeParams
from pipeline.settings.shared.classes import ClassifierParams
from tests.given.clones import Clone
from tests.given.searches import build_search
from tests.given.warm import warm_python

KEPT = Path(".bench/search")
WORKERS, KILLS = (1, 2, 4), 10
TASKS, SEEDS, TRIALS, TRAIN_ROWS = ("questions", "reviews"), range(10), 32, 512
# The grid whose trainings `table` makes, as places on each axis, so that a search of whole numbers can walk over it.
GRID: dict[str, tuple[Any, ...]] = {
    "learning_rate": (3e-5, 6e-5, 1e-4, 2e-4, 3e-4, 6e-4, 1e-3, 2e-3),
    "batch_size": (8, 16, 32, 64),
    "epochs": (1, 2),
    "freeze_layers": (0, 3),
}
ABOUT = """# A search for hyper-parameters

`make bench-search`. *Workers*: the search of a small task with a tiny encoder, as DVC stages under `python -m pipeline
run`, with 1, 2 and 4 workers, and with 2 that are killed (SIGKILL, the whole process group) at random moments and run
again. *Optuna*: its own workers, on trials that take differently long. *Samplers*: the best of 32 made-up scores, over
ten seeds; the function is smooth in three keys, with noise. *Replay*: the same on a grid of real trainings (512 rows of
the train split). *Defaults*: the chosen values against those of params.yaml on the test split. A part that has no table
here was not measured yet."""


# ------------------------------------------------------------------------------------------------ workers
def measure_workers() -> Document:
    """Return whether a search's files are equal for any number of workers and after kills."""
    with tempfile.TemporaryDirectory() as place, warm_python() as python:
        root = Path(place)
        (root / "shared").mkdir()
        clone = build_search(root / "start", root / "shared", python, slots=[1, 2], seeds=[1])
        stages = clone.root / "dvc.yaml"  # trainings of one thread: without a GPU, others take all cores, one by one
        stages.write_text(re.sub(r"meta:\s*\{?resource: gpu\}?", "", stages.read_text()), encoding="utf-8")
        clone.dvc("repro", "withhold@reviews")
        runs = {}
        for workers in WORKERS:
            runs[f"{workers} workers"] = run_search(clone.copy(root / str(workers)), workers)
        longest = runs["2 workers"]["seconds"] / 3
        runs["2 workers, killed"] = run_search(clone.copy(root / "killed"), 2, kills=KILLS, longest=longest)
    first = runs["1 workers"]["files"]
    equal = {name: run["files"] == first for name, run in runs.items()}
    return {
        "equal": equal,
        "kills": runs["2 workers, killed"]["kills"],
        "seconds": {name: round(run["seconds"], 1) for name, run in runs.items()},
        "files": len(first),
    }


def run_search(clone: Clone, workers: int, *, kills: int = 0, longest: float = 0.0) -> Document:
    """Run the search to its end, killed up to `kills` times before, each time after `longest` seconds at most.

    It returns the hashes of its files, the seconds it took, and the kills.
    """
    words = (sys.executable, "-m", "pipeline", "run", "search@reviews", "--workers", str(workers))
    begun, done, moments = time.monotonic(), 0, random.Random(0)  # noqa: S311 - no secret
    while True:
        with (clone.root / "log").open("ab") as log:
            process = subprocess.Popen(
                words, cwd=clone.root, env=clone.environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                code = process.wait(moments.uniform(0, longest) if done < kills else None)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                done += 1
                continue
        if code:
            raise SystemExit((clone.root / "log").read_text(encoding="utf-8", errors="replace"))
        break
    paths = sorted([*(clone.root / "data/search").rglob("*.*"), *(clone.root / "data/searched").glob("reviews.*")])
    files = {str(path.relative_to(clone.root)): sha256(path) for path in paths if path.is_file()}
    return {"files": files, "seconds": time.monotonic() - begun, "kills": done}


def measure_optuna() -> Document:
    """Return whether Optuna proposes the same values again, by the number of its own workers."""
    pairs = {jobs: [ask_optuna(jobs) for _ in range(2)] for jobs in (1, 4)}
    return {f"n_jobs={jobs}": first == again for jobs, (first, again) in pairs.items()}


def ask_optuna(jobs: int) -> list[Document]:
    """Return what Optuna proposes with its own workers, trials that take differently long each time."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=0, multivariate=True, constant_liar=True, n_startup_trials=4)
    study = optuna.create_study(sampler=sampler, direction="maximize")

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True)
        epochs = trial.suggest_int("epochs", 1, 5)
        time.sleep(random.uniform(0.0, 0.02))  # noqa: S311 - as trainings end
        return -abs(np.log10(rate) + 3.5) + 0.1 * epochs

    study.optimize(objective, n_trials=24, n_jobs=jobs)
    return sorted((trial.params for trial in study.trials), key=str)


# ------------------------------------------------------------------------------------------------ samplers
Score = Callable[[Document], float]


def compare_samplers(space: Document, score: Score) -> Document:
    """Return the best score of each seed after `TRIALS` trials: TPE in rounds of 4 and of 1, and at random."""
    return {
        "TPE, rounds of 4": [best_of(space, score, slots=4, rounds=TRIALS // 4, seed=seed) for seed in SEEDS],
        "TPE, one by one": [best_of(space, score, slots=1, rounds=TRIALS, seed=seed) for seed in SEEDS],
        "random": [best_of(space, score, slots=TRIALS, rounds=1, seed=seed) for seed in SEEDS],
    }


def best_of(space: Document, score: Score, *, slots: int, rounds: int, seed: int) -> float:
    """Return the best score of a search; a first round is random."""
    trials: list[Trial] = []
    common = {"task": "t", "space": space, "lower": False, "slots": [*range(slots)], "seed": seed}
    for index in range(rounds):
        params = ProposeParams.model_validate_json(json.dumps({**common, "round": index}))
        trials += [
            Trial(f"{index}-{slot}", values, score(values), 0, 0, "finished")
            for slot, values in enumerate(propose_values(params, trials))
            if values is not None
        ]
    return round(max(trial.score for trial in trials if trial.score is not None), 4)


def measure_samplers() -> Document:
    """Return the best scores on a made-up function, whose noise follows from the values, as a training's does."""
    space = {
        "learning_rate": {"low": 1e-5, "high": 1e-2, "log": True},
        "layer_decay": {"low": 0.5, "high": 1.0},
        "batch_size": {"choices": [8, 16, 32, 64]},
    }

    def score(values: Document) -> float:
        noise = random.Random(json.dumps(values)).gauss(0, 0.004)  # noqa: S311 - no secret
        distance = abs(np.log10(values["learning_rate"]) + 3.5) + abs(values["layer_decay"] - 0.9)
        return float(0.9 - 0.05 * distance - 0.005 * (values["batch_size"] > 16) + noise)

    return {"made up": compare_samplers(space, score)}


# ------------------------------------------------------------------------------------------------ real trainings
def measure_table() -> Document:
    """Train each point of the grid once, on the first rows of each task; points that are there are kept."""
    for task, places in product(TASKS, product(*(range(len(axis)) for axis in GRID.values()))):
        path = KEPT / "table" / task / f"{'-'.join(map(str, places))}.json"
        if not path.exists():
            values = {key: axis[place] for (key, axis), place in zip(GRID.items(), places, strict=True)}
            write_json(path, train(task, values))
            print(f"{task} {values}: {read_json(path):.4f}", flush=True)
    return {"trainings": len(TASKS) * int(np.prod([len(axis) for axis in GRID.values()])), "rows": TRAIN_ROWS}


def train(task: str, values: Mapping[str, Any]) -> float:
    """Return the validation accuracy of a training on the first `TRAIN_ROWS` rows."""
    table = read_arrow(Path(f"data/tokens/{task}.arrow"))
    params = read_params(ClassifierParams, "finetune", task, **values)
    rows = rows_of(table, "train")
    end = rows.tokens.offsets[TRAIN_ROWS]
    few = Rows(
        Ragged(rows.tokens.values[:end], rows.tokens.offsets[: TRAIN_ROWS + 1]),
        rows.labels[:TRAIN_ROWS],
        rows.ids[:TRAIN_ROWS],
    )
    model = build_model(Path("data/raw/minilm"), LEARNING.head(table), dropout=params.dropout, seed=params.seed)
    with prepare_training(model, few, rows_of(table, "validation"), params, LEARNING) as (training, _):
        while not training.finished:
            training.advance()
        return float(training.result().best.accuracy)


def measure_replay() -> Document:
    """Return the best scores on the grids of real trainings.

    Raises:
        EnvironmentFault: `table` has not made all of them.
    """
    space = {key: {"low": 0, "high": len(axis) - 1} for key, axis in GRID.items()}
    figures = {}
    for task in TASKS:
        grid = {
            places: float(read_json(KEPT / "table" / task / f"{'-'.join(map(str, places))}.json"))
            for places in product(*(range(len(axis)) for axis in GRID.values()))
        }
        figures[task] = compare_samplers(space, lambda values, grid=grid: grid[tuple(values[key] for key in GRID)])
    return figures


def measure_defaults() -> Document:
    """Return what each search in data/searched has found on test."""
    paths = sorted(Path("data/searched").glob("*.json"))
    return {path.stem: {key: read_json(path)[key] for key in ("chosen", "optimism", "test", "cost")} for path in paths}


# ------------------------------------------------------------------------------------------------ tables
def render(figures: Mapping[str, Document]) -> str:
    """Return a table for each part that was measured."""
    tables = []
    if workers := figures.get("workers"):
        rows = [
            (name, f"{seconds:.0f} s", "yes" if workers["equal"][name] else "no")
            for name, seconds in workers["seconds"].items()
        ]
        tables.append(markdown_table(("search", "time", "same again, byte for byte"), rows, right=(1,)))
    if optunas := figures.get("optuna"):
        rows = [(f"Optuna, {name}", "yes" if same else "no") for name, same in optunas.items()]
        tables.append(markdown_table(("sampler, same seed", "same values again"), rows))
    for part in ("samplers", "replay"):
        rows = [
            (task, name, share(statistics.mean(best)), _interval(best))
            for task, samplers in figures.get(part, {}).items()
            for name, best in samplers.items()
        ]
        tables += (
            [markdown_table(("task", "sampler", "best score", "95% interval"), rows, right=(2, 3))] if rows else []
        )
    rows = [
        (task, result["chosen"]["candidate"], points_and_interval(test["difference"], test["low"], test["high"]))
        for task, result in figures.get("defaults", {}).items()
        if (test := result["test"])
    ]
    tables += [markdown_table(("task", "chosen", "gain on test (points)"), rows, right=(2,))] if rows else []
    return "\n".join(tables)


def _interval(values: Sequence[float]) -> str:
    """Return the bootstrap interval of a mean."""
    draws = np.random.default_rng(0).choice(np.array(values), (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"[{share(low)}, {share(high)}]"


PARTS: dict[str, Callable[[], Document]] = {
    "workers": measure_workers,
    "optuna": measure_optuna,
    "samplers": measure_samplers,
    "table": measure_table,
    "replay": measure_replay,
    "defaults": measure_defaults,
}


def main() -> None:
    """Measure the parts named, and write the page of all that were measured."""
    for name in sys.argv[1:] or PARTS:
        write_json(KEPT / f"{name}.json", PARTS[name]())
    figures = {name: read_json(KEPT / f"{name}.json") for name in PARTS if (KEPT / f"{name}.json").exists()}
    publish("search", ABOUT, render(figures), figures, ("optuna", "torch", "dvc", "prefect"))


if __name__ == "__main__":
    main()
