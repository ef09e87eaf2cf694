"""The kind of task that production knows: apart from the sections, whose parser of YAML a server does not have."""

from pipeline.core.errors import UsageError

EXPORTED = "text-classification"


def require_kind(task: str, kind: str) -> None:
    """Refuse a task whose model is not of the kind that production knows.

    Raises:
        UsageError: It is of another kind.
    """
    if kind != EXPORTED:
        raise UsageError(f"{task}: is of the kind {kind}, and this knows {EXPORTED} alone. Name a task of that kind.")
