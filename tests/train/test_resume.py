"""A training that is killed at any moment ends as if nothing had happened; real processes, real kills."""

import json
import os
import re
import signal
import sys
import threading
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import EnvironmentFault, Stopped
from pipeline.finetune.classification import CLASSES
from pipeline.train.checkpoints import write_checkpoint
from pipeline.train.resume import run_to_end
from pipeline.train.training import Training
from tests.given.training import DEVICE, contents, model, rows, with_params

PARAMS = with_params(dropout=0.2, epochs=2, metric="loss")
FILE_EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")


def training(encoder: Path, *, count: int = 40) -> Training:
    return Training(model(encoder, PARAMS), rows(count), rows(20, seed=1), PARAMS, DEVICE, CLASSES)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def train(
    encoder: Path, folder: Path, out: Path, *, count: int, at_step: int = 0, at_file: int = 0, after: float = 0.0
) -> None:
    """Train to the end with a checkpoint a step; die by SIGKILL at a step, at a file operation, or after seconds."""
    import torch

    torch.set_num_threads(1)
    seen = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in FILE_EVENTS and arguments and str(folder) in str(arguments[0]):
            seen += 1
            if seen == at_file:
                die()

    under_way = training(encoder, count=count)
    sys.addaudithook(watch)
    if at_step:
        advance = under_way.advance

        def advance_and_die() -> None:
            if under_way.done + 1 == at_step:
                die()
            advance()

        under_way.advance = advance_and_die  # type: ignore[method-assign]
    start = time.monotonic()
    if after:
        threading.Thread(target=lambda: (time.sleep(after), die()), daemon=True).start()
    trained = run_to_end(under_way, folder, key="k", live=live_of(out), seconds=0.0)
    seconds = time.monotonic() - start
    weights = {name: value.tolist() for name, value in under_way.model.state_dict().items()}
    out.write_text(json.dumps([weights, trained._asdict(), seen, seconds]))


def live_of(out: Path) -> Path:
    return out.parent / "live" / out.name


def full(*_: object, **__: object) -> None:
    raise EnvironmentFault("no space left")


def run(forks: ForkServerContext, *arguments: object, count: int = 40, **death: float) -> int | None:
    process = forks.Process(target=train, args=arguments, kwargs={"count": count, **death})
    process.start()
    process.join()
    return process.exitcode


@pytest.fixture(scope="module")
def undisturbed(forks, encoder, tmp_path_factory) -> list[object]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert run(forks, encoder, folder / "work", folder / "out") == 0
    return [*json.loads((folder / "out").read_text()), contents(live_of(folder / "out"))]


def test_a_kill_at_any_step_changes_nothing(forks, encoder, undisturbed, tmp_path):
    weights, trained, *_, live = undisturbed
    last = trained["steps"]
    drawn = [sorted(np.random.default_rng(seed).choice(range(2, last), 3, replace=False)) for seed in range(2)]
    for kills in ([1], [2, 3], [last], *drawn):
        work, out = tmp_path / f"{kills}", tmp_path / f"{kills}.out"
        for step in kills:
            assert run(forks, encoder, work, out, at_step=int(step)) == -signal.SIGKILL
        assert run(forks, encoder, work, out) == 0
        assert json.loads(out.read_text())[:2] == [weights, trained]
        assert contents(live_of(out)) == live


