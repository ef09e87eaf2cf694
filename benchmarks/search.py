"""A search for hyper-parameters: the same for any number of workers and after kills; and its sampler against others.

`python -m benchmarks.search [PART ...]` measures the parts named, by default all, and writes docs/benchmarks/search.md,
which keeps the figures of the others. `workers` (ten minutes), `optuna` and `samplers` (one) need
nothing; `table` makes real trainings for `replay` (48 of each task, 35 minutes of one core; it goes on where
it was killed); `defaults` reads the searches in data/searched, which `dvc repro search@TASK` makes.
"""

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
from pathlib import Path

import numpy as np
import optuna

from benchmarks.replay import measure_replay, measure_samplers, measure_table
from benchmarks.table import describe_setup, read_figures, write_page
from pipeline.core.document import Document
from pipeline.core.files import read_json, sha256
from pipeline.core.format import ABSENT, markdown_table, points_and_interval, share
from tests.given.clones import Clone
from tests.given.searches import build_search
from tests.given.warm import warm_python

WORKERS, KILLS = (1, 2, 4), 10
ABOUT = """# A search for hyper-parameters

`make bench-search`. *Workers*: the search of a small task with a tiny encoder, as DVC stages under `python -m pipeline
run`, with 1, 2 and 4 workers, and with 2 that are killed (SIGKILL, the whole process group) at random moments and run
again. *Optuna*: its own workers, on trials that take differently long. *Samplers*: the best of 32 made-up scores, over
ten seeds; the function is smooth in three keys, with noise. *Replay*: the best of 16 on a grid of 48 real trainings
(two epochs of 400 rows of the train split, by accuracy on 400 rows of validation), and their seconds of one core;
*halved*: the better half of a round goes on after a quarter of the training, and the better half of these after a
half, which costs half as much; with twice the trials it costs the same. *Defaults*: `dvc repro search@TASK` of
profiles/search: the chosen values against those of params.yaml on the test split, unless these were chosen. A part that
has no table here was not measured yet."""


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


# ------------------------------------------------------------------------------------------------ defaults
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
            (task, name, share(statistics.mean(found["best"])), _interval(found["best"]), _seconds(found["seconds"]))
            for task, samplers in figures.get(part, {}).items()
            for name, found in samplers.items()
        ]
        heads = ("task", "sampler", "best score", "95% interval", "trials take")
        tables += [markdown_table(heads, rows, right=(2, 3, 4))] if rows else []
    rows = [
        (
            task,
            str(result["cost"]["trials"]),
            str(result["cost"]["trainings"] - result["cost"]["trials"]),
            result["chosen"]["candidate"],
            f"{result['optimism']:+.3f}",
            _gain(result["test"]),
        )
        for task, result in figures.get("defaults", {}).items()
    ]
    heads = ("task", "trials", "trained again", "chosen", "best score was too high by", "gain on test (points)")
    tables += [markdown_table(heads, rows, right=(1, 2, 4, 5))] if rows else []
    return "\n".join(tables)


def _interval(values: Sequence[float]) -> str:
    """Return the bootstrap interval of a mean."""
    draws = np.random.default_rng(0).choice(np.array(values), (2000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, (0.025, 0.975))
    return f"[{share(low)}, {share(high)}]"


def _gain(test: Document | None) -> str:
    """Return the gain of the chosen values over the default; that of the default itself is absent."""
    return points_and_interval(test["difference"], test["low"], test["high"]) if test else ABSENT


def _seconds(values: Sequence[float]) -> str:
    mean = statistics.mean(values)
    return f"{mean:.0f} s" if mean else ABSENT


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
    figures = read_figures("search")
    for name in sys.argv[1:] or PARTS:
        figures[name] = {"setup": describe_setup(("optuna", "torch", "dvc", "prefect")), "found": PARTS[name]()}
    shown = render({name: part["found"] for name, part in figures.items()})
    setups = "\n".join(f"- {name.capitalize()}: {figures[name]['setup']}" for name in PARTS if name in figures)
    print(f"{shown}{write_page('search', ABOUT, setups, shown, figures)}", flush=True)


if __name__ == "__main__":
    main()
