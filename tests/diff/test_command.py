"""`python -m pipeline diff` on a clone with a branch a case; results lie in Git, DVC's cache and a DVC remote."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cmarkgfm
import pyarrow as pa
import pytest

from pipeline.__main__ import main
from pipeline.diff.comment import MOST
from pipeline.diff.document import read_difference
from pipeline.repository.durations import add
from pipeline.settings.resolve import parse, resolve
from tests.given.revisions import (
    LABELS,
    ROOT,
    Project,
    examples,
    flipped,
    model,
    new_project,
    settings,
    write_params,
    write_task,
)
from tests.given.settings import dump

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
    names = table["label"].to_pylist()
    names[20:22] = ["positive" if one == "negative" else "negative" for one in names[20:22]]
    table = table.set_column(table.column_names.index("label"), "label", [names])
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
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.mark.parametrize(
    ("branch", "code", "title", "words"),
    [
        ("harmless", 0, "✅ Metric diff: passed", "Both models are right on the same of the 600 common test examples"),
        ("improvement", 0, "✅ Metric diff: passed", "the change fixes 40 and breaks 5"),
        ("noise", 0, "⚠️ Metric diff: passed, with a drop that may be chance", "accuracy fell by 1.7 points, more than"),
        (
            "regression",
            1,
            "❌ Metric diff: the change fails its gates",
            "accuracy fell by 7.3 points, more than",
        ),
        ("testset", 0, "Metric diff: passed", "600 rows in the base, 600 in the head, 590 in both, 2 rows of them"),
        ("othertestset", 0, "❔ Metric diff: not judged", "of the 600 test examples of the base, 0 are left"),
        ("newtask", 0, "❔ Metric diff: not judged", "The task is new: there is nothing to compare it with"),
        ("removedtask", 0, "❔ Metric diff: not judged", "The head has no such task"),
        ("nan", 1, "❌ Metric diff", "NaN in data/metrics/reviews.json, which is no number"),
        ("embellished", 1, "❌ Metric diff", "metrics are not those that its dvc.lock records"),
        ("nometrics", 1, "❌ Metric diff", "the head has no accuracy"),
        ("laxer", 0, "✅ Metric diff: passed", "**The gates changed**"),
    ],
)
def test_each_change_gets_its_words_and_its_exit_code(diff, branch, code, title, words):
    found, told, wrong = diff("main", branch)
    assert found == code, told + wrong
    assert title in told
    assert words in plain(told)
    assert bool(wrong) == (code == 1)
    assert len(told.encode()) <= MOST


def plain(markdown: str) -> str:
    return html.unescape(markdown).replace("\u200b", "")


def test_a_base_without_metrics_is_no_pass_and_no_crash(diff):
    code, told, _ = diff("empty", "main")
    assert code == 0
    assert "not judged in full" in told
    assert "no data/metrics/reviews.json" in plain(told)
    assert "✅" not in told.split("<sub>")[0]
    code, told, _ = diff("empty", "empty")
    assert code == 0
    assert "No task has a metric." in told


def test_a_head_below_the_floor_fails_even_without_a_base(diff):
    code, _, wrong = diff("empty", "floor")
    assert code == 1
    assert "reviews: accuracy is 0.865, below the floor of 0.990" in wrong


def test_the_working_tree_is_the_head_by_default(diff, clone):
    clone.git("checkout", "--quiet", "regression")
    try:
        code, told, _ = diff("main")
    finally:
        clone.git("checkout", "--quiet", "main")
    assert code == 1
    assert "the working tree" in told
    assert "accuracy fell by 7.3 points" in told


def test_nothing_of_the_working_tree_is_touched(diff, clone):
    def files():
        kept = (path for path in clone.root.rglob("*") if path.is_file() and ".git/" not in str(path))
        return {path: path.stat().st_mtime_ns for path in kept if ".dvc/" not in str(path)}

    before = files()
    diff("main", "regression")
    assert files() == before
    assert clone.git("status", "--porcelain") == ""


def test_json_is_strict_and_gives_the_same_comment(diff, capsys, tmp_path):
    code, told, _ = diff("main", "regression", "--json")
    assert code == 1
    found = read_difference(told.encode())
    assert found.outcome == "failed"
    assert found.tasks[0].flips is not None
    assert (found.tasks[0].flips.fixed, found.tasks[0].flips.broken) == (6, 50)
    assert {one.kind for one in found.tasks[0].groups} == {"class", "length", "kind"}
    (tmp_path / "diff.json").write_text(told)
    assert main(["comment", str(tmp_path / "diff.json")]) == 0
    assert capsys.readouterr().out == diff("main", "regression")[1]


def test_nothing_hostile_survives(diff):
    """No text of the data is there at all, and class names do nothing, by GitHub's own renderer."""
    code, told, wrong = diff("hostile", "hostileworse")
    assert code == 1
    assert wrong.isascii()
    page = cmarkgfm.github_flavored_markdown_to_html(told, options=cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE)
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
        ((), 2, "usage"),
        (("a", "b", "c"), 2, "usage"),
        (("main", "--html"), 2, "usage"),
        (("--json",), 2, "usage"),
        (("nowhere",), 2, "'nowhere' is no commit"),
        (("--output=x",), 2, "usage"),
    ],
)
def test_wrong_words_are_refused(diff, words, code, message):
    found, told, wrong = diff(*words)
    assert found == code
    assert message in wrong
    assert told == ""


def test_a_head_with_wrong_params_is_refused(diff, clone):
    path = clone.root / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("largest_drop", "largest_dorp", 1))
    try:
        code, _, wrong = diff("main")
    finally:
        path.write_text(text)
    assert code == 2
    assert "did you mean `largest_drop`?" in wrong


