"""The comparison of two revisions, and of one task in them, as a straight line of steps."""

from pipeline.diff.breakdown import break_down
from pipeline.diff.changes import compare_values
from pipeline.diff.document import (
    MOST_ROWS,
    MOST_STAGES,
    MOST_TASKS,
    Change,
    Difference,
    TaskDifference,
    worst_outcome,
)
from pipeline.diff.evidence import measure_change
from pipeline.diff.gates import judge_change
from pipeline.diff.shared_examples import match_predictions
from pipeline.diff.snapshot import Rules, Snapshot, TaskSnapshot
from pipeline.diff.task import describe_task


def compare_snapshots(base: Snapshot, head: Snapshot) -> Difference:
    """Return what the head changed compared with the base; a task is measured and judged by the head's rules."""
    rules = {**head.rules, **{task: own for task, own in base.rules.items() if task not in head.rules}}
    tasks = tuple(
        compare_task(own, base.tasks[task], head.tasks[task], gated=task in head.rules)
        for task, own in list(rules.items())[:MOST_TASKS]
    )
    parameters = compare_values(base.parameters, head.parameters)
    packages = compare_values(base.packages, head.packages)
    code = compare_values(base.code, head.code)
    cut = ((rules, MOST_TASKS), (parameters, MOST_ROWS), (packages, MOST_ROWS), (code, MOST_STAGES))
    return Difference(
        version=3,
        base=base.side,
        head=head.side,
        outcome=worst_outcome(tuple(task.outcome for task in tasks)),
        confidence=next((own.params.confidence for own in head.rules.values()), 0.95),
        tasks=tasks,
        parameters=tuple(parameters[:MOST_ROWS]),
        packages=tuple(packages[:MOST_ROWS]),
        code=tuple(change.name for change in code[:MOST_STAGES]),
        times=tuple(_compare_times(base.times, head.times)[:MOST_ROWS]),
        left_out=sum(max(0, len(items) - most) for items, most in cut),
    )


def compare_task(rules: Rules, base: TaskSnapshot, head: TaskSnapshot, *, gated: bool = True) -> TaskDifference:
    """Return what changed in one task, judged by its gates unless it is not `gated`: the head does not have it."""
    params, measures = rules.params, rules.measures
    match = match_predictions(measures, params, base.predictions, head.predictions)
    if known := match.head or match.base:
        measures = measures.name_for(known.labels)
    measurement = measure_change(measures, params, match, base, head)
    verdict = judge_change(measures, rules.gates if gated else None, measurement)
    breakdown = break_down(measures, params, match, base.examples if head.examples is None else head.examples)
    return describe_task(rules, base, head, match, measurement, verdict, breakdown)


def _compare_times(base: dict[str, float], head: dict[str, float]) -> list[Change]:
    """Return the stages that became slower or faster by more than a quarter and by more than a second.

    Times belong to a machine and not to a commit: they lie beside the worktree that ran, and nowhere in Git.
    """
    stages = [stage for stage in head if stage in base and abs(head[stage] - base[stage]) > max(1.0, base[stage] / 4)]
    return compare_values(*({stage: f"{times[stage]:.1f} s" for stage in stages} for times in (base, head)))
