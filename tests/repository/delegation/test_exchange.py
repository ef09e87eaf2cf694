"""Targets of DVC for many stages."""

from contextlib import chdir

import pytest
from dvc.repo import Repo

from pipeline.repository.delegation.exchange import join_groups
from tests.given.projects import Project

DVC = """
stages:
  prep: {cmd: echo a > prep, outs: [prep]}
  cell: {foreach: [a, b], do: {cmd: "cp prep cell-${item}", deps: [prep], outs: ["cell-${item}"]}}
  grid: {matrix: {x: [1, 2], y: [3]}, cmd: "cp prep grid-${item.x}", deps: [prep], outs: ["grid-${item.x}"]}
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """A project with two groups, and data whose name looks like one of a group."""
    root = tmp_path_factory.mktemp("groups") / "project"
    project = Project(root, {"dvc.yaml": DVC, "data@x": "b"}, git=True)
    project.run("dvc", "repro", "--quiet")
    project.run("dvc", "add", "--quiet", "data@x")
    with chdir(root), Repo() as opened:
        yield opened


@pytest.mark.parametrize(("names", "targets"), [
    ([], []),
    (["prep", "cell@a", "cell@b"], ["prep", "cell"]),
    (["cell@b", "grid@1-3"], ["cell@b", "grid@1-3"]),
    (["grid@2-3", "data@x.dvc", "cell@a", "grid@1-3"], ["grid", "data@x.dvc", "cell@a"]),
])  # fmt: skip
def test_a_group_stands_for_all_of_its_stages_and_for_no_fewer(repo, names, targets):
    assert join_groups(repo, names) == targets


def test_dvc_takes_targets_for_the_stages_that_they_stand_for(repo):
    names = [str(stage.addressing) for stage in repo.index.stages]
    stages = [stage for target in join_groups(repo, names) for stage in repo.stage.collect(target)]
    assert sorted(str(stage.addressing) for stage in stages) == sorted(names)
