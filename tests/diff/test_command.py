"""`python -m pipeline diff` on a clone with a branch a case; results lie in Git, DVC's cache and a DVC remote.

Module read is tested here as well.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cmarkgfm
import pyarrow as pa
import pytest

from pipeline.__main__ import main
from pipeline.core.tables import read_parquet, write_parquet
from pipeline.diff import read
from pipeline.diff.comment import MOST_COMMENT_BYTES
from pipeline.diff.document import read_difference
from pipeline.repository.durations import record_duration
from pipeline.settings.parse import parse_params
from tests.given.revisions import (
    LABELS,
    ROOT,
    Project,
    examples,
    flipped,
    model,
    name_classes,
    new_project,
    settings,
    write_params,
    write_task,
)
from tests.given.settings import dump, resolve_params

TASK = {"reviews": LABELS}
HOSTILE = ("<script>alert(1)</script>|x", "](javascript:alert(1)) @octocat #1", "a`b\n| c |\u202edlo")
TABLE = examples(600)
BASE = model(TABLE, LABELS)


def change_params(project: Project, params: str) -> None:
    project.write("params.yaml", params)
    write_params(project.root, params)


def harmless(project: Project) -> None:
    project.write("pipeline/models/tokenizer.py", "# a comment\n")


def improvement(project: Project) -> None:
    write_task(project.root, "reviews", TABLE, flipped(BASE, TABLE, LABELS, broken=5, fixed=40), loss=0.3)


def inside_noise(project: Project) -> None:
    write_task(project.root, "reviews", TABLE, flipped(BASE, TABLE, LABELS, broken=30, fixed=20))


def beyond_the_gate(project: Project) -> None:
    write_task(project.root, "reviews", TABLE, flipped(BASE, TABLE, LABELS, broken=50, fixed=6), loss=0.5)


def changed_test_set(project: Project) -> None:
    """Ten rows go, ten come, and two have another class."""
    kept, new = TABLE.slice(10), examples(10, seed=5, text="new {}").slice(0, 10)
    table = pa.concat_tables([new, kept])
    classes = table["label"].to_pylist()
    classes[20:22] = [1 - index for index in classes[20:22]]
    table = table.set_column(table.column_names.index("label"), "label", [classes])
    write_task(project.root, "reviews", table, model(table, LABELS))


def another_test_set(project: Project) -> None:
    table = examples(600, text="another {}")
    write_task(project.root, "reviews", table, model(table, LABELS, skill=0.5))


def new_task(project: Project) -> None:
    change_params(project, settings(TASK | {"moods": ("glum", "merry", "calm")}))
    table = examples(300, ("glum", "merry", "calm"), text="mood {}")
    write_task(project.root, "moods", table, model(table, ("glum", "merry", "calm")), ("glum", "merry", "calm"))


def removed_task(project: Project) -> None:
    change_params(project, settings({"others": LABELS}))
    write_task(project.root, "others", TABLE, BASE)


def nan_metrics(project: Project) -> None:
    path = project.root / "data/metrics/reviews.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"accuracy": float("nan")}))


def embellished_metrics(project: Project) -> None:
    path = project.root / "data/metrics/reviews.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accuracy": 0.99}))


def no_metrics(project: Project) -> None:
    (project.root / "data/metrics/reviews.json").unlink()


def hostile_texts(project: Project) -> None:
    change_params(project, settings({"texts": HOSTILE}))
    table = examples(300, HOSTILE, text="<script>alert('text')</script> | @mention {}")
    write_task(project.root, "texts", table, model(table, HOSTILE), HOSTILE)


def hostile_and_worse(project: Project) -> None:
    table = examples(300, HOSTILE, text="<script>alert('text')</script> | @mention {}")
    worse = flipped(model(table, HOSTILE), table, HOSTILE, broken=60, fixed=2)
    write_task(project.root, "texts", table, worse, HOSTILE)


def laxer_gate(project: Project) -> None:
    beyond_the_gate(project)
    change_params(
        project,
        settings(TASK, accuracy={"largest_drop": 0.2, "level": 0.05, "floor": 0.5}, macro_f1=None),
    )


def high_floor(project: Project) -> None:
    change_params(project, settings(TASK, accuracy={"largest_drop": 0.01, "level": 0.05, "floor": 0.99}))


def finer_bins(project: Project) -> None:
    """The calibration error is measured in other bins; it is the same model."""
    change_params(project, settings(TASK).replace("bins: 10", "bins: 20"))
    write_task(project.root, "reviews", TABLE, BASE, bins=20)


def parameter_not_run(project: Project) -> None:
    change_params(project, settings(TASK).replace("resamples: 500", "resamples: 600"))


def code_not_run(project: Project) -> None:
    path = project.root / "data/code.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"evaluate": "f" * 64}))


def data_not_run(project: Project) -> None:
    project.write("data/raw/raw/reviews.csv", "other rows\n")


def task_not_run(project: Project) -> None:
    change_params(project, settings(TASK | {"moods": ("glum", "merry", "calm")}))


def regression_beside_one_not_run(project: Project) -> None:
    new_task(project)
    project.record("moods")
    beyond_the_gate(project)
    project.record("reviews")
    project.write("data/raw/raw/moods.csv", "other rows\n")


def older_tables(project: Project) -> None:
    """Tables as an older version wrote them: with the names of the classes in place of their indices."""
    for folder in ("examples", "predictions"):
        path = project.root / f"data/{folder}/reviews.parquet"
        write_parquet(path, name_classes(read_parquet(path)))


CASES = {
    # branch: (what it does, its start, tasks to record)
    "harmless": (harmless, "main", ()),
    "improvement": (improvement, "main", ("reviews",)),
    "noise": (inside_noise, "main", ("reviews",)),
    "regression": (beyond_the_gate, "main", ("reviews",)),
    "testset": (changed_test_set, "main", ("reviews",)),
    "othertestset": (another_test_set, "main", ("reviews",)),
    "newtask": (new_task, "main", ("moods",)),
    "removedtask": (removed_task, "main", ("others",)),
    "nan": (nan_metrics, "main", ("reviews",)),
    "embellished": (embellished_metrics, "main", ()),
    "nometrics": (no_metrics, "main", ()),
    "hostile": (hostile_texts, "main", ("texts",)),
    "hostileworse": (hostile_and_worse, "hostile", ("texts",)),
    "floor": (high_floor, "main", ()),
    "laxer": (laxer_gate, "main", ("reviews",)),
    "older": (older_tables, "main", ("reviews",)),
    "bins": (finer_bins, "main", ("reviews",)),
    "notrun": (parameter_not_run, "main", ()),
    "codenotrun": (code_not_run, "main", ()),
    "datanotrun": (data_not_run, "main", ()),
    "tasknotrun": (task_not_run, "main", ()),
    "mixed": (regression_beside_one_not_run, "main", ()),
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory) -> Project:
    root = tmp_path_factory.mktemp("origin")
    project = new_project(root, tmp_path_factory.mktemp("remote"), settings(TASK))
    write_params(root, settings(TASK))
    project.commit("Begin")
    project.git("branch", "empty")
    write_task(root, "reviews", TABLE, BASE)
    project.commit("Train", "reviews")
    for name, (edit, start, tasks) in CASES.items():
        project.branch(name, start)
        edit(project)
        project.commit(name, *tasks)
    project.branch("main")
    return project


@pytest.fixture(scope="module")
def clone(origin, tmp_path_factory) -> Project:
    return origin.clone(tmp_path_factory.mktemp("clones") / "clone")


@pytest.fixture
def diff(clone, capsys, monkeypatch):
    """Run the command in the clone; return the exit code, the Markdown or JSON, and standard error."""
    monkeypatch.chdir(clone.root)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["diff", *words])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@contextmanager
def edited(path: Path, content: bytes) -> Iterator[None]:
    """Give a file other content for a while."""
    before = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)


@contextmanager
def on_branch(project: Project, name: str) -> Iterator[None]:
    """Check a branch out for a while."""
    project.git("checkout", "--quiet", name)
    try:
        yield
    finally:
        project.git("checkout", "--quiet", "main")


# branch: (exit code, words) of the table in the docs
DOCUMENTED = {
    branch: (int(code), words)
    for branch, code, words in re.findall(
        r"^\| `(\w+)`: .*? \| (\d) \| (.*) \|$", (ROOT / "docs/metric-diff.md").read_text(), flags=re.MULTILINE
    )
}
TOLD = [
    ("harmless", 0, "✅ Metric diff: passed", "Of 600 common test examples, the change fixes none and breaks none"),
    ("improvement", 0, "✅ Metric diff: passed", "the change fixes 40 and breaks 5"),
    ("noise", 0, "⚠️ Metric diff: passed, with a drop that may be chance", "accuracy fell by 1.7 points, more than"),
    (
        "regression",
        1,
        "❌ Metric diff: failed",
        "accuracy fell by 7.3 points, more than",
    ),
    (
        "testset",
        0,
        "Metric diff: passed",
        "600 rows in the base, 600 in the head, 590 in both, 2 of them relabelled",
    ),
    ("othertestset", 0, "❔ Metric diff: not judged", "of the 600 test examples of the base, 0 are left"),
    ("newtask", 0, "❔ Metric diff: not judged", "the task is new"),
    ("removedtask", 0, "❔ Metric diff: not judged", "The head has no such task"),
    ("nan", 1, "❌ Metric diff", "NaN in data/metrics/reviews.json"),
    ("embellished", 1, "❌ Metric diff", "metrics are not those that its dvc.lock records"),
    ("nometrics", 1, "❌ Metric diff", "the head has no accuracy"),
    ("laxer", 0, "✅ Metric diff: passed", "**The gates changed**"),
    ("older", 0, "❔ Metric diff: not judged", "The head has no usable predictions"),
    (
        "bins",
        0,
        "✅ Metric diff: passed",
        "The base's calibration error was recomputed",
    ),
    ("notrun", 5, "❔ Metric diff: not judged", "evaluate.reviews.resamples 500 -> 600"),
    ("codenotrun", 5, "❔ Metric diff: not judged", "code of evaluate"),
    ("datanotrun", 5, "❔ Metric diff: not judged", "data/raw/raw/reviews.csv modified"),
    ("tasknotrun", 5, "❔ Metric diff: not judged", "never ran"),
    ("mixed", 1, "❌ Metric diff: failed", "data/raw/raw/moods.csv modified"),
]


@pytest.mark.parametrize(("branch", "code", "title", "words"), TOLD)
def test_each_change_gets_its_words_and_its_exit_code(diff, branch, code, title, words):
    actual, comment, errors = diff("main", branch)
    assert actual == code, comment + errors
    assert title in comment
    assert words in plain(comment)
    assert bool(errors) == (code != 0)
    assert len(comment.encode()) <= MOST_COMMENT_BYTES
    documented, says = DOCUMENTED.get(branch, (code, words))
    assert documented == code
    assert says in plain(comment).replace("**", "")


def test_the_docs_tell_of_changes_that_are_made():
    assert len(DOCUMENTED) == 15
    assert {*DOCUMENTED} <= {branch for branch, *_ in TOLD}


def plain(markdown: str) -> str:
    return html.unescape(markdown).replace("\u200b", "")


def test_a_base_without_metrics_is_no_pass_and_no_crash(diff):
    code, comment, _ = diff("empty", "main")
    assert code == 0
    assert "not judged in full" in comment
    assert "no data/metrics/reviews.json" in plain(comment)
    assert "✅" not in comment.split("<sub>")[0]
    code, comment, errors = diff("empty", "empty")
    assert code == 5
    assert "No task has a metric." in comment
    assert "evaluate@reviews: never ran" in errors


def test_tables_of_an_older_version_are_noted_on_either_side(diff):
    """Their bytes differ, so nothing proves that the committed metrics are of the same examples."""
    for words, side in ((("older", "main"), "base"), (("main", "older"), "head")):
        code, comment, errors = diff(*words)
        assert (code, errors) == (0, "")
        assert f"The {side} has no usable predictions" in comment
        assert f"The {side} has no usable examples" in comment
        assert plain(comment).count("`label` holds string") == 2
        assert "Not paired" in comment
        assert "not judged in full" in comment
        assert "0.865" in comment
    code, comment, _ = diff("older", "older")
    assert code == 0
    assert "Metric diff: passed" in comment
    assert plain(comment).count("`label` holds string") == 4


@pytest.mark.parametrize(
    ("branch", "stage"),
    [("notrun", "evaluate@reviews"), ("codenotrun", "evaluate@reviews"), ("datanotrun", "ingest@reviews"),
     ("tasknotrun", "evaluate@moods")],
)  # fmt: skip
def test_a_change_that_never_ran_is_not_judged_on_either_side_nor_in_the_working_tree(diff, clone, branch, stage):
    code, _, errors = diff("main", branch)
    assert code == 5
    assert f"{branch}: the results of the head" in errors
    assert f"{stage}: " in errors
    difference = read_difference(diff("main", branch, "--json")[1].encode())
    assert difference.outcome == "unjudged"
    assert stage in {affected.stage for affected in difference.head.stale}
    assert {gate.outcome for task in difference.tasks if task.task in stage for gate in task.gates} == {"unjudged"}
    with on_branch(clone, branch):
        assert diff("main")[0] == 5
    code, _, errors = diff(branch, "main")
    if branch == "tasknotrun":  # the base has no results of it
        assert (code, errors) == (0, "")
    else:
        assert code == 5
        assert f"{branch}: the results of the base" in errors


def test_edits_of_the_working_tree_that_never_ran_are_not_judged(diff, clone):
    with edited(clone.root / "data/raw/raw/reviews.csv", b"edited\n"):
        code, _, errors = diff("main")
    assert code == 5
    assert "ingest@reviews: dependency data/raw/raw/reviews.csv modified" in errors


def test_a_head_below_the_floor_fails_even_without_a_base(diff):
    code, _, errors = diff("empty", "floor")
    assert code == 1
    assert "reviews: accuracy is 0.865, below the floor of 0.990" in errors


def test_the_working_tree_is_the_head_by_default(diff, clone):
    with on_branch(clone, "regression"):
        code, comment, _ = diff("main")
    assert code == 1
    assert "the working tree" in comment
    assert "accuracy fell by 7.3 points" in comment


def test_nothing_of_the_working_tree_is_touched(diff, clone):
    def files():
        kept = (path for path in clone.root.rglob("*") if path.is_file() and ".git/" not in str(path))
        return {path: path.stat().st_mtime_ns for path in kept if ".dvc/" not in str(path)}

    before = files()
    diff("main", "regression")
    assert files() == before
    assert clone.git("status", "--porcelain") == ""


def test_json_is_strict_and_gives_the_same_comment(diff, capsys, tmp_path):
    code, comment, _ = diff("main", "regression", "--json")
    assert code == 1
    difference = read_difference(comment.encode())
    assert difference.outcome == "failed"
    assert difference.tasks[0].flips is not None
    assert (difference.tasks[0].flips.fixed, difference.tasks[0].flips.broken) == (6, 50)
    assert {group.kind for group in difference.tasks[0].groups} == {"class", "length", "kind"}
    (tmp_path / "diff.json").write_text(comment)
    assert main(["comment", str(tmp_path / "diff.json")]) == 0
    assert capsys.readouterr().out == diff("main", "regression")[1]


def test_nothing_hostile_survives(diff):
    """No text of the data is there at all, and class names do nothing, by GitHub's own renderer."""
    code, comment, errors = diff("hostile", "hostileworse")
    assert code == 1
    assert errors.isascii()
    page = cmarkgfm.github_flavored_markdown_to_html(comment, options=cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE)
    assert "<script" not in page
    assert "<a " not in page
    assert "<img" not in page
    assert "alert('text')" not in page
    assert "@octocat" not in page
    assert "\u202e" not in page
    rows = [line for line in page.split("<tr>") if "class</td>" in line]
    assert {row.count("<td") for row in rows} == {9}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "argument 'BASE'"),
        (("a", "b", "c"), 2, "argument (c)"),
        (("main", "--html"), 2, "'--html'"),
        (("--json",), 2, "argument 'BASE'"),
        (("nowhere",), 2, "'nowhere'"),
        (("--output=x",), 2, "'--output'"),
    ],
)
def test_wrong_words_are_refused(diff, words, code, message):
    actual, comment, errors = diff(*words)
    assert actual == code
    assert message in errors
    assert comment == ""


