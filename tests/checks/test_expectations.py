import json
import socket
import subprocess
import sys

import pyarrow as pa
import pytest

from pipeline.checks.expectations import NO_RESULT, describe_error, run_checks
from pipeline.checks.findings import CheckResult
from pipeline.checks.suite import BROKEN, Check

FRAME = pa.table(
    {
        "row": pa.array([2, 3, 4, None, 6, 7, 8], pa.int64()),
        "text": ["a", "bb", None, "dd", "a", "\ufffd", "Ã©"],
        "kind": ["x", "y", "x", "x", "x", "x", "x"],
        "flag": [False, False, True, False, False, False, False],
        "none": pa.array([None] * 7, pa.string()),
    }
)


def ask(expectation: str, **kwargs: object) -> Check:
    name = "_".join([expectation, *map(str, kwargs.values())])
    return Check(name, "Title", "critical", "frame", "", "", f"expect_{expectation}", kwargs)


@pytest.fixture(scope="module")
def answers() -> dict[str, CheckResult]:
    """Every question at once: what matters is each answer, and a run costs more than a question."""
    questions = {
        "null": ask("column_values_to_not_be_null", column="text"),
        "unique": ask("column_values_to_be_unique", column="text"),
        "set": ask("column_values_to_be_in_set", column="kind", value_set=["x"]),
        "flag": ask("column_values_to_be_in_set", column="flag", value_set=[False]),
        "short": ask("column_value_lengths_to_be_between", column="text", min_value=2),
        "regex": ask("column_values_to_not_match_regex", column="text", regex=BROKEN),
        "between": ask("column_values_to_be_between", column="row", max_value=6),
        "pair": ask("column_pair_values_to_be_equal", column_A="text", column_B="kind"),
        "columns": ask("table_columns_to_match_ordered_list", column_list=FRAME.column_names),
        "wrong columns": ask("table_columns_to_match_ordered_list", column_list=["row"]),
        "vacuous": ask("column_values_to_be_in_set", column="none", value_set=["x"]),
        "nested": ask("column_values_to_be_unique", column="missing"),
        "flat": ask("column_values_to_be_of_type", column="missing", type_="str"),
        "unknown": ask("column_values_to_be_lovely", column="text"),
    }
    return dict(zip(questions, run_checks(list(questions.values()), {"frame": FRAME}), strict=True))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("null", CheckResult(False, 7, 7, 1, (2,))),
        ("unique", CheckResult(False, 6, 7, 2, (0, 4))),
        ("set", CheckResult(False, 7, 7, 1, (1,))),
        ("flag", CheckResult(False, 7, 7, 1, (2,))),
        ("short", CheckResult(False, 6, 7, 3, (0, 4, 5))),
        ("regex", CheckResult(False, 6, 7, 2, (5, 6))),
        ("between", CheckResult(False, 6, 7, 2, (5, 6))),
        ("pair", CheckResult(False, 7, 7, 7, (0, 1, 2, 3, 4))),
        ("columns", CheckResult(True)),
        ("wrong columns", CheckResult(False, failures=1)),
        ("vacuous", CheckResult(True, 0, 7)),
        ("unknown", NO_RESULT),
    ],
)
def test_each_answer(answers: dict[str, CheckResult], name: str, expected: CheckResult) -> None:
    assert answers[name] == expected


def test_a_check_that_raised_is_an_error_in_both_shapes(answers: dict[str, CheckResult]) -> None:
    assert answers["nested"].error == repr('Error: The column "missing" in BatchData does not exist.')
    assert answers["flat"].error == "'list index out of range'"
    assert [name for name, answer in answers.items() if answer.error] == ["nested", "flat", "unknown"]


def test_error_messages_are_escaped_and_short() -> None:
    raised = {"raised_exception": True, "exception_message": "\x1b[31m" + "x" * 1000, "exception_traceback": ""}
    for shape in (raised, {"metric": raised, "other": {**raised, "raised_exception": False}}):
        message = describe_error(shape)
        assert message is not None
        assert message.isprintable()
        assert message.startswith(r"'\x1b[31m")
        assert len(message) == 300
    assert describe_error({"raised_exception": False, "exception_message": None}) is None
    assert describe_error({}) is None


def test_answers_come_in_the_order_of_the_questions_over_frames() -> None:
    small = pa.table({"n": [1]})
    questions = [
        Check(
            name, "", "warning", frame, "", "", "expect_column_values_to_be_between", {"column": "n", "max_value": most}
        )
        for name, frame, most in [("a", "one", 0), ("b", "two", 1), ("c", "one", 1), ("d", "two", 0)]
    ]
    found = run_checks(questions, {"one": small, "two": small})
    assert [answer.success for answer in found] == [False, True, True, False]


def test_an_empty_frame_is_judged_and_nothing_was_there() -> None:
    questions = [ask("column_values_to_not_be_null", column="text"), ask("column_values_to_be_unique", column="text")]
    assert run_checks(questions, {"frame": FRAME.slice(0, 0)}) == [CheckResult(True, 0, 0), CheckResult(True, 0, 0)]


def test_nothing_is_printed_and_no_connection_made(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*address: object) -> None:
        raise AssertionError(f"the network was tried: {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    run_checks([ask("column_values_to_be_unique", column="text")], {"frame": FRAME})
    out = capfd.readouterr()
    assert out.out == out.err == ""


def test_import_is_quiet_without_network_and_warnings() -> None:
    code = (
        "import socket, sys, json, warnings\n"
        "tried = []\n"
        "calls = ('socket.connect', 'socket.getaddrinfo')\n"
        "sys.addaudithook(lambda event, _: tried.append(event) if event in calls else None)\n"
        "import pipeline.checks.expectations\n"
        "import pyarrow as pa\n"
        "from pipeline.checks.suite import Check\n"
        "check = Check('a', '', 'critical', 'f', '', '', 'expect_column_values_to_not_be_null', {'column': 'n'})\n"
        "assert pipeline.checks.expectations.run_checks([check], {'f': pa.table({'n': [1]})})[0].success\n"
        "print(json.dumps(tried))\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
    assert done.stderr == ""
