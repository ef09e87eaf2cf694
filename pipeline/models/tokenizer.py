"""Text to token ids: an encoder's own tokenizer, a stream of columns in and out, no list of ids kept."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from tokenizers import Encoding, Tokenizer

from pipeline.core.errors import EnvironmentFault

# One token has at least one character and hardly any vocabulary has tokens this long, so what lies behind so many
# characters can not reach the cut. Tokenising a 20 MB cell whole takes most of a minute.
CHARS_PER_TOKEN = 64
# Under these names the library keeps a tokenizer, of whatever kind, in the folder of its encoder.
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt",
    "spiece.model", "sentencepiece.bpe.model", "added_tokens.json",
)  # fmt: skip


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
    tokenizer: Tokenizer, batches: Iterable[pa.RecordBatch], *, max_length: int
) -> Iterator[tuple[pa.RecordBatch, pa.Array, pa.Array]]:
    """Yield each batch, the ids of its column `text`, list<int32> with special tokens, and whether each was cut, bool.

    Two batches at most are in memory. The tokenizer works on all cores and outside of Python, so it takes the next
    batch while the ids of the one before become columns.
    """
    with ThreadPoolExecutor(1) as ahead:
        waiting: tuple[pa.RecordBatch, Future[list[Encoding]]] | None = None
        for batch in batches:
            under_way = ahead.submit(_encodings, tokenizer, batch["text"], max_length * CHARS_PER_TOKEN)
            if waiting is not None:
                yield _columns(waiting[0], waiting[1].result(), max_length)
            waiting = batch, under_way
        if waiting is not None:
            yield _columns(waiting[0], waiting[1].result(), max_length)


def _encodings(tokenizer: Tokenizer, texts: pa.Array, chars: int) -> list[Encoding]:
    found: list[Encoding] = tokenizer.encode_batch_fast([text[:chars] for text in texts.to_pylist()])
    return found


def _columns(
    batch: pa.RecordBatch, encodings: Sequence[Encoding], max_length: int
) -> tuple[pa.RecordBatch, pa.Array, pa.Array]:
    """Return the batch with the columns of its encodings."""
    flat = array("i")
    for encoding in encodings:
        flat.fromlist(encoding.ids)  # the binding has no other door than a list; this one dies at once
    offsets = np.zeros(len(encodings) + 1, np.int32)
    np.cumsum([len(encoding) for encoding in encodings], out=offsets[1:])
    ids = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.frombuffer(flat, np.int32)))
    long = [len(text) > max_length * CHARS_PER_TOKEN for text in batch["text"].to_pylist()]
    cut = [too_long or bool(found.overflowing) for too_long, found in zip(long, encodings, strict=True)]
    return batch, ids, pa.array(cut, pa.bool_())
