"""Versions of the pipeline, read from clones and committed to projects."""

import re
import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import UsageError
from pipeline.project.vendor import commit_version, find_version, list_edits, read_version, select_vendored
from tests.given.owned import IDENTITY, commit_all, git

LIST = "pipeline/project/templates/files.txt"
FILES = {
    LIST: b"# a list\nMakefile\nparams.yaml\npyproject.toml\nLICENSE\npipeline/\n",
    "params.yaml": b"sources:\n  a: {}\n  b: {}\ntasks:\n  t: {encoder: raw/b}\n",
    "pyproject.toml": b'[project]\nversion = "1.2"\n',
    "LICENSE": b"Terms\n",
    "Makefile": Path("Makefile").read_bytes(),
    "pipeline/x.py": b"X = 1\n",
    "pipelines.md": b"no\n",
    "tests/test_x.py": b"no\n",
}


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "a clone"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit_all(root)
    return root


def test_the_listed_files_alone_without_demos():
    chosen = select_vendored(dict(FILES))
    assert re.findall(rb"^([a-z-]+):", chosen["Makefile"], re.MULTILINE)[-2:] == [b"lock", b"clean"]
    assert set(chosen) == {LIST, "Makefile", "params.yaml", "pyproject.toml", "pipeline/LICENSE", "pipeline/x.py"}
    assert chosen["params.yaml"] == b"sources:\n  b: {}\ntasks:\n"


def test_a_version_is_that_of_a_commit(clone):
    git(clone, "tag", "--annotate", "v1.2", "--message", "one")
    (clone / "pipeline/x.py").write_text("X = 2\n")
    version = read_version(str(clone))
    assert version.files["pipeline/x.py"] == b"X = 1\n"
    assert str(version) == f"Transferline 1.2 ({git(clone, 'rev-parse', '--short=12', 'HEAD')})"
    commit_all(clone)
    assert read_version(f"file://{clone}".replace(" ", "%20")).files["pipeline/x.py"] == b"X = 2\n"
    assert read_version(str(clone), "v1.2") == version


def test_edits_of_a_project_s_files_alone_are_listed(clone):
    assert list_edits(clone) == []
    (clone / "pipelines.md").write_text("other\n")
    (clone / "params.yaml").write_text("tasks: {}\n")
    (clone / "pipeline/new name.py").write_text("")
    assert list_edits(clone) == ["params.yaml", "pipeline/new name.py"]


def test_versions_follow_one_another(clone, tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    version = read_version(str(clone))
    first = commit_version(root, version)
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "ls-tree", "-r", "--name-only", first).splitlines() == sorted(version.files)
    assert commit_version(root, version, first) is None
    files = {**version.files, "pipeline/x.py": b"X = 2\n"}
    second = commit_version(root, version._replace(files=files), first)
    git(root, "checkout", "--quiet", "-b", "main", second)
    (root / "own.txt").write_text("own\n")
    commit_all(root)
    assert find_version(root) == second
    assert git(root, "rev-parse", f"{second}^") == first


@pytest.mark.parametrize(
    ("source", "revision"), [("absent", "HEAD"), (".", "no-branch"), ("--upload-pack=touch x", "HEAD")]
)
def test_what_is_no_version(clone, monkeypatch, source, revision):
    monkeypatch.chdir(clone)
    with pytest.raises(UsageError, match="could not be fetched"):
        read_version(source, revision)
    assert not (clone / "x").exists()


def test_a_repository_of_something_else(clone):
    subprocess.run(["git", "rm", "--quiet", LIST], cwd=clone, check=True)
    commit_all(clone)
    with pytest.raises(UsageError, match=r"has no pipeline/project/templates/files\.txt"):
        read_version(str(clone))