def test_predictions_that_are_nowhere_leave_the_committed_metrics(origin, tmp_path, monkeypatch, capsys):
    lonely = origin.clone(tmp_path / "lonely")
    config = lonely.root / ".dvc/config"
    config.write_text(config.read_text().replace("url = ", "url = /nowhere"))  # the working tree's settings hold
    monkeypatch.chdir(lonely.root)
    said = {}
    for branch in ("regression", "noise", "improvement", "testset"):
        said[branch] = main(["diff", "main", branch])
        told = capsys.readouterr().out
        assert "predictions in neither DVC's cache nor a remote" in plain(told), told
        assert ("Not paired" in told) or branch == "testset"
    assert said == {"regression": 1, "noise": 1, "improvement": 0, "testset": 0}


def test_a_revision_that_knew_no_remote_is_read_from_the_one_there_is_now(origin, tmp_path, monkeypatch, capsys):
    clone = origin.clone(tmp_path / "clone")
    config = (clone.root / ".dvc/config").read_text()
    clone.git("checkout", "--quiet", "-b", "before", "main")
    (clone.root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    clone.git(
        "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--all", "--message", "No remote"
    )
    clone.git("checkout", "--quiet", "main")
    assert (clone.root / ".dvc/config").read_text() == config
    monkeypatch.chdir(clone.root)
    assert main(["diff", "before", "regression"]) == 1
    assert "fixes 6 and breaks 50" in capsys.readouterr().out


def test_a_project_in_a_folder_of_a_repository_is_read_too(origin, tmp_path, monkeypatch, capsys):
    whole = Project(tmp_path / "whole")
    inner = whole.root / "models" / "reviews"
    shutil.copytree(origin.root, inner, ignore=shutil.ignore_patterns(".git"))
    whole.git("init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", "A. Tester"), ("user.email", "tester@example.org")):
        whole.git("config", name, value)
    subprocess.run(["dvc", "config", "core.analytics", "false"], cwd=inner, check=True, env=environment())
    whole.git("add", "--all")
    whole.git("commit", "--quiet", "--message", "Begin")
    monkeypatch.chdir(inner)
    assert main(["diff", "HEAD"]) == 0
    assert "Both models are right on the same of the 600" in capsys.readouterr().out


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def test_the_paths_are_those_of_dvc_yaml():
    from pipeline.diff import compare as module

    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    for path in (module.METRICS, module.FINDINGS, module.HISTORY, module.PREDICTIONS, module.EXAMPLES):
        assert path.format("${key}") in text
    for path in (module.SETTINGS, module.PROFILES, module.PACKAGES, module.CODE):
        assert path in text


def test_editing_a_gate_changes_the_section_of_no_stage():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    values, _ = parse(text)
    values["gates"]["accuracy"] = {"largest_drop": 0.5, "level": 0.01, "floor": 0.2}
    before, after = resolve(text, {}), resolve(dump(values), {})
    assert before.pop("gates") != after.pop("gates")
    assert before == after


def test_the_docs_say_what_each_change_is_told(diff):
    rows = re.findall(
        r"^\| `(\w+)`: .*? \| (\d) \| (.*) \|$", (ROOT / "docs/metric-diff.md").read_text(), flags=re.MULTILINE
    )
    assert len(rows) == 12
    for branch, code, words in rows:
        found, told, _ = diff("main", branch)
        assert found == int(code), branch
        assert words in plain(told).replace("**", ""), (branch, words, plain(told)[:1500])


def test_stage_times_are_told_where_both_revisions_ran_in_a_worktree(diff, clone, tmp_path):
    times = {"main": {"finetune@reviews": 40.0, "report": 3.0}, "regression": {"finetune@reviews": 61.5, "report": 3.1}}
    for branch, seconds in times.items():
        clone.git("worktree", "add", "--quiet", "--detach", str(tmp_path / branch), branch)
        for stage, one in seconds.items():
            add(tmp_path / branch, stage, one)
    _, told, _ = diff("main", "regression", "--json")
    found = read_difference(told.encode())
    assert [(one.name, one.base, one.head) for one in found.times] == [("finetune@reviews", "40.0 s", "61.5 s")]
    assert "finetune@reviews" in plain(diff("main", "regression")[1])
    for branch in times:
        clone.git("worktree", "remove", "--force", str(tmp_path / branch))
    assert read_difference(diff("main", "regression", "--json")[1].encode()).times == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "a data/metrics/reviews.json that is not JSON"), ("[]", "a data/metrics/reviews.json that is no map"),
     ("\xff", "no data/metrics/reviews.json"), ('{"accuracy": "high"}', "metrics are not those that")],
)  # fmt: skip
def test_metrics_that_cannot_be_read_fail_the_head(diff, clone, content, words):
    path = clone.root / "data/metrics/reviews.json"
    whole = path.read_bytes()
    path.write_bytes(content.encode("latin-1"))
    try:
        code, told, _ = diff("main")
    finally:
        path.write_bytes(whole)
    assert code == 1
    assert words in plain(told)


def test_a_base_with_params_of_another_time_still_has_its_metrics(diff, clone):
    clone.git("checkout", "--quiet", "-B", "older", "main")
    text = (clone.root / "params.yaml").read_text()
    (clone.root / "params.yaml").write_text(text.replace("gates:", "gatings:", 1))
    clone.git("-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "--all", "--message", "Older")
    clone.git("checkout", "--quiet", "main")
    code, told, _ = diff("older", "main")
    assert code == 0
    assert "Metric diff: passed" in told
    code, _, wrong = diff("main", "older")
    assert code == 2
    assert "did you mean `gates`?" in wrong
