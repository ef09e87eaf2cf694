"""A search of the sample with a tiny encoder, as real DVC stages, killed in the middle and run again."""

import json
import os
import signal
import subprocess

import pytest

from tests.given.clones import Clone
from tests.given.projects import until
from tests.given.searches import Search, build_search, list_rounds

HALVING = {"share": 0.5, "rungs": [{"rung": 0, "after": "trials", "at": 0.5}]}
TRIAL = "data/search/reviews/0/trials/1.json"


@pytest.fixture(scope="module")
def clone(shared, python, tmp_path_factory) -> Clone:
    folder = tmp_path_factory.mktemp("search") / "clone"
    return build_search(folder, shared, python, rounds=list_rounds(1), seeds=[1], halving=HALVING)


def kill_after(clone: Clone, path: str) -> None:
    """Run the search, and kill it and all it has started once a file is there."""
    process = subprocess.Popen(
        ["dvc", "repro", "search@reviews"], cwd=clone.root, env=clone.environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until(lambda: (clone.root / path).exists() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_search_that_was_killed_has_the_bytes_of_one_that_was_not(clone, tmp_path):
    kill_after(clone, TRIAL)
    assert not (clone.root / "data/searched").exists()
    ran, _ = clone.repro("search@reviews")
    assert {"rung@reviews-round0-rung0-2", "confirm@reviews-default-1", "search@reviews"} <= ran
    assert not {"withhold@reviews", "propose@reviews-round0"} & ran

    resolved = json.loads((clone.root / "data/params.json").read_text())
    whole = Search(tmp_path, resolved, clone.root / "data/tokens/reviews.arrow", clone.root / "data/raw/tiny")
    whole.try_all()
    whole.choose()
    assert whole.conclude() == json.loads((clone.root / "data/searched/reviews.json").read_text())
    assert (tmp_path / "page.html").read_bytes() == (clone.root / "data/searched/reviews.html").read_bytes()
    folder = clone.root / "data/search/reviews"
    stages = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    own = {name: content for name, content in whole.bytes().items() if name not in ("page.html", "results.json")}
    left = ("checkpoint.json", "tensors.safetensors")  # of a checkpoint; the others name what was timed
    kept = {name: data for name, data in own.items() if "checkpoints/" not in name or name.endswith(left)}
    assert sum(name.endswith(left[1]) for name in kept) == 2
    assert stages.items() >= kept.items()
    assert {name for name in stages if not name.endswith(".gitignore")} == own.keys()
