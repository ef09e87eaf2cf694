"""The tasks that production knows: apart from the sections, whose parser of YAML a server does not have."""

from pipeline.core.errors import UsageError

EXPORTED = "text-classification"
READS_PAIRS = "reads_pairs"  # a key in the configuration of a model of pairs of texts; no other file tells


def require_kind(task: str, kind: str) -> None:
    """Refuse a task whose model is not of the kind that production knows.

    Raises:
        UsageError: It is of another kind.
    """
    if kind != EXPORTED:
        raise UsageError(f"{task}: is of the kind {kind}, and this knows {EXPORTED} alone. Name a task of that kind.")


def require_single_texts(task: str, *, pairs: bool) -> None:
    """Refuse a task whose examples are pairs of texts.

    Raises:
        UsageError: They are.
    """
    if pairs:
        raise UsageError(
            f"{task}: reads pairs of texts (`ingest.pair`), and this knows single texts alone. Open data/model/{task} "
            "with transformers, as its card says, or name another task."
        )
