"""Pins of repositories of a hub on the loopback, which `fetch` could bring."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.project.pin import PARQUET_BRANCH, pin_repository, pin_source
from pipeline.settings.parse import parse_params
from pipeline.settings.sources import HubSource
from tests.given.sources import REVISION, Hub, reach, serving

TEXT = Path("params.yaml").read_text(encoding="utf-8")
CONFIG = ("config.json", "tokenizer.json", "tokenizer_config.json", "pytorch_model.bin", "README.md")
MODEL = dict.fromkeys((*CONFIG, "model.safetensors"), b"{}")
SHARDED = dict.fromkeys((*CONFIG, "model.safetensors.index.json", "model-00001-of-00002.safetensors"), b"{}")
DATASET = dict.fromkeys(("README.md", "data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"), b"")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(MODEL, kind="model", id="acme/E5_small.v2")) as served:
        reach(served, monkeypatch)
        yield served


def pinned(text: str, name: str) -> HubSource:
    values = {**parse_params(text)[0]["sources"][name], "source": name, "timeout": 5, "max_bytes": 10**6}
    return HubSource.model_validate_json(json.dumps(values))


def test_a_model(hub):
    text, pin = pin_repository(TEXT, hub.id)
    assert (pin.name, pin.usage) == ("e5_small-v2", "encoder: raw/e5_small-v2")
    source = pinned(text, pin.name)
    assert (source.id, source.type, source.revision) == (hub.id, "model", REVISION)
    assert source.files == ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    assert text.replace(pin.block, "") == TEXT
    assert pin_repository(text, hub.id, revision=REVISION)[0] == text.replace("# main", f"# {REVISION}")


def test_params_yaml_is_written(hub, tmp_path):
    (tmp_path / "params.yaml").write_text(TEXT, encoding="utf-8")
    told = pin_source(hub.id, root=tmp_path)
    assert (tmp_path / "params.yaml").read_text(encoding="utf-8") == pin_repository(TEXT, hub.id)[0]
    assert "encoder: raw/e5_small-v2" in told


def test_a_model_in_parts(hub):
    hub.files = SHARDED
    text, pin = pin_repository(TEXT, hub.id)
    assert pinned(text, pin.name).files[1:3] == ("model.safetensors.index.json", "model-*.safetensors")


@pytest.mark.parametrize("lost", ["model.safetensors", "tokenizer.json"])
def test_a_model_that_cannot_be_loaded(hub, lost):
    hub.files = {name: content for name, content in MODEL.items() if name != lost}
    with pytest.raises(UsageError, match=f"has no '{re.escape(lost)}'"):
        pin_repository(TEXT, hub.id)


def test_a_dataset(hub):
    hub.files, hub.kind = DATASET, "dataset"
    text, pin = pin_repository(TEXT, hub.id, kind="dataset")
    source = pinned(text, pin.name)
    assert (source.files, source.config, source.splits) == (None, "default", {"train": "train", "test": "test"})
    assert pin.usage == "ingest: {file: e5_small-v2/dataset.parquet, format: parquet, split: split}"
    assert pin_repository(text, hub.id, kind="dataset") == (text, pin)
    hub.files = {"a.csv": b"", "loader.py": b""}
    text, pin = pin_repository(TEXT, hub.id, kind="dataset")
    assert pinned(text, pin.name).files == ("a.csv",)
    assert pin.usage == "ingest: {file: e5_small-v2, files: [a.csv]}"
    hub.files = {"train.csv": b"", "dev-0.csv": b"", "dev-1.csv": b""}
    text, pin = pin_repository(TEXT, hub.id, kind="dataset")
    assert pinned(text, pin.name).files == ("train.csv", "dev-0.csv", "dev-1.csv")
    assert pin.usage == "ingest: {file: e5_small-v2, files: {train: [train.csv], test: [dev-0.csv, dev-1.csv]}}"
    hub.files = {"loader.py": b""}
    with pytest.raises(UsageError, match="refs/convert/parquet"):
        pin_repository(TEXT, hub.id, kind="dataset")


def test_a_config_of_a_dataset(hub):
    card = "---\nconfigs:\n- {config_name: en, data_dir: en}\n- {config_name: de, data_dir: de}\n---\n"
    names = ("en/train.parquet", "en/validation.parquet", "de/all.parquet")
    hub.kind, hub.files = "dataset", {"README.md": card.encode(), **dict.fromkeys(names, b"")}
    with pytest.raises(UsageError, match=r"no default config\. .*'de'"):
        pin_repository(TEXT, hub.id, kind="dataset")
    text, pin = pin_repository(TEXT, hub.id, kind="dataset", config="en")
    source = pinned(text, pin.name)
    assert (source.config, source.splits) == ("en", {"train": "train", "test": "validation"})
    text, pin = pin_repository(TEXT, hub.id, kind="dataset", config="de")
    assert pinned(text, pin.name).splits == {"train": "train"}
    assert pin.usage == "ingest: {file: e5_small-v2/dataset.parquet, format: parquet}"


def test_the_branch_with_parquet_files_of_any_dataset(hub, monkeypatch):
    monkeypatch.setattr("tests.given.sources.BRANCH", PARQUET_BRANCH)
    hub.kind, hub.files = "dataset", dict.fromkeys(("default/train/0000.parquet", "default/test/0000.parquet"), b"")
    text, pin = pin_repository(TEXT, hub.id, kind="dataset", revision=PARQUET_BRANCH)
    assert pinned(text, pin.name).files == {
        "train": ("default/train/0000.parquet",),
        "test": ("default/test/0000.parquet",),
    }
    assert "dataset.parquet" in pin.usage
    hub.files = dict.fromkeys(("en/train/0000.parquet", "de/train/0000.parquet"), b"")
    with pytest.raises(UsageError, match="'de', 'en'"):
        pin_repository(TEXT, hub.id, kind="dataset", revision=PARQUET_BRANCH)
    text, pin = pin_repository(TEXT, hub.id, kind="dataset", revision=PARQUET_BRANCH, config="en")
    assert pinned(text, pin.name).files == ("en/train/0000.parquet",)
    assert pin.usage == "ingest: {file: e5_small-v2, files: [en/train/0000.parquet], format: parquet}"


def test_a_model_has_no_config(hub):
    with pytest.raises(UsageError, match="--config"):
        pin_repository(TEXT, hub.id, config="en")


def test_what_is_not_there(hub):
    with pytest.raises(UsageError, match="no such repository"):
        pin_repository(TEXT, "acme/other")
    with pytest.raises(UsageError, match="no such revision"):
        pin_repository(TEXT, hub.id, revision="gone")
    with pytest.raises(UsageError, match="another source is called 'minilm'"):
        pin_repository(TEXT, "acme/MiniLM")


def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(EnvironmentFault):
        pin_repository(TEXT, "acme/x")
