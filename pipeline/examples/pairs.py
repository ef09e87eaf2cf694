"""Pairs of texts, as the examples hold them: the second text of each, and both as one text."""

import pyarrow as pa

from pipeline.settings.shared.texts import PAIR


def second_texts(examples: pa.Table) -> list[str] | None:
    """Return the second text of each example; None if the examples are single texts."""
    return examples[PAIR].to_pylist() if PAIR in examples.column_names else None


def whole_texts(examples: pa.Table) -> list[str]:
    """Return the text of each example; of a pair both, by lines, or None if one is missing."""
    texts: list[str] = examples["text"].to_pylist()
    seconds = second_texts(examples)
    return texts if seconds is None else [_join(*pair) for pair in zip(texts, seconds, strict=True)]


def _join(text: str | None, second: str | None) -> str | None:
    return None if text is None or second is None else f"{text}\n{second}"
