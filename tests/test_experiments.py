"""DVC's experiments: what `dvc exp run -S` makes of params.yaml, and real ones on the sample, at once and queued."""

import csv
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import parse_yaml

from pipeline.core.files import read_json
from pipeline.settings.parse import parse_params
from tests.given.clones import Clone, prepare
from tests.given.settings import resolve_params, with_profiles


@pytest.mark.parametrize("profiles", [(), ("pretraining",), ("pretraining", "study"), ("pretraining", "study", "full")])
def test_dvc_sets_a_value_of_the_shipped_file_and_both_readers_agree_on_all_others(tmp_path, profiles):
    text = with_profiles("params.yaml", *profiles)
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    apply_overrides(tmp_path / "params.yaml", ["finetune.epochs=3", "tasks.spam.encoder=raw/other"])
    written = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    expected, _ = parse_params(text)
    expected["finetune"]["epochs"] = 3
    expected["tasks"]["spam"]["encoder"] = "raw/other"
    assert parse_params(written)[0] == parse_yaml(written, "params.yaml") == expected
    assert [line for line in text.splitlines() if line[:1] == "#"] == [
        line for line in written.splitlines() if line[:1] == "#"
    ]
    assert resolve_params(written.replace("raw/other", "raw/minilm"), {})["finetune"]["reviews"]["batch_size"] == 32


def test_the_table_to_choose_by_has_a_few_dozen_columns():
    """Of the shipped project, whose whole table has hundreds."""
    page = Path("docs/how-to/experiments.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^dvc (exp show .*--keep .*)$", page, flags=re.MULTILINE)
    words = [sys.executable, "-m", "dvc", *shlex.split(command), "--csv"]
    columns = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()[0].split(",")
    scores = {f"data/validation/spam.json:{name}" for name in ("accuracy", "macro_f1", "loss", "step")}
    values = {f"finetune.spam.{key}" for key in read_json(Path("data/params.json"))["finetune"]["spam"]}
    assert {*columns} == {"Experiment", *scores, *values}
    assert len(columns) < 36


@pytest.fixture(scope="module")
def clone(shared, python, tmp_path_factory) -> Clone:
    """A copy of what has run once, with all of it in a commit."""
    copy = prepare(shared, python)[0].copy(tmp_path_factory.mktemp("experiments") / "copy")
    for words in (["config", "user.name", "T"], ["config", "user.email", "t@t"], ["add", "-A"], ["commit", "-qm", "x"]):
        copy.git(*words)
    return copy


def shown(clone: Clone) -> dict[str, dict[str, str]]:
    """Return the row of each experiment, with the columns that are not the same in all."""
    rows = csv.DictReader(io.StringIO(clone.dvc("exp", "show", "--only-changed", "--csv")))
    return {row["Experiment"]: row for row in rows}


def test_experiments_run_at_once_and_queued_and_are_compared(clone):
    output = clone.dvc("exp", "run", "-S", "evaluate.bins=9", "-n", "first")
    assert "Running stage 'evaluate@topics'" in output
    assert "Running stage 'finetune" not in output
    clone.git("checkout", "--quiet", "--", ".")
    clone.dvc("exp", "run", "--queue", "-S", "evaluate.bins=8", "-n", "queued")
    clone.dvc("exp", "run", "--run-all")
    rows = shown(clone)
    assert {name: rows[name]["evaluate.bins"] for name in ("first", "queued")} == {"first": "9", "queued": "8"}
    assert len(rows["first"]) < 60
    assert "Success" in clone.dvc("queue", "status")
