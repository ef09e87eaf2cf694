import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.columns import EXAMPLE_COLUMNS
from pipeline.checks.keys import mark_keys
from pipeline.checks.measure import Measure, ratio
from pipeline.checks.measures import (
    NO_REFERENCE,
    build_frames,
    build_schema_frames,
    measure_examples,
    measure_rows,
    profile_train,
    tabulate_measures,
)
from pipeline.checks.suite import list_checks
from pipeline.core.errors import EnvironmentFault
from pipeline.settings.task import Profile
from tests.given.validating import CLASSES, good_rows, make_chunks, make_intake, make_params, make_table


def test_schema_frames_say_what_is_there_and_what_should_be() -> None:
    table = pa.table({"id": ["a"], "row": ["1"], "fine": [0.5]})
    found = build_schema_frames(table.schema, EXAMPLE_COLUMNS)
    assert found["header"].column_names == ["id", "row", "fine"]
    assert found["header"].num_rows == 0
    assert found["schema"].to_pydict() == {
        "name": ["id", "row", "fine"],
        "type": ["string", "string", "double"],
        "expected": ["string", "int64", "string"],
    }


def test_frames_count_splits_and_classes() -> None:
    chunks = make_chunks(
        make_table(good_rows(train=5, validation=2, test=0), labels=("negative", "positive", "never")), rows=2
    )
    found = build_frames(chunks, profile_train(chunks))
    assert found["splits"].to_pydict() == {"name": ["train", "validation", "test"], "rows": [5, 2, 0]}
    assert found["classes"].to_pydict() == {
        "name": ["negative", "positive", "never"],
        "rows": [3, 2, 0],
        "share": [3 / 5, 2 / 5, 0.0],
    }
    table = tabulate_measures({"one": Measure(0.5), "none": Measure(None, reason="why")})
    assert table.to_pydict() == {"one": [0.5], "none": [None]}


def measure_row_checks(rows: list[dict[str, object]], size: int = 7) -> dict[str, Measure]:
    chunks = mark_keys(make_chunks(make_table(rows), size), ("id", "text"))
    return measure_rows(list_checks(make_params(), CLASSES), chunks)


def test_the_rows_of_good_examples_pass() -> None:
    assert set(measure_row_checks(good_rows()).values()) == {Measure(0.0, shown="0 of 120 rows")}


def test_failed_rows_have_count_lines_and_names() -> None:
    rows = good_rows()
    for at, split in ((3, "dev"), (40, "\x1b[31m"), (41, "dev"), (60, "dev"), (61, "dev"), (62, "a"), (63, "b")):
        rows[at]["split"] = split
    found = measure_row_checks(rows)["split_known"]
    assert found == Measure(7.0, 7, (5, 42, 43, 62, 63), shown=r"7 of 120 rows: 'dev', '\x1b[31m'")
    assert measure_row_checks(rows, 1000)["split_known"] == found


def test_rows_without_anything_to_judge_have_no_number() -> None:
    found = measure_row_checks([{**row, "text": None} for row in good_rows(train=4, validation=0, test=0)])
    assert found["short_text"] == Measure(None, shown="0 of 4 rows")
    assert found["text_given"] == Measure(4.0, 4, (2, 3, 4, 5), shown="4 of 4 rows")


def test_measures_of_good_examples_are_zero() -> None:
    chunks = make_chunks(make_table(good_rows()))
    found = measure_examples(chunks, make_intake(), make_params(), profile_train(chunks))
    nothing = Measure(None, reason=NO_REFERENCE)
    assert found == {
        "broken_share": Measure(0.0),
        "conflict_share": Measure(0.0),
        "duplicate_share": Measure(0.0),
        "near_share": Measure(0.0),
        **dict.fromkeys(
            ("misread_share", "misread_any", "trimmed_share", "control_share", "normalised_share"), Measure(0.0)
        ),
        **dict.fromkeys(("empty_share", "unlabelled_share", "stale_share"), Measure(0.0)),
        **dict.fromkeys(("html_share", "percent_share", "backslash_share"), Measure(0.0)),
        "label_drift": nothing,
        "length_drift": nothing,
    }


