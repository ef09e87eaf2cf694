import errno
import json
import shutil
from pathlib import Path

import pytest

from benchmarks.places_soak import DISK_BYTES, make_folders
from benchmarks.soak import find_overlaps


def test_a_remote_is_out_of_reach_until_it_is_back_with_all_that_it_had(tmp_path):
    with make_folders(tmp_path) as (folders, _):
        (folders.remote / "kept").write_text("kept")
        folders.link_remote(there=False)
        for fail in (lambda: list(folders.remote.iterdir()), lambda: (folders.remote / "new").mkdir(parents=True)):
            with pytest.raises(NotADirectoryError):
                fail()
        folders.link_remote(there=True)
        assert [path.name for path in folders.remote.iterdir()] == ["kept"]


def test_the_disk_of_the_workers_is_full_until_it_is_freed_and_no_other_one_is(tmp_path):
    with make_folders(tmp_path) as (folders, has_disk):
        if not has_disk:
            with pytest.raises(NotADirectoryError):
                folders.fill_disk()
            return
        assert shutil.disk_usage(folders.disk).total == DISK_BYTES
        folders.fill_disk()
        with pytest.raises(OSError, match=f"Errno {errno.ENOSPC}"):
            (folders.disk / "more").write_bytes(b"more")
        folders.free_disk()
        (folders.disk / "more").write_bytes(b"more")
    assert not folders.disk.is_mount()


def test_a_line_of_the_journal_that_was_cut_hides_no_overlap(tmp_path):
    journal = Path(tmp_path, "journal")
    assert find_overlaps(journal) == []
    lines = [json.dumps({"event": event, "stage": "a"}) for event in ("begin", "overlap", "end")]
    journal.write_text(f"\n{lines[0]}\n\n{lines[1][:9]}\n{lines[1]}\n\n{lines[2]}\n", encoding="utf-8")
    assert find_overlaps(journal) == [f"two at a time: {lines[1]}"]
