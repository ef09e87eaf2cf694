"""The tokenizer of a pretraining: learned from the corpus or taken from an encoder, and what masking knows of it."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from pipeline.errors import DataError
from pipeline.masking import Words
from pipeline.tokenizer import load_tokenizer

PAD, UNKNOWN, FIRST, LAST, MASK = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
NAMES = {"pad_token": PAD, "unk_token": UNKNOWN, "cls_token": FIRST, "sep_token": LAST, "mask_token": MASK}
MASKS = (MASK, "<mask>")  # as BERT's and RoBERTa's tokenizers call it


def learned(texts: Iterable[str], kind: str, *, size: int, lowercase: bool) -> Tokenizer:
    """Return a tokenizer of `size` tokens at most, learned from the texts; same texts, same bytes.

    `kind` is wordpiece (Schuster and Nakajima 2012), bpe (Sennrich et al. 2016; over bytes, so that no character is
    unknown) or unigram (Kudo 2018).

    Raises:
        DataError: There are not enough texts to learn from.
    """
    tokenizer, trainer = KINDS[kind](size)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), *([normalizers.Lowercase()] if lowercase else [])]
        if kind != "wordpiece"
        else [normalizers.BertNormalizer(lowercase=lowercase)]
    )
    try:
        tokenizer.train_from_iterator(texts, trainer)
    except Exception as error:  # the library raises a bare Exception
        raise DataError(
            f"no {kind} tokenizer could be learned: {error}. Bring more text or lower `vocabulary`."
        ) from error
    ids = {name: tokenizer.token_to_id(name) for name in SPECIAL}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} $B:1 {LAST}:1",
        special_tokens=[(FIRST, ids[FIRST]), (LAST, ids[LAST])],
    )
    return tokenizer


def _wordpiece(size: int) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)


def _bpe(size: int) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), initial_alphabet=sorted(alphabet), show_progress=False
    )


def _unigram(size: int) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), unk_token=UNKNOWN, show_progress=False
    )


KINDS: dict[str, Callable[[int], tuple[Tokenizer, Any]]] = {
    "wordpiece": _wordpiece,
    "bpe": _bpe,
    "unigram": _unigram,
}


def write_tokenizer(tokenizer: Tokenizer, folder: Path, *, max_length: int) -> None:
    """Write a learned tokenizer as AutoTokenizer reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length, **NAMES}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(NAMES, indent=1) + "\n", encoding="utf-8")


def words(folder: Path) -> tuple[Words, int, int, dict[str, int]]:
    """Return what masking knows of the tokenizer of a folder, its size, and the ids of first, last and padding token.

    Raises:
        EnvironmentFault: There is no readable tokenizer.json.
        DataError: It has no mask token, or does not put one token before and one behind a text.
    """
    tokenizer = load_tokenizer(folder, max_length=8)
    mask = next((found for name in MASKS if (found := tokenizer.token_to_id(name)) is not None), None)
    around = tokenizer.encode("").ids
    if mask is None or len(around) != 2:
        raise DataError(
            f"{folder / 'tokenizer.json'} is not for pretraining: it needs {' or '.join(MASKS)} (found id {mask}) "
            f"and one token each before and behind a text (found {around}). Take another encoder's, or train one."
        )
    size = tokenizer.get_vocab_size()
    special = np.array(sorted(tokenizer.get_added_tokens_decoder()), np.int64)
    begins = np.zeros(max(size, int(special.max()) + 1), bool)
    begins[list(_beginning(tokenizer))] = True
    ordinary = np.setdiff1d(np.arange(size), special)
    pad = next((found for name in (PAD, "<pad>") if (found := tokenizer.token_to_id(name)) is not None), 0)
    return Words(mask, special, ordinary, begins), size, pad, {"first": around[0], "last": around[1]}


def _beginning(tokenizer: Tokenizer) -> Iterator[int]:
    """Yield the ids of the tokens that begin a word: by the sign before them, or, in WordPiece, by its absence."""
    vocabulary = tokenizer.get_vocab()
    kind = type(tokenizer.model).__name__
    if kind == "WordPiece":
        return (index for token, index in vocabulary.items() if not token.startswith("##"))
    return (index for token, index in vocabulary.items() if token.startswith(("Ġ", "▁")))
