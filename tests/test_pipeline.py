"""The whole pipeline by real `dvc repro` on the sample, and exactly which stages run after each kind of edit."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from pipeline.settings.resolve import parse
from tests.given.encoder import make_encoder
from tests.given.settings import dump

ROOT = Path(__file__).parent.parent
PARTS = (
    "dvc.yaml",
    "params.yaml",
    "requirements.lock",
    ".dvcignore",
    ".gitignore",
    "pipeline",
    "data/.gitignore",
    "data/profiles.json",
)
PER_TASK = ("ingest", "validate", "tokenize", "extract", "baseline", "finetune", "evaluate")


def wheel(folder: Path, name: str, files: dict[str, bytes]) -> str:
    """Write a wheel that pip accepts and return its sha256."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    members = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Clone:
    """A clone of the project with the sample as its sources, and `dvc repro` in it."""

    def __init__(self, root: Path, wheels: Path) -> None:
        self.root = root
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
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

    def lock(self) -> str:
        return (self.root / "dvc.lock").read_text(encoding="utf-8")

    def locked(self) -> dict[str, dict[str, object]]:
        """Return what the lock says of each stage."""
        found: dict[str, dict[str, object]] = YAML(typ="safe").load(self.lock())["stages"]
        return found


def settings(shas: dict[str, str]) -> str:
    """Return the project's params with the sample as its sources and two tasks, small enough for a test."""
    values, _ = parse((ROOT / "params.yaml").read_text(encoding="utf-8"))
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
    values["encoder"] = "raw/tiny"
    dialogue = {"file": "sample/reviews.csv", "sentences": ["text"], "rows": 4}
    values["corpus"] |= {"texts": {"dialogue": dialogue}, "tasks": ["topics"], "held_out": 0.2}
    small = {"hidden_size": 16, "layers": 1, "heads": 2, "intermediate_size": 32, "vocabulary": 300, "max_length": 32}
    fixed = {"steps": 4, "evaluations": 2, "threads": 1, "precision": "fp32", "attention": "eager"}
    values["pretrain"] |= small | fixed
    values["encoders"] = {"own": {"base": "raw/tiny", "pair": "nsp"}}
    values["tasks"] = {
        "reviews": {"ingest": {"file": "sample/reviews.csv", "labels": ["negative", "positive"]}},
        "topics": {
            "ingest": {"file": "sample/topics.jsonl", "format": "jsonl", "labels": TOPICS},
            "finetune": {"epochs": 1},
        },
    }
    values["validate"]["min_rows"] = 5
    values["tokenize"]["max_length"] = 32
    values["finetune"] |= {"learning_rate": 3e-3, "evaluations": 1}
    # Tiny models: more threads cost more than they bring.
    for stage in ("extract", "finetune"):
        values[stage] |= {"threads": 1, "precision": "fp32", "attention": "eager"}
    values["evaluate"] |= {"resamples": 200, "min_slice_rows": 5}
    values["study"] |= {"labels": [8], "seeds": [0], "comparisons": [["tiny", "tfidf"]]}
    arm = {"encoder": "raw/tiny", "kind": "finetune", "initial": "pretrained", "min_steps": 4, "finetune": {}}
    values["study"]["arms"] = {"tiny": arm | {"title": "tiny"}}
    values["study"]["finetune"]["attention"] = "eager"
    return dump(values)


