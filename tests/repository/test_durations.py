import json
import math
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.durations import DURATIONS_FILE, read_durations, record_duration


def test_the_median_of_the_last_five_counts(tmp_path):
    assert read_durations(tmp_path) == {}
    for seconds in (100.0, 100.0, 1.0, 2.0, 3.0, 4.0, 90.0):
        record_duration(tmp_path, "a", seconds)
    record_duration(tmp_path, "b", 7.0)
    assert read_durations(tmp_path) == {"a": 3.0, "b": 7.0}


def test_lines_of_several_writers_stay_whole_and_a_torn_one_does_not_count(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: record_duration(tmp_path, "a", 1.0), range(200)))
    assert len((tmp_path / DURATIONS_FILE).read_text().splitlines()) == 200
    with (tmp_path / DURATIONS_FILE).open("a") as stream:
        stream.write('{"stage": "a", "sec')
    assert read_durations(tmp_path) == {"a": 1.0}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
LINES = st.lists(JSON | st.fixed_dictionaries({"stage": JSON, "seconds": JSON}), max_size=5)
DEEP = "[" * 100_000 + "]" * 100_000


@given(st.binary() | LINES.map(lambda lines: "\n".join(map(json.dumps, lines)).encode()) | st.just(DEEP.encode()))
def test_no_damage_stops_a_plan(tmp_path_factory, damage):
    root = tmp_path_factory.mktemp("root")
    (root / DURATIONS_FILE).parent.mkdir(parents=True)
    (root / DURATIONS_FILE).write_bytes(damage)
    assert all(0.0 <= seconds < math.inf for seconds in read_durations(root).values())
