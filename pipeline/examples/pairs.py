"""Pairs of texts, as the examples hold them: the second text of each, and both as one text."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.settings.shared.texts import PAIR


def second_texts(examples: pa.Table) -> list[str] | None:
    """Return the second text of each example; None if the examples are single texts."""
    return examples[PAIR].to_pylist() if PAIR in examples.column_names else None


def whole_texts(examples: pa.Table) -> list[str]:
    """Return the text of each example; of a pair both, by lines, or None if one is missing."""
    texts = examples["text"]
    if PAIR in examples.column_names:
        texts = pc.binary_join_element_wise(texts, examples[PAIR], "\n")
    whole: list[str] = texts.to_pylist()
    return whole
