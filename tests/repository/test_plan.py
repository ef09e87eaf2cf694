import json
import re

from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.plan import (
    PlannedStage,
    StageReason,
    describe_reason,
    format_duration,
    list_affected,
    plan_to_json,
    plan_to_markdown,
    plan_to_text,
    summarize_plan,
)

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
REASONS = st.builds(
    StageReason, st.sampled_from(["command", "dependency", "output", "parameter"]), st.text(), LEAVES, LEAVES
)
STAGES = st.builds(
    PlannedStage, st.text(min_size=1), st.sampled_from(["unchanged", "restore", "run", "maybe"]),
    st.lists(REASONS, max_size=6).map(tuple), st.lists(st.text(), max_size=3).map(tuple),
    st.sampled_from(["cpu", "gpu", "network"]), st.none() | st.floats(0, 1e6), st.none() | st.floats(1, 1e6),
)  # fmt: skip


def stage(name: str, verdict: str = "run", *reasons: StageReason, seconds: float | None = None) -> PlannedStage:
    return PlannedStage(name, verdict, reasons, (), "cpu", seconds)


@given(st.lists(STAGES, max_size=5))
def test_a_plan_survives_json(plan):
    rebuilt = [
        PlannedStage(
            **fields | {
                "reasons": tuple(StageReason(**reason) for reason in fields["reasons"]),
                "needs": tuple(fields["needs"]),
            }
        )
        for fields in json.loads(json.dumps(plan_to_json(plan)))
    ]  # fmt: skip
    assert rebuilt == plan


def test_the_keys_of_json_are_an_interface():
    (written,) = plan_to_json([stage("a", "run", StageReason("parameter", "x", 1, 2))])
    assert list(written) == ["name", "verdict", "reasons", "needs", "resource", "seconds", "timeout", "portable"]
    assert written["reasons"] == [{"what": "parameter", "name": "x", "old": 1, "new": 2}]


def test_a_reason_in_words_has_its_facts():
    digest, other = "a" * 64, "b" * 64
    assert describe_reason(StageReason("parameter", "finetune.spam.epochs", 1, 2)) == "finetune.spam.epochs 1 -> 2"
    assert describe_reason(StageReason("parameter", "finetune.spam.x", None, "y")) == "finetune.spam.x nothing -> 'y'"
    assert describe_reason(StageReason("parameter", "finetune", digest, other)) == "code of finetune"
    assert describe_reason(StageReason("parameter", "fetch.a.sha256", digest, other)) == "fetch.a.sha256 changed"
    assert describe_reason(StageReason("parameter", "finetune.text-classification", "1" * 64, "2" * 64)) == (
        "code of finetune"
    )
    assert describe_reason(StageReason("command", "", old=True)) == "command changed"
    assert describe_reason(StageReason("command", "", old=False)) == "never ran"
    assert describe_reason(StageReason("upstream", "params")) == "after params"
    assert describe_reason(StageReason("dependency", "a.txt", new="modified")) == "dependency a.txt modified"
    assert len(describe_reason(StageReason("parameter", "p", "x" * 1000, 1))) < 80


def test_the_table_has_what_is_affected_and_a_total():
    plan = [
        stage("code", "unchanged", seconds=9.0),
        stage("ingest@spam", "run", StageReason("dependency", "a", new="modified"), seconds=2.0),
        stage("report", "maybe", *(StageReason("upstream", name) for name in "uvwxyz"), seconds=70.0),
        stage("late", "run"),
    ]
    assert plan_to_text(plan).splitlines() == [
        "stage        verdict  recent   why",
        "ingest@spam  run      2.0 s    dependency a modified",
        "report       maybe    0:01:10  after u, after v, after w, after x, 2 more",
        "late         run      unknown",
        "1 unchanged, 2 run, 1 maybe; expected 2.0 s of work; up to 0:01:12; 1 never timed",
    ]
    assert plan_to_text(plan[:1]) == plan_to_markdown(plan[:1]) == "1 unchanged"
    assert summarize_plan([]) == "no stages"
    assert summarize_plan(plan[3:]) == "1 run; 1 never timed, expected time unknown"
    assert summarize_plan([stage("a", "restore")]) == "1 restore"
    assert list_affected(plan) == ["ingest@spam", "report", "late"]


@given(st.lists(STAGES, max_size=4))
def test_markdown_is_one_inert_row_a_stage_whatever_the_names_are(plan):
    lines = plan_to_markdown(plan).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == (2 + len(list_affected(plan)) if list_affected(plan) else 0)
    assert all(row.count("|") == 5 for row in rows)
    assert not any(re.search(r"[<>`*_\[\]@]|://", row) for row in rows)
    assert lines[-1] == summarize_plan(plan)


def test_durations_are_readable():
    assert [format_duration(value) for value in (0.04, 9.96, 12.4, 125.0, 90061.0)] == [
        "0.0 s", "10.0 s", "12 s", "0:02:05", "1 day, 1:01:01",
    ]  # fmt: skip
