"""Clones of the project on the sample: two tiny tasks, a tiny encoder as a wheel, and `dvc repro` in them."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from filelock import FileLock
from ruamel.yaml import YAML

from pipeline.core.files import remove, sha256
from pipeline.settings.parse import parse_params
from tests.given.encoder import make_encoder
from tests.given.settings import dump, study_params, study_stages
from tests.given.sources import make_wheel

ROOT = Path(__file__).parents[2]
PARTS = (
    "requirements.lock",
    ".dvcignore",
    ".gitignore",
    "pipeline",
    "data/.gitignore",
    "data/profiles.json",
    "data/corrections",
    "data/live/.gitignore",
)
PER_TASK = ("ingest", "validate", "tokenize", "extract", "baseline", "inspect", "finetune", "calibrate", "evaluate")
SAMPLE = ROOT / "data" / "sample"
FILES = ("reviews.csv", "topics.jsonl")
TOPICS = sorted({json.loads(line)["label"] for line in (SAMPLE / "topics.jsonl").read_text().splitlines()})


def pack(shared: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder with the wheels of the sample and of a tiny encoder, and their checksums.

    The first of the processes that share a folder writes them.
    """
    wheels = shared / "wheels"
    with once(wheels) as record:
        if not record.exists():
            encoder = make_encoder(shared / "encoder")
            members = {
                "sample": {f"sample/{name}": (SAMPLE / name).read_bytes() for name in FILES},
                "tiny": {f"tiny/{path.name}": path.read_bytes() for path in encoder.iterdir()},
            }
            shas = {name: sha256(make_wheel(wheels, files, name=name)) for name, files in members.items()}
            record.write_text(json.dumps(shas), encoding="utf-8")
    return wheels, json.loads(record.read_text(encoding="utf-8"))


@contextmanager
def once(folder: Path) -> Iterator[Path]:
    """Hold the others that share a folder off while it is filled; yield the file that says that it is.

    If that is not there, nor is the folder: what an attempt that failed has left is removed.
    """
    record = folder.with_name(f"{folder.name}.json")
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not record.exists():
            remove(folder)
        yield record


class Clone:
    """A clone of the project with the sample as its sources, and `dvc repro` in it.

    `python` is the folder of the `python` that runs its stages.
    """

    def __init__(self, root: Path, wheels: Path, python: Path = Path(sys.executable).parent) -> None:
        self.root, self.wheels, self.python = root, wheels, python
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},  # not traced
            "PATH": f"{python}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "PYTHONPATH": "",
        }

    def dvc(self, *words: str) -> str:
        done = subprocess.run(
            ["dvc", *words], cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, check=True)

    def repro(self, *targets: str) -> tuple[set[str], set[str]]:
        """Return the stages that ran and those that were restored from the run-cache."""
        told = self.dvc("repro", *targets)
        ran = set(re.findall(r"Running stage '([^']+)'", told))
        return ran, set(re.findall(r"Stage '([^']+)' is cached - skipping run", told))

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def copy(self, root: Path) -> "Clone":
        """Return a copy, cache included, on another path."""
        shutil.copytree(self.root, root, symlinks=True)
        return Clone(root, self.wheels, self.python)

    def lock(self) -> str:
        return (self.root / "dvc.lock").read_text(encoding="utf-8")

    def locked(self) -> dict[str, dict[str, object]]:
        """Return what the lock says of each stage."""
        found: dict[str, dict[str, object]] = YAML(typ="safe").load(self.lock())["stages"]
        return found


