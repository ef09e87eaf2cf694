"""The workflows of a pull request: their form, what they may reach, their shell steps on a real clone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.diff.document import read_difference
from pipeline.settings.parse import parse_params
from tests.given.clones import settings
from tests.given.fresh import make_environment, pack_wheels
from tests.given.settings import dump, read
from tests.given.workflows import FOLDER, ROOT, Runner, load

NAMES = sorted(path.name for path in FOLDER.glob("*.yml"))
PARTS = (
    "dvc.yaml", "requirements.lock", "Makefile", ".dvcignore", ".gitignore", ".github", "profiles", "pipeline",
    "data/.gitignore", "data/profiles.json",
    "data/corrections",
)  # fmt: skip
FAKE_GH = """\
import json, os, pathlib, shutil, sys
import jq
words, folder = sys.argv[1:], pathlib.Path(os.environ["RUNNER_TEMP"]) / "github"
assert os.environ["GH_TOKEN"] and os.environ["GH_REPO"]
with (folder / "calls").open("a") as stream:
    stream.write(json.dumps(words) + "\\n")
def shown(document):
    value = jq.compile(words[words.index("--jq") + 1]).input_value(document).all()
    print("\\n".join(one if isinstance(one, str) else json.dumps(one) for one in value))
if words[0] == "api":
    size = (folder / "diff.json").stat().st_size if (folder / "diff.json").exists() else 0
    others = [{"name": "other", "size_in_bytes": 7}]
    shown({"artifacts": others + [{"name": "metric-diff", "size_in_bytes": size}] * bool(size)})
elif words[:2] == ["run", "download"]:
    target = pathlib.Path(words[words.index("--dir") + 1])
    target.mkdir()
    shutil.copy(folder / "diff.json", target)
elif words[:2] == ["pr", "list"]:
    shown([{"number": 3, "headRefOid": "0" * 40}, {"number": 7, "headRefOid": "a" * 40}])
elif words[:2] == ["pr", "comment"]:
    shutil.copy(words[words.index("--body-file") + 1], folder / "comment.md")
