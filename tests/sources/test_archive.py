"""`extract`: honest archives give the same bytes; dishonest ones give nothing but a clear error."""

import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError, UsageError
from pipeline.sources.archive import extract, name_nearest

NAMES = st.text("aé日.- '", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))


def archive(folder: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w", method) as opened:
        for entry, content in entries:
            opened.writestr(entry, content)
    return path


def entry(name: str, *, mode: int = 0o100644, method: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = method
    return info


def attempt(path: Path, folder: Path, members: dict[str, str] | None = None, max_bytes: int = 10**6) -> None:
    folder.mkdir(exist_ok=True)
    extract(path, members or {"a.txt": "a.txt"}, folder, max_bytes=max_bytes)


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=5), st.integers(1, 5))
def test_the_bytes_of_the_members_and_nothing_else(contents: dict[str, bytes], taken: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = archive(folder, *((f"deep/{member}", content) for member, content in contents.items()))
        wanted = dict(list(contents.items())[:taken])
        members = {f"deep/{member}": f"new/{index}.txt" for index, member in enumerate(wanted)}
        attempt(path, folder / "out", members, max_bytes=max(1, sum(map(len, wanted.values()))))
        assert [(folder / "out" / target).read_bytes() for target in members.values()] == list(wanted.values())
        assert len(list((folder / "out" / "new").iterdir())) == len(wanted)


def test_modes_of_the_archive_are_not_kept(tmp_path: Path) -> None:
    attempt(archive(tmp_path, (entry("a.txt", mode=0o104755), b"x")), tmp_path / "out")
    assert not stat.S_IMODE((tmp_path / "out" / "a.txt").stat().st_mode) & 0o7111


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (entry("../evil.txt"), "leads out"),
        (entry("x/../../evil.txt"), "leads out"),
        (entry("/etc/evil.txt"), "leads out"),
        (entry("C:/evil.txt"), "leads out"),
        (entry("x\\..\\evil.txt"), "leads out"),
        (entry("x//evil.txt"), "leads out"),
        (entry("evil\x1b[31m.txt"), "leads out"),
        (entry("link.txt", mode=stat.S_IFLNK | 0o777), "link or a device"),
        (entry("pipe.txt", mode=stat.S_IFIFO | 0o666), "link or a device"),
        (entry("packed.txt", method=zipfile.ZIP_BZIP2), "method 12"),
    ],
)
def test_one_dishonest_entry_refuses_the_archive(tmp_path: Path, bad: zipfile.ZipInfo, words: str) -> None:
    path = archive(tmp_path, (entry("a.txt"), b"fine"), (bad, b"/etc/passwd"))
    with pytest.raises(DataError, match=words) as caught:
        attempt(path, tmp_path / "out")
    assert "\x1b" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_name_that_occurs_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive(tmp_path, ("a.txt", b"1"), ("a.txt", b"2"))
    with pytest.raises(DataError, match="occurs twice"):
        attempt(path, tmp_path / "out")


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = archive(tmp_path, (entry("a.txt"), b"secret"))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        attempt(path, tmp_path / "out")


def test_a_bomb_is_stopped_at_the_cap(tmp_path: Path) -> None:
    path = archive(tmp_path, ("a.txt", bytes(30 << 20)))
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"more than 1048576 bytes.*a\.txt.*fetch\.max_bytes"):
        attempt(path, tmp_path / "out", max_bytes=1 << 20)
    assert (tmp_path / "out" / "a.txt").stat().st_size <= 1 << 20


def test_the_cap_is_for_all_members_together(tmp_path: Path) -> None:
    path = archive(tmp_path, ("a.txt", bytes(60)), ("b.txt", bytes(60)))
    members = {"a.txt": "a.txt", "b.txt": "b.txt"}
    attempt(path, tmp_path / "fits", members, max_bytes=120)
    with pytest.raises(DataError, match="119 bytes"):
        attempt(path, tmp_path / "out", members, max_bytes=119)


def test_an_unknown_member_names_the_nearest(tmp_path: Path) -> None:
    path = archive(tmp_path, ("data/reviews.tsv", b""), ("data/spam.csv", b""), ("data/", b""))
    with pytest.raises(UsageError, match=r"no member 'data/review\.tsv'. The nearest are 'data/reviews\.tsv'"):
        attempt(path, tmp_path / "out", {"data/review.tsv": "a.txt"})
    with pytest.raises(UsageError, match="no member 'data/'"):
        attempt(path, tmp_path / "out", {"data/": "a.txt"})


def test_names_when_none_is_near() -> None:
    assert name_nearest("zzz", ["b", "a"]) == "There are 'a', 'b'."


def test_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"a\.zip is not a readable zip"):
        attempt(tmp_path / "a.zip", tmp_path / "out")


def test_a_member_that_does_not_fit_its_checksum(tmp_path: Path) -> None:
    path = archive(tmp_path, (entry("a.txt"), b"honest"))
    path.write_bytes(path.read_bytes().replace(b"honest", b"h0nest"))
    with pytest.raises(DataError, match=r"a\.zip: member 'a\.txt' is damaged: Bad CRC-32"):
        attempt(path, tmp_path / "out")


@given(st.data())
def test_damage_gives_an_error_or_the_true_bytes(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = b"some text that deflates, some text that deflates " * 3
        path = archive(folder, ("a.txt", content))
        damaged = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 3))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(damaged[: data.draw(st.integers(len(damaged) - 30, len(damaged)))])
        try:
            attempt(path, folder / "out")
        except (DataError, UsageError):
            return
        assert (folder / "out" / "a.txt").read_bytes() == content
