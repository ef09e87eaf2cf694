"""Models that do not read one text at once, which production refuses; apart from what needs a parser of YAML."""

from pipeline.core.errors import UsageError

READS_PAIRS = "reads_pairs"  # keys in the configuration of a model of pairs of texts; no other file tells
READS_WINDOWS = "reads_windows"  # and of one of texts in windows: the tokens that two of them share


def require_whole_texts(task: str, *, pairs: bool, windows: bool) -> None:
    """Refuse a task whose model does not read one text at once.

    Raises:
        UsageError: It reads pairs of texts, or texts in windows.
    """
    if pairs or windows:
        what = "pairs of texts (`ingest.pair`)" if pairs else "texts in windows (`tokenize.windows`)"
        raise UsageError(
            f"{task}: reads {what}, and this knows single texts alone, each read at once. Open data/model/{task} with "
            "transformers, as its card says, or name another task."
        )
