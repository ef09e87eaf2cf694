"""What a revision has yet to run, on a real repository whose `code` and `params` are the project's own stages."""

import shutil

import pytest
from ruamel.yaml import YAML

from pipeline.repository.freshness import find_stale_stages
from pipeline.repository.plan import join_reasons
from pipeline.repository.revisions import open_revision, resolve_revision
from tests.given.projects import ENVIRONMENT, ROOT, Project
from tests.given.settings import dump

PARTS = ("pipeline", "requirements.lock", "params.yaml", "data/profiles.json", "data/corrections", ".dvcignore")
# All kinds of inputs: a parameter, code, a file that Git keeps, an output, a file inside one, a folder of outputs, and
# a file that somebody has added to DVC. One stage has never run, and nothing depends on it.
STAGES = """
kept: {cmd: cp in.txt out/kept, deps: [in.txt], outs: [out/kept: {cache: false}]}
folder: {cmd: mkdir -p out/folder && cp raw.txt out/folder/a, deps: [raw.txt], outs: [out/folder]}
inside: {cmd: cp out/folder/a out/inside, deps: [out/folder/a], outs: [out/inside]}
evaluate:
  foreach: [spam]
  do:
    cmd: cat out/inside out/kept > answer
    deps: [out]
    params: [data/params.json: ["evaluate.spam"], data/code.json: [evaluate]]
    outs: [answer: {cache: false}]
lonely: {cmd: cp in.txt lonely, deps: [in.txt, never.txt], outs: [lonely]}
"""
TARGET = "evaluate@spam"


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A project whose commit `main` holds what its stages gave."""
    yaml = YAML(typ="safe", pure=True)
    own = yaml.load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    stages = {**{name: own[name] for name in ("code", "params")}, **yaml.load(STAGES)}
    files = {
        "dvc.yaml": dump({"stages": stages}), "in.txt": "one", "raw.txt": "raw", "out/.gitignore": "/inside\n/folder\n",
        ".gitignore": "__pycache__\n",
    }  # fmt: skip
    project = Project(tmp_path_factory.mktemp("fresh") / "project", files, git=True)
    for part in PARTS:
        (project.root / part).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, project.root / part)
    project.run("dvc", "add", "--quiet", "raw.txt")
    project.run("dvc", "repro", "--quiet", TARGET, env={**ENVIRONMENT, "PYTHONPATH": ""})
    save(project)
    return project


def save(project):
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--allow-empty", "--message", "x")


@pytest.fixture
def project(reproduced):
    yield reproduced
    for words in (("checkout", "-q", "--force", "main"), ("reset", "-q", "--hard", "main"), ("clean", "-qfd")):
        reproduced.run("git", *words)
    reproduced.run("dvc", "checkout", "--quiet", "--force", "--allow-missing")


def stale(project, name=None):
    at = resolve_revision(project.root, name)
    with open_revision(at) as repo:
        return {stage.name: join_reasons(stage.reasons) for stage in find_stale_stages(repo, [TARGET])}


def replace(project, name, old, new):
    text = project.read(name)
    assert text.count(old) >= 1
    project.write(name, text.replace(old, new, 1))


def comment(project):
    replace(project, "pipeline/evaluate/metrics.py", "import numpy as np\n", "import numpy as np  # a comment\n")


def code_of_others(project):
    replace(project, "pipeline/pretrain/masking.py", "def mask(", "def mask(  # a comment\n")
    project.write("pipeline/pretrain/other.py", '"""A module."""\n\nVALUE = 1\n')


def code(project):
    replace(project, "pipeline/stages/evaluate.py", ") -> None:\n", ") -> None:\n    print()\n")


def parameter(project):
    replace(project, "params.yaml", "bins: 10", "bins: 11")


def invalid_parameter(project):
    replace(project, "params.yaml", "bins: 10", "bins: many")


def parameter_of_another_task(project):
    replace(project, "params.yaml", "largest_drop: 0.01", "largest_drop: 0.02")


def kept_file(project):
    project.write("in.txt", "two")


def added_data(project):
    project.write("raw.txt", "other")
    project.run("dvc", "add", "--quiet", "raw.txt")


def half_reproduced(project):
    added_data(project)
    project.run("dvc", "repro", "--quiet", "--single-item", "folder")


def command(project):
    replace(project, "dvc.yaml", "cp out/folder/a out/inside", "cp -f out/folder/a out/inside")


def typed_resolved_value(project):
    path = project.root / "data/params.json"
    path.write_text(path.read_text().replace('"bins": 10', '"bins": 12'))


def no_lock(project):
    (project.root / "dvc.lock").unlink()


CASES = {
    comment: {},
    code_of_others: {},
    parameter_of_another_task: {},
    code: {"code": "pipeline", TARGET: "code of evaluate"},
    parameter: {"params": "params.yaml modified", TARGET: "evaluate.spam.bins 10 -> 11"},
    invalid_parameter: {"params": "params.yaml modified", TARGET: "after params"},
    kept_file: {"kept": "in.txt modified", TARGET: "after kept"},
    added_data: {"folder": "raw.txt modified", "inside": "after folder", TARGET: "after"},
    half_reproduced: {"inside": "out/folder/a modified", TARGET: "after inside"},
    command: {"inside": "command changed", TARGET: "after inside"},
    typed_resolved_value: {TARGET: "evaluate.spam.bins 10 -> 12"},
    no_lock: {"inside": "never ran", TARGET: "never ran"},
}


@pytest.mark.parametrize(("edit", "expected"), CASES.items(), ids=[edit.__name__ for edit in CASES])
def test_a_commit_and_the_working_tree_say_what_has_yet_to_run_and_why(project, edit, expected):
    edit(project)
    found = [stale(project)]
    project.run("git", "checkout", "-q", "-b", edit.__name__)
    save(project)
    project.run("git", "checkout", "-q", "--force", "main")
    found.append(stale(project, edit.__name__))
    for stages in found:
        assert expected.keys() <= stages.keys()
        assert bool(stages) == bool(expected)
        assert all(reason in stages[name] for name, reason in expected.items())
        assert "lonely" not in stages


def test_data_edited_on_disk_are_stale_even_before_dvc_has_them(project):
    project.write("raw.txt", "edited")
    assert stale(project)["folder"] == "dependency raw.txt modified"
    assert stale(project, "main") == {}


def test_what_is_reproduced_is_fresh_also_without_its_outputs(project):
    assert stale(project) == stale(project, "main") == {}
    shutil.rmtree(project.root / "out/folder")
    (project.root / "out/inside").unlink()
    assert stale(project) == {}
    shutil.rmtree(project.root / ".dvc/cache")
    assert stale(project, "main") == {}


def test_nothing_of_a_revision_is_executed(project):
    parameter(project)
    replace(project, "dvc.yaml", "-m pipeline params", "-m pipeline params $(touch executed)")
    replace(project, "pipeline/__init__.py", "import", "open('executed', 'w')\nimport")
    assert "after params" in stale(project)[TARGET]
    assert not (project.root / "executed").exists()


def test_a_foreseeable_stage_that_names_another_output_writes_nothing_here(project):
    code(project)
    replace(project, "dvc.yaml", "--fingerprints data/code.json", "--fingerprints data/cod.json")
    assert "after code" in stale(project)[TARGET]
    assert not (project.root / "data/cod.json").exists()


def test_a_stage_that_is_not_there_never_ran(project):
    with open_revision(resolve_revision(project.root, "main")) as repo:
        (stage,) = find_stale_stages(repo, ["evaluate@absent"])
    assert (stage.name, join_reasons(stage.reasons)) == ("evaluate@absent", "never ran")
