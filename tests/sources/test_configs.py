"""Configs of a dataset of a hub on the loopback: the files that the library `datasets` takes, and none elsewhere."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError, PipelineError, UsageError
from pipeline.core.tables import name_indices
from pipeline.settings.sources import HubSource
from pipeline.sources.configs import Config, read_config
from pipeline.sources.hub import list_files
from pipeline.sources.hub_repository import bring_repository
from tests.given.sources import Hub, hub_source, pack_parquet, reach, serving

CARD = """---
license: mit
dataset_info:
- config_name: stars
  features:
  - name: text
    dtype: string
  - name: label
    dtype: {class_label: {names: {'0': poor, '1': fine}}}
configs:
- config_name: stars
  data_files:
  - {split: train, path: "stars/part-*"}
  - {split: dev, path: [stars/dev.parquet]}
- config_name: words
  data_dir: words
---
# Reviews
"""


def rows(*texts: str) -> bytes:
    return pack_parquet(text=list(texts), label=pa.array([index % 2 for index in range(len(texts))], pa.int64()))


FILES = {
    "README.md": CARD.encode(),
    "stars/part-1.parquet": rows("c", "d"),
    "stars/part-0.parquet": rows("a", "b"),
    "stars/dev.parquet": rows("e"),
    "words/data/train-00000-of-00001.parquet": rows("f"),
    "words/data/test-00000-of-00001.parquet": rows("g"),
    ".hidden/train.parquet": b"",
    "loader.py": b"import os\n",
}
STARS = {"train": ["stars/part-0.parquet", "stars/part-1.parquet"], "dev": ["stars/dev.parquet"]}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(dict(FILES))) as served:
        reach(served, monkeypatch)
        yield served


def ask(scratch: Path, name: str | None = None) -> Config:
    source = HubSource.model_validate(hub_source(("*",)))
    return read_config(source, list_files(source), scratch, name)


def source_of(config: str, splits: Mapping[str, str], **changes: Any) -> HubSource:
    return HubSource.model_validate(hub_source(None, config=config, splits=dict(splits), **changes))


@pytest.mark.usefixtures("hub")
def test_the_files_of_a_config_by_split(tmp_path: Path) -> None:
    stars = ask(tmp_path, "stars")
    assert (stars.name, stars.splits) == ("stars", STARS)
    assert stars.features["label"] == {"names": ["poor", "fine"], "_type": "ClassLabel"}
    words = ask(tmp_path, "words")
    assert words.splits == {split: [f"words/data/{split}-00000-of-00001.parquet"] for split in ("train", "test")}
    assert [*tmp_path.iterdir()] == []


def test_without_a_card_names_tell_the_splits(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"a/train.csv": b"", "a/test_1.csv": b"", "a/notes.md": b""}
    assert ask(tmp_path) == Config("default", {"train": ["a/train.csv"], "test": ["a/test_1.csv"]}, {})


@pytest.mark.usefixtures("hub")
def test_the_rows_are_those_that_the_library_loads(tmp_path: Path) -> None:
    import datasets  # seconds

    copy, out, scratch = (tmp_path / name for name in ("copy", "out", "scratch"))
    for name, content in FILES.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    for folder in (out, scratch):
        folder.mkdir()
    bring_repository(source_of("stars", {"train": "train", "test": "dev"}), out, scratch)
    table = pq.read_table(out / "dataset.parquet")
    assert [path.name for path in out.iterdir()] == ["dataset.parquet"]
    assert name_indices(table.schema, "label") == ("poor", "fine")
    for split, named in (("train", "train"), ("test", "dev")):
        loaded = datasets.load_dataset(str(copy), "stars", split=named, cache_dir=str(tmp_path / "cache"))
        part = table.filter(pa.compute.equal(table["split"], split)).drop(["split"])
        assert part.to_pylist() == loaded.to_list()
    joined = datasets.Dataset.from_parquet(str(out / "dataset.parquet"), cache_dir=str(tmp_path / "cache"))
    assert joined.features["label"] == loaded.features["label"]


@pytest.mark.parametrize(
    ("config", "splits", "words"),
    [
        ("star", {"train": "train"}, r"no config 'star'. The nearest are 'stars'"),
        ("stars", {"train": "train", "test": "test"}, r"no split 'test'"),
    ],
)
@pytest.mark.usefixtures("hub")
def test_what_is_not_there(tmp_path: Path, config: str, splits: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bring_repository(source_of(config, splits), tmp_path, tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "https://192.0.2.1/a.parquet", "hf://datasets/other/one/a.parquet", "/etc/passwd", "../a.parquet",
        "~/a.parquet", "zip://a.parquet::b.zip", "a/../../b.parquet", "C:/a.parquet", "file:///etc/passwd",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["data_files", "data_dir"])
def test_a_card_names_files_of_its_own_repository_alone(hub: Hub, tmp_path: Path, path: str, key: str) -> None:
    hub.files["README.md"] = f"---\nconfigs:\n- config_name: a\n  {key}: {path!r}\n---\n".encode()
    with pytest.raises(DataError, match="outside the repository"):
        ask(tmp_path, "a")
    nested = f"---\nconfigs:\n- config_name: a\n  data_files: [{{split: train, path: [{path!r}]}}]\n---\n"
    hub.files["README.md"] = nested.encode()
    with pytest.raises(DataError, match="outside the repository"):
        ask(tmp_path, "a")


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"README.md": b"---\nconfigs: [\n---\n"}, UsageError),
        ({"README.md": b"---\nconfigs: x\n---\n"}, UsageError),
        ({"README.md": b"---\nconfigs: [{}]\n---\n"}, UsageError),
        ({"README.md": b"\xff\xfe"}, UsageError),
        ({"README.md": b"---\nconfigs: " + b"[" * 3000 + b"\n---\n"}, UsageError),
        ({".huggingface.yaml": b""}, UsageError),
        ({"../evil.parquet": b""}, UsageError),
        ({"README.md": bytes(2**24 + 1)}, DataError),
    ],
)
def test_cards_and_names_that_are_refused(
    hub: Hub, tmp_path: Path, files: dict[str, bytes], kind: type[PipelineError]
) -> None:
    hub.files |= files
    with pytest.raises(kind, match="`files`"):
        ask(tmp_path, "stars")
    assert [*tmp_path.iterdir()] == []


def test_a_card_with_other_bytes_than_the_hub_states(hub: Hub, tmp_path: Path) -> None:
    hub.lies["README.md"] = FILES["README.md"][:-1] + b"!"
    with pytest.raises(DataError, match="checksum"):
        ask(tmp_path, "stars")


@pytest.mark.parametrize(
    "keys",
    [
        {}, {"files": ("*",), "config": "a", "splits": {"train": "train"}}, {"config": "a"}, {"splits": {"train": "a"}},
        {"config": "a", "splits": {}}, {"config": "a", "splits": {"dev": "dev"}},
        {"config": "a", "splits": {"train": "train"}, "type": "model"},
    ],
)  # fmt: skip
def test_a_source_has_files_or_a_config_with_its_splits(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        HubSource.model_validate({**hub_source(None), **keys})
