"""The command `diff`: two revisions read, compared, printed and judged."""

import sys
from pathlib import Path

from pipeline.core.document import json_text
from pipeline.core.errors import NotReproduced, Regression
from pipeline.core.format import plural
from pipeline.diff.comment import render_comment
from pipeline.diff.compare import compare_snapshots
from pipeline.diff.document import Difference
from pipeline.diff.read import read_snapshots
from pipeline.repository.revisions import resolve_revision

MOST_SHOWN = 5  # stages that have yet to run, in the message


def print_difference(base: str, head: str | None, *, as_json: bool = False) -> None:
    """Print the difference of two revisions (None is the working tree), as Markdown or as the document behind it.

    Raises:
        UsageError: A revision does not exist, or the params of the head are invalid.
        EnvironmentFault: Git or DVC cannot be read.
        Regression: A gate fails.
        NotReproduced: No gate fails, but the results of a revision are not of its code, parameters and data.
    """
    root = Path.cwd()
    snapshots = read_snapshots(resolve_revision(root, base), resolve_revision(root, head))
    difference = compare_snapshots(*snapshots)
    sys.stdout.write(json_text(difference.model_dump(mode="json")) if as_json else render_comment(difference))
    _raise_for(difference)


def _raise_for(difference: Difference) -> None:
    """Turn a verdict that is no pass into its error.

    Raises:
        Regression: A gate fails.
        NotReproduced: Stages of a revision have yet to run.
    """
    if difference.outcome == "failed":
        reasons = [
            f"{task.task}: {gate.reason}"
            for task in difference.tasks
            for gate in task.gates
            if gate.outcome == "failed"
        ]
        raise Regression("; ".join(reasons) or "the metrics of a task cannot be trusted. See its notes.")
    for title, side in (("base", difference.base), ("head", difference.head)):
        if side.stale:
            stages = "; ".join(f"{stage.stage}: {stage.reasons}" for stage in side.stale[:MOST_SHOWN])
            more = len(side.stale) - MOST_SHOWN
            stages += f" and {plural(more, 'more stage')}" if more > 0 else ""
            raise NotReproduced(
                f"{side.name}: the results of the {title} are not of its code, parameters and data, {stages}. Run "
                "`dvc repro` there and commit dvc.lock with the metrics."
            )