def test_measures_have_the_rows_behind_them() -> None:
    rows = good_rows(train=20, validation=5, test=10)
    rows[3]["text"] += " \ufffd"
    rows[22]["text"] = rows[1]["text"] + "s"
    rows[30]["text"] = rows[0]["text"] + "s"
    intake = make_intake(
        rows=40, conflicts={"texts": 3, "rows": 8, "lines": [1, 2, 3, 4, 5, 6]},
        dropped={"duplicates": 10, "empty": 4, "unlabelled": 2},
        corrections={"given": 8, "stale": {"count": 2}},
        changed={
            "trimmed": {"rows": 3, "lines": [1]},
            "normalised": {"rows": 1, "lines": [9]}, "controls": {"rows": 20, "lines": [1, 2, 3, 4, 5]},
            "misread": {"rows": 2, "lines": [1, 2]},
        },
    )  # fmt: skip
    rows[4]["text"] += " &amp; <b>more</b>"
    chunks = make_chunks(make_table(rows))
    reference = Profile(rows=1, label_shares={"negative": 1.0, "positive": 0.0}, length_counts=(1, *[0] * 20))
    found = measure_examples(chunks, intake, make_params(reference=reference), profile_train(chunks))
    assert found["broken_share"] == Measure(1 / 35, 1, (5,))
    assert found["conflict_share"] == Measure(8 / 40, 8, (1, 2, 3, 4, 5))
    assert found["duplicate_share"] == Measure(10 / 40, 10)
    assert found["near_share"] == Measure(2 / 15, 2, (24, 32))
    assert found["empty_share"] == Measure(4 / 40, 4)
    assert found["unlabelled_share"] == Measure(2 / 40, 2)
    assert found["stale_share"] == Measure(2 / 8, 2)
    assert found["trimmed_share"] == Measure(3 / 40, 3, (1,))
    assert found["normalised_share"] == Measure(1 / 40, 1, (9,))
    assert found["control_share"] == Measure(20 / 40, 20, (1, 2, 3, 4, 5))
    assert found["misread_share"] == found["misread_any"] == Measure(2 / 40, 2, (1, 2))
    assert found["html_share"] == Measure(1 / 35, 1, (6,))
    assert found["label_drift"] == Measure(0.5)
    assert found["length_drift"] == Measure(1.0)


def test_missing_values_are_no_match_and_no_crash() -> None:
    rows = good_rows(train=4, validation=2, test=2)
    for name in ("id", "split", "text", "label", "row"):
        rows[0][name] = rows[1][name] = rows[7][name] = None
    chunks = make_chunks(make_table(rows))
    present = profile_train(chunks)
    assert measure_examples(chunks, make_intake(), make_params(), present)["near_share"] == Measure(0.0)
    assert build_frames(chunks, present)["splits"]["rows"].to_pylist() == [2, 2, 1]
    assert measure_row_checks(rows)["no_leak"] == Measure(0.0, shown="0 of 8 rows")


def test_shares_of_nothing_are_one() -> None:
    assert ratio(0, 0) == 1.0
    chunks = make_chunks(make_table([]))
    found = measure_examples(chunks, make_intake(rows=0), make_params(), profile_train(chunks))
    assert [found[name].value for name in ("broken_share", "conflict_share", "duplicate_share", "near_share")] == [
        1.0
    ] * 4


@given(st.integers(0, 100), st.integers(1, 100))
def test_share_is_a_quotient(part: int, whole: int) -> None:
    assert ratio(part, whole) == part / whole


@pytest.mark.parametrize(
    "intake",
    [
        {},
        {"rows": 1, "conflicts": None, "dropped": {}},
        {"rows": 1, "conflicts": {"rows": 0}, "dropped": {"duplicates": 0}},
        [],
    ],
)
def test_intake_of_another_shape_is_a_fault_of_the_files(intake: dict[str, object]) -> None:
    chunks = make_chunks(make_table(good_rows()))
    with pytest.raises(EnvironmentFault, match=r"intake: .*Error.*dvc repro"):
        measure_examples(chunks, intake, make_params(), profile_train(chunks))
