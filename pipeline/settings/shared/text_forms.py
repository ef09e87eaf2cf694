"""Forms of texts that are not read one at once: pairs, and windows; apart from what needs a parser of YAML."""

from pipeline.core.document import Document

# Keys in the configuration of a model, and in the manifest of its bundle; no other file tells.
READS_PAIRS = "reads_pairs"
READS_WINDOWS = "reads_windows"  # the tokens that two windows share


def find_partial_reading(resolved: Document, task: str) -> str | None:
    """Return the key by which a task reads two texts, or a text in windows; None if it reads a text at once."""
    keys = (("ingest", "pair"), ("tokenize", "windows"))
    return next((f"{stage}.{key}" for stage, key in keys if resolved[stage][task].get(key) is not None), None)
