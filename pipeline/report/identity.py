"""The identity of the results that a report shows, the same on the page and in the summary."""

import hashlib
from collections.abc import Sequence

from pipeline.core.document import Document, json_text
from pipeline.report.kind import Task

_DIGITS = 12


def identify_results(tasks: Sequence[Task], transfer: Document | None, encoders: Sequence[Document]) -> str:
    """Return twelve digits that are the same if and only if (almost surely) all documents are.

    A stage knows no clock and no commit. But the summary is in Git with these digits, so `git log -S` finds the commit.
    """
    documents = [{name: value for name, value in task._asdict().items() if name != "page"} for task in tasks]
    text = json_text([documents, transfer, [*encoders]])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
