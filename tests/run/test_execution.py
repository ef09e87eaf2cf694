"""The execution of a plan; its running stages (with run/process.py) are tested through tests/flow/test_flow.py."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.plan import PlannedStage
from pipeline.run.ending import StageEnd
from pipeline.run.execution import Execution, RunningStages
from pipeline.run.slots import Slots

VERDICTS = st.sampled_from(["run", "unchanged", "restore", "maybe"])


@st.composite
def plans(draw):
    """Draw a plan in the order of its stages, each behind some of those before it."""
    stages = []
    for number in range(draw(st.integers(1, 8))):
        needs = draw(st.lists(st.sampled_from([stage.name for stage in stages]), unique=True)) if stages else []
        stages.append(PlannedStage(str(number), draw(VERDICTS), (), tuple(needs), "cpu", None))
    return stages


@given(plans(), st.integers(1, 3), st.sets(st.integers(0, 7)), st.data())
def test_each_stage_ends_once_behind_what_it_needs_and_never_behind_what_failed(plan, workers, failing, data):
    begun, shown = [], []
    certain = [stage._replace(verdict="run") if stage.verdict == "maybe" else stage for stage in plan]
    execution = Execution(
        plan,
        Slots(workers),
        begin=lambda stage, _environment: begun.append(stage.name),
        show=lambda stage, end: shown.append((stage.name, end.state)),
        stop=lambda: None,
    )
    while execution.waiting or execution.running:
        execution.start(lambda: certain)
        assert len(execution.running) <= workers
        for stage in execution.running.values():
            assert all(execution.ends[need].succeeded for need in stage.needs)
        if execution.running:
            stage = execution.running[data.draw(st.sampled_from(sorted(execution.running)))]
            execution.end(stage, StageEnd("Failed" if int(stage.name) in failing else "Ran"))
    assert sorted([*begun, *(name for name, _ in shown)]) == [stage.name for stage in plan]
    for stage in plan:
        blocked = any(not execution.ends[need].succeeded for need in stage.needs)
        assert (execution.ends[stage.name].state == "Blocked") == blocked
        if not blocked:
            assert (execution.ends[stage.name].state == "Unchanged") == (stage.verdict == "unchanged")
    assert execution.failed == any(end.state == "Failed" for end in execution.ends.values())


@given(plans())
def test_an_execution_that_is_given_up_begins_nothing_more(plan):
    stops = []
    execution = Execution(
        plan, Slots(1), begin=lambda _stage, _environment: None, show=lambda *_: None, stop=lambda: stops.append(1)
    )
    execution.start(lambda: plan)
    running = dict(execution.running)
    execution.give_up("Cancelled")
    assert stops == [1]
    assert not execution.waiting
    assert execution.running == running
    states = {name: end.state for name, end in execution.ends.items()}
    assert all(states[stage.name] in ("Cancelled", "Unchanged") for stage in plan if stage.name not in running)


def test_progress_counts_what_is_affected_and_the_time_that_is_left():
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ()}
    verdicts = {"a": "run", "b": "run", "c": "restore", "d": "unchanged"}
    plan = [PlannedStage(name, verdicts[name], (), needs[name], "cpu", 60.0) for name in needs]
    begun = []

    def begin(stage: PlannedStage, _environment: object) -> None:
        begun.append(f"{execution.progress} {stage.name}")

    execution = Execution(plan, Slots(1), begin=begin, show=lambda *_: None, stop=lambda: None)
    while execution.waiting or execution.running:
        execution.start(lambda: plan)
        for stage in list(execution.running.values()):
            execution.end(stage, StageEnd("Ran"))
    assert begun == [
        "[1/3], about 0:02:00 left a", "[2/3], about 0:01:00 left b", "[3/3], about 0.0 s left c",
    ]  # fmt: skip


def test_progress_knows_no_time_of_what_was_never_timed():
    stage = PlannedStage("a", "run", (), (), "cpu", None)
    execution = Execution([stage], Slots(1), begin=lambda *_: None, show=lambda *_: None, stop=lambda: None)
    assert execution.progress == "[0/1], time left unknown"


def test_a_stage_that_cannot_be_started_has_failed_with_the_code_of_the_error():
    def refuse(_stage: PlannedStage, _environment: object) -> None:
        raise EnvironmentFault("no remote")

    running = RunningStages(refuse)
    end = running.reproduce(PlannedStage("a", "run", (), (), "cpu", None), {}, lambda _: None)
    assert end == running.ends["a"] == StageEnd("Failed", EnvironmentFault.exit_code, "no remote")
    assert not running.active
