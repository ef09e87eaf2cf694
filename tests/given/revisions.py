"""A small project in Git and DVC, with results written by the project's own writers and nothing trained."""

import shutil
import subprocess
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.core.files import write_json
from pipeline.core.tables import class_names, describe, write_parquet
from pipeline.evaluate.align import select_split
from pipeline.evaluate.flat_metrics import flatten_metrics
from pipeline.evaluate.metrics import Floats, Ints
from pipeline.examples.text import text_id, text_key
from pipeline.kinds.text_classification.measures import MEASURES
from pipeline.kinds.text_classification.settings import TextEvaluateParams
from pipeline.settings.parse import parse_params
from tests.given.evaluating import evaluate_probabilities
from tests.given.reporting import findings, history, intake
from tests.given.settings import dump

ROOT = Path(__file__).parents[2]
LABELS = ("negative", "positive")
RECORDED = ("ingest", "evaluate")


def settings(tasks: dict[str, Sequence[str]], **gates: Any) -> str:
    """Return the project's params with these tasks and few resamples; `gates` replace those of the project."""
    values, _ = parse_params((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["tasks"] = {
        task: {
            "kind": "text-classification",
            "encoder": "raw/minilm",
            "ingest": {"file": f"raw/{task}.csv", "labels": list(labels), "keep": ["kind"]},
        }
        for task, labels in tasks.items()
    }
    values["evaluate"] |= {"resamples": 500, "slices": ["kind"], "length_edges": [3], "min_slice_rows": 20}
    values["kinds"]["text-classification"]["gates"] |= gates
    return dump(values)


def examples(rows: int, labels: Sequence[str] = LABELS, *, seed: int = 0, text: str = "text {}") -> pa.Table:
    """Return test examples and half as many train examples; `row` is the line of the source file."""
    rng = np.random.default_rng(seed)
    texts = [text.format(at) + " and more words" * (at % 3) for at in range(rows + rows // 2)]
    indices = rng.integers(len(labels), size=len(texts))
    return pa.table(
        {
            "id": [text_id(text_key(line)) for line in texts],
            "split": ["test" if at < rows else "train" for at in range(len(texts))],
            "text": texts,
            "label": indices,
            "kind": ["odd" if at % 2 else "even" for at in range(len(texts))],
            "row": pa.array([at + 2 for at in range(len(texts))], pa.int64()),
        }
    )


def model(table: pa.Table, labels: Sequence[str], *, skill: float = 0.85, seed: int = 1) -> Floats:
    """Return made-up probabilities of the test rows, (N, C): right in a share `skill` of them."""
    rng = np.random.default_rng(seed)
    actual = actual_classes(table)
    wrong = (actual + rng.integers(1, len(labels), size=len(actual))) % len(labels)
    predicted = np.where(rng.random(len(actual)) < skill, actual, wrong)
    return make_confident(predicted, len(labels), rng)


def make_confident(predicted: Any, classes: int, rng: np.random.Generator) -> Floats:
    """Return probabilities whose largest is that of the class `predicted`, (N, classes)."""
    top = rng.uniform(0.55, 0.99, size=len(predicted))
    probabilities = np.repeat((1 - top)[:, None] / (classes - 1), classes, axis=1)
    probabilities[np.arange(len(predicted)), predicted] = top
    return probabilities


def flipped(probabilities: Floats, table: pa.Table, labels: Sequence[str], *, broken: int, fixed: int) -> Floats:
    """Return the probabilities with the first `broken` right rows made wrong and `fixed` wrong ones made right."""
    actual = actual_classes(table)
    right = probabilities.argmax(axis=1) == actual
    changed = probabilities.copy()
    for row in np.flatnonzero(right)[:broken]:
        changed[row] = np.roll(changed[row], 1)
    for row in np.flatnonzero(~right)[:fixed]:
        changed[row] = np.eye(len(labels))[actual[row]] * 0.8 + 0.2 / len(labels)
    return changed


def actual_classes(table: pa.Table) -> Ints:
    """Return the class index of each test row, (N,)."""
    return np.asarray(table.filter(pc.equal(table["split"], "test"))["label"].to_numpy(), dtype=np.int64)


def write_task(
    root: Path,
    task: str,
    table: pa.Table,
    probabilities: Floats,
    labels: Sequence[str] = LABELS,
    *,
    loss: float = 0.4,
    bins: int = 10,
) -> None:
    """Write all that the stages of a task would have written, as they write it."""
    params = TextEvaluateParams(
        task=task, confidence=0.95, resamples=100, bins=bins, length_edges=(3,), slices=("kind",), min_slice_rows=20,
        worst=5, points=0, queries=0, neighbours=1, seed=0,
    )  # fmt: skip
    table = describe(table, task=task, labels=tuple(labels))
    other = model(table, labels, skill=0.7, seed=9)
    rivals = {rival.name: other for rival in MEASURES.baselines[:3]}
    test = select_split(table, "test")
    evaluation, predictions = evaluate_probabilities(params, test, {"model": probabilities, **rivals})
    data = root / "data"
    write_parquet(data / f"examples/{task}.parquet", table)
    write_parquet(data / f"predictions/{task}.parquet", predictions)
    write_json(data / f"metrics/{task}.json", flatten_metrics(MEASURES, evaluation))
    write_json(data / f"evaluation/{task}.json", evaluation)
    matrix = evaluation["model"]["confusion"]
    write_json(data / f"findings/{task}.json", findings(task))
    write_json(data / f"history/{task}.json", _scaled(history(task, list(labels)), loss))
    write_json(data / f"intake/{task}.json", intake(task, list(labels), matrix))


def name_classes(table: pa.Table) -> pa.Table:
    """Return examples or predictions as an older version wrote them: with the names of the classes."""
    for name in ("label", "predicted"):
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, [class_names(table, name)])
    return table


def write_inputs(root: Path, task: str) -> None:
    """Write stand-ins for missing inputs of the recorded stages."""
    made = (
        "tokens/{}.arrow",
        "features/{}.arrow",
        "model/{}/config.json",
        "baselines/{}.parquet",
        "calibration/{}.json",
    )
    for path in (*made, "projection/{}.json", "plots/{}.csv", "raw/raw/{}.csv"):
        file = root / "data" / path.format(task)
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text("made up\n")


def _scaled(document: dict[str, Any], loss: float) -> dict[str, Any]:
    rows = [row | {"loss": row["loss"] + loss - 0.32} for row in document["evaluations"]]
    return document | {"evaluations": rows}


class Project:
    """A repository whose commits hold results; `record` writes dvc.lock and fills DVC's cache as a run would."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def init(self) -> None:
        """Make the folder a repository if it is none, with a user who may commit."""
        self.git("init", "--quiet", "--initial-branch=main")
        for name, value in (("user.name", "A. Tester"), ("user.email", "tester@example.org")):
            self.git("config", name, value)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def record(self, *tasks: str) -> None:
        with chdir(self.root), Repo() as repo:
            self._record(repo, tasks)

    def _record(self, repo: Repo, tasks: Sequence[str]) -> None:
        for task in tasks:
            write_inputs(self.root, task)
            for stage in RECORDED:
                repo.commit(f"{stage}@{task}", force=True)

    def commit(self, message: str, *tasks: str, push: bool = True) -> str:
        """Commit everything, after recording the results of `tasks`, and return the commit."""
        with chdir(self.root), Repo() as repo:
            self._record(repo, tasks)
            self.git("add", "--all")
            self.git("commit", "--quiet", "--allow-empty", "--message", message)
            if push:
                repo.push(targets=[f"{stage}@{task}" for task in tasks for stage in RECORDED] or None)
        return self.git("rev-parse", "HEAD")

    def branch(self, name: str, start: str = "main") -> None:
        self.git("checkout", "--quiet", "--force", "-B", name, start)
        self.git("clean", "--quiet", "--force", "-d")
        with chdir(self.root), Repo() as repo:
            repo.checkout(force=True, allow_missing=True)

    def clone(self, target: Path) -> "Project":
        subprocess.run(["git", "clone", "--quiet", str(self.root), str(target)], check=True)
        clone = Project(target)
        clone.init()
        for name in self.git("branch", "--format=%(refname:short)").split():
            if name != clone.git("branch", "--show-current"):
                clone.git("branch", "--quiet", name, f"origin/{name}")
        return clone


def new_project(root: Path, remote: Path, params: str) -> Project:
    """Return a project without results, whose DVC remote is the folder `remote`."""
    for path in ("requirements.lock", ".dvcignore", ".gitignore", "data/.gitignore", "data/code.json"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, root / path)
    project = Project(root)
    project.write("params.yaml", params)
    with (root / "data/.gitignore").open("a") as ignored:  # the stand-ins of `write_inputs`
        ignored.writelines(f"!/{path}\n" for path in ("raw/*/*", "tokens/", "features/", "model/", "baselines/"))
    # The stages whose results are recorded; DVC reads each stage of dvc.yaml at every command.
    values = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    project.write("dvc.yaml", dump({**values, "stages": {name: values["stages"][name] for name in RECORDED}}))
    write_json(root / "data/profiles.json", {})
    write_params(root, params)
    project.init()
    Repo.init(str(root)).close()
    config = "[core]\n    analytics = false\n    autostage = false\n    remote = kept\n"
    project.write(".dvc/config", f"{config}['remote \"kept\"']\n    url = {remote}\n")
    return project


def write_params(root: Path, params: str) -> None:
    """Write data/params.json as the stage `params` does."""
    from tests.given.settings import resolve_params

    write_json(root / "data/params.json", resolve_params(params, {}))