"""


# ------------------------------------------------------------------------------------------------ form
def test_the_workflows_fit_the_schema():
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows",
         *(str(FOLDER / name) for name in NAMES)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert NAMES == ["comment.yml", "diff.yml", "tests.yml"]


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_and_no_expression_reaches_a_shell(name):
    for job in load(name)["jobs"].values():
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]) if "uses" in step else "run" in step
            assert "${{" not in step.get("run", "")
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", ["diff.yml", "tests.yml"])
def test_what_a_fork_runs_has_no_secret_and_cannot_write(name):
    text, workflow = (FOLDER / name).read_text(), load(name)
    assert {*workflow["on"]} == {"pull_request", "push"}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert "environment" not in job
    assert not re.search(r"secrets|github\.token|GH_TOKEN|GITHUB_TOKEN|id-token|pull_request_target", text)


def test_what_may_write_runs_no_code_of_the_pull_request():
    workflow = load("comment.yml")
    assert {*workflow["on"]} == {"workflow_run"}
    assert workflow["permissions"] == {}
    job = workflow["jobs"]["post"]
    assert job["permissions"] == {"actions": "read", "contents": "read", "pull-requests": "write"}
    assert all("ref" not in step.get("with", {}) for step in job["steps"])
    assert "secrets" not in (FOLDER / "comment.yml").read_text()


def test_the_one_listens_to_the_other():
    assert load("comment.yml")["on"]["workflow_run"]["workflows"] == [load("diff.yml")["name"]]
    uploaded = next(step for step in load("diff.yml")["jobs"]["diff"]["steps"] if "upload" in step.get("uses", ""))
    assert uploaded["with"]["name"] in (FOLDER / "comment.yml").read_text()


# ------------------------------------------------------------------------------------------------ a pull request
def git(root: Path, *words: str) -> str:
    named = ("-c", "user.name=A. Tester", "-c", "user.email=tester@example.org")
    done = subprocess.run(["git", *named, *words], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def origin(packed, tmp_path_factory) -> Path:
    """A repository with the sample as one task, and a branch that learns at another rate; nothing is reproduced."""
    root = tmp_path_factory.mktemp("origin")
    for part in PARTS:
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, root / part)
    values, _ = parse_params(settings(packed[1], read("params.yaml")))
    del values["tasks"]["reviews"]
    (root / "params.yaml").write_text(dump(values), encoding="utf-8")
    git(root, "init", "--quiet", "--initial-branch=main")
    subprocess.run([Path(sys.executable).parent / "dvc", "init", "--quiet"], cwd=root, check=True)
    subprocess.run([Path(sys.executable).parent / "dvc", "config", "core.analytics", "false"], cwd=root, check=True)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Begin")
    git(root, "checkout", "--quiet", "-b", "change")
    values["finetune"]["learning_rate"] = 1e-4
    (root / "params.yaml").write_text(dump(values), encoding="utf-8")
    git(root, "commit", "--quiet", "--all", "--message", "Learn slowly")
    git(root, "checkout", "--quiet", "main")
    git(root, "merge", "--quiet", "--no-ff", "--message", "Merge", "change")
    git(root, "branch", "merged")
    git(root, "reset", "--quiet", "--hard", "HEAD^1")
    return root


def runner(origin: Path, wheels: Path, folder: Path, branch: str) -> Runner:
    """Return a job in a fresh clone, its environment installed already."""
    workspace = folder / "work"
    git(folder, "clone", "--quiet", "--depth=2", f"--branch={branch}", f"file://{origin}", str(workspace))
    (workspace / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (workspace / ".git/info/exclude").write_text(".venv\n")
    os.utime(workspace / "requirements.lock", (0, 0))  # older than the environment: `make setup` has nothing to do
    job = Runner("diff.yml", "diff", workspace, folder / "temp", {})
    job.job["env"] |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return job


def run_step(job: Runner, name: str, code: int = 0) -> str:
    done = job.step(name)
    assert done is not None, f"{name} was left out"
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def job(origin, packed, python, tmp_path_factory) -> Runner:
    """The job after all its steps, on a pull request whose results are not committed."""
    job = runner(origin, packed[0], tmp_path_factory.mktemp("runner"), "merged")
    run_step(job, "Install")
    job.path = f"{python}:{job.path}"
    run_step(job, "Restore")
    assert "finetune@topics" in run_step(job, "Plan")
    run_step(job, "Reproduce")
    run_step(job, "Compare")
    return job


def test_both_sides_are_made_alike_and_compared(job):
    difference = read_difference((job.workspace / "diff.json").read_bytes())
    assert (difference.base.name, difference.head.name) == ("small-profile-of-base", "small-profile-of-head")
    assert [(task.task, task.state, task.paired) for task in difference.tasks] == [("topics", "kept", True)]
    assert [(change.name, change.head) for change in difference.parameters] == [("finetune.learning_rate", "0.0001")]
    small = git(job.workspace, "show", "small-profile-of-base:params.yaml")
    assert "max_length: 64" in small
    assert "Metric diff" in job.summary.read_text()
    assert job.values["steps.compare.outputs.code"] in "01"
    verdict = job.step("Judge")
    assert verdict is not None
    assert str(verdict.returncode) == job.values["steps.compare.outputs.code"]


def test_what_is_committed_is_not_made_again(job, origin, packed, tmp_path):
    git(job.workspace, "push", "--quiet", "--force", "origin", "small-profile-of-head:refs/heads/committed")
    other = runner(origin, packed[0], tmp_path, "committed")
    shutil.copytree(job.workspace / ".dvc/cache", other.workspace / ".dvc/cache")  # as actions/cache brings it
    for name in ("Install", "Restore", "Plan"):
        run_step(other, name)
    assert other.values["steps.plan.outputs.runs"] == "0"
    assert other.step("Reproduce") is None
    run_step(other, "Compare")
    difference = read_difference((other.workspace / "diff.json").read_bytes())
    assert difference.tasks[0].metrics[0].head is not None


def test_a_merge_request_of_gitlab_that_never_ran_is_not_judged(origin, packed, tmp_path):
    job = runner(origin, packed[0], tmp_path, "merged")
    script = gitlab()["metric-diff"]["script"]
    lines = script[script.index('export PATH="$PWD/.venv/bin:$PATH"') + 1 :]
    variables = {"PATH": f"{job.workspace}/.venv/bin:{job.path}", "CI_MERGE_REQUEST_DIFF_BASE_SHA": "HEAD^1"}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(lines)], cwd=job.workspace, env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stdout + done.stderr
    assert "not judged" in done.stdout
    head = read_difference((job.workspace / "diff.json").read_bytes()).head
    assert {"ingest@topics", "finetune@topics", "evaluate@topics"} <= {affected.stage for affected in head.stale}


def gitlab() -> dict[str, dict]:
    """Return the jobs of the recipe in the docs."""
    text = (ROOT / "docs/metric-diff.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- gitlab -->\n```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert block
    values = YAML(typ="safe", pure=True).load(block[1])
    return {name: part for name, part in values.items() if isinstance(part, dict)}


# ------------------------------------------------------------------------------------------------ the comment
def installed(script: str) -> list[str]:
    """Return the packages that a line of a script installs, by the versions of the lock."""
    (line,) = re.findall(r"^.*python -m pip install .*$", script, flags=re.MULTILINE)
    options, _, names = line.partition(" --constraint requirements.lock ")
    assert options.endswith("python -m pip install --quiet")
    return str(names).split()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> tuple[Path, Path]:
    """The programs of an environment that holds nothing, and a folder with what the job that comments installs."""
    folder = tmp_path_factory.mktemp("fresh")
    (step,) = [step for step in load("comment.yml")["jobs"]["post"]["steps"] if step.get("name") == "Check"]
    pack_wheels(installed(step["run"]), folder / "wheels")
    return make_environment(folder / "venv"), folder / "wheels"


@pytest.fixture
def post(tmp_path, fresh) -> Runner:
    """The job that comments, on a clone with the default branch's code and a stand-in for GitHub's own service."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "gh.py").write_text(FAKE_GH)
    (bin_folder / "gh").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$0.py" "$@"\n')  # a path may have a space
    (bin_folder / "gh").chmod(0o755)
    values = {
        "github.repository": "owner/name", "github.token": "t", "github.event.workflow_run.id": "12",
        "github.event.workflow_run.head_branch": "change", "github.event.workflow_run.head_sha": "a" * 40,
    }  # fmt: skip
    job = Runner("comment.yml", "post", ROOT, tmp_path / "temp", values)
    programs, wheels = fresh
    job.path = f"{bin_folder}:{programs}:{os.defpath}"
    job.job["env"] |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_NO_COMPILE": "1"}
    (job.temp / "github").mkdir()
    return job