def test_a_head_with_wrong_params_is_refused(diff, clone):
    path = clone.root / "params.yaml"
    others, kind, own = path.read_bytes().partition(b"  text-classification:")
    with edited(path, others + kind + own.replace(b"largest_drop", b"largest_dorp", 1)):
        code, _, errors = diff("main")
    assert code == 2
    assert "did you mean `largest_drop`?" in errors


def test_predictions_that_are_nowhere_leave_the_committed_metrics(origin, tmp_path, monkeypatch, capsys):
    lonely = origin.clone(tmp_path / "lonely")
    config = lonely.root / ".dvc/config"
    config.write_text(config.read_text().replace("url = ", "url = /nowhere"))  # the working tree's settings hold
    monkeypatch.chdir(lonely.root)
    codes = {}
    for branch in ("regression", "noise", "improvement", "testset"):
        codes[branch] = main(["diff", "main", branch])
        comment = capsys.readouterr().out
        assert "no usable predictions: in neither DVC's cache nor a remote" in plain(comment), comment
        assert ("Not paired" in comment) or branch == "testset"
    assert codes == {"regression": 1, "noise": 1, "improvement": 0, "testset": 0}


def test_a_revision_that_knew_no_remote_is_read_from_the_one_there_is_now(origin, tmp_path, monkeypatch, capsys):
    clone = origin.clone(tmp_path / "clone")
    config = (clone.root / ".dvc/config").read_text()
    clone.git("checkout", "--quiet", "-b", "before", "main")
    (clone.root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    clone.git("commit", "--quiet", "--all", "--message", "No remote")
    clone.git("checkout", "--quiet", "main")
    assert (clone.root / ".dvc/config").read_text() == config
    monkeypatch.chdir(clone.root)
    assert main(["diff", "before", "regression"]) == 1
    assert "fixes 6 and breaks 50" in capsys.readouterr().out


def test_a_project_in_a_folder_of_a_repository_is_read_too(origin, tmp_path, monkeypatch, capsys):
    whole = Project(tmp_path / "whole")
    inner = whole.root / "models" / "reviews"
    shutil.copytree(origin.root, inner, ignore=shutil.ignore_patterns(".git"))
    whole.init()
    subprocess.run(["dvc", "config", "core.analytics", "false"], cwd=inner, check=True, env=environment())
    whole.git("add", "--all")
    whole.git("commit", "--quiet", "--message", "Begin")
    monkeypatch.chdir(inner)
    assert main(["diff", "HEAD"]) == 0
    assert "Of 600 common test examples, the change fixes none and breaks none" in capsys.readouterr().out


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def test_the_paths_are_those_of_dvc_yaml():
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    for path in (read.METRICS_FILE, read.FINDINGS_FILE, read.HISTORY_FILE, read.PREDICTIONS_FILE, read.EXAMPLES_FILE):
        assert path.format("${key}") in text
    for path in (read.PARAMS_FILE, read.PROFILES_FILE, read.PACKAGES_FILE, read.CODE_FILE):
        assert path in text


def test_editing_a_gate_changes_the_section_of_no_stage():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    values, _ = parse_params(text)
    values["kinds"]["text-classification"]["gates"]["accuracy"] = {"largest_drop": 0.5, "level": 0.01, "floor": 0.2}
    before, after = resolve_params(text, {}), resolve_params(dump(values), {})
    assert before.pop("gates") != after.pop("gates")
    assert before == after


def test_stage_times_are_told_where_both_revisions_ran_in_a_worktree(diff, clone, tmp_path):
    times = {"main": {"finetune@reviews": 40.0, "report": 3.0}, "regression": {"finetune@reviews": 61.5, "report": 3.1}}
    for branch, seconds in times.items():
        clone.git("worktree", "add", "--quiet", "--detach", str(tmp_path / branch), branch)
        for stage, duration in seconds.items():
            record_duration(tmp_path / branch, stage, duration)
    _, comment, _ = diff("main", "regression", "--json")
    difference = read_difference(comment.encode())
    assert [(change.name, change.base, change.head) for change in difference.times] == [
        ("finetune@reviews", "40.0 s", "61.5 s")
    ]
    assert "finetune@reviews" in plain(diff("main", "regression")[1])
    for branch in times:
        clone.git("worktree", "remove", "--force", str(tmp_path / branch))
    assert read_difference(diff("main", "regression", "--json")[1].encode()).times == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "data/metrics/reviews.json: not JSON"), ("[]", "data/metrics/reviews.json: not a JSON object"),
     pytest.param("[" * 100_000, "data/metrics/reviews.json: not JSON", id="deep"),
     ('{"accuracy": 1e999}', "metrics are not those that"),
     ("\xff", "no data/metrics/reviews.json"), ('{"accuracy": "high"}', "metrics are not those that")],
)  # fmt: skip
def test_metrics_that_cannot_be_read_fail_the_head(diff, clone, content, words):
    with edited(clone.root / "data/metrics/reviews.json", content.encode("latin-1")):
        code, comment, _ = diff("main")
    assert code == 1
    assert words in plain(comment)


def test_fingerprints_of_another_shape_are_not_compared(diff, clone):
    with edited(clone.root / "data/code.json", b'{"A <b>": "1", "evaluate": ["f"], "report": "1"}'):
        _, document, _ = diff("main", "--json")
    assert read_difference(document.encode()).code
    assert "A <b>" not in read_difference(document.encode()).code


def test_a_base_with_params_of_another_time_still_has_its_metrics(diff, clone):
    clone.git("branch", "formerly", "main")
    with on_branch(clone, "formerly"):
        text = (clone.root / "params.yaml").read_text()
        clone.write("params.yaml", text.replace("gates:", "gatings:", 1))
        clone.git("commit", "--quiet", "--all", "--message", "Formerly")
    code, comment, _ = diff("formerly", "main")
    assert code == 0
    assert "Metric diff: passed" in comment
    code, _, errors = diff("main", "formerly")
    assert code == 2
    assert "did you mean `gates`?" in errors
