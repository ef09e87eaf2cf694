"""Several processes that train one model give what one gives; those of the first alone are published."""

import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.__main__ import main
from pipeline.core.errors import UsageError
from pipeline.core.files import sha256
from pipeline.finetune import classification
from pipeline.models.processes import ALONE, Ranks, any_rank, ranks_agree, share_batches, sum_over_ranks
from pipeline.stages import finetune
from pipeline.train import training
from tests.given.projects import PATIENCE, free_port
from tests.given.training import with_params
from tests.stages.test_finetune import tokens  # noqa: F401  # a fixture

ROOT = Path(__file__).parents[2]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def words(folder: Path, path: Path, encoder: Path, params) -> list[str]:
    folder.mkdir(exist_ok=True)
    (folder / "params.json").write_text(
        json.dumps({"kinds": {"t": params.kind}, "finetune": {"t": params.model_dump()}})
    )
    inputs = ["finetune", "t", "--params", str(folder / "params.json"), "--tokens", str(path)]
    outputs = (word for name in ("model", "validation", "history") for word in (f"--{name}", str(folder / name)))
    return [*inputs, "--encoder", str(encoder), *outputs]


# ------------------------------------------------------------------------- processes forked from one, to begin at once
def act(rank: int, size: int, port: int, folder: Path, arguments: list[str], fault: str) -> None:
    """Be one of the processes, as torchrun would start it; `fault` is what happens to it on the way."""
    torch.set_num_threads(1)
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()} | {"CUDA_VISIBLE_DEVICES": ""}
    if rank == 0 and fault == "killed":
        training.Training.read_losses = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
    if rank == 1 and fault == "not finite":
        forward = classification.forward
        classification.forward = lambda *arguments: forward(*arguments) * torch.nan  # type: ignore[assignment]
    if rank == 0 and fault == "failed":
        finetune.save_model = refuse  # type: ignore[attr-defined]
    with (folder / f"output-{rank}").open("w") as stream, redirect_stdout(stream), redirect_stderr(stream):
        code = main(arguments)
    sys.exit(code)


def refuse(*_: object, **__: object) -> None:
    raise UsageError("this one cannot be saved")


