import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from pipeline.core.parts.store import Store


def part(value, rows=100):
    return pa.record_batch({"value": pa.array([value] * rows, pa.int64())})


SIZE = 1344  # bytes of such a part on the disk


def test_a_part_is_found_by_its_name(tmp_path):
    store = Store(tmp_path / "parts")
    assert store.find("one") is None
    assert store.keep("one", part(1)).equals(part(1))
    again = Store(tmp_path / "parts")
    assert again.find("one").equals(part(1))
    assert again.find("two") is None
    assert [path.name for path in (tmp_path / "parts").iterdir()] == ["one"]


def test_nothing_is_kept_without_a_folder():
    store = Store(None)
    assert store.keep("one", part(1)).equals(part(1))
    assert store.find("one") is None


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "renamed"])
def test_a_damaged_part_is_not_found_and_is_replaced(tmp_path, damage):
    Store(tmp_path).keep("one", part(1))
    path = tmp_path / "one"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "renamed":
        Store(tmp_path).keep("two", part(2))
        content = (tmp_path / "two").read_bytes()
    path.write_bytes({"cut": content[:-9], "empty": b""}.get(damage, content))
    store = Store(tmp_path)
    assert store.find("one") is None
    store.keep("one", part(1))
    assert Store(tmp_path).find("one").equals(part(1))


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    store = Store(tmp_path, most=10 * SIZE)
    for number in range(3):
        store.keep(f"{number}", part(number))
        os.utime(tmp_path / f"{number}", (number, number))
    assert (tmp_path / "0").stat().st_size <= SIZE
    later = Store(tmp_path, most=3 * SIZE)
    assert later.find("0") is not None
    later.keep("3", part(3))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "2", "3"]


def test_a_run_removes_nothing_that_it_has_used(tmp_path):
    store = Store(tmp_path, most=2 * SIZE)
    for number in range(4):
        assert store.keep(f"{number}", part(number)).equals(part(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    assert Store(tmp_path, most=2 * SIZE).find("1") is not None


def test_a_smaller_bound_removes_parts_at_once(tmp_path):
    store = Store(tmp_path)
    for number in range(4):
        store.keep(f"{number}", part(number))
    Store(tmp_path, most=2 * SIZE)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_file_that_a_killed_process_left_goes_as_unused_parts_do(tmp_path):
    (tmp_path / "tmp1.partial").write_bytes(bytes(SIZE))
    os.utime(tmp_path / "tmp1.partial", (0, 0))
    store = Store(tmp_path, most=2 * SIZE)
    for number in range(2):
        store.keep(f"{number}", part(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "parts")
    assert store.keep("one", part(1)).equals(part(1))
    assert "No parts are kept" in capsys.readouterr().out


FULL = """
import resource, sys
from pathlib import Path
from pipeline.core.parts.store import Store
from tests.core.parts.test_store import part
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
store = Store(Path(sys.argv[1]))
for number in range(3):
    assert store.keep(str(number), part(number, 100 if number != 1 else 1000)).num_rows
assert store.find("0") is None
"""


def test_a_write_that_fails_keeps_nothing_more(tmp_path):
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "No parts are kept" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_several_runs_share_a_folder(tmp_path):
    def work(_):
        store = Store(tmp_path, most=20 * SIZE)
        return [(store.find(f"{at}") or store.keep(f"{at}", part(at))).equals(part(at)) for at in range(40)]

    with ThreadPoolExecutor(4) as threads:
        assert all(all(same) for same in threads.map(work, range(8)))
    assert not list(tmp_path.glob("*.partial"))
