"""fetch as it is run: a process of its own, the settings of the user, all or nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import TypeAdapter

from pipeline.core.errors import DataError
from pipeline.settings.sources import Source
from pipeline.stages.fetch import run
from tests.given.sources import Hub, hub_source, make_wheel, package_source, serving

ROOT = Path(__file__).parents[2]


def fetch(folder: Path, source: Mapping[str, Any], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the stage into `folder/raw/s` with a home of its own."""
    (folder / "params.json").write_text(json.dumps({"fetch": {"s": source}}))
    words = ["s", "--params", str(folder / "params.json"), "--raw", str(folder / "raw" / "s")]
    home = {"HF_HOME": str(folder / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "fetch", *words],
        cwd=ROOT, env={**os.environ, **home, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_dataset_of_the_hub_opens_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"train": {"text": ["fine", "dull"], "label": [1, 0]}, "test": {"text": ["NA"], "label": [0]}}
    for name, table in columns.items():
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    with serving(Hub({f"{name}.parquet": (tmp_path / f"{name}.parquet").read_bytes() for name in columns})) as hub:
        source = hub_source({"train": ["train.parquet"], "test": ["test.parquet"]})
        done = fetch(tmp_path, source, {"HF_ENDPOINT": hub.url})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.relative_to(tmp_path / "raw").as_posix() for path in (tmp_path / "raw").rglob("*")] == [
        "s",
        "s/dataset.parquet",
    ]
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    opened = datasets.load_dataset(str(tmp_path / "raw" / "s"), cache_dir=str(tmp_path / "cache"))["train"]
    assert opened["text"][:] == ["fine", "dull", "NA"]
    assert opened["label"][:] == [1, 0, 0]
    assert opened["split"][:] == ["train", "train", "test"]


def test_a_config_of_a_dataset_brings_the_names_of_its_classes(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    columns = {"train": {"text": ["fine", "dull"], "label": [1, 0]}, "dev": {"text": ["NA"], "label": [0]}}
    for name, rows in columns.items():
        datasets.Dataset.from_dict(rows, features=features).to_parquet(tmp_path / f"{name}.parquet")
    configs = "[{config_name: en, data_files: [{split: train, path: train.*}, {split: dev, path: dev.*}]}]"
    card = f"---\nconfigs: {configs}\n---\n"
    files = {f"{name}.parquet": (tmp_path / f"{name}.parquet").read_bytes() for name in columns}
    with serving(Hub({"README.md": card.encode(), **files})) as hub:
        source = hub_source(None, config="en", splits={"train": "train", "test": "dev"})
        done = fetch(tmp_path, source, {"HF_ENDPOINT": hub.url})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    raw = tmp_path / "raw" / "s"
    assert [path.name for path in raw.rglob("*")] == ["dataset.parquet"]
    opened = datasets.Dataset.from_parquet(str(raw / "dataset.parquet"), cache_dir=str(tmp_path / "cache"))
    assert opened.features["label"] == features["label"]
    assert opened["split"][:] == ["train", "train", "test"]


def test_a_model_of_the_hub(tmp_path: Path) -> None:
    files = {"config.json": b"{}", "model.safetensors": bytes(100), "pytorch_model.bin": b"\x80"}
    with serving(Hub(files, kind="model", id="acme/encoder")) as hub:
        source = hub_source(["config.json", "*.safetensors"], type="model", id="acme/encoder")
        done = fetch(tmp_path, source, {"HF_ENDPOINT": hub.url})
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name: path.read_bytes() for path in (tmp_path / "raw" / "s").iterdir()} == {
        "config.json": b"{}",
        "model.safetensors": bytes(100),
    }


def test_a_bomb_leaves_nothing_and_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    wheel = make_wheel(tmp_path / "index", {"a.txt": b"old", "b.txt": bytes(2000)})
    raw = tmp_path / "raw" / "s"

    def bring(members: dict[str, str]) -> None:
        run(TypeAdapter(Source).validate_python(package_source(wheel, members, max_bytes=1000)), raw=raw)

    bring({"a.txt": "a.txt"})
    with pytest.raises(DataError, match="more than 1000 bytes"):
        bring({"a.txt": "a.txt", "b.txt": "b.txt"})
    assert [path.relative_to(tmp_path / "raw").as_posix() for path in (tmp_path / "raw").rglob("*")] == ["s", "s/a.txt"]
    assert (raw / "a.txt").read_bytes() == b"old"


def test_a_wrong_hash_is_one_message_and_exit_3(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "index", {"a.txt": b""})
    source = package_source(wheel, {"a.txt": "a.txt"}, sha256="0" * 64)
    done = fetch(tmp_path, source, {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "index")})
    assert done.returncode == 3
    assert done.stderr.startswith("fetch: snippets==1.0 (sha256 0000")
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "raw").iterdir()) == []