def train(forks, folder: Path, path: Path, encoder: Path, params, *, size: int, fault: str = "") -> list[int | None]:
    """Return the exit code of each process; all of them have to end by themselves."""
    arguments, port = words(folder, path, encoder, params), free_port()
    ranks = [forks.Process(target=act, args=(rank, size, port, folder, arguments, fault)) for rank in range(size)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(PATIENCE)
    codes = [process.exitcode for process in ranks]
    for process in ranks:
        process.kill()
    return codes


def output(folder: Path, rank: int = 0) -> str:
    return (folder / f"output-{rank}").read_text()


def published(folder: Path) -> set[str]:
    """Return what there is beside the inputs, the output, and checkpoints, which are whole or not there."""
    assert not list(folder.rglob("*.partial"))
    names = {path.name for path in folder.iterdir() if not path.name.startswith("output-")}
    return names - {"params.json", "model.checkpoints"}


@pytest.mark.parametrize(
    "changes",
    [
        {"class_weights": "balanced", "label_smoothing": 0.1, "accumulate": 2, "batch_size": 7},
        {"batch_size": 1, "epochs": 1},  # the second process has no rows at all
    ],
    ids=["uneven", "more processes than rows"],
)
def test_two_processes_give_what_one_gives(forks, changes, tokens, encoder, tmp_path):  # noqa: F811
    params = with_params(**{"epochs": 2, "learning_rate": 1e-3, **changes})
    for size in (1, 2):
        assert train(forks, tmp_path / str(size), tokens, encoder, params, size=size) == [0] * size
        assert output(tmp_path / str(size)).count("validation loss") == params.epochs * params.evaluations
    assert "validation loss" not in output(tmp_path / "2", rank=1)  # the first alone tells
    one, two = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("1", "2"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=2e-4, rtol=2e-3, msg=name)
    first, second = (json.loads((tmp_path / name / "history").read_text()) for name in ("1", "2"))
    for ours, theirs in zip(first["evaluations"], second["evaluations"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)


def test_a_loss_that_is_no_number_ends_all_and_nothing_is_published(forks, tokens, encoder, tmp_path):  # noqa: F811
    codes = train(forks, tmp_path / "nan", tokens, encoder, with_params(epochs=2), size=2, fault="not finite")
    assert codes == [UsageError.exit_code] * 2
    for rank in range(2):
        assert "found nan" in output(tmp_path / "nan", rank)
        assert "'id" in output(tmp_path / "nan", rank)
    assert published(tmp_path / "nan") == set()


def test_an_early_stop_ends_all_at_the_same_step(forks, tokens, encoder, tmp_path):  # noqa: F811
    params = with_params(epochs=30, learning_rate=0.0001, patience=1, metric="accuracy")
    assert train(forks, tmp_path / "early", tokens, encoder, params, size=2) == [0, 0]
    record = json.loads((tmp_path / "early" / "history").read_text())
    assert record["stopped"] == "early"
    assert published(tmp_path / "early") == {"model", "validation", "history"}


def test_where_the_first_is_killed_the_others_end_and_nothing_is_published(forks, tokens, encoder, tmp_path):  # noqa: F811
    codes = train(forks, tmp_path / "dead", tokens, encoder, with_params(epochs=2), size=2, fault="killed")
    assert codes[0] == -signal.SIGKILL
    assert codes[1] not in (0, None)
    assert published(tmp_path / "dead") == set()


def test_where_the_first_cannot_publish_its_code_says_so(forks, tokens, encoder, tmp_path):  # noqa: F811
    codes = train(forks, tmp_path / "refused", tokens, encoder, with_params(epochs=1), size=2, fault="failed")
    assert codes == [UsageError.exit_code, 0]  # the second has nothing left to do
    assert "this one cannot be saved" in output(tmp_path / "refused")
    assert "model" not in published(tmp_path / "refused")


# ------------------------------------------------------------------------------------------------ torchrun itself
def under_torchrun(arguments: list[str]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, *TORCHRUN, "-m", "pipeline", *arguments], env=environment, text=True, stdout=subprocess.PIPE
    )


def test_a_stop_leaves_a_checkpoint_from_which_both_go_on_to_the_same_bytes(forks, tokens, encoder, tmp_path):  # noqa: F811
    params = with_params(epochs=20, dropout=0.1, evaluations=1)
    assert train(forks, tmp_path / "whole", tokens, encoder, params, size=2) == [0, 0]
    arguments = words(tmp_path / "cut", tokens, encoder, params)
    with under_torchrun(arguments) as cut:
        assert cut.stdout is not None
        while "validation loss" not in cut.stdout.readline():
            assert cut.poll() is None
        cut.send_signal(signal.SIGTERM)
        cut.stdout.read()
    assert cut.returncode != 0
    assert published(tmp_path / "cut") == set()
    assert train(forks, tmp_path / "cut", tokens, encoder, params, size=2) == [0, 0]
    assert "resuming after step" in output(tmp_path / "cut")
    weights = [tmp_path / name / "model" / "model.safetensors" for name in ("whole", "cut")]
    assert sha256(weights[0]) == sha256(weights[1])
    assert not list((tmp_path / "cut").glob("*.checkpoints"))


@pytest.mark.parametrize(("count", "size"), [(0, 1), (5, 1), (5, 2), (1, 3), (6, 3)])
def test_the_ranks_share_the_batches_and_go_on_alike(count, size):
    shares, calls = [], []
    for rank in range(size):
        calls.append(0)

        def go_on(rank: int = rank) -> None:
            calls[rank] += 1

        shares.append(list(share_batches(range(count), Ranks(rank, size), go_on)))
    assert sorted(batch for share in shares for batch in share) == list(range(count))
    assert [share == list(range(rank, count, size)) for rank, share in enumerate(shares)] == [True] * size
    assert calls == [-(-count // size)] * size


def test_one_process_has_nobody_to_ask():
    tensor = torch.ones(2)
    sum_over_ranks([tensor], ALONE)
    assert tensor.tolist() == [1, 1]
    assert [any_rank(flag, ALONE) for flag in (True, False)] == [True, False]
    assert ranks_agree(3, ALONE)
    assert ALONE.first
