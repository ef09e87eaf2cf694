"""Text to token ids: an encoder's own tokenizer, columnar, without a Python object a token more than needed."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from pipeline.errors import EnvironmentFault

# One token has at least one character and hardly any vocabulary has tokens this long, so what lies behind so many
# characters can not reach the cut. Tokenising a 20 MB cell whole takes most of a minute.
CHARS_PER_TOKEN = 64


def load_tokenizer(encoder: Path, *, max_length: int) -> Tokenizer:
    """Return the fast tokenizer of the folder `encoder`, set to cut at `max_length` tokens and never to pad.

    Literal special tokens in a text (`[MASK]`, `</s>`) are split like any other text, so data cannot inject them.

    Raises:
        EnvironmentFault: There is no readable tokenizer.json.
    """
    path = encoder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises a bare Exception for a missing or damaged file
        raise EnvironmentFault(f"{path} is not a tokenizer: {error}. The encoder needs one; fetch it again.") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_length)
    tokenizer.encode_special_tokens = True
    return tokenizer


def encode(
    tokenizer: Tokenizer, texts: Sequence[str], *, max_length: int, batch_texts: int
) -> tuple[pa.Array, pa.Array]:
    """Return the ids of each text, list<int32> with special tokens, and whether each was cut, bool.

    The result does not depend on `batch_texts`, which bounds the memory.
    """
    ids: list[pa.Array] = []
    truncated: list[bool] = []
    for start in range(0, len(texts), batch_texts):
        batch = list(texts[start : start + batch_texts])
        cut = [len(text) > max_length * CHARS_PER_TOKEN for text in batch]
        encodings = tokenizer.encode_batch_fast([text[: max_length * CHARS_PER_TOKEN] for text in batch])
        ids.append(_ragged([encoding.ids for encoding in encodings]))
        truncated.extend(long or bool(found.overflowing) for long, found in zip(cut, encodings, strict=True))
    return pa.concat_arrays(ids) if ids else _ragged([]), pa.array(truncated, pa.bool_())


def _ragged(rows: Sequence[Sequence[int]]) -> pa.Array:
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    flat = np.fromiter(_flat(rows), np.int32, count=int(offsets[-1]))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def _flat(rows: Sequence[Sequence[int]]) -> Iterator[int]:
    for row in rows:
        yield from row
