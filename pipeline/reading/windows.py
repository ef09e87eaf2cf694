"""Windows of passages: token ids of a question and of a part of its passage, as many as the passage needs."""

from pathlib import Path
from typing import NamedTuple

from tokenizers import Encoding, Tokenizer

from pipeline.models.tokenizer import load_tokenizer

OUTSIDE = -1  # the character of a token that is not of the passage
ROOM = 8  # tokens beside a question that a window must have: the special ones, and a few of the passage


class WindowTokenizer(NamedTuple):
    """The tokenizer of windows, the same without windows, and the most tokens of a question."""

    windows: Tokenizer
    plain: Tokenizer
    room: int

    def count(self, question: str) -> int:
        """Return the tokens of a question."""
        return len(self.plain.encode(question, add_special_tokens=False))


def load_windows(folder: Path, *, max_length: int, overlap: int) -> WindowTokenizer:
    """Return the tokenizer of a folder for windows of `max_length` tokens, of which neighbours share `overlap`.

    Raises:
        EnvironmentFault: There is no readable tokenizer.json.
    """
    windows, plain = (load_tokenizer(folder, max_length=max_length) for _ in range(2))
    plain.no_truncation()
    set_windows(windows, max_length=max_length, overlap=overlap)
    return WindowTokenizer(windows, plain, max_length - overlap - ROOM)


def set_windows(tokenizer: Tokenizer, *, max_length: int, overlap: int) -> None:
    """Make a tokenizer of pairs divide the second text into windows; its file then says so too."""
    tokenizer.enable_truncation(max_length, stride=overlap, strategy="only_second")


def list_windows(encoding: Encoding) -> list[Encoding]:
    """Return all windows of a passage."""
    return [encoding, *encoding.overflowing]


def find_characters(window: Encoding) -> tuple[list[int], list[int]]:
    """Return the characters of the passage at which each token starts and ends, `OUTSIDE` for a token of the rest."""
    sides = zip(window.offsets, window.sequence_ids, strict=True)
    bounds = [offsets if side == 1 else (OUTSIDE, OUTSIDE) for offsets, side in sides]
    return [start for start, _ in bounds], [end for _, end in bounds]
