"""`python -m pipeline diff BASE [HEAD] [--json]`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.document import json_text
from pipeline.core.errors import NotReproduced, Regression, UsageError, listed
from pipeline.core.format import plural
from pipeline.diff.comment import render_comment
from pipeline.diff.compare import compare_snapshots
from pipeline.diff.document import Difference
from pipeline.diff.read import read_snapshots
from pipeline.repository.revisions import resolve_revision

MOST_SHOWN = 5  # stages that have yet to run, in the message


def print_difference(arguments: Sequence[str]) -> None:
    """Print the difference of two revisions, as Markdown or (`--json`) as the strict document behind it.

    Raises:
        UsageError: Wrong arguments, a revision that does not exist, or invalid params of the head.
        EnvironmentFault: Git or DVC cannot be read.
        Regression: A gate fails.
        NotReproduced: No gate fails, but the results of a revision are not of its code, parameters and data.
    """
    names = [argument for argument in arguments if argument != "--json"]
    if not 1 <= len(names) <= 2 or len(arguments) - len(names) > 1 or any(name.startswith("-") for name in names):
        raise UsageError(
            f"takes BASE, HEAD (default: the working tree) and --json, found {listed(arguments) or 'no argument'}. "
            "Run `python -m pipeline diff BASE [HEAD] [--json]`."
        )
    root = Path.cwd()
    base, head = resolve_revision(root, names[0]), resolve_revision(root, names[1] if len(names) > 1 else None)
    difference = compare_snapshots(*read_snapshots(base, head))
    as_json = "--json" in arguments
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
