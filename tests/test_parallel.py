"""Several real processes under torchrun give what one gives; those of the first alone are published."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pipeline.files import sha256
from pipeline.parallel import ALONE, add_up, agree, any_of
from tests.stages.test_finetune import tokens  # noqa: F401  # a fixture
from tests.test_training import with_params

ROOT = Path(__file__).parents[1]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def command(folder: Path, path: Path, encoder: Path, params, *, processes: int) -> list[str]:
    folder.mkdir(exist_ok=True)
    (folder / "params.json").write_text(json.dumps({"finetune": {"t": params.model_dump()}}))
    words = ["-m", "pipeline", "finetune", "t", "--params", str(folder / "params.json"), "--tokens", str(path)]
    words += ["--encoder", str(encoder), "--model", str(folder / "model"), "--history", str(folder / "history.json")]
    return [sys.executable, *(TORCHRUN if processes > 1 else ()), *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def train(folder: Path, path: Path, encoder: Path, params, *, processes: int) -> str:
    words = command(folder, path, encoder, params, processes=processes)
    done = subprocess.run(words, env=environment(), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "changes",
    [
        {"class_weights": "balanced", "label_smoothing": 0.1, "accumulate": 2, "batch_size": 7},
        {"batch_size": 1, "epochs": 1},  # the second process has no rows at all
    ],
    ids=["uneven", "more processes than rows"],
)
def test_two_processes_give_what_one_gives(changes, tokens, encoder, tmp_path):  # noqa: F811
    params = with_params(**{"epochs": 2, "learning_rate": 1e-3, **changes})
    for processes in (1, 2):
        told = train(tmp_path / str(processes), tokens, encoder, params, processes=processes)
        assert told.count("validation loss") == params.epochs * params.evaluations  # the first alone tells
    one, two = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("1", "2"))
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=2e-4, rtol=2e-3, msg=name)
    first, second = (json.loads((tmp_path / name / "history.json").read_text()) for name in ("1", "2"))
    for ours, theirs in zip(first["evaluations"], second["evaluations"], strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)


def test_a_stop_leaves_a_checkpoint_from_which_both_go_on_to_the_same_bytes(tokens, encoder, tmp_path):  # noqa: F811
    params = with_params(epochs=60, dropout=0.1, evaluations=1)
    train(tmp_path / "whole", tokens, encoder, params, processes=2)
    words = command(tmp_path / "cut", tokens, encoder, params, processes=2)
    with subprocess.Popen(words, env=environment(), cwd=tmp_path, stdout=subprocess.PIPE, text=True) as cut:
        assert cut.stdout is not None
        while "validation loss" not in cut.stdout.readline():
            assert cut.poll() is None
        cut.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        cut.stdout.read()
    assert cut.returncode != 0
    assert time.monotonic() - begin < 60
    assert not (tmp_path / "cut" / "model").exists()
    assert "going on after step" in train(tmp_path / "cut", tokens, encoder, params, processes=2)
    weights = [tmp_path / name / "model" / "model.safetensors" for name in ("whole", "cut")]
    assert sha256(weights[0]) == sha256(weights[1])
    assert not list((tmp_path / "cut").glob("*.checkpoints"))


def test_one_process_has_nobody_to_ask():
    tensor = torch.ones(2)
    add_up([tensor], ALONE)
    assert tensor.tolist() == [1, 1]
    assert [any_of(said, ALONE) for said in (True, False)] == [True, False]
    assert agree(3, ALONE)
    assert ALONE.first
