"""What several tests need: a tiny real encoder, and processes that start in no time."""

import gc
import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.given.clones import pack
from tests.given.encoder import make_encoder
from tests.given.warm import warm_python

HERE = Path(__file__).parent

# A slow machine is no failure; property tests that want more examples say so.
settings.register_profile("transferline", deadline=None, max_examples=60)
settings.load_profile("transferline")

# A shell that starts the tests in the background has switched Ctrl-C off, for them and for all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
torch.set_num_threads(1)  # tiny models: threads cost more than they bring

# What takes longest begins first, so that no worker is left with it when the others are done.
LONG = (
    "test_pipeline.py", "flow/test_flow.py", "test_workflows.py", "test_edits.py", "flow/test_service.py",
    "flow/test_server.py", "diff/test_command.py", "train/test_resume.py", "models/test_processes.py",
    "repository/test_planner.py", "repository/test_freshness.py", "test_signals.py", "stages/test_pretrain.py",
    "test_experiments.py", "test_study_graph.py", "flow/test_workspace.py", "evaluate/test_paired.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first."""
    places = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: places.get(item.path.relative_to(HERE).as_posix(), len(places)))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: statsmodels calls it at every turn."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def packed(shared: Path) -> tuple[Path, dict[str, str]]:
    """The folder with the wheels of the sample and of a tiny encoder, and their checksums."""
    return pack(shared)


@pytest.fixture(scope="session")
def python() -> Iterator[Path]:
    """The folder of a `python` that starts stages in no time."""
    with warm_python() as folder:
        yield folder


@pytest.fixture(scope="session")
def forks() -> ForkServerContext:
    """Processes forked from one that has imported everything, so that each starts in no time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        # pyarrow imports pandas when it meets a list.
        ["tests.train.test_resume", "tests.models.test_processes", "pandas"]
    )
    return context


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder(tmp_path_factory.mktemp("encoder"))
