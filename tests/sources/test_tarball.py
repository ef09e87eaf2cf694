"""`unpack_tarball`: honest archives give the same bytes; dishonest ones give nothing but a clear error."""

import io
import tarfile
from pathlib import Path

import pytest

from pipeline.core.errors import DataError, UsageError
from pipeline.sources.tarball import unpack_tarball


def make(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for entry, content in entries:
            entry.size = len(content) if entry.isreg() else 0
            archive.addfile(entry, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, "/etc/passwd", 0o4755
    return info


def attempt(path: Path, *globs: str, max_bytes: int = 10**6) -> dict[str, bytes]:
    folder = path.parent / "out"
    folder.mkdir()
    unpack_tarball(path, globs or ("a",), folder, prefix="package/", suffix=".txt", max_bytes=max_bytes)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_files_of_the_globs_and_nothing_else(tmp_path: Path) -> None:
    entries = [(entry(f"package/{name}"), name.encode()) for name in ("ca01", "deep/ca02", "cb01", "README")]
    assert attempt(make(tmp_path / "a.tgz", *entries), "c[ab]*", "deep/c*") == {
        "ca01.txt": b"ca01",
        "cb01.txt": b"cb01",
        "deep/ca02.txt": b"deep/ca02",
    }


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (entry("../evil"), "leads out"),
        (entry("/etc/evil"), "leads out"),
        (entry("package/a"), "twice"),
        (entry("package/b", tarfile.SYMTYPE), "link"),
        (entry("package/b", tarfile.LNKTYPE), "link"),
        (entry("package/b", tarfile.FIFOTYPE), "link or a device"),
        (entry("package/b", tarfile.GNUTYPE_SPARSE), "sparse"),
    ],
)
def test_an_archive_with_a_bad_entry_gives_nothing(tmp_path: Path, bad: tarfile.TarInfo, words: str) -> None:
    path = make(tmp_path / "a.tgz", (entry("package/a"), b"x"), (bad, b""))
    with pytest.raises(DataError, match=words):
        attempt(path)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("content", [b"no gzip", b"\x1f\x8b\x08\x00", b""])
def test_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tgz").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.tgz is not a whole gzipped tar archive"):
        attempt(tmp_path / "a.tgz")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = make(tmp_path / "a.tgz", (entry("package/a"), b"x"), (entry("package/huge"), bytes(10**7)))
    with pytest.raises(DataError, match="more than 1000000 bytes"):
        attempt(path)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_glob_that_matches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no file 'b'"):
        attempt(make(tmp_path / "a.tgz", (entry("package/a"), b"x")), "b")
