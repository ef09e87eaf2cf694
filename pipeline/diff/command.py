"""`python -m pipeline diff BASE [HEAD] [--json]`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.document import json_text
from pipeline.core.errors import Regression, UsageError
from pipeline.diff.comment import comment
from pipeline.diff.compare import difference
from pipeline.repository.revisions import revision

USAGE = "python -m pipeline diff BASE [HEAD] [--json]   (without HEAD: the working tree)"


def main(words: Sequence[str]) -> None:
    """Print the difference of two revisions, as Markdown or (`--json`) as the strict document behind it.

    Raises:
        UsageError: The words are not those of `USAGE`, a revision does not exist, or the head's params are wrong.
        Regression: A gate fails.
    """
    names = [word for word in words if word != "--json"]
    if not 1 <= len(names) <= 2 or len(words) - len(names) > 1 or any(name.startswith("-") for name in names):
        raise UsageError(f"usage: {USAGE}")
    root = Path.cwd()
    base, head = revision(root, names[0]), revision(root, names[1] if len(names) > 1 else None)
    found = difference(base, head)
    sys.stdout.write(json_text(found.model_dump(mode="json")) if "--json" in words else comment(found))
    failed = [f"{task.task}: {one.reason}" for task in found.tasks for one in task.gates if one.outcome == "failed"]
    if found.outcome == "failed":
        raise Regression("; ".join(failed) or "a task's metrics cannot be believed, see its notes")
