"""`python -m pipeline diff BASE [HEAD] [--json]`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.document import json_text
from pipeline.core.errors import Regression, UsageError, listed
from pipeline.diff.comment import render_comment
from pipeline.diff.compare import compare_snapshots
from pipeline.diff.read import read_snapshots
from pipeline.repository.revisions import resolve_revision


def print_difference(words: Sequence[str]) -> None:
    """Print the difference of two revisions, as Markdown or (`--json`) as the strict document behind it.

    Raises:
        UsageError: Wrong words, a revision that does not exist, or invalid params of the head.
        EnvironmentFault: Git or DVC cannot be read.
        Regression: A gate fails.
    """
    names = [word for word in words if word != "--json"]
    if not 1 <= len(names) <= 2 or len(words) - len(names) > 1 or any(name.startswith("-") for name in names):
        raise UsageError(
            f"takes BASE, HEAD (default: the working tree) and --json, found {listed(words) or 'no word'}. "
            "Run `python -m pipeline diff BASE [HEAD] [--json]`."
        )
    root = Path.cwd()
    base, head = resolve_revision(root, names[0]), resolve_revision(root, names[1] if len(names) > 1 else None)
    difference = compare_snapshots(*read_snapshots(base, head))
    as_json = "--json" in words
    sys.stdout.write(json_text(difference.model_dump(mode="json")) if as_json else render_comment(difference))
    if difference.outcome == "failed":
        reasons = [
            f"{task.task}: {gate.reason}"
            for task in difference.tasks
            for gate in task.gates
            if gate.outcome == "failed"
        ]
        raise Regression("; ".join(reasons) or "the metrics of a task cannot be trusted. See its notes.")