SAMPLE = ROOT / "data" / "sample"
FILES = ("reviews.csv", "topics.jsonl")
TOPICS = sorted({json.loads(line)["label"] for line in (ROOT / "data/sample/topics.jsonl").read_text().splitlines()})


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder with the wheels of the sample and of a tiny encoder, and their checksums."""
    wheels = tmp_path_factory.mktemp("wheels")
    encoder = make_encoder(tmp_path_factory.mktemp("tiny"))
    return wheels, {
        "sample": wheel(wheels, "sample", {f"sample/{name}": (SAMPLE / name).read_bytes() for name in FILES}),
        "tiny": wheel(wheels, "tiny", {f"tiny/{path.name}": path.read_bytes() for path in encoder.iterdir()}),
    }


def build(root: Path, wheels: Path, shas: dict[str, str]) -> Clone:
    for part in PARTS:
        source, target = ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    (root / "params.yaml").write_text(settings(shas), encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    Repo.init(str(root)).close()
    return Clone(root, wheels)


@pytest.fixture(scope="module")
def clone(packed, tmp_path_factory):
    found = build(tmp_path_factory.mktemp("pipeline"), *packed)
    assert found.repro() == (EVERYTHING, set())
    return found


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


def test_everything_is_there_and_reads_back(clone):
    metrics = json.loads((clone.root / "data/metrics/reviews.json").read_text())
    assert 0 <= metrics["accuracy"] <= 1
    page = (clone.root / "data/report.html").read_text()
    assert "reviews" in page
    assert "topics" in page
    shown = json.loads(clone.dvc("metrics", "show", "--json"))
    assert shown[""]["data"]["data/metrics/reviews.json"]["data"]["accuracy"] == metrics["accuracy"]
    plots = clone.dvc("plots", "show", "--json")
    assert '"predicted"' in plots
    assert '"train_loss"' in plots
    assert not list(clone.root.rglob("*.partial"))


def test_a_clone_on_another_path_gives_the_same_bytes(clone, packed, tmp_path):
    other = build(tmp_path / "another path", *packed)
    other.dvc("repro", "evaluate@topics")  # each kind of stage
    with (other.root / "data/raw/.gitignore").open("a") as stream:  # DVC's own: its order is that of the stages' ends
        stream.write("/tiny\n")
    # The same once more is not computed.
    restored = of("reviews", "tokenize", "extract", "baseline", "finetune", "evaluate") | STUDY - {"transfer"}
    restored |= {"pretrain@own"}
    shutil.copytree(clone.root / ".dvc/cache", other.root / ".dvc/cache", dirs_exist_ok=True)
    assert other.repro() == (of("reviews") - restored | {"corpus", "transfer", "report"}, restored)
    # The checksum of every output: examples, tokens, weights, page.
    found, expected = other.locked(), clone.locked()
    assert {name: entry for name, entry in found.items() if entry != expected.get(name)} == {}
    assert found.keys() == expected.keys()
    assert other.lock().count("  md5: ") > 50


def test_nothing_changed_runs_nothing(clone):
    assert clone.repro() == (set(), set())


def test_a_comment_runs_the_fingerprints_alone(clone):
    clone.edit("pipeline/models/tokenizer.py", "from pathlib", "# a comment\nfrom pathlib")
    assert clone.repro() == ({"code"}, set())


def test_the_logic_of_a_module_runs_its_stages_and_what_follows_where_the_result_is_another(clone):
    clone.edit("pipeline/models/tokenizer.py", "CHARS_PER_TOKEN = 64", "CHARS_PER_TOKEN = 65")
    clone.edit("pipeline/evaluate/baselines.py", "sublinear_tf=True", "sublinear_tf=False")
    equal = {*both("tokenize"), *cells("study"), *cells("rival")}  # nothing follows
    assert clone.repro() == ({"code", *equal, *both("baseline", "evaluate"), "report"}, set())


def test_one_parameter_of_one_stage_runs_it_and_what_follows(clone):
    clone.edit("params.yaml", "bins: 10", "bins: 9")
    ran, restored = clone.repro()
    assert ran == {"params", *both("evaluate"), "report"}
    assert not restored


def test_an_override_touches_its_task_alone_and_its_revert_trains_nothing(clone):
    before = clone.lock()
    clone.edit("params.yaml", "      epochs: 1", "      epochs: 2")
    ran, restored = clone.repro()
    assert ran == {"params", *of("topics", "finetune", "evaluate"), "report"}
    assert not restored
    clone.edit("params.yaml", "      epochs: 2", "      epochs: 1")
    ran, restored = clone.repro()
    # DVC keeps no runs of stages with a `cache: false` output that is neither a metric nor a plot.
    assert ran == {"params", "report"}
    assert restored == of("topics", "finetune", "evaluate")
    assert clone.lock() == before


def test_a_row_added_to_one_task_runs_that_task_alone(clone):
    raw = clone.root / "data/raw/sample/reviews.csv"
    sides = splits(clone, "reviews")
    clone.dvc("unprotect", "data/raw/sample")
    with raw.open("a", encoding="utf-8") as stream:
        stream.write("a wholly new sentence about a warm film,positive,film\n")
    clone.dvc("commit", "--force", "fetch@sample")
    ran, restored = clone.repro()
    # its file is a text of the corpus too
    # and `transfer` runs where a cell answers otherwise for it
    assert ran - {"transfer"} == of("reviews") | PRETRAINING | CELLS | {"report"}
    assert not restored
    after = splits(clone, "reviews")
    assert len(after) == len(sides) + 1
    assert {key: after[key] for key in sides} == sides


def test_a_further_seed_runs_its_own_cells_alone(clone):
    clone.edit("params.yaml", "- 0\n  finetune", "- 0\n  - 1\n  finetune")
    ran, restored = clone.repro()
    assert ran == {"params", *cells("rival", 1), *cells("study", 1), "transfer", "report"}
    assert not restored


def test_a_parameter_of_pretraining_runs_it_and_what_hangs_on_it(clone):
    clone.edit("params.yaml", "steps: 4", "steps: 5")
    assert clone.repro() == ({"params", "pretrain@own", "report"}, set())
    clone.edit("params.yaml", "encoder: raw/tiny", "encoder: encoder/own")
    dependent = of("topics", "tokenize", "extract", "baseline", "finetune", "evaluate")
    assert clone.repro("evaluate@topics") == ({"params", *dependent}, set())


def splits(clone: Clone, task: str) -> dict[str, str]:
    import pyarrow.parquet as pq

    table = pq.read_table(clone.root / f"data/examples/{task}.parquet")
    return dict(zip(table["id"].to_pylist(), table["split"].to_pylist(), strict=True))
