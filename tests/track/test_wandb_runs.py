"""Runs that the real library of Weights & Biases writes offline, read back from its own files, and what it refuses.

Skipped without it (`pip install wandb`). What a server makes of them cannot be seen here.
"""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import sha256
from pipeline.settings.task import TrackParams
from pipeline.stages.track import run
from tests.given.projects import free_port
from tests.given.tracking import SETTINGS, start_apart, track_apart, write_results

HEADER, BLOCK, WHOLE, LAST = 7, 32_768, 1, 4  # of LevelDB's log format, behind W&B's own header of 7 bytes


@pytest.fixture
def results(tmp_path):
    return write_results(tmp_path)


def read_run(folder: Path, identity: str) -> dict[str, list]:
    """Return the records of a run's file, by kind, as W&B's own protocol reads them."""
    (path,) = folder.glob(f"wandb/offline-run-*-{identity}/run-{identity}.wandb")
    records: dict[str, list] = {}
    for data in read_log(path.read_bytes()):
        record = sys.modules["wandb.proto.wandb_internal_pb2"].Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        records.setdefault(kind, []).append(getattr(record, kind))
    return records


def read_log(data: bytes) -> Iterator[bytes]:
    at, record = HEADER, b""
    while at < len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + HEADER])
        record += data[at + HEADER : at + HEADER + length]
        at += HEADER + length
        if kind in (WHOLE, LAST):
            yield record
            record = b""


def values(items) -> dict[str, object]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


@pytest.fixture
def sent(results, tmp_path):
    pytest.importorskip("wandb.proto.wandb_internal_pb2", reason="pip install wandb")
    folders = {f"WANDB_{kind}_DIR": str(tmp_path / kind) for kind in ("DATA", "CACHE", "CONFIG")}
    return track_apart("wandb", results, tmp_path / "tracking.json", WANDB_MODE="offline", **folders)


def test_the_files_hold_a_run_with_the_report_and_one_of_its_group_for_each_task(sent, results, tmp_path):
    assert list(sent["tasks"]) == ["spam", "reviews"]
    assert sent["url"] is None
    parent = read_run(tmp_path, sent["run"])
    assert (parent["run"][0].project, parent["run"][0].display_name) == ("Texts", "Texts")
    (report,) = parent["artifact"]
    assert {item.path for item in report.manifest.contents} == {"report.html", "report.md"}
    assert {Path(item.local_path).read_text() for item in report.manifest.contents} == {
        "the report.html", "the report.md",
    }  # fmt: skip
    spam = read_run(tmp_path, sent["tasks"]["spam"]["run"])
    (begun,) = spam["run"]
    assert (begun.display_name, begun.run_group, begun.job_type) == ("spam", sent["run"], "task")
    config = values(begun.config.update)
    assert config.pop("_wandb") == {}
    assert config == {
        "encoder": "raw/minilm",
        "finetune.epochs": 3,
        "finetune.learning_rate": 0.0003,
        "model.path": str(results["model"] / "spam"),
        "model.sha256": sha256(results["model"] / "spam/model.safetensors"),
    }
    summary = {key: value for record in spam["summary"] for key, value in values(record.update).items()}
    assert summary["test/accuracy"] == summary["validation/accuracy"] == 0.9
    assert "test/gain_low" not in summary
    curve = [values(record.item) for record in spam["history"]]
    assert [(point["_step"], point["curve/validation/accuracy"]) for point in curve] == [(1, 0.7), (2, 0.9)]
    assert spam["exit"][0].exit_code == 0
    (files,) = tmp_path.glob(f"wandb/offline-run-*-{sent['run']}/files")
    assert {path.name for path in files.iterdir()} == {"requirements.txt"}  # no output, no code, no uncommitted edits


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"WANDB_MODE": "disabled"}, "switched off"),
        ({"WANDB_BASE_URL": "http://127.0.0.1:{port}", "WANDB_INIT_TIMEOUT": "1"}, "not sent"),
    ],
)
def test_a_server_that_does_not_answer_is_a_fault_of_the_environment(results, tmp_path, environment, reason):
    pytest.importorskip("wandb", reason="pip install wandb")
    words = {name: value.format(port=free_port()) for name, value in environment.items()}
    done = start_apart("wandb", results, tmp_path / "tracking.json", WANDB_API_KEY="0" * 40, **words)
    assert done.returncode != 0
    assert f"EnvironmentFault: W&B: {reason}" in done.stderr
    assert not (tmp_path / "tracking.json").exists()


def test_without_the_package_the_error_says_how_to_install_it(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)  # as if it were not installed
    params = TrackParams(tracker="wandb", title="Texts", tasks={"spam": SETTINGS})
    with pytest.raises(EnvironmentFault, match="pip install wandb"):
        run(params, **results, tracking=tmp_path / "tracking.json")