def calls(job: Runner) -> list[list[str]]:
    return [json.loads(line) for line in (job.temp / "github/calls").read_text().splitlines()]


def test_the_document_becomes_one_comment_that_is_edited_in_place(post, job):
    shutil.copy(job.workspace / "diff.json", post.temp / "github/diff.json")
    for name in ("Fetch", "Check", "Post"):
        run_step(post, name)
    assert calls(post)[-1][:3] == ["pr", "comment", "7"]
    assert {"--edit-last", "--create-if-none"} <= {*calls(post)[-1]}
    assert (post.temp / "github/comment.md").read_text() == job.summary.read_text()


def test_a_document_that_is_none_is_not_posted(post):
    (post.temp / "github/diff.json").write_text('{"version": 1, "body": "@everyone"}')
    run_step(post, "Fetch")
    assert "the document has" in run_step(post, "Check", code=3)
    (post.temp / "github/diff.json").write_text("x" * 1_000_001)
    shutil.rmtree(post.temp / "artefact")
    assert "at most 1000000" in run_step(post, "Fetch", code=3)


def test_no_document_and_no_pull_request_are_no_error(post, job):
    assert "left no metric diff" in run_step(post, "Fetch")
    assert post.step("Check") is None
    shutil.copy(job.workspace / "diff.json", post.temp / "github/diff.json")
    post.values["github.event.workflow_run.head_sha"] = "b" * 40
    for name in ("Fetch", "Check"):
        run_step(post, name)
    assert "no open pull request" in run_step(post, "Post")


IMPORTED = """
import sys
from importlib.metadata import packages_distributions
from pipeline.__main__ import main
main(["comment", "absent.json"])
holders = packages_distributions()
tops = {name if name in holders else name.partition(".")[0] for name in sys.modules}
print(*{holder for name in tops for holder in holders.get(name, ())})
"""


def test_all_that_the_job_of_the_comment_installs_is_imported(post, fresh):
    """Its other tests run in an environment that holds nothing else, so nothing is missing."""
    (post.temp / "github/diff.json").write_text("{}")
    run_step(post, "Fetch")
    run_step(post, "Check", code=3)
    done = subprocess.run([fresh[0] / "python", "-c", IMPORTED], capture_output=True, text=True, check=True, cwd=ROOT)
    named = installed(next(step["run"] for step in post.job["steps"] if step.get("name") == "Check"))
    assert {*named} <= {*done.stdout.split()}
    assert installed((ROOT / "docs/metric-diff.md").read_text(encoding="utf-8")) == named


def test_the_gitlab_job_in_the_docs_fits_the_schema(tmp_path):
    text = (ROOT / "docs/metric-diff.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- gitlab -->\n```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert block
    (tmp_path / "ci.yml").write_text(block[1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(tmp_path / "ci.yml")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
