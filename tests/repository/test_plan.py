import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.plan import (
    Reason,
    Step,
    affected,
    cell,
    document,
    duration,
    markdown,
    parameter_reasons,
    read,
    table,
    told,
    totals,
)

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner))
REASONS = st.builds(
    Reason, st.sampled_from(["command", "dependency", "output", "parameter"]), st.text(), LEAVES, LEAVES
)
STEPS = st.builds(
    Step, st.text(min_size=1), st.sampled_from(["unchanged", "restore", "run", "maybe"]),
    st.lists(REASONS, max_size=6).map(tuple), st.lists(st.text(), max_size=3).map(tuple),
    st.sampled_from(["cpu", "gpu", "network"]), st.none() | st.floats(0, 1e6), st.none() | st.floats(1, 1e6),
)  # fmt: skip


def step(name: str, verdict: str = "run", *reasons: Reason, seconds: float | None = None) -> Step:
    return Step(name, verdict, reasons, (), "cpu", seconds)


@given(st.lists(STEPS, max_size=5))
def test_a_plan_survives_json(plan):
    assert read(json.loads(json.dumps(document(plan)))) == plan


@given(VALUES, VALUES)
def test_parameters_differ_exactly_where_a_reason_says_so(old, new):
    reasons = parameter_reasons("p", old, new)
    assert bool(reasons) == (old != new) or (isinstance(old, dict) and isinstance(new, dict))
    assert all(reason.old != reason.new for reason in reasons)


def test_leaves_have_their_path_and_absent_is_none():
    old, new = {"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 5}, "e": 6}
    assert [tuple(reason)[1:] for reason in parameter_reasons("p", old, new)] == [
        ("p.b.c", 2, 5),
        ("p.b.d", 3, None),
        ("p.e", None, 6),
    ]


def test_reasons_are_told_in_words():
    digest, other = "a" * 64, "b" * 64
    assert told(Reason("parameter", "finetune.spam.epochs", 1, 2)) == "finetune.spam.epochs 1 -> 2"
    assert told(Reason("parameter", "finetune.spam.x", None, "y")) == "finetune.spam.x nothing -> 'y'"
    assert told(Reason("parameter", "finetune", digest, other)) == "code of finetune"
    assert told(Reason("parameter", "fetch.a.sha256", digest, other)) == "fetch.a.sha256 changed"
    assert told(Reason("command", "", old=True)) == "another command"
    assert told(Reason("command", "", old=False)) == "never ran"
    assert told(Reason("upstream", "params")) == "after params"
    assert told(Reason("dependency", "a.txt", new="modified")) == "dependency a.txt modified"
    assert len(told(Reason("parameter", "p", "x" * 1000, 1))) < 80


def test_the_table_has_what_is_affected_and_a_total():
    plan = [
        step("code", "unchanged", seconds=9.0),
        step("ingest@spam", "run", Reason("dependency", "a", new="modified"), seconds=2.0),
        step("report", "maybe", *(Reason("upstream", name) for name in "uvwxyz"), seconds=70.0),
        step("late", "run"),
    ]
    assert table(plan).splitlines() == [
        "stage        verdict  lately   why",
        "ingest@spam  run      2.0 s    dependency a modified",
        "report       maybe    0:01:10  after u, after v, after w, after x, 2 more",
        "late         run",
        "1 unchanged, 2 run, 1 maybe; expected 2.0 s of work; up to 0:01:12; 1 never timed",
    ]
    assert table(plan[:1]) == markdown(plan[:1]) == "1 unchanged"
    assert totals([]) == "no stages"
    assert affected(plan) == ["ingest@spam", "report", "late"]


@given(st.lists(STEPS, max_size=4))
def test_markdown_is_one_row_a_stage_whatever_the_names_are(plan):
    lines = markdown(plan).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == (2 + len(affected(plan)) if affected(plan) else 0)
    assert all(line.replace("\\|", "").count("|") == 5 for line in rows)


@given(st.text())
def test_a_cell_holds_no_markup(text):
    found = cell(text)
    assert "\n" not in found
    assert "://" not in found
    for place, letter in enumerate(found):
        if letter in "|<>`*_[]@&":
            assert found[place - 1] == "\\"


def test_durations_are_readable():
    assert [duration(value) for value in (0.04, 9.96, 12.4, 125.0, 90061.0)] == [
        "0.0 s", "10.0 s", "12 s", "0:02:05", "1 day, 1:01:01",
    ]  # fmt: skip
