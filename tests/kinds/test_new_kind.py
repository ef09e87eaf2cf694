"""A further kind, added to a copy of the project by the steps of docs/how-to/kinds.md, runs from a file to the report.

Its classes have an order: bad, fair, good. It measures how often an answer is at most one class away.
"""

import csv
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.given.projects import ENVIRONMENT

GUIDE = Path("docs/how-to/kinds.md")
KIND, NEAREST = "ordered-classification", "text-classification"
NOUNS = ("film", "story", "plot", "cast")
COPIED = ("pipeline", "tests", "benchmarks", "profiles", "data/sample", "docs/how-to")
FILES = ("params.yaml", "dvc.yaml", "pyproject.toml", "requirements.lock", "data/profiles.json")


def edit(file: Path, changes: Mapping[str, str]) -> None:
    """Replace parts of a file, each of which must be there."""
    text = file.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, f"{file.name}: {old}"
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")


def folder_of(root: Path) -> Path:
    """Return the folder of the new kind."""
    return root / "pipeline/kinds" / KIND.replace("-", "_")


def copy_the_nearest(root: Path) -> None:
    nearest = root / "pipeline/kinds" / NEAREST.replace("-", "_")
    shutil.copytree(nearest, folder_of(root), ignore=shutil.ignore_patterns("__pycache__"))
    for module in folder_of(root).glob("*.py"):
        text = module.read_text("utf-8").replace(f"kinds.{nearest.name}", f"kinds.{folder_of(root).name}")
        module.write_text(text.replace(f'kind="{NEAREST}"', f'kind="{KIND}"'))
    edit(root / "pipeline/core/stage.py", {f'"{NEAREST}", ': f'"{NEAREST}", "{KIND}", '})


def write_the_settings(root: Path) -> None:
    gates = '''class OrderedGates(ClassGates):
    """The gates of a task, one for each metric; no stage reads them."""

    within_one: MetricGate | None


def _check('''
    changes = {
        "    InspectParams,\n": "    InspectParams,\n    MetricGate,\n",
        "def _check(": gates,
        '"gates": ClassGates': '"gates": OrderedGates',
    }
    edit(folder_of(root) / "settings.py", changes)


def write_its_own_keys(root: Path) -> None:
    text = (root / "params.yaml").read_text(encoding="utf-8")
    own = re.search(rf"^  {NEAREST}:.*?(?=^  \S)", text, flags=re.MULTILINE | re.DOTALL)
    assert own
    block = (
        own[0].replace(NEAREST, KIND).replace("      accuracy:", "      within_one: null  # [0, 1]\n      accuracy:")
    )
    edit(root / "params.yaml", {own[0]: own[0] + block})


def write_the_other_modules(root: Path) -> None:
    assert {path.name for path in folder_of(root).glob("*.py")} >= MODULES


def write_the_measures(root: Path) -> None:
    own = '''METRICS = (Metric("within_one", "share within one class", 1, "share"), *CLASS_METRICS)


def _compute(scored: ScoredClasses, weights: Floats) -> Floats:
    """Return `METRICS` of examples that count `weights` times."""
    near = np.abs(scored.actual - scored.predicted) <= 1
    return np.array((np.sum(weights * near) / np.sum(weights), *compute_class_metrics(scored, weights)))


def _detail(measured: Measured, predictions: pa.Table, kept: Document, params: Any) -> Details:
    values = {name: row[1:] for name, row in measured.values.items()}
    draws = {name: rows[:, 1:] for name, rows in measured.draws.items()}
    return detail_classes(measured._replace(values=values, draws=draws), predictions, kept, params)


def _predict('''
    imports = """import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.evaluate.kind import Details, Measured, Metric
from pipeline.evaluate.metrics import Floats, ScoredClasses
"""
    edit(
        folder_of(root) / "measures.py",
        {
            "from pathlib import Path\n": "from pathlib import Path\nfrom typing import Any\n",
            "import pyarrow as pa\n": imports,
            "    METRICS,\n": "    METRICS as CLASS_METRICS,\n",
            "def _predict(": own,
            "compute=compute_class_metrics": "compute=_compute",
            "details=detail_classes": "details=_detail",
        },
    )