def build(root: Path, wheels: Path, shas: dict[str, str], python: Path = Path(sys.executable).parent) -> Clone:
    """Return a clone of the project, with the profile of the study laid over it, in which nothing has run."""
    for part in PARTS:
        source, target = ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    (root / "params.yaml").write_text(settings(shas, study_params()), encoding="utf-8")
    (root / "dvc.yaml").write_text(study_stages(), encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    Repo.init(str(root)).close()
    return Clone(root, wheels, python)


def prepare(shared: Path, python: Path) -> tuple[Clone, set[str]]:
    """Return a clone in which everything has run once, and the stages that ran.

    The first of the processes that share a folder runs them, and the others wait: take a copy before you edit it.
    """
    wheels, shas = pack(shared)
    with once(shared / "prepared") as record:
        if not record.exists():
            ran, _ = build(shared / "prepared", wheels, shas, python).repro()
            record.write_text(json.dumps(sorted(ran)), encoding="utf-8")
    return Clone(shared / "prepared", wheels, python), set(json.loads(record.read_text(encoding="utf-8")))


def settings(shas: dict[str, str], text: str) -> str:
    """Return a params.yaml with the sample as its sources and two tasks, small enough for a test."""
    values, _ = parse_params(text)
    members = {
        "sample": {f"sample/{name}": name for name in FILES},
        "tiny": {
            f"tiny/{name}": name
            for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
        },
    }
    values["sources"] = {
        name: {"kind": "package", "package": name, "version": "1.0", "sha256": shas[name], "members": members[name]}
        for name in shas
    }
    values["tasks"] = {
        "reviews": {
            "kind": "text-classification",
            "encoder": "raw/tiny",
            "ingest": {"file": "sample/reviews.csv", "labels": ["negative", "positive"]},
        },
        "topics": {
            "kind": "text-classification",
            "encoder": "raw/tiny",
            "ingest": {"file": "sample/topics.jsonl", "format": "jsonl", "labels": TOPICS},
            "finetune": {"epochs": 1},
        },
    }
    values["validate"]["min_rows"] = 5
    values["tokenize"] |= {"max_length": 32, "max_unknown_share": 1.0}  # a tokenizer of few words
    values["finetune"] |= {"learning_rate": 3e-3, "evaluations": 1}
    # Tiny models: more threads cost more than they bring.
    for stage in ("extract", "finetune"):
        values[stage] |= {"threads": 1, "precision": "fp32", "attention": "eager"}
    values["evaluate"] |= {"resamples": 200, "min_slice_rows": 5}
    if "study" in values:
        _shrink_study(values)
    return dump(values)


def _shrink_study(values: dict[str, Any]) -> None:
    dialogue = {"file": "sample/reviews.csv", "sentences": ["text"], "rows": 4}
    values["corpus"] |= {"texts": {"dialogue": dialogue}, "tasks": ["topics"], "held_out": 0.2}
    small = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32, "vocabulary": 300, "max_length": 32}
    fixed = {"steps": 4, "evaluations": 2, "threads": 1, "precision": "fp32", "attention": "eager"}
    values["pretrain"] |= small | fixed
    values["encoders"] = {"own": {"base": "raw/tiny", "pair": "nsp"}}
    values["study"] |= {"labels": [8], "seeds": [0], "comparisons": [["tiny", "tfidf"]]}
    arm = {"encoder": "raw/tiny", "kind": "finetune", "initial": "pretrained", "min_steps": 4, "finetune": {}}
    values["study"]["arms"] = {"tiny": arm | {"title": "tiny"}}
    values["study"]["finetune"]["attention"] = "eager"


def of(task: str, *stages: str) -> set[str]:
    return {f"{stage}@{task}" for stage in stages or PER_TASK}


def both(*stages: str) -> set[str]:
    return of("reviews", *stages) | of("topics", *stages)


def cells(stage: str, seed: int = 0) -> set[str]:
    arms = {"rival": ("majority", "tfidf"), "study": ("tiny",)}[stage]
    return {f"{stage}@reviews-{arm}-8-{seed}" for arm in arms}


CELLS = cells("rival") | cells("study")
STUDY = CELLS | {"start@tiny", "transfer"}
PRETRAINING = {"corpus", "pretrain@own"}
EVERYTHING = {
    "code", "params", "fetch@sample", "fetch@tiny", *both(*PER_TASK), *PRETRAINING, *STUDY, "report",
}  # fmt: skip
