from hypothesis import given
from hypothesis import strategies as st

from pipeline.repository.plan import Step
from pipeline.run.ending import Ended
from pipeline.run.execution import Walk
from pipeline.run.slots import Slots

VERDICTS = st.sampled_from(["run", "unchanged", "restore", "maybe"])


@st.composite
def plans(draw):
    """Draw a plan in the order of its stages, each behind some of those before it."""
    steps = []
    for number in range(draw(st.integers(1, 8))):
        needs = draw(st.lists(st.sampled_from([step.name for step in steps]), unique=True)) if steps else []
        steps.append(Step(str(number), draw(VERDICTS), (), tuple(needs), "cpu", None))
    return steps


@given(plans(), st.integers(1, 3), st.sets(st.integers(0, 7)), st.data())
def test_each_step_ends_once_behind_what_it_needs_and_never_behind_what_failed(plan, workers, failing, data):
    begun, shown = [], []
    walk = Walk(
        plan,
        Slots(workers),
        begin=lambda step, _environment: begun.append(step.name),
        show=lambda step, ended: shown.append((step.name, ended.end)),
        stop=lambda: None,
    )
    while walk.waiting or walk.running:
        walk.start(lambda: [step._replace(verdict="run") if step.verdict == "maybe" else step for step in plan])
        assert len(walk.running) <= workers
        for step in walk.running.values():
            assert all(walk.ends[need].good for need in step.needs)
        if walk.running:
            step = walk.running[data.draw(st.sampled_from(sorted(walk.running)))]
            walk.end(step, Ended("Failed" if int(step.name) in failing else "Ran"))
    assert sorted([*begun, *(name for name, _ in shown)]) == [step.name for step in plan]
    for step in plan:
        blocked = any(not walk.ends[need].good for need in step.needs)
        assert (walk.ends[step.name].end == "Blocked") == blocked
        if not blocked:
            assert (walk.ends[step.name].end == "Unchanged") == (step.verdict == "unchanged")
    assert walk.failed == any(ended.end == "Failed" for ended in walk.ends.values())


@given(plans())
def test_a_walk_that_is_given_up_begins_nothing_more(plan):
    stops = []
    walk = Walk(
        plan, Slots(1), begin=lambda _step, _environment: None, show=lambda *_: None, stop=lambda: stops.append(1)
    )
    walk.start(lambda: plan)
    running = dict(walk.running)
    walk.give_up("Cancelled")
    assert stops == [1]
    assert not walk.waiting
    assert walk.running == running
    assert all(walk.ends[step.name].end in ("Cancelled", "Unchanged") for step in plan if step.name not in running)