def write_the_page(root: Path) -> None:
    templates = root / "pipeline/report/templates"
    shutil.copyfile(templates / "classes.html", templates / f"{KIND}.html")
    own = f"from pipeline.kinds.{folder_of(root).name}.measures import METRICS\n"
    changes = {
        "from pipeline.classes.measures import METRICS\n": "",
        "from pipeline.report.kind import": f"{own}from pipeline.report.kind import",
        'template="classes.html"': f'template="{KIND}.html"',
    }
    edit(folder_of(root) / "page.py", changes)


def write_a_sample(root: Path) -> None:
    sample = root / "data/sample" / KIND
    sample.mkdir()
    words = {"bad": ("dull", "grim"), "fair": ("clever", "warm"), "good": ("great", "lovely")}
    with (sample / "rows.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label", "split"))
        for row in range(24):
            label = tuple(words)[row % 3]
            split = "train" if row < 12 else "validation" if row < 18 else "test"
            writer.writerow((f"the {NOUNS[row // 6]} was very {words[label][row % 2]}", label, split))
    task = (root / "data/sample" / NEAREST / "task.yaml").read_text(encoding="utf-8")
    task = task.replace(NEAREST, KIND).replace("[negative, positive]", "[bad, fair, good]")
    (sample / "task.yaml").write_text(task, encoding="utf-8")


def write_a_task_for_the_gallery(root: Path) -> None:
    task = f"tasks:\n  films:\n    kind: {KIND}\n    encoder: raw/minilm\n"
    edit(
        root / "profiles/gallery/params.yaml",
        {"tasks:\n": f"{task}    ingest: {{file: films.csv, labels: [bad, good]}}\n"},
    )


# What is done at each numbered step.
STEPS: tuple[Callable[[Path], None], ...] = (
    copy_the_nearest,
    write_the_settings,
    write_its_own_keys,
    write_the_other_modules,
    write_the_measures,
    write_the_page,
    write_a_sample,
    write_a_task_for_the_gallery,
)
MODULES = set(re.findall(r"^\| `(\w+\.py)` \|", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE))


WRITTEN = {"data/baselines/TASK.parquet"}  # what only a run leaves


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root: Path = tmp_path_factory.mktemp("project")
    for name in COPIED:
        shutil.copytree(name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(name, root / name)
    for step in STEPS:
        step(root)
    return root


def run(project: Path, *words: str) -> str:
    """Return what a command writes in the project; it must succeed."""
    environment = ENVIRONMENT | {"PYTHONPATH": str(project)}
    done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guide_has_these_steps_and_names_what_is_there(project):
    steps = GUIDE.read_text(encoding="utf-8").partition("## Steps\n")[2].partition("\n## ")[0]
    assert re.findall(r"^(\d+)\.", steps, flags=re.MULTILINE) == [str(at + 1) for at in range(len(STEPS))]
    named = {name.replace("KIND", KIND) for name in re.findall(r"`([\w/.-]+/[\w/.-]*)`", steps)}
    places = ("", "pipeline", "pipeline/examples")
    assert {name for name in named if not any((project / place / name).exists() for place in places)} <= WRITTEN


def test_the_new_kind_runs_from_its_file_to_the_report(project):
    some = f"{KIND} and (facet or run_on or evaluation_has or shows)"
    assert "4 passed" in run(project, sys.executable, "-m", "pytest", "-v", "tests/kinds/test_contract.py", "-k", some)


@pytest.mark.slow
def test_the_new_kind_passes_what_every_kind_must(project):
    run(project, sys.executable, "-m", "pytest", "tests/kinds/test_contract.py", "-k", f"{KIND} or edit")
    run(project, "lint-imports")
    run(project, sys.executable, "-m", "pytest", "tests/test_gallery.py", "-k", "each_kind")
