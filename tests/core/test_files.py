import errno
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import find_repository, publish, read_json, remove, sha256, write_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def test_a_file_appears_whole(tmp_path):
    out = tmp_path / "deep" / "er" / "file.txt"
    with publish(out) as partial:
        partial.write_text("half")
        assert not out.exists()
    assert out.read_text() == "half"
    assert list(out.parent.iterdir()) == [out]


def test_a_folder_replaces_the_old_one_whole(tmp_path):
    out = tmp_path / "model"
    for name in ("old", "new"):
        with publish(out) as partial:
            partial.mkdir()
            (partial / name).write_text(name)
    assert [path.name for path in out.iterdir()] == ["new"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_after_an_error_the_old_content_stands_and_nothing_is_left(tmp_path, error):
    out = tmp_path / "file"
    out.write_text("old")
    with pytest.raises(type(error)), publish(out) as partial:  # noqa: PT012 the error comes after the writing
        partial.write_text("new")
        raise error
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_full_disk_is_an_environment_fault(tmp_path):
    out = tmp_path / "file"
    with pytest.raises(EnvironmentFault, match=r"/file: .*No space left.*Free space"), publish(out):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_an_environment_fault(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(EnvironmentFault, match=r"f/x\.json: "):
        write_json(tmp_path / "f/x.json", {})
    assert list(tmp_path.iterdir()) == [tmp_path / "f"]


def test_leftovers_of_a_killed_run_do_not_mix_in(tmp_path):
    out = tmp_path / "model"
    leftover = tmp_path / "model.partial"
    leftover.mkdir()
    (leftover / "stale").write_text("x")
    with publish(out) as partial:
        partial.mkdir()
        (partial / "fresh").write_text("y")
    assert [path.name for path in out.iterdir()] == ["fresh"]


def test_remove_takes_a_link_not_its_target(tmp_path):
    target = tmp_path / "target"
    target.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target)
    remove(link)
    remove(tmp_path / "absent")
    assert target.is_dir()
    assert not link.exists()


def test_sha256_is_the_standard_one(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(JSON)
def test_json_round_trips_and_cannot_close_a_tag(value):
    text = json_text(value)
    assert json.loads(text) == value
    assert not re.search("[<>&]", text)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [-float("inf")]}])
def test_json_refuses_what_is_not_json(value):
    with pytest.raises(ValueError, match="Out of range float"):
        json_text(value)


def test_write_and_read(tmp_path):
    write_json(tmp_path / "x.json", {"ü": [1, None]})
    assert read_json(tmp_path / "x.json") == {"ü": [1, None]}


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"a": NaN}', b"[Infinity]", b"\xff"])
def test_reading_what_is_not_there_or_not_json_is_an_environment_fault(tmp_path: Path, content):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EnvironmentFault, match=r"/x\.json: .*`dvc repro`"):
        read_json(path)
    with pytest.raises(EnvironmentFault, match=r"/x\.json: .*\. Remove it\.$"):
        read_json(path, fix="Remove it.")


def test_the_repository_is_the_nearest_one(tmp_path, monkeypatch):
    (tmp_path / "outer" / ".dvc").mkdir(parents=True)
    (tmp_path / "outer" / "inner" / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "outer")
    assert find_repository(Path("data/out")) == tmp_path / "outer"
    assert find_repository(Path("inner/data/out")) == tmp_path / "outer" / "inner"
    assert find_repository(tmp_path / "out") is None
