"""Text to token ids by an encoder's own tokenizer: columns in and out, no list of ids kept."""

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Encoding, Regex, Tokenizer, normalizers, pre_tokenizers

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json
from pipeline.examples.text import CONTROLS
from pipeline.settings.shared.texts import PAIR

# One token has at least one character and hardly any vocabulary has tokens this long, so text beyond this many
# characters per token cannot reach the cut. Tokenising a 20 MB cell whole takes most of a minute.
CHARS_PER_TOKEN = 64
TYPES = "token_type_ids"
# The names under which the library keeps a tokenizer, of any kind, in the folder of its encoder.
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
        raise EnvironmentFault(f"{path}: not a tokenizer, {error}. Fetch the encoder again.") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=max_length)
    tokenizer.encode_special_tokens = True
    return tokenizer


def require_separator(tokenizer: Tokenizer, encoder: Path) -> None:
    """Refuse a tokenizer that runs two texts together.

    Raises:
        UsageError: It puts no token between them.
    """
    alone, both = (tokenizer.num_special_tokens_to_add(is_pair=is_pair) for is_pair in (False, True))
    if both <= alone:
        raise UsageError(
            f"{encoder}: its tokenizer puts no token between two texts, which a pair of texts needs. Choose another "
            "encoder."
        )


def set_prefix_space(tokenizer: Tokenizer) -> None:
    """Make a byte-level tokenizer read the first word of a text as it reads the others, after a blank.

    Texts that come as words have no blanks, and each word must give the same tokens wherever it stands.
    """
    pieces = tokenizer.pre_tokenizer
    if isinstance(pieces, pre_tokenizers.ByteLevel):
        pieces.add_prefix_space = True
        tokenizer.pre_tokenizer = pieces


def tells_texts_apart(encoder: Path) -> bool:
    """Return whether an encoder has an embedding for the second of two texts, that is `token_type_ids`."""
    return int(read_json(encoder / "config.json").get("type_vocab_size") or 0) > 1


def save_tokenizer(
    encoder: Path, folder: Path, *, max_length: int, for_words: bool = False, for_pairs: bool = False
) -> None:
    """Write the encoder's tokenizer to `folder`, so that raw text gets the ids that training saw.

    It brings a text to the normal form of `ingest`, cuts at `max_length` tokens, and pads nothing; whoever batches
    texts pads them to the longest. transformers splits special tokens in texts; it cuts at `model_max_length` once it
    is asked to (`truncation=True`), and never otherwise. tokenizers cuts by itself, and splits special tokens once
    `encode_special_tokens` is set, which its file cannot hold. `for_words` if training saw texts as words,
    `for_pairs` if it saw two at a time.

    Raises:
        EnvironmentFault: There is no readable tokenizer.json.
    """
    tokenizer = load_tokenizer(encoder, max_length=max_length)
    tokenizer.normalizer = _with_normal_form(tokenizer.normalizer)
    if for_words:
        set_prefix_space(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    types = [TYPES] if for_pairs and tells_texts_apart(encoder) else []
    settings = {
        **_special_tokens(encoder, tokenizer),
        # The classes of families build a tokenizer of their own from the vocabulary; this one takes the file as it is.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_input_names": ["input_ids", *types, "attention_mask"],  # what training gives the model
        "model_max_length": max_length,
        "truncation_side": "right",
        "split_special_tokens": True,
    }
    (folder / "tokenizer_config.json").write_text(json_text(settings), encoding="utf-8")


def _with_normal_form(own: Any) -> normalizers.Sequence:
    """Return a normaliser that does what `normalise` does, then what the tokenizer's own one does, if it has one.

    A text of white space alone stays; so do tokens that are runs of blanks, to which it is applied too.
    """
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(CONTROLS.pattern), " "),
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\A\s+(?=\S)|(?<=\S)\s+\z"), ""),
            *([] if own is None else [own]),
        ]
    )


def _special_tokens(encoder: Path, tokenizer: Tokenizer) -> dict[str, str]:
    """Return the special tokens by the library's names (`pad_token`); some folders name the padding's id alone."""
    files = [encoder / name for name in ("config.json", "special_tokens_map.json", "tokenizer_config.json")]
    config, *named = [read_json(path) if path.is_file() else {} for path in files]
    padding = tokenizer.id_to_token(config.get("pad_token_id") or 0)
    tokens = {"pad_token": padding, **named[0], **named[1]}
    texts = {name: token.get("content") if isinstance(token, dict) else token for name, token in tokens.items()}
    return {name: text for name, text in texts.items() if name.endswith("_token") and isinstance(text, str)}


def encode(
    tokenizer: Tokenizer, batch: pa.RecordBatch, *, max_length: int
) -> tuple[pa.RecordBatch, pa.Array, pa.Array]:
    """Return the batch, the ids of its column `text`, list<int32> with special tokens, and whether each was cut, bool.

    If the batch has second texts too (`PAIR`), the ids are of both, a token at a time is cut of the longer, and the
    batch comes back with the column `token_type_ids`, list<int32>: 0 in the first text, 1 in the second, if the
    tokenizer says so.
    """
    return _to_columns(batch, _encode_texts(tokenizer, batch, max_length * CHARS_PER_TOKEN), max_length)


def take_texts(batch: pa.RecordBatch, chars: int | None = None) -> list[tuple[str, ...]]:
    """Return the text of each row of a batch, or both of a pair, of each the first `chars` characters."""
    columns = [batch[name].to_pylist() for name in ("text", PAIR) if name in batch.schema.names]
    return [tuple(text[:chars] for text in texts) for texts in zip(*columns, strict=True)]


def as_inputs(texts: Iterable[tuple[str, ...]]) -> list[str | tuple[str, ...]]:
    """Return texts and pairs of texts as a tokenizer takes them."""
    return [own if len(own) > 1 else own[0] for own in texts]


def _encode_texts(tokenizer: Tokenizer, batch: pa.RecordBatch, chars: int) -> list[Encoding]:
    encodings: list[Encoding] = tokenizer.encode_batch_fast(as_inputs(take_texts(batch, chars)))
    return encodings


def _to_columns(
    batch: pa.RecordBatch, encodings: Sequence[Encoding], max_length: int
) -> tuple[pa.RecordBatch, pa.Array, pa.Array]:
    """Return the batch with the columns of its encodings."""
    offsets = np.zeros(len(encodings) + 1, np.int32)
    np.cumsum([len(encoding) for encoding in encodings], out=offsets[1:])
    ids = _to_lists((encoding.ids for encoding in encodings), offsets)
    long = [max(map(len, texts)) > max_length * CHARS_PER_TOKEN for texts in take_texts(batch)]
    cut = [too_long or bool(encoding.overflowing) for too_long, encoding in zip(long, encodings, strict=True)]
    if PAIR in batch.schema.names:
        batch = batch.append_column(TYPES, _to_lists((encoding.type_ids for encoding in encodings), offsets))
    return batch, ids, pa.array(cut, pa.bool_())


def _to_lists(rows: Iterable[list[int]], offsets: np.ndarray[Any, np.dtype[np.int32]]) -> pa.ListArray:
    flat = array("i")
    for row in rows:
        flat.fromlist(row)  # the binding gives nothing but a list, freed at once
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.frombuffer(flat, np.int32)))
