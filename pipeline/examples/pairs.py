"""Pairs of texts, as the examples hold them: the second text of each, both, and both as one text."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.settings.shared.texts import PAIR


def second_texts(examples: pa.Table) -> list[str] | None:
    """Return the second text of each example; None if the examples are single texts."""
    return examples[PAIR].to_pylist() if PAIR in examples.column_names else None


def read_seconds(examples: pa.Table) -> list[str]:
    """Return the second text of each example; they are pairs."""
    seconds: list[str] = examples[PAIR].to_pylist()
    return seconds


def read_texts(examples: pa.Table) -> Sequence[str] | Sequence[tuple[str, str]]:
    """Return the text of each example, or both texts if they are pairs."""
    texts, seconds = examples["text"].to_pylist(), second_texts(examples)
    return texts if seconds is None else list(zip(texts, seconds, strict=True))


def whole_texts(examples: pa.Table) -> list[str]:
    """Return the text of each example; of a pair both, by lines, or None if one is missing."""
    texts = examples["text"]
    if PAIR in examples.column_names:
        texts = pc.binary_join_element_wise(texts, examples[PAIR], "\n")
    whole: list[str] = texts.to_pylist()
    return whole
