import signal
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.parts.work import list_facts, open_work


def chunks(*groups):
    return [pa.record_batch({"id": group, "line": range(len(group))}) for group in groups]


def compute(rows):
    return pa.record_batch({"twice": [name * 2 for name in rows["id"].to_pylist()]})


def results(work, groups, **how):
    parts = list(work.do(chunks(*groups), compute, **how))
    return [part.result["twice"].to_pylist() for part in parts], [part.is_new for part in parts], work.describe()


@pytest.fixture
def out(tmp_path):
    (tmp_path / ".dvc").mkdir()
    return tmp_path / "data" / "out"


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_later_run_computes_what_is_new(out, ahead):
    first = results(open_work(out, "code", a=1), [["a", "b"], ["c"]], ahead=ahead)
    assert first == ([["aa", "bb"], ["cc"]], [True, True], "3 of 3 rows computed")
    second = results(open_work(out, "code", a=1), [["a", "b"], ["d", "e"], ["c"]], ahead=ahead)
    assert second == ([["aa", "bb"], ["dd", "ee"], ["cc"]], [False, True, False], "2 of 5 rows computed")


@pytest.mark.parametrize(("code", "facts"), [("other", {"a": 1}), ("code", {"a": 2}), ("code", {"b": 1})])
def test_another_code_or_fact_computes_anew(out, code, facts):
    results(open_work(out, "code", a=1), [["a"]])
    assert results(open_work(out, code, **facts), [["a"]])[1] == [True]
    assert results(open_work(out, "code", a=1), [["a"]])[1] == [False]


def test_some_columns_may_change(out):
    shifted = [part.set_column(1, "line", pa.array([7])) for part in chunks(["a"])]
    list(open_work(out, "code").do(chunks(["a"]), compute, but=("line",)))
    assert [part.is_new for part in open_work(out, "code").do(shifted, compute, but=("line",))] == [False]
    assert [part.is_new for part in open_work(out, "code").do(shifted, compute)] == [True]


@pytest.mark.parametrize("place", ["no code", "no repository"])
def test_nothing_is_kept_without_a_fingerprint_or_a_repository(out, tmp_path, place):
    (tmp_path / ".dvc").rename(tmp_path / (".dvc" if place == "no code" else "dvc"))
    for _ in range(2):
        assert results(open_work(out, None if place == "no code" else "code"), [["a"]])[1] == [True]
    assert not list(tmp_path.glob(".dvc/*"))


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_run_that_fails_leaves_its_parts_to_the_next(out, ahead):
    def fail(rows):
        if "c" in rows["id"].to_pylist():
            raise ValueError("c")
        return compute(rows)

    with pytest.raises(ValueError, match="c"):
        list(open_work(out, "code").do(chunks(["a"], ["b"], ["c"], ["d"]), fail, ahead=ahead))
    assert results(open_work(out, "code"), [["a"], ["b"], ["c"]])[1] == [False, False, True]


@given(st.lists(st.lists(st.text("abc", max_size=3), min_size=1, max_size=3), max_size=8), st.integers(0, 3))
def test_results_come_in_order(tmp_path_factory, groups, ahead):
    root = tmp_path_factory.mktemp("order")
    (root / ".dvc").mkdir()
    for _ in range(2):
        assert results(open_work(root / "out", "code"), groups, ahead=ahead)[0] == [
            [name * 2 for name in group] for group in groups
        ]


def test_facts_of_a_schema_leave_some_out():
    schema = pa.schema({"id": pa.string()}, {"task": "t", "size": "3", "labels": "[]"})
    assert list_facts(schema, but=("task",)) == {"labels": "[]", "size": "3"}
    assert list_facts(pa.schema({"id": pa.string()}), but=()) == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from pipeline.core.parts.work import open_work
from tests.core.parts.test_work import chunks, compute

def die(rows):
    if "c" in rows["id"].to_pylist():
        os.kill(os.getpid(), signal.SIGKILL)
    return compute(rows)

list(open_work(Path(sys.argv[1]), "code").do(chunks(["a"], ["b"], ["c"], ["d"]), die))
"""


def test_a_killed_run_leaves_its_parts_to_the_next(out):
    process = subprocess.run([sys.executable, "-c", KILLED, str(out)], check=False)
    assert process.returncode == -signal.SIGKILL
    expected = [["aa"], ["bb"], ["cc"], ["dd"]], [False, False, True, True], "2 of 4 rows computed"
    assert results(open_work(out, "code"), [["a"], ["b"], ["c"], ["d"]]) == expected
