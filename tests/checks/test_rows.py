"""Tests of rows beside Great Expectations, which judges whole frames."""

import math

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.expectations import run_checks
from pipeline.checks.rows import (
    RowTest,
    count_failures,
    is_longer,
    is_marked,
    is_missing,
    is_shorter,
    is_unknown,
    matches,
)
from pipeline.checks.suite import BROKEN, Check
from tests.given.validating import make_chunks

FRAME = pa.table(
    {
        "row": pa.array([2, 3, 4, None, 6, 7, 8, 9, 10, 11], pa.int64()),
        "text": ["a", "bb", None, "dd", "a", "\ufffd", "Ã©", "", "\U0001f642e\u0301", "abc"],
        "label": pa.array([0, 1, 2, None, -1, 0, 7, 7, 8, 9], pa.int64()),
        "number": [0.5, None, math.nan, 1.0, 2.0, math.inf, 0.0, 1.0, 1.0, 1.0],
        "kind": ["x", "y", None, "x", "x", "x", "x", "z", "z", "z"],
        "flag": [False, False, True, None, False, True, True, True, True, True],
        "none": pa.array([None] * 10, pa.string()),
    }
)
PAIRS: dict[str, tuple[RowTest, str, dict[str, object]]] = {
    "missing text": (is_missing("text"), "not_be_null", {"column": "text"}),
    "missing number": (is_missing("number"), "not_be_null", {"column": "number"}),
    "unknown label": (is_unknown("label", [0, 1]), "be_in_set", {"column": "label", "value_set": [0, 1]}),
    "unknown kind": (is_unknown("kind", ("x",)), "be_in_set", {"column": "kind", "value_set": ["x"]}),
    "short": (is_shorter("text", 2), "lengths_to_be_between", {"column": "text", "min_value": 2}),
    "long": (is_longer("text", 2), "lengths_to_be_between", {"column": "text", "max_value": 2}),
    "broken": (matches("text", BROKEN), "not_match_regex", {"column": "text", "regex": BROKEN}),
    "marked": (is_marked("flag"), "be_in_set", {"column": "flag", "value_set": [False]}),
    "nothing": (is_unknown("none", ("x",)), "be_in_set", {"column": "none", "value_set": ["x"]}),
}


def name_expectation(words: str) -> str:
    return f"expect_column_value_{words}" if words.startswith("lengths") else f"expect_column_values_to_{words}"


@pytest.fixture(scope="module")
def verdicts():
    checks = [Check(name, "", "warning", "frame", "", "", name_expectation(words), kwargs)
              for name, (_, words, kwargs) in PAIRS.items()]  # fmt: skip
    return dict(zip(PAIRS, run_checks(checks, {"frame": FRAME}), strict=True))


@pytest.mark.parametrize("rows", [1, 3, 100])
@pytest.mark.parametrize("name", PAIRS)
def test_it_judges_as_great_expectations_does(verdicts, name: str, rows: int) -> None:
    verdict, test = verdicts[name], PAIRS[name][0]
    assert verdict.error is None
    found = count_failures(make_chunks(FRAME, rows), {name: test})[name]
    assert (found.total, found.judged, found.rows) == (verdict.total, verdict.judged, verdict.failures)
    places = [FRAME["row"][at].as_py() for at in verdict.positions]
    assert [line for line in found.lines if line in places] == [line for line in places if line is not None]
    if test.shown:
        assert list(found.values) == [FRAME[test.shown][at].as_py() for at in verdict.positions]


def test_a_row_without_an_id_has_no_id_to_repeat() -> None:
    table = pa.table({"id": ["a", None, "a"], "repeated": [True, True, True], "row": [1, 2, 3]})
    found = count_failures(make_chunks(table), {"id": is_marked("repeated", of="id")})["id"]
    assert (found.judged, found.rows, found.lines) == (2, 2, (1, 3))


def test_lines_of_several_files_name_theirs() -> None:
    table = pa.table({"flag": [True, True, False, True], "row": [2, None, 4, 5], "file": ["a", "a", "b", "b"]})
    assert count_failures(make_chunks(table, 1), {"flag": is_marked("flag")})["flag"].lines == ("a:2", "b:5")


@given(st.lists(st.booleans() | st.none()), st.integers(1, 9))
def test_the_first_lines_are_kept(flags: list[bool | None], rows: int) -> None:
    table = pa.table({"flag": pa.array(flags, pa.bool_()), "row": pa.array(range(len(flags)), pa.int64())})
    found = count_failures(make_chunks(table, rows), {"flag": is_marked("flag")})["flag"]
    failed = [at for at, flag in enumerate(flags) if flag]
    assert (found.rows, found.lines) == (len(failed), tuple(failed[:5]))
    assert (found.total, found.judged) == (len(flags), len(flags) - flags.count(None))
