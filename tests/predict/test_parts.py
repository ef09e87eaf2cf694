from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.core.errors import Busy, EnvironmentFault
from pipeline.core.files import remove
from pipeline.predict.parts import hold_parts, list_others


def test_one_run_holds_the_parts_and_leaves_no_empty_folder(tmp_path):
    parts = tmp_path / "new" / "out.csv.parts"
    with hold_parts(parts):
        with pytest.raises(Busy), hold_parts(parts):
            pass
        assert parts.is_dir()
    assert not parts.exists()
    with hold_parts(parts):
        (parts / "kept").mkdir()
    with hold_parts(parts):
        assert (parts / "kept").is_dir()


def test_a_folder_that_was_removed_is_not_held_beside_the_new_one(tmp_path):
    parts, inside = tmp_path / "out.csv.parts", []

    def hold(_: int) -> int:
        try:
            with hold_parts(parts):
                inside.append(1)
                most = len(inside)
                inside.pop()
                remove(parts)  # the last that a run does
                return most
        except Busy:
            return 1

    with ThreadPoolExecutor(8) as runs:
        assert {*runs.map(hold, range(2000))} == {1}


def test_what_cannot_be_a_folder_of_parts_is_a_fault(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name in ("file", "link"):
        with pytest.raises(EnvironmentFault, match=name), hold_parts(tmp_path / name):
            pass


def test_only_keys_are_parts(tmp_path):
    (tmp_path / ("0" * 32)).mkdir()
    (tmp_path / ("0" * 32 + ".partial")).mkdir()
    assert list_others(tmp_path) == list_others(tmp_path / "none") == ""
    (tmp_path / "notes.txt").write_text("")
    assert "notes.txt" in list_others(tmp_path)
    assert list_others(tmp_path / "notes.txt") == "a file"
