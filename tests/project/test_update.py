"""Updates of a project: edits of both sides are kept, conflicts are named."""

import pytest

from pipeline.core.errors import UsageError
from pipeline.project.update import update_project
from pipeline.project.vendor import commit_version, read_version
from tests.given.owned import IDENTITY, commit_all, edit, git, make_clone

STAGE, OTHER = "pipeline/stages/ingest.py", "pipeline/stages/tokenize.py"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    return make_clone(tmp_path / "clone")


@pytest.fixture
def project(clone, tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    git(root, "checkout", "--quiet", "-b", "main", commit_version(root, read_version(str(clone))))
    return root


def test_edits_of_both_sides_are_kept(clone, project):
    edit(project, "params.yaml", "  epochs: 2 ", "  epochs: 5 ")
    edit(project, "params.yaml", "\ntasks:\n", "\ntasks:\n  own: {}\n")
    edit(project, STAGE, "rows read", "rows in")
    commit_all(project)
    edit(clone, "params.yaml", "tokens of an example at most", "most tokens of an example")
    edit(clone, OTHER, '"""tokenize', '"""tokenise')
    commit_all(clone)
    git(clone, "tag", "v2")
    edit(clone, OTHER, '"""tokenise', '"""Tokenise')
    commit_all(clone)
    code, text = update_project(str(clone), "v2", root=project)
    assert code == 0, text
    params = (project / "params.yaml").read_text(encoding="utf-8")
    assert "  epochs: 5 " in params
    assert "most tokens of an example" in params
    assert params.endswith("\ntasks:\n  own: {}\n")
    assert "rows in" in (project / STAGE).read_text(encoding="utf-8")
    assert (project / OTHER).read_text(encoding="utf-8").startswith('"""tokenise')
    assert "already" in update_project(str(clone), "v2", root=project)[1]
    assert update_project(str(clone), root=project)[0] == 0
    assert (project / OTHER).read_text(encoding="utf-8").startswith('"""Tokenise')
    assert git(project, "status", "--porcelain") == ""


def test_a_conflict_is_named_and_left_to_git(clone, project):
    edit(project, STAGE, "rows read", "rows in")
    commit_all(project)
    edit(clone, STAGE, "rows read", "rows seen")
    edit(clone, "requirements.lock", "numpy==", "numpy==9")
    commit_all(clone)
    code, text = update_project(str(clone), root=project)
    assert code == 1
    assert STAGE in text
    assert "<<<<<<<" in (project / STAGE).read_text(encoding="utf-8")
    edit(project, STAGE, "<<<<<<<", "")
    commit_all(project)
    assert "already" in update_project(str(clone), root=project)[1]


def test_new_locked_versions_ask_for_setup(clone, project):
    edit(clone, "requirements.lock", "numpy==", "numpy==9")
    commit_all(clone)
    assert "make setup" in update_project(str(clone), root=project)[1]


def test_what_cannot_be_updated(clone, project):
    edit(project, STAGE, "rows read", "rows in")
    with pytest.raises(UsageError, match="not committed"):
        update_project(str(clone), root=project)
    with pytest.raises(UsageError, match="no version"):
        update_project(str(clone), root=clone)
    git(project, "checkout", "--quiet", "--", STAGE)
    (project / "pipeline/stages/more.py").write_text("mine\n")
    (clone / "pipeline/stages/more.py").write_text("theirs\n")
    commit_all(clone)
    with pytest.raises(UsageError, match=r"git merge: .*untracked"):
        update_project(str(clone), root=project)
    assert (project / "pipeline/stages/more.py").read_text() == "mine\n"
