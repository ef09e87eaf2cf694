"""Two schedulers and a person by hand on one workspace, struck at random: afterwards all is as if left alone."""

import pytest

from benchmarks.soak import FILES, expected_lock, faults, soak
from tests.projects import Project, prefect_server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with prefect_server(tmp_path_factory.mktemp("prefect")) as environment:
        yield environment


def hold(tmp_path, server, *, seconds: float, seed: int) -> None:
    project = Project(tmp_path / "struck", FILES)
    history = soak(project, server, seconds=seconds, seed=seed)
    assert {told["event"] for told in history} == {"struck", "ended"}
    assert not faults(project, server, expected_lock(tmp_path / "alone"))


def test_after_a_short_soak_a_clean_run_gives_the_hashes_of_an_undisturbed_one(tmp_path, server):
    hold(tmp_path, server, seconds=12, seed=0)


@pytest.mark.slow
def test_after_ten_minutes_too(tmp_path, server):
    hold(tmp_path, server, seconds=600, seed=1)
