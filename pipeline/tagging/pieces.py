"""Pieces of a sentence: the tokens of its words in rows that a model can read, split between words alone."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tokenizers import Tokenizer


class Pieces(NamedTuple):
    """Some tokens of a sentence in order: their ids, the word of each, and whether a word was too long for a row."""

    ids: list[int]
    words: list[int]
    cut: bool


def split_at_words(ids: Sequence[int], words: Sequence[int], *, room: int) -> Iterator[Pieces]:
    """Yield the tokens of a sentence in rows of at most `room`, split between words only.

    Of a word with more tokens than a row has, the first are kept.
    """
    row = Pieces([], [], cut=False)
    start = 0
    while start < len(ids):
        end = start
        while end < len(ids) and words[end] == words[start]:
            end += 1
        taken = min(end - start, room)
        if row.ids and len(row.ids) + taken > room:
            yield row
            row = Pieces([], [], cut=False)
        row = Pieces(
            [*row.ids, *ids[start : start + taken]],
            [*row.words, *words[start : start + taken]],
            row.cut or taken < end - start,
        )
        start = end
    if row.ids:
        yield row


def find_special(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens that the tokenizer puts before and after a text."""
    bare, whole = (tokenizer.encode("a", add_special_tokens=special).ids for special in (False, True))
    start = next(at for at in range(len(whole)) if whole[at : at + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]
