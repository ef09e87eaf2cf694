"""Debian packages by apt itself, from a folder in place of a mirror."""

import os
import shutil
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.settings.sources import DebianSource
from pipeline.sources.debian import bring_debian, unpack_package
from tests.given.sources import ar_archive, debian_source, make_deb, mirror, write_idx

apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt is Debian's")
FILES = {"usr/share/data/a.txt": b"one", "usr/share/data/b.txt": b"two"}


def bring(tmp_path, values):
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    bring_debian(DebianSource.model_validate(values), tmp_path / "out", tmp_path / "scratch")
    return {path.relative_to(tmp_path / "out").as_posix(): path for path in (tmp_path / "out").rglob("*")}


@apt
def test_only_the_members(tmp_path, monkeypatch):
    package = make_deb(tmp_path / "mirror", FILES)
    mirror(package, tmp_path, monkeypatch)
    found = bring(tmp_path, debian_source(package, {"usr/share/data/a.txt": "a.txt"}))
    assert {name: path.read_bytes() for name, path in found.items()} == {"a.txt": b"one"}


@apt
@pytest.mark.parametrize(
    ("changes", "fault", "words"),
    [
        ({"sha256": "0" * 64}, DataError, "not 0{64}, and was not opened"),
        ({"version": "9"}, UsageError, "snippets=9"),
        ({"package": "snippet"}, UsageError, "snippet=1.0-1"),
        ({"max_bytes": 100}, DataError, r"more than `fetch\.max_bytes`"),
    ],
)
def test_another_package_than_the_pinned_one(tmp_path, monkeypatch, changes, fault, words):
    package = make_deb(tmp_path / "mirror", FILES)
    mirror(package, tmp_path, monkeypatch)
    with pytest.raises(fault, match=words):
        bring(tmp_path, debian_source(package, {"usr/share/data/a.txt": "a.txt"}, **changes))
    assert not list((tmp_path / "out").iterdir())


@apt
def test_a_mirror_that_is_not_there(tmp_path, monkeypatch):
    package = make_deb(tmp_path / "mirror", FILES)
    mirror(package, tmp_path, monkeypatch)
    values = debian_source(package, {"usr/share/data/a.txt": "a.txt"})
    shutil.rmtree(package.parent)
    with pytest.raises(EnvironmentFault, match="mirrors"):
        bring(tmp_path, values)


@pytest.mark.parametrize("answer", ["", "'http://a/b.deb' b.deb many"])
def test_a_mirror_that_says_nothing_of_the_package(tmp_path, monkeypatch, answer):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/apt-get").write_text(f'#!/bin/sh\necho "{answer}"\n')
    (tmp_path / "bin/apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    package = make_deb(tmp_path / "mirror", FILES)
    with pytest.raises(EnvironmentFault, match="mirrors"):
        bring(tmp_path, debian_source(package, {"usr/share/data/a.txt": "a.txt"}))


def test_a_member_that_cannot_be_written_is_no_damage(tmp_path):
    (tmp_path / "file").write_text("")
    package = make_deb(tmp_path, FILES)
    with pytest.raises(EnvironmentFault):
        unpack_package(package, {"usr/share/data/a.txt": tmp_path / "file/a.txt"}, 10**6)


@apt
def test_idx_files_become_a_dataset(tmp_path, monkeypatch):
    images, labels = np.zeros((3, 2, 2), np.uint8), np.array([2, 0, 1], np.uint8)
    files = {
        f"d/{name}.gz": write_idx(tmp_path / f"{name}.gz", values).read_bytes()
        for name, values in (("images", images), ("labels", labels))
    }
    package = make_deb(tmp_path / "mirror", files)
    mirror(package, tmp_path, monkeypatch)
    splits = {"train": {"images": "d/images.gz", "labels": "d/labels.gz", "rows": 2}}
    source = DebianSource.model_validate(debian_source(package, splits))
    assert DebianSource.model_validate(source.model_dump(mode="json")) == source
    found = bring(tmp_path, debian_source(package, splits))
    assert pq.read_table(found["dataset.parquet"])["label"].to_pylist() == [2, 0]


@pytest.mark.parametrize("packer", ["xz", "gz", "zst", ""])
def test_packages_are_unpacked_however_they_are_packed(tmp_path, packer):
    package = make_deb(tmp_path, FILES, packer=packer)
    unpack_package(package, {"usr/share/data/b.txt": tmp_path / "b"}, 10**6)
    assert (tmp_path / "b").read_bytes() == b"two"


def linked(tar):
    entry = tarfile.TarInfo("./usr/share/data/a.txt")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar.addfile(entry)


def doubled(tar):
    for _ in range(2):
        tar.addfile(tarfile.TarInfo("./usr/share/data/a.txt"))


@pytest.mark.parametrize("fill", [linked, doubled])
def test_a_member_that_is_a_link_or_there_twice_is_refused(tmp_path, fill):
    package = make_deb(tmp_path, {}, fill=fill)
    with pytest.raises(DataError, match=r"'usr/share/data/a\.txt'"):
        unpack_package(package, {"usr/share/data/a.txt": tmp_path / "a"}, 10**6)


def test_a_missing_member_is_told_with_its_nearest(tmp_path):
    with pytest.raises(UsageError, match=r"no member 'usr/share/data/c\.txt'.*'usr/share/data/a\.txt'"):
        unpack_package(make_deb(tmp_path, FILES), {"usr/share/data/c.txt": tmp_path / "c"}, 10**6)


def test_a_bomb_is_not_unpacked(tmp_path):
    package = make_deb(tmp_path, {"zeros.txt": bytes(5 * 10**6)})
    assert package.stat().st_size < 10**4
    with pytest.raises(DataError, match="more than 1000000 bytes"):
        unpack_package(package, {"zeros.txt": tmp_path / "zeros"}, 10**6)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no package",
        ar_archive({}),
        ar_archive({"data.tar.lzma": b""}),
        ar_archive({"data.tar.xz": b"no xz"}),
        ar_archive({"data.tar.gz": b"no gzip"}),
        ar_archive({"data.tar": b"no tar" * 200}),
        ar_archive({"data.tar.xz": b""})[:30],
        b"!<arch>\n" + b"data.tar".ljust(48) + b"-5".ljust(10) + b"`\n",
    ],
)
def test_damaged_packages(tmp_path, content):
    path = tmp_path / "a.deb"
    path.write_bytes(content)
    with pytest.raises((DataError, UsageError)):
        unpack_package(path, {"a": tmp_path / "b"}, 10**6)
    assert not (tmp_path / "b").exists()


def test_a_truncated_package_is_damaged(tmp_path):
    package = make_deb(tmp_path, {"a": bytes(range(256)) * 4000})
    package.write_bytes(package.read_bytes()[:-200])
    with pytest.raises(DataError):
        unpack_package(package, {"a": tmp_path / "out"}, 10**8)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": {"a": "run.py"}},
        {"members": {"a": "x.txt", "b": "X.txt"}},
        {"members": {"../a": "x.txt"}},
        {"members": {"train": {"images": "i", "labels": "l", "rows": 0}}},
        {"members": {"other": {"images": "i", "labels": "l", "rows": 1}}},
        {"package": "--option"},
        {"version": "1 2"},
    ],
)
def test_sources_that_are_refused(tmp_path, changes):
    with pytest.raises(ValidationError):
        DebianSource.model_validate(debian_source(make_deb(tmp_path, FILES), {"a": "a.txt"}, **changes))
