"""A stage that is ordered, reproduced in another folder, and accepted by repository/delegation/driver.py."""

import os
from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import remove
from pipeline.repository.delegation.delegate import lay_order, reproduce_order, ship_delivery
from pipeline.repository.delegation.driver import accept_delivery, place_order
from pipeline.repository.delegation.order import StageDelivery, StageOrder
from pipeline.run.places.code import find_commit, lay_code, pack_code
from tests.given.clusters import make_project
from tests.given.projects import Project


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A project in which all but the last stage has run."""
    folder = tmp_path_factory.mktemp("delegate")
    made = make_project(folder / "project", str(folder / "remote"))
    made.run("dvc", "repro", "cell@a", "cell@b")
    return made


@pytest.fixture
def project(prepared, monkeypatch):
    monkeypatch.chdir(prepared.root)
    return prepared


def clone(folder: Path) -> Path:
    lay_code(pack_code(find_commit()), folder, folder.parent / "cache")
    return folder


def test_a_delegated_stage_leaves_what_it_leaves_here(tmp_path, project: Project):
    order = place_order("join", [])
    assert order is not None
    assert order.pulls == ["cell@a", "cell@b"]
    assert list(order.entries) == ["cell@a", "cell@b"]
    assert order.files == {"data/a.json": b"{}\n", "data/b.json": b"{}\n"}
    os.chdir(clone(tmp_path / "clone"))
    Path("data/cell").mkdir(parents=True)
    Path("data/cell/stranger").touch()
    received = StageOrder.decode(order.encode())
    assert received == order
    lay_order(received)
    assert sorted(path.name for path in Path("data/cell").iterdir()) == ["a", "b"]
    code, seconds = reproduce_order(received)
    assert code == 0
    delivery = ship_delivery(received, seconds)
    assert delivery.files == {}
    os.chdir(project.root)
    accept_delivery("join", StageDelivery.decode(delivery.encode()), "there", timed=True)
    lock = project.read("dvc.lock")
    project.run("dvc", "repro", "--force", "--single-item", "join")
    assert project.read("dvc.lock") == lock
    Path("data/join").unlink()
    assert place_order("join", []) is None  # restored from the cache here


def test_an_input_that_no_stage_makes_and_nobody_keeps_is_refused(tmp_path, project: Project):
    project.write("data/cell/mine", "mine")
    order = place_order("join", [])
    (project.root / "data/cell/mine").unlink()
    assert order is not None
    os.chdir(clone(tmp_path / "clone"))
    with pytest.raises(EnvironmentFault, match="data/cell"):
        lay_order(order)


def test_a_table_that_a_kill_or_a_full_disk_has_cut_is_no_obstacle(tmp_path, project: Project):
    project.write("data/cell/mine", "mine")
    order = place_order("join", [])
    (project.root / "data/cell/mine").unlink()
    assert order is not None
    os.chdir(clone(tmp_path / "clone"))
    Path(".dvc/tmp").mkdir()
    Path(".dvc/tmp/rwlock").write_text("")
    with pytest.raises(EnvironmentFault, match="data/cell"):
        lay_order(order)
    Path("data/cell/mine").write_text("mine")
    assert reproduce_order(order)[0] == 0


def test_a_folder_outside_of_the_clone_is_refused_and_keeps_its_files(tmp_path, project: Project):
    project.write("data/cell/mine", "mine")
    order = place_order("join", [])
    (project.root / "data/cell/mine").unlink()
    assert order is not None
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    os.chdir(clone(tmp_path / "clone"))
    Path("data").mkdir(exist_ok=True)
    Path("data/cell").symlink_to(outside)
    with pytest.raises(EnvironmentFault, match="data/cell"):
        lay_order(order._replace(pulls=[]))
    assert (outside / "mine").read_text() == "mine"


def test_a_remote_that_is_gone_is_named(project: Project):
    remove(project.root.parent / "remote")
    (project.root.parent / "remote").write_text("a file")
    project.write("data/cell/mine", "mine")
    with pytest.raises(EnvironmentFault, match=r"join: .*remote"):
        place_order("join", [])
