import subprocess
import sys

from pipeline.run.places import clones
from pipeline.run.places.clones import hold_clone
from tests.given.projects import ENVIRONMENT

HOLDER = """
import sys
from pathlib import Path
from pipeline.run.places.clones import hold_clone

with hold_clone(Path(sys.argv[1]), "a") as (clone, _):
    print(clone.name, flush=True)
    sys.stdin.read()
"""


def test_a_clone_is_held_by_one_stage_and_goes_to_the_one_that_had_it(tmp_path):
    with hold_clone(tmp_path, "a") as (first, _), hold_clone(tmp_path, "b") as (second, _):
        assert {first, second} == {tmp_path / "clone-0", tmp_path / "clone-1"}
    with hold_clone(tmp_path, "b") as (again, _):
        assert again == second
    with hold_clone(tmp_path, "c") as (free, _):
        assert free == first
    with hold_clone(tmp_path, "a") as (lost, _):
        assert lost == first


def test_a_stage_waits_for_its_clone_while_something_ends_in_it_but_not_for_ever(tmp_path, monkeypatch):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=ENVIRONMENT,
    )  # fmt: skip
    assert holder.stdout.readline() == "clone-0\n"
    monkeypatch.setattr(clones, "SECONDS_FOR_CLONE", 0.5)
    with hold_clone(tmp_path, "a") as (clone, _):
        assert clone == tmp_path / "clone-1"
    holder.communicate()
    with hold_clone(tmp_path, "a") as (clone, _):
        assert clone == tmp_path / "clone-0"
