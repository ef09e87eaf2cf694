"""Files of a hub on the loopback: the right ones, whole, and none that may hold code."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import constants
from pydantic import ValidationError

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.settings.sources import HubSource
from pipeline.sources.hub import select_files
from pipeline.sources.hub_repository import bring_repository
from tests.given.sources import REVISION, Hub, hub_source, pack_parquet, reach, serving

FILES = {
    "README.md": b"# Reviews\n",
    "data/train.parquet": pack_parquet(text=["one", "two"]),
    "data/test.parquet": pack_parquet(text=["three"]),
    "odd [1].csv": b"text\n",
    "loader.py": b"import os\n",
    "pytorch_model.bin": b"\x80\x04",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(dict(FILES))) as served:
        reach(served, monkeypatch)
        yield served


def bring(tmp_path: Path, files: Any, **changes: Any) -> dict[str, bytes]:
    """Return what came, by path below the output."""
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    bring_repository(HubSource.model_validate(hub_source(files, **changes)), out, scratch)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("hub")
def test_files_as_they_are(tmp_path: Path) -> None:
    names = ("README.md", "data/train.parquet", "data/test.parquet", "odd [1].csv")
    assert bring(tmp_path, ("*.md", "data/*", "odd [1].csv")) == {name: FILES[name] for name in names}


@pytest.mark.usefixtures("hub")
def test_splits_become_one_file_in_their_order(tmp_path: Path) -> None:
    files = bring(tmp_path, {"test": ("data/test*",), "train": ("data/train*",)})
    assert list(files) == ["dataset.parquet"]
    rows = pq.read_table(io.BytesIO(files["dataset.parquet"])).to_pylist()
    assert [(row["text"], row["split"]) for row in rows] == [("three", "test"), ("one", "train"), ("two", "train")]


@pytest.mark.parametrize(
    ("files", "changes", "kind", "words"),
    [
        (("*.md",), {"revision": "f" * 40}, UsageError, "no such revision"),
        (("*.md",), {"id": "acme/review"}, UsageError, "no such repository"),
        (("*.md",), {"id": "acme/a--b"}, UsageError, "no such repository"),
        (
            ("data/trein.parquet",),
            {},
            UsageError,
            r"no file 'data/trein\.parquet'. The nearest are 'data/train\.parquet'",
        ),
        (("*.py",), {}, UsageError, r"refused.* found 'loader\.py'"),
        (("*",), {}, UsageError, r"refused.* found '(loader\.py|pytorch_model\.bin)'"),
        (("data/*",), {"max_bytes": 700}, DataError, r"more than the 700 of `fetch\.max_bytes`"),
        ({"train": ("*.md",)}, {}, DataError, "not a Parquet file"),
    ],
)
@pytest.mark.usefixtures("hub")
def test_what_is_refused(
    tmp_path: Path, files: Any, changes: dict[str, Any], kind: type[PipelineError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        bring(tmp_path, files, **changes)
    assert [path for path in (tmp_path / "out").rglob("*") if path.name != "dataset.parquet"] == []


@pytest.mark.parametrize("name", ["README.md", "data/train.parquet"])
def test_other_bytes_than_the_hub_states(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.lies[name] = FILES[name][:-1] + b"!"
    with pytest.raises(DataError, match=r"checksum \w{40,64}, and the hub states \w{40,64}"):
        bring(tmp_path, (name,))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["README.md", "data/train.parquet"])
def test_bytes_are_counted_as_they_come(hub: Hub, tmp_path: Path, name: str) -> None:
    # The server states a few bytes and sends a billion.
    hub.endless.add(name)
    with pytest.raises(DataError, match=rf"more bytes come than the {len(FILES[name])} "):
        bring(tmp_path, (name,))
    assert hub.sent < 20_000_000
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 1_000_000


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://192.0.2.1/evil.md", "http://192.0.2.1"),
        ("file:///etc/passwd", "file://"),
        ("ftp://127.0.0.1/evil.md", "ftp://127.0.0.1"),
        ("https://127.0.0.1:9/evil.md", None),
    ],
)
def test_a_redirect_leads_only_to_https(hub: Hub, tmp_path: Path, address: str, words: str | None) -> None:
    hub.moved["README.md"] = address
    kind, words = (DataError, f"redirects to https .*{words}") if words else (EnvironmentFault, "ConnectError")
    with pytest.raises(kind, match=words):
        bring(tmp_path, ("README.md",))
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_redirect_on_the_loopback_is_followed(hub: Hub, tmp_path: Path) -> None:
    hub.moved["README.md"] = hub.url.replace("127.0.0.1", "localhost") + f"/datasets/{hub.id}/resolve/{REVISION}/data/x"
    hub.files["data/x"] = FILES["README.md"]
    assert bring(tmp_path, ("README.md",)) == {"README.md": FILES["README.md"]}


def test_a_download_that_breaks_off_is_tried_three_times(hub: Hub, tmp_path: Path) -> None:
    hub.broken.add("data/train.parquet")
    hub.breaks = 2
    assert bring(tmp_path, ("data/train.parquet",)) == {"data/train.parquet": FILES["data/train.parquet"]}


def test_a_download_that_breaks_off(hub: Hub, tmp_path: Path) -> None:
    hub.broken.add("data/train.parquet")
    with pytest.raises(EnvironmentFault, match=r"dataset acme/reviews at 0123456789abcdef.* http://127"):
        bring(tmp_path, ("data/train.parquet",))


def test_no_hub_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(EnvironmentFault, match=r"dataset acme/reviews at 0123456789abcdef.* http://127\.0\.0\.1:9\b"):
        bring(tmp_path, ("*.md",))


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil.txt", "a\\..\\evil.txt"])
def test_names_that_lead_out(name: str) -> None:
    with pytest.raises(UsageError, match="refused"):
        select_files(("*",), {name: None})


def test_a_model_has_no_splits() -> None:
    with pytest.raises(ValidationError, match="only a dataset has splits"):
        HubSource.model_validate(hub_source({"train": ("a.parquet",)}, type="model"))
