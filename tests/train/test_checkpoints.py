import json
import os
import resource
import shutil
import signal

import pytest
import torch

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import sha256
from pipeline.train.checkpoints import (
    CHECKPOINTS_KEPT,
    RECORD,
    SUMS,
    TENSORS,
    Checkpoint,
    read_checkpoints,
    remove_partial,
    write_checkpoint,
)


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"a": torch.full((3,), float(step)), "b": torch.tensor(step)}, {"losses": [0.1, 1 / 3]})


def read_all(folder, key="k"):
    return list(read_checkpoints(folder, key=key))


def test_what_was_written_comes_back_newest_first_and_old_ones_go(tmp_path):
    for step in (5, 90, 1000):
        write_checkpoint(tmp_path, checkpoint(step), key="k")
    assert [checkpoint.step for checkpoint in read_all(tmp_path)] == [1000, 90]
    assert len(list(tmp_path.iterdir())) == CHECKPOINTS_KEPT
    newest = read_all(tmp_path)[0]
    assert torch.equal(newest.tensors["a"], torch.full((3,), 1000.0))
    assert newest.tensors["b"].dtype is torch.int64
    assert newest.record == {"losses": [0.1, 1 / 3]}


def test_no_folder_has_no_checkpoint(tmp_path):
    assert read_all(tmp_path / "absent") == []


def flip(path, offset):
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a flipped bit in the weights": lambda path: flip(path / TENSORS, -1),
    "a flipped bit in the header": lambda path: flip(path / TENSORS, 9),
    "a flipped bit in the record": lambda path: flip(path / RECORD, 20),
    "cut weights": lambda path: os.truncate(path / TENSORS, 40),
    "no weights": lambda path: (path / TENSORS).unlink(),
    "an empty record": lambda path: (path / RECORD).write_text(""),
    "no manifest": lambda path: (path / SUMS).unlink(),
    "an empty manifest": lambda path: (path / SUMS).write_text("{}"),
    "a manifest that is no JSON": lambda path: (path / SUMS).write_text("{"),
    "a manifest of another kind": lambda path: (path / SUMS).write_text("[1]"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_one_is_refused_and_the_older_one_is_there(tmp_path, damage):
    write_checkpoint(tmp_path, checkpoint(1), key="k")
    write_checkpoint(tmp_path, checkpoint(2), key="k")
    damage(tmp_path / "000000002")
    reason, older = read_all(tmp_path)
    assert reason.startswith(f"{tmp_path / '000000002'} is refused: ")
    assert older.step == 1


def test_one_of_another_training_is_refused(tmp_path):
    write_checkpoint(tmp_path / "one", checkpoint(1), key="one")
    shutil.copytree(tmp_path / "one", tmp_path / "other")
    (reason,) = read_all(tmp_path / "other", key="other")
    assert reason.startswith(f"{tmp_path / 'other' / '000000001'} is refused")
    assert "other data" in reason


def test_a_full_disk_leaves_the_older_ones(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, checkpoint(1), key="k")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left on device"):
        write_checkpoint(tmp_path, checkpoint(2), key="k")
    assert [checkpoint.step for checkpoint in read_all(tmp_path)] == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["000000001"]


def test_a_really_full_disk_leaves_the_older_ones(tmp_path):
    """A limit on the size of a file, which every write meets as it does a full disk."""
    write_checkpoint(tmp_path, checkpoint(1), key="k")
    large = checkpoint(2)._replace(tensors={"a": torch.zeros(100_000)})
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(EnvironmentFault, match="could not be written"):
            write_checkpoint(tmp_path, large, key="k")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["000000001"]


def test_a_refused_one_takes_no_place(tmp_path):
    for step in (100, 200):
        write_checkpoint(tmp_path, checkpoint(step), key="k")
    flip(tmp_path / "000000200" / TENSORS, -1)
    for step in (120, 140):
        write_checkpoint(tmp_path, checkpoint(step), key="k")
    assert [checkpoint.step for checkpoint in read_all(tmp_path)] == [140, 120]


def test_a_whole_one_of_another_shape_is_refused(tmp_path):
    write_checkpoint(tmp_path, checkpoint(1), key="k")
    path = tmp_path / "000000001"
    (path / RECORD).write_text("{}")
    (path / SUMS).write_text(json.dumps({name: sha256(path / name) for name in (TENSORS, RECORD)}))
    (reason,) = read_all(tmp_path)
    assert "is refused" in reason


def test_what_a_kill_left_half_written_is_no_checkpoint_and_goes(tmp_path):
    write_checkpoint(tmp_path, checkpoint(1), key="k")
    (tmp_path / "000000002.partial").mkdir()
    assert [checkpoint.step for checkpoint in read_all(tmp_path)] == [1]
    remove_partial(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["000000001"]
