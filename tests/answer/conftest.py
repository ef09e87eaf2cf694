"""What the tests of the server share: a bundle, a bundle that takes its time, and processes that serve the first."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.given.answering import AnswerServer, answering
from tests.given.bundles import make_bundle
from tests.given.neighbours import write_embedded


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    decision = {"abstain_below": 0.6, "favoured": None, "threshold": None}
    return make_bundle(tmp_path_factory.mktemp("films") / "films", decision=decision)


@pytest.fixture(scope="session")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("slow") / "slow", task="slow", work=4)


@pytest.fixture(scope="session")
def served(films: Path) -> Iterator[AnswerServer]:
    """A server that must live through whatever the tests send, and then end in order."""
    with answering(films) as server:
        yield server


@pytest.fixture(scope="session")
def shown(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnswerServer]:
    """A server that shows training texts."""
    project = write_embedded(tmp_path_factory.mktemp("embedded"), "films")
    with answering(films, "--neighbours", cwd=project) as server:
        yield server