@pytest.mark.parametrize("wanted", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_kills_at_random_instants_change_nothing(forks, encoder, undisturbed, tmp_path, wanted):
    weights, trained, _, seconds, live = undisturbed
    rng, kills, attempt = np.random.default_rng(wanted), 0, 0
    while kills < wanted:
        attempt += 1
        work, out = tmp_path / f"{attempt}", tmp_path / f"{attempt}.out"
        while run(forks, encoder, work, out, after=float(rng.uniform(0.001, seconds))) == -signal.SIGKILL:
            kills += 1
        assert json.loads(out.read_text())[:2] == [weights, trained]
        assert contents(live_of(out)) == live


def test_a_kill_at_any_file_operation_of_a_checkpoint_changes_nothing(forks, encoder, tmp_path):
    assert run(forks, encoder, tmp_path / "work", tmp_path / "out", count=8) == 0
    weights, trained, operations, _ = json.loads((tmp_path / "out").read_text())
    per_step = operations // trained["steps"]
    assert per_step > 8  # the operations are seen
    first = (trained["steps"] - 1) * per_step  # the last checkpoint makes an older one go
    for kill in range(first, operations + 1):
        work, out = tmp_path / f"{kill}", tmp_path / f"{kill}.out"
        assert run(forks, encoder, work, out, count=8, at_file=kill) == -signal.SIGKILL
        assert run(forks, encoder, work, out, count=8) == 0
        assert json.loads(out.read_text())[:2] == [weights, trained]
        assert not list(work.rglob("*.partial"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop_finishes_the_step_and_leaves_a_checkpoint(encoder, tmp_path, number, capsys):
    before = signal.getsignal(number)
    stopped = training(encoder)
    advance = stopped.advance

    def advance_and_ask() -> None:
        advance()
        if stopped.done == 3:
            os.kill(os.getpid(), number)

    stopped.advance = advance_and_ask
    with pytest.raises(Stopped, match=r"after step 3\b"):
        run_to_end(stopped, tmp_path, key="k", seconds=3600.0)
    assert signal.getsignal(number) is before
    again, whole = training(encoder), training(encoder)
    trained = run_to_end(again, tmp_path, key="k", seconds=3600.0)
    assert "resuming after step 3 of" in capsys.readouterr().out
    assert trained == run_to_end(whole, tmp_path / "whole", key="k", seconds=3600.0)
    for ours, theirs in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert ours.equal(theirs)


def test_a_stop_whose_checkpoint_cannot_be_written_promises_none(encoder, tmp_path, monkeypatch, capsys):
    stopped = training(encoder)
    advance = stopped.advance

    def advance_and_ask() -> None:
        advance()
        if stopped.done == 3:
            monkeypatch.setattr("pipeline.train.resume.write_checkpoint", full)
            os.kill(os.getpid(), signal.SIGTERM)

    stopped.advance = advance_and_ask
    with pytest.raises(Stopped, match=r"after step 3, its checkpoint could not be written"):
        run_to_end(stopped, tmp_path, key="k", seconds=0.0)
    assert "no checkpoint at step 3: no space left" in capsys.readouterr().out
    run_to_end(training(encoder), tmp_path, key="k", seconds=3600.0)
    assert "resuming after step 2 of" in capsys.readouterr().out


def test_a_damaged_checkpoint_gives_way_to_the_older_and_to_a_new_start(encoder, tmp_path, capsys):
    expected = run_to_end(training(encoder), tmp_path / "work", key="k", seconds=0.0)
    older, newest = sorted((tmp_path / "work" / "k").iterdir())
    (newest / "record.json").write_text("{}")
    capsys.readouterr()
    assert run_to_end(training(encoder), tmp_path / "work", key="k", seconds=3600.0) == expected
    printed = capsys.readouterr().out
    assert f"{newest} is refused: record.json" in printed
    assert f"resuming after step {int(older.name)} of" in printed
    (older / "tensors.safetensors").unlink()
    assert run_to_end(training(encoder), tmp_path / "work", key="k", seconds=3600.0) == expected
    assert "starting over" in capsys.readouterr().out


def test_leftovers_and_checkpoints_of_another_training_are_removed(encoder, tmp_path):
    run_to_end(training(encoder), tmp_path, key="one", seconds=0.0)
    (tmp_path / "other" / "000000999.partial").mkdir(parents=True)
    run_to_end(training(encoder), tmp_path, key="other", seconds=0.0)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert not list(tmp_path.rglob("*.partial"))


def test_a_full_disk_is_told_and_the_training_goes_on(encoder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pipeline.train.resume.write_checkpoint", full)
    expected = run_to_end(training(encoder), tmp_path / "a", key="k", seconds=0.0)
    assert re.search(r"no checkpoint at step 1\b.*no space left", capsys.readouterr().out)
    monkeypatch.setattr("pipeline.train.resume.write_checkpoint", write_checkpoint)
    assert run_to_end(training(encoder), tmp_path / "b", key="k", seconds=0.0) == expected
