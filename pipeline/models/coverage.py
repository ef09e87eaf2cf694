"""Coverage of texts by a tokenizer: the tokens and characters that it does not know, and reads as `[UNK]`."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Encoding, Tokenizer

from pipeline.core.errors import DataError, listed
from pipeline.models.tokenizer import CHARS_PER_TOKEN, as_inputs, take_texts
from pipeline.settings.shared.texts import PAIR

_MOST_IDS = 5


class Coverage(NamedTuple):
    """The tokens read, special ones left out, and their characters, blanks left out; those of both that are unknown.

    `ids` are the first texts with an unknown token.
    """

    tokens: int = 0
    unknown: int = 0
    characters: int = 0
    lost: int = 0
    ids: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of the characters that the encoder cannot see, in [0, 1]."""
        return self.lost / self.characters if self.characters else 0.0

    def add(self, other: "Coverage") -> "Coverage":
        """Return the coverage of both."""
        return Coverage(
            self.tokens + other.tokens,
            self.unknown + other.unknown,
            self.characters + other.characters,
            self.lost + other.lost,
            (*self.ids, *other.ids)[:_MOST_IDS],
        )

    def describe(self) -> str:
        """Return the unknown shares as one line."""
        tokens = self.unknown / self.tokens if self.tokens else 0.0
        return f"{self.share:.2%} of the characters and {tokens:.2%} of the tokens unknown to the tokenizer"


def find_unknown(tokenizer: Tokenizer) -> int | None:
    """Return the id of the token that stands for what the tokenizer does not know; None if it knows every byte."""
    model = json.loads(tokenizer.to_str())["model"]
    if model.get("byte_fallback"):
        return None
    number: int | None = model.get("unk_id")
    name = model.get("unk_token")
    return tokenizer.token_to_id(name) if number is None and name is not None else number


def measure_coverage(
    tokenizer: Tokenizer, batch: pa.RecordBatch, ids: pa.ListArray, cut: pa.Array, *, unknown: int, max_length: int
) -> Coverage:
    """Return the coverage of the texts of a batch, whose token ids are `ids`; what is cut off is not counted.

    Only texts with an unknown token, and those that were cut, are tokenised again for the places of their tokens.
    """
    texts, lengths = take_texts(batch), pc.list_value_length(ids).to_numpy(zero_copy_only=False)
    owners = np.repeat(np.arange(len(texts)), lengths)
    counts = np.bincount(owners[ids.flatten().to_numpy() == unknown], minlength=len(texts))
    again = np.flatnonzero((counts > 0) | cut.to_numpy(zero_copy_only=False))
    special = tokenizer.num_special_tokens_to_add(is_pair=PAIR in batch.schema.names)
    characters, lost = [sum(len("".join(text.split())) for text in own) for own in texts], 0
    for row, encoding in zip(
        again.tolist(),
        tokenizer.encode_batch(as_inputs(take_texts(batch.take(pa.array(again)), max_length * CHARS_PER_TOKEN))),
        strict=True,
    ):
        sizes = [end - start for start, end in encoding.offsets]
        characters[row] = sum(sizes)
        lost += sum(size for size, token in zip(sizes, encoding.ids, strict=True) if token == unknown)
    first = batch["id"].take(pa.array(np.flatnonzero(counts)[:_MOST_IDS])).to_pylist()
    return Coverage(int(lengths.sum()) - special * len(texts), int(counts.sum()), sum(characters), lost, tuple(first))


def measure_windows(windows: Sequence[Encoding], unknown: int | None, name: str) -> Coverage:
    """Return the coverage of the text `name`, all of whose windows these are; what they share counts in each."""
    sizes = [(end - start, token) for window in windows
             for (start, end), token in zip(window.offsets, window.ids, strict=True)]  # fmt: skip
    lost = [size for size, token in sizes if token == unknown and size]
    return Coverage(len(sizes), len(lost), sum(size for size, _ in sizes), sum(lost), (name,) if lost else ())


def require_coverage(coverage: Coverage, *, task: str, most: float) -> None:
    """Require the tokenizer to know the texts' script.

    Raises:
        DataError: More than the share `most` of the characters is unknown.
    """
    if coverage.share > most:
        raise DataError(
            f"tokenize: {task}: at most {most:.2%} of the characters may be lost, found {coverage.describe()} (ids "
            f"{listed(coverage.ids)}). Choose an encoder that knows this script, or raise `tokenize.max_unknown_share`."
        )
